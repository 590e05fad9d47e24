"""Sources: where the designs of a dataset are read from. Each gives them as columns and one by one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from wa_bench.data.catalogue import Entry, entry
from wa_bench.errors import DataError, Fault, RecordError
from wa_bench.records.hls4ml import decode
from wa_bench.records.json_array import iter_objects
from wa_bench.records.schema import Design, arrow_schema, designs, to_frame
from wa_bench.records.tabular import read_tabular

OnBad = Literal["raise", "skip"]

_HUB_FILE = re.compile(r"^(?:train|val|test)_(?P<family>\w+)_merged\.json$")
_MIRROR = "WA_BENCH_MIRROR"


class Source(Protocol):
    """Designs of one or more splits. ``skipped`` holds the faults passed over so far."""

    skipped: list[Fault]

    def frame(self) -> pl.LazyFrame:
        """All designs as columns."""

    def stream(self) -> Iterator[Design]:
        """The designs one by one, in bounded memory."""


class ParquetSource:
    """A Parquet file in the record schema, of one dataset."""

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
            if found.names != arrow_schema().names:
                expected = "the columns of wa_bench.records.schema.Design"
                raise DataError(Fault(str(self.path), expected, ", ".join(found.names)[:200]))
            sources = pq.read_table(self.path, columns=["source"]).column("source").unique().to_pylist()
        except pa.ArrowException as error:
            raise DataError(Fault(str(self.path), "a readable Parquet file", str(error)[:200])) from None
        if foreign := sorted(set(sources) - {self.dataset}):
            raise DataError(Fault(str(self.path), f"records of {self.dataset}", f"records of {', '.join(foreign)}"))
        return self.path

    def stream(self) -> Iterator[Design]:
        """The designs, a thousand rows in memory at a time."""
        with pq.ParquetFile(self._checked_path) as file:
            for batch in file.iter_batches(batch_size=1024):
                rows = pl.DataFrame(pa.Table.from_batches([batch]))
                yield from designs(rows.filter(pl.col("split").is_in(self.splits)))


class JsonSource:
    """wa-hls4ml JSON arrays in the Hub's layout: (path, split) pairs.

    With ``on_bad="raise"`` a frame raises all faults of all files at once and a stream the first; with "skip" the
    records are passed over and their faults kept in ``skipped``.
    """

    def __init__(self, files: Sequence[tuple[Path, str]], on_bad: OnBad) -> None:
        self.files = list(files)
        self.on_bad = on_bad
        self.skipped: list[Fault] = []

    def frame(self) -> pl.LazyFrame:
        """All designs, decoded once and kept."""
        return self._frame.lazy()

    @cached_property
    def _frame(self) -> pl.DataFrame:
        faults: list[Fault] = []
        frame = to_frame(self._read(faults))
        self.skipped = faults
        if faults and self.on_bad == "raise":
            raise RecordError(*faults)
        return frame

    def stream(self) -> Iterator[Design]:
        """The designs, decoded one by one and not kept."""
        self.skipped = []
        yield from self._read(self.skipped if self.on_bad == "skip" else None)

    def _read(self, faults: list[Fault] | None) -> Iterator[Design]:
        """All designs; faults are collected in ``faults`` where given, else raised."""
        for path, split in self.files:
            match = _HUB_FILE.match(path.name)
            family = match["family"] if match else None
            for index, raw in enumerate(iter_objects(path)):
                try:
                    yield decode(raw, split=split, family=family, file=path.name, index=index)
                except RecordError as error:
                    if faults is None:
                        raise
                    faults.extend(error.faults)


class TabularSource:
    """Rows of the older tabular export of wa-hls4ml (see ``records.tabular``)."""

    def __init__(self, path: Path, split: str) -> None:
        self.path = path
        self.split = split
        self.skipped: list[Fault] = []

    def frame(self) -> pl.LazyFrame:
        """All rows as columns."""
        return to_frame(self.stream()).lazy()

    def stream(self) -> Iterator[Design]:
        """The rows one by one."""
        yield from read_tabular(self.path, self.split)


def find(dataset: str, splits: Sequence[str], source: str | os.PathLike[str] | None, on_bad: OnBad) -> Source:
    """The source of some splits of a dataset.

    In this order: ``source`` (for wa-hls4ml a folder in the Hub's layout or one file), the file shipped in the
    package, the folder ``<WA_BENCH_MIRROR>/<dataset>``.

    Raises:
        DataError: the files are not there; says how to get them.
    """
    known = entry(dataset)
    if source is not None:
        path = Path(source)
    elif known.embedded_path is not None:
        path = known.embedded_path
    else:
        path = Path(os.environ.get(_MIRROR, "")) / dataset
        if not os.environ.get(_MIRROR) or not path.is_dir():
            raise DataError(
                Fault(
                    f"dataset {dataset}, split {', '.join(splits)}",
                    f"a local copy (argument source=, or {_MIRROR}/{dataset})",
                    "neither",
                    f"download it: hf download {known.hub} --repo-type dataset --local-dir {dataset}, "
                    f"then pass source='{dataset}'",
                )
            )
    return _READERS[known.format](dataset, splits, path, on_bad)


def _parquet(dataset: str, splits: Sequence[str], path: Path, on_bad: OnBad) -> Source:
    if path.suffix != ".parquet" or not path.is_file():
        raise DataError(Fault(str(path), f"a .parquet file, which is how {dataset} is kept", _what(path)))
    return ParquetSource(path, splits, dataset)


def _hls4ml_json(dataset: str, splits: Sequence[str], path: Path, on_bad: OnBad) -> Source:
    if path.is_dir():
        return JsonSource(_hub_files(entry(dataset), splits, path), on_bad)
    if not path.is_file() or path.suffix not in (".json", ".csv"):
        raise DataError(Fault(str(path), "a folder, or a .json or .csv file", _what(path)))
    if len(splits) != 1:
        raise DataError(Fault(str(path), "one split for one file", ", ".join(splits)))
    return TabularSource(path, splits[0]) if path.suffix == ".csv" else JsonSource([(path, splits[0])], on_bad)


_READERS = {"parquet": _parquet, "hls4ml-json": _hls4ml_json}
"""Readers by the catalogue's ``format``."""


def _hub_files(known: Entry, splits: Sequence[str], folder: Path) -> list[tuple[Path, str]]:
    """The files of some splits in the Hub's layout, each with its split."""
    files: list[tuple[Path, str]] = []
    faults: list[Fault] = []
    for split in splits:
        matches = sorted(folder.glob(known.splits[split]))
        if not matches:
            faults.append(Fault(f"{folder}, split {split}", f"files {known.splits[split]}", "none"))
        files += [(path, split) for path in matches]
    if faults:
        raise DataError(*faults)
    return files


def _what(path: Path) -> str:
    return "a folder" if path.is_dir() else f"a {path.suffix or 'nameless'} file" if path.is_file() else "nothing"
