"""Where the records of a dataset are: a place that the user names, the package, a mirror, or upstream."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import msgspec

from wa_bench.data.cache import cache_folder
from wa_bench.data.catalogue import Entry, File, entry
from wa_bench.data.raw import COMPRESSIONS, RawFile, local_file
from wa_bench.data.sources import Found, JsonSource, OnBad, ParquetSource, Source, TableSource, TabularSource
from wa_bench.errors import DataError, Fault, RecordError
from wa_bench.files import sha256_of

MIRROR = "WA_BENCH_MIRROR"

_HUB_FILE = re.compile(r"^(?P<split>train|val|test)_(?P<family>\w+)_merged\.json")


class Request(NamedTuple):
    """What is wanted of a dataset, and from where; None stands for the usual places."""

    dataset: str
    splits: Sequence[str]
    source: str | os.PathLike[str] | None
    on_bad: OnBad

    @property
    def entry(self) -> Entry:
        """What the catalogue says of the dataset."""
        return entry(self.dataset)


def locate(request: Request) -> Source:
    """The source of some splits of a dataset.

    In this order: ``source`` (a folder in upstream's layout, one file, or the URL of such a folder), the file shipped
    in the package, ``<WA_BENCH_MIRROR>/<dataset>`` (a folder or a URL), upstream itself.

    Raises:
        DataError: the files are not there; says how to get them.
    """
    return _FORMATS[request.entry.format].locate(request)


def _place(request: Request) -> Path | str | None:
    """The folder, file or URL to read from; None for upstream."""
    if request.source is not None:
        given = os.fspath(request.source)
        return given if is_url(given) else Path(given)
    mirror = os.environ.get(MIRROR, "")
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{request.dataset}"
    if mirror and not Path(mirror).is_dir():
        raise DataError(Fault(f"{MIRROR}={mirror}", "a folder or a URL", _what(Path(mirror)), "mend or unset it"))
    folder = Path(mirror) / request.dataset
    return folder if mirror and folder.is_dir() else None


def is_url(text: str | os.PathLike[str]) -> bool:
    """Whether a source is an address, not a path."""
    return isinstance(text, str) and text.startswith(("https://", "http://"))


def _parquet(request: Request) -> Source:
    if request.source is not None and is_url(request.source):
        raise DataError(Fault(os.fspath(request.source), "a .parquet file on this machine", "a URL", "fetch it first"))
    path = request.entry.embedded_path if request.source is None else Path(request.source)
    if path is None or path.suffix != ".parquet" or not path.is_file():
        expected = f"a .parquet file, which is how {request.dataset} is kept"
        raise DataError(Fault(str(path), expected, _what(path)))
    return ParquetSource(path, request.splits, request.dataset)


def _hls4ml_json(request: Request) -> Source:
    place = _place(request)
    if isinstance(place, Path) and not place.is_dir():
        return _single_file(place, request)
    if place is None:
        return JsonSource(request.dataset, partial(_hub_files, request), request.on_bad)
    files = _mirrored_files(request, place) if isinstance(place, str) else _local_files(request, place)
    return JsonSource(request.dataset, lambda: Found(_with_families(files)), request.on_bad)


def _single_file(path: Path, request: Request) -> Source:
    json = path.suffix == ".json" or (path.suffix in COMPRESSIONS and path.stem.endswith(".json"))
    if not path.is_file() or not (json or path.suffix == ".csv"):
        raise DataError(Fault(str(path), "a folder, or a .json or .csv file", _what(path)))
    if len(request.splits) != 1:
        raise DataError(Fault(str(path), "one split for one file", ", ".join(request.splits)))
    (split,) = request.splits
    told = _HUB_FILE.match(path.name)
    if told is not None and told["split"] != split:
        raise DataError(Fault(str(path), f"records of split {split}", f"a file of split {told['split']}"))
    if not json:
        return TabularSource(path, split)
    files = _with_families([(local_file(path, path.name), split)])
    return JsonSource(request.dataset, lambda: Found(files), request.on_bad)


def _with_families(files: Sequence[tuple[RawFile, str]]) -> list[tuple[RawFile, str, str | None]]:
    matches = [(raw, split, _HUB_FILE.match(raw.short_name)) for raw, split in files]
    return [(raw, split, None if match is None else match["family"]) for raw, split, match in matches]


def _local_files(request: Request, folder: Path) -> list[tuple[RawFile, str]]:
    """The files of some splits in the Hub's layout, compressed or not, each with its split."""
    files: list[tuple[RawFile, str]] = []
    faults: list[Fault] = []
    for split in request.splits:
        pattern = request.entry.splits[split]
        paths = sorted(path for ending in ("", *COMPRESSIONS) for path in folder.glob(pattern + ending))
        paths = [path for path in paths if path.suffix not in COMPRESSIONS or path.with_suffix("") not in paths]
        if not paths:
            faults.append(Fault(f"{folder}, split {split}", f"files {pattern}", "none"))
        files += [(local_file(path, path.relative_to(folder).as_posix()), split) for path in paths]
    if faults:
        raise DataError(*faults)
    return files


def _hub_files(request: Request) -> Found:
    """The files of some splits on the Hub, pinned to a commit at first contact."""
    from wa_bench.data import hub

    known = request.entry
    lock = cache_folder() / "locks" / f"{request.dataset}-{known.revision}.json"
    snapshot = hub.snapshot(known.hub or "", known.revision, [known.splits[split] for split in request.splits], lock)
    files = []
    for split in request.splits:
        for file in snapshot.matching([known.splits[split]]):
            fetch, opened = partial(hub.download, snapshot, file), partial(hub.open_stream, snapshot, file)
            files.append((RawFile(file.name, file.size, file.digest, fetch, opened), split))
    return Found(_with_families(files), snapshot.commit, known.rows)


def _mirrored_files(request: Request, url: str) -> list[tuple[RawFile, str]]:
    """The files of some splits below a URL; their names are known, as a URL cannot be listed."""
    known = request.entry
    return [
        (_remote_file(url, name), split)
        for split in request.splits
        for name in _expanded(known.splits[split], known.families)
    ]


def _expanded(pattern: str, families: Sequence[str]) -> Iterator[str]:
    yield from ([pattern.replace("*", family) for family in families] if "*" in pattern else [pattern])


def _remote_file(url: str, name: str) -> RawFile:
    """A file of a mirror, which is taken to stay as it is."""
    from wa_bench.data.download import Remote, fetch, open_remote

    folder = cache_folder() / "mirror" / sha256(url.encode()).hexdigest()[:12]
    remote = Remote(f"{url.rstrip('/')}/{name}")
    return RawFile(name, 0, remote.url, partial(fetch, remote, folder / name), partial(open_remote, remote))


def _tables(read: str) -> Callable[[Request], Source]:
    """Locates tables of upstream; ``read`` names their reader, ``module.function``, which is imported when used."""

    def located(request: Request) -> Source:
        module, _, name = read.partition(".")
        reader = getattr(import_module(f"wa_bench.records.{module}"), name)
        return TableSource(record_type(request.entry), reader, _catalogued_files(request), request.splits)

    return located


def _catalogued_files(request: Request) -> dict[str, Path]:
    """The files that the catalogue lists, each the very one: from a folder, or fetched once.

    Raises:
        DataError: files that are missing or not the catalogue's, all of them.
    """
    place = _place(request)
    faults: list[Fault] = []
    paths: dict[str, Path] = {}
    for file in request.entry.files:
        try:
            paths[file.name] = _catalogued_file(request, place, file)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(*faults)
    return paths


def _catalogued_file(request: Request, place: Path | str | None, file: File) -> Path:
    """One file that the catalogue lists, verified."""
    known = request.entry
    upstream = file.url or f"{known.url}/{file.name}"
    if isinstance(place, Path):
        path = place / file.name
        if not path.is_file():
            raise DataError(Fault(str(path), f"the file {upstream}", "none", f"fetch it, or unset {MIRROR} and source"))
    else:
        from wa_bench.data.download import Remote, fetch

        url = upstream if place is None else f"{place}/{file.name}"
        fixed = file.contents_sha256 is None
        remote = Remote(url, file.size if fixed else None, file.sha256 if fixed else None)
        path = fetch(remote, cache_folder() / "upstream" / request.dataset / file.name)
    try:
        _verify(path, file, upstream)
    except DataError:
        if not isinstance(place, Path):
            path.unlink()
        raise
    return path


def _verify(path: Path, file: File, upstream: str) -> None:
    """Make sure that ``path`` is the catalogue's file, or an archive that holds the same.

    Raises:
        DataError: it is not; shows both hashes.
    """
    found = sha256_of(path)
    if found == file.sha256:
        return
    if file.contents_sha256 is not None and file.folder is not None:
        from wa_bench.records.archive import contents_sha256

        try:
            if contents_sha256(path, file.folder) == file.contents_sha256:
                return
        except RecordError as error:
            found += f" ({error.faults[0].found})"
    raise DataError(Fault(str(path), f"SHA-256 {file.sha256}", f"SHA-256 {found}", f"fetch it again: {upstream}"))


class _Format(NamedTuple):
    """How a dataset is kept: the record type, as ``module.name`` in ``wa_bench.records``, and what finds its files."""

    kind: str
    locate: Callable[[Request], Source]


_FORMATS = {
    "parquet": _Format("schema.Design", _parquet),
    "hls4ml-json": _Format("schema.Design", _hls4ml_json),
    "timm": _Format("vit.VitRun", _tables("timm.read")),
    "wtf-benchmark": _Format("vit.VitRun", _tables("wtf_benchmark.read")),
    "co2-inference": _Format("energy.EnergyRun", _tables("co2_inference.read")),
    "imagenet-energy-efficiency": _Format("energy.EnergyRun", _tables("imagenet_energy.read")),
    "ml-energy-v3": _Format("energy.EnergyRun", _tables("ml_energy.read")),
}
"""By the catalogue's ``format``."""


def record_type(known: Entry) -> type[msgspec.Struct]:
    """What a record of a dataset is."""
    module, _, name = _FORMATS[known.format].kind.partition(".")
    found: type[msgspec.Struct] = getattr(import_module(f"wa_bench.records.{module}"), name)
    return found


def _what(path: Path | None) -> str:
    if path is None or not path.exists():
        return "nothing"
    return "a folder" if path.is_dir() else f"a {path.suffix or 'nameless'} file"
