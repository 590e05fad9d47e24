"""The store: raw JSON converted once to Parquet, so that reading it again never touches JSON.

Each raw file has a folder of its own: parts of ``ROWS`` records in the order of the file, zstd, and ``manifest.json``
that lists them with counts and hashes. A part is written beside its name and renamed, then the manifest is replaced;
what is killed in between goes on behind the last part of the manifest and ends with the same bytes
(``wa_bench.data.conversion``).
"""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from wa_bench.errors import DataError, Fault
from wa_bench.files import sha256_of, write_text
from wa_bench.records.columns import arrow_schema
from wa_bench.records.json_array import Position
from wa_bench.records.schema import Design

ROWS = 32_768
"""Records in a part."""
LISTED_FAULTS = 1000
"""Faults that a manifest lists; it counts them all."""
DECODER_VERSION = 1
"""To be raised when the same raw record is decoded to another one."""

_MANIFEST = "manifest.json"


class Part(msgspec.Struct, frozen=True):
    """A Parquet file of a store."""

    name: str
    rows: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a folder of the store holds.

    ``next_index`` is the first record that no part holds yet, ``resume`` where to read on for it. ``faulty`` records
    did not fit the schema; they are in no part.
    """

    dataset: str
    raw: str
    raw_size: int
    identity: str
    split: str
    family: str | None
    revision: str | None
    schema: str
    wa_bench: str
    parts: list[Part] = []
    next_index: int = 0
    resume: Position = Position()
    faulty: int = 0
    faults: list[Fault] = []
    complete: bool = False

    @property
    def rows(self) -> int:
        """Records in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def all_faults(self) -> list[Fault]:
        """The listed faults, and one that counts the others."""
        hidden = self.faulty - len(self.faults)
        more = [Fault(self.raw, "records that fit the schema", f"{hidden:,} more that do not")] if hidden else []
        return [*self.faults, *more]


def schema_version() -> str:
    """Changes when the columns do, or what the decoder makes of a record."""
    return sha256(f"{DECODER_VERSION} {arrow_schema(Design)}".encode()).hexdigest()[:12]


def new_manifest(
    dataset: str, raw: str, raw_size: int, identity: str, split: str, family: str | None, revision: str | None
) -> Manifest:
    """The manifest of a raw file of which nothing is converted yet."""
    return Manifest(dataset, raw, raw_size, identity, split, family, revision, schema_version(), version("wa-bench"))


def folder_of(manifest: Manifest, store: Path) -> Path:
    """Where in ``store`` a raw file's records are kept; another content or schema has another folder."""
    told = f"{manifest.raw} {manifest.identity} {manifest.split} {manifest.revision} {manifest.schema}"
    stem = Path(manifest.raw).name.partition(".")[0]
    return store / manifest.dataset / f"{stem}-{sha256(told.encode()).hexdigest()[:12]}"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none.

    Raises:
        DataError: it is damaged.
    """
    path = folder / _MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise DataError(Fault(str(path), "a manifest as wa-bench writes it", str(error), f"remove {folder}")) from None


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Replace the manifest of a folder."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_text(folder / _MANIFEST, text.decode() + "\n")


def manifest_in(folder: Path) -> Manifest:
    """The manifest of a folder that is converted.

    Raises:
        DataError: it is damaged, or another process removed it.
    """
    found = read_manifest(folder)
    if found is None:
        raise DataError(Fault(str(folder / _MANIFEST), "a manifest", "none", "ask for the records again"))
    return found


def folders(store: Path, dataset: str) -> list[Path]:
    """The folders of a dataset in ``store``."""
    return sorted(manifest.parent for manifest in (store / dataset).glob(f"*/{_MANIFEST}"))


def parts(folder: Path, manifest: Manifest) -> list[Path]:
    """The Parquet files of a folder.

    Raises:
        DataError: one is missing or cut, all of them.
    """
    paths = [folder / part.name for part in manifest.parts]
    sizes = [path.stat().st_size if path.is_file() else None for path in paths]
    faults = [
        Fault(str(path), f"{part.size:,} bytes", "no file" if size is None else f"{size:,} bytes", _remedy(folder))
        for path, part, size in zip(paths, manifest.parts, sizes, strict=True)
        if size != part.size
    ]
    if faults:
        raise DataError(*faults)
    return paths


def verify(folder: Path) -> list[Fault]:
    """What a folder of the store holds otherwise than its manifest says; an empty list if nothing.

    Raises:
        DataError: a file is missing or cut, or the manifest is damaged.
    """
    manifest = manifest_in(folder)
    faults = []
    for path, part in zip(parts(folder, manifest), manifest.parts, strict=True):
        if (found := sha256_of(path)) != part.sha256:
            faults.append(Fault(str(path), f"SHA-256 {part.sha256}", found, _remedy(folder)))
        elif (rows := pq.read_metadata(path).num_rows) != part.rows:
            faults.append(Fault(str(path), f"{part.rows:,} records", f"{rows:,}", _remedy(folder)))
    return faults


def _remedy(folder: Path) -> str:
    return f"remove {folder}; the records are converted again when they are asked for"
