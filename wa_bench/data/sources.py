"""Sources: the records of some splits of one dataset, as columns and one by one, whatever they are kept in."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from wa_bench.data import store
from wa_bench.data.cache import cache_folder
from wa_bench.data.conversion import Task, convert
from wa_bench.data.progress import byte_progress
from wa_bench.data.raw import RawFile
from wa_bench.errors import DataError, Fault, RecordError
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.hls4ml import read_designs
from wa_bench.records.schema import Design
from wa_bench.records.tabular import read_tabular

OnBad = Literal["raise", "skip"]

_IN_PROCESS_BYTES = 64 << 20
_ROWS = 1024


class Source(Protocol):
    """Records of one or more splits, of one type. ``skipped`` holds the faults that the last read passed over."""

    kind: type[msgspec.Struct]
    skipped: list[Fault]

    def frame(self) -> pl.LazyFrame:
        """All records as columns, with the Arrow schema of ``kind``."""

    def stream(self) -> Iterator[Any]:
        """The records one by one, in bounded memory."""

    def parts(self) -> list[Path]:
        """Parquet files that hold the records and nothing else; none where they are not kept so."""


class ParquetSource:
    """One Parquet file in the record schema, of one dataset."""

    kind: type[msgspec.Struct] = Design

    def __init__(self, path: Path, splits: Sequence[str], dataset: str) -> None:
        self.path = path
        self.splits = list(splits)
        self.dataset = dataset
        self.skipped: list[Fault] = []

    def frame(self) -> pl.LazyFrame:
        """A lazy scan; only the file's schema and its column ``source`` are read yet."""
        return pl.scan_parquet(self._checked_path, glob=False).filter(pl.col("split").is_in(self.splits))

    @cached_property
    def _checked_path(self) -> Path:
        """The path, once the file has turned out to hold records of the dataset."""
        try:
            found = pq.read_schema(self.path)
            if found.names != arrow_schema(self.kind).names:
                expected = f"the columns of {self.kind.__module__}.{self.kind.__name__}"
                raise DataError(Fault(str(self.path), expected, ", ".join(found.names)[:200]))
            sources = pq.ParquetFile(self.path).read(columns=["source"]).column("source").unique().to_pylist()
        except pa.ArrowException as error:
            raise DataError(Fault(str(self.path), "a readable Parquet file", str(error)[:200])) from None
        if foreign := sorted(set(sources) - {self.dataset}):
            raise DataError(Fault(str(self.path), f"records of {self.dataset}", f"records of {', '.join(foreign)}"))
        return self.path

    def stream(self) -> Iterator[Design]:
        """The designs, a thousand rows in memory at a time."""
        for rows in _row_batches(self._checked_path):
            yield from to_records(rows.filter(pl.col("split").is_in(self.splits)), Design)

    def parts(self) -> list[Path]:
        """None: the file holds other splits too."""
        return []


class Found(NamedTuple):
    """Raw files, each with its split and, where the name tells it, its family; and what is known of them as a whole.

    ``published`` are the numbers of records by split, if these are all files of the dataset.
    """

    files: Sequence[tuple[RawFile, str, str | None]]
    revision: str | None = None
    published: Mapping[str, int] = {}


class JsonSource:
    """wa-hls4ml JSON arrays, looked for when they are first asked for.

    ``frame`` converts them to the store on first use and reads them there; ``stream`` reads the store where it is
    complete and the JSON text otherwise. With ``on_bad="raise"`` a frame raises all faults of all files at once and
    a stream the first; with "skip" the records are passed over and their faults kept in ``skipped``.
    """

    kind: type[msgspec.Struct] = Design

    def __init__(self, dataset: str, find: Callable[[], Found], on_bad: OnBad) -> None:
        self.on_bad = on_bad
        self.skipped: list[Fault] = []
        self._dataset = dataset
        self._find = find

    @cached_property
    def _found(self) -> Found:
        return self._find()

    @cached_property
    def _files(self) -> list[tuple[RawFile, store.Manifest]]:
        """Each raw file with the manifest of its conversion, before it begins."""
        revision = self._found.revision
        return [
            (raw, store.new_manifest(self._dataset, raw.name, raw.size, raw.identity, split, family, revision))
            for raw, split, family in self._found.files
        ]

    def frame(self) -> pl.LazyFrame:
        """A lazy scan of the store."""
        paths = self.parts()
        return pl.scan_parquet(paths, glob=False) if paths else to_frame([], self.kind).lazy()

    def parts(self) -> list[Path]:
        """The parts of the store, converted first where they are not there yet.

        Raises:
            DataError: a file cannot be fetched.
            RecordError: records that do not fit the schema, all of them at once, or damaged text.
        """
        manifests = self.convert()
        self.skipped = [fault for manifest in manifests for fault in manifest.all_faults]
        if self.skipped and self.on_bad == "raise":
            raise RecordError(*self.skipped)
        return [path for manifest in manifests for path in store.parts(self._folder(manifest), manifest)]

    def convert(self) -> list[store.Manifest]:
        """Convert what is not in the store yet; the manifests of all files.

        Raises:
            DataError: a file cannot be fetched.
            RecordError: the text of files is damaged, all of them.
        """
        missing = [(raw, manifest) for raw, manifest in self._files if not self._stored(manifest)]
        if missing:
            tasks = [Task(str(raw.fetch()), str(self._folder(manifest)), manifest) for raw, manifest in missing]
            large = sum(raw.size for raw, _ in missing) > _IN_PROCESS_BYTES
            with byte_progress("Converting to Parquet", sum(raw.size for raw, _ in missing)) as progress:
                damages = convert(tasks, processes=(os.cpu_count() or 1) if large else 1, progress=progress)
            if damages:
                raise RecordError(*self._known_faults(), *damages)
        manifests = [store.manifest_in(self._folder(manifest)) for _, manifest in self._files]
        self._compare_with_published(manifests)
        return manifests

    def _known_faults(self) -> list[Fault]:
        """Faults of what is converted so far, which are worth telling beside a greater one."""
        found = (store.read_manifest(self._folder(manifest)) for _, manifest in self._files)
        return [fault for manifest in found if manifest is not None for fault in manifest.faults]

    def _compare_with_published(self, manifests: Sequence[store.Manifest]) -> None:
        for split, expected in self._found.published.items():
            counts = [manifest.rows + manifest.faulty for manifest in manifests if manifest.split == split]
            if counts and sum(counts) != expected:
                found = f"{sum(counts):,} records in split {split}"
                warnings.warn(
                    f"{manifests[0].dataset}: expected {expected:,} as published, found {found}", stacklevel=2
                )

    def stream(self) -> Iterator[Design]:
        """The designs, decoded as they are read."""
        self.skipped = []
        for raw, manifest in self._files:
            if (stored := self._stored(manifest)) is not None:
                if stored.faults and self.on_bad == "raise":
                    raise RecordError(*stored.all_faults)
                self.skipped += stored.all_faults
                for path in store.parts(self._folder(manifest), stored):
                    for rows in _row_batches(path):
                        yield from to_records(rows, Design)
            else:
                yield from self._decoded(raw, manifest)

    def _decoded(self, raw: RawFile, manifest: store.Manifest) -> Iterator[Design]:
        def pass_over(index: int, fault: Fault) -> None:
            if self.on_bad == "raise":
                raise RecordError(fault)
            self.skipped.append(fault)

        with raw.open_text() as stream:
            for chunk in read_designs(
                stream,
                split=manifest.split,
                family=manifest.family,
                file=raw.short_name,
                revision=manifest.revision,
                on_fault=pass_over,
            ):
                yield from chunk.records

    def _folder(self, manifest: store.Manifest) -> Path:
        return store.folder_of(manifest, cache_folder() / "store")

    def _stored(self, manifest: store.Manifest) -> store.Manifest | None:
        """The manifest in the store, if it is complete."""
        found = store.read_manifest(self._folder(manifest))
        return found if found is not None and found.complete else None


class TableSource:
    """Records that a reader makes of upstream's tables, all files at once; they are small."""

    def __init__(
        self,
        kind: type[msgspec.Struct],
        read: Callable[[Mapping[str, Path]], pl.DataFrame],
        files: Mapping[str, Path],
        splits: Sequence[str],
    ) -> None:
        self.kind = kind
        self.skipped: list[Fault] = []
        self._read = read
        self._files = files
        self._splits = list(splits)

    def frame(self) -> pl.LazyFrame:
        """The records, read once and kept."""
        return self._table.lazy().filter(pl.col("split").is_in(self._splits))

    def stream(self) -> Iterator[Any]:
        """The records one by one."""
        yield from to_records(self.frame().collect(), self.kind)

    def parts(self) -> list[Path]:
        """None: they are tables of upstream."""
        return []

    @cached_property
    def _table(self) -> pl.DataFrame:
        return self._read(self._files)


class TabularSource:
    """Rows of the older tabular export of wa-hls4ml (see ``records.tabular``)."""

    kind: type[msgspec.Struct] = Design

    def __init__(self, path: Path, split: str) -> None:
        self.path = path
        self.split = split
        self.skipped: list[Fault] = []

    def frame(self) -> pl.LazyFrame:
        """All rows as columns."""
        return to_frame(self.stream(), Design).lazy()

    def stream(self) -> Iterator[Design]:
        """The rows one by one."""
        yield from read_tabular(self.path, self.split)

    def parts(self) -> list[Path]:
        """None: they are rows of a CSV file."""
        return []


def _row_batches(path: Path) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            yield pl.DataFrame(pa.Table.from_batches([batch]))
