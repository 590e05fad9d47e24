"""Tables from strangers, CSV and Parquet: looked at first, then read block by block, so that memory stays bounded.

A block is a frame of a few ten thousand rows with the columns asked for: text as String, numbers as they are.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from wa_bench.data.limits import (
    LARGEST_FOOTER,
    LONGEST_ID,
    LONGEST_LINE,
    MOST_BYTES,
    MOST_COLUMNS,
    MOST_ID_BYTES,
    MOST_PAGES,
    MOST_ROWS,
)
from wa_bench.data.parquet_layout import Layout, Page, layout, longest_text, pages
from wa_bench.data.zip_archive import BROKEN
from wa_bench.errors import Fault, PredictionsError, shown

ID = "sample_id"
_LONGEST_HEADER = 64 << 10
_ROWS = 65_536
_END_BYTES = 8
_UNCOMPRESSED = 0
_CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
_UNREADABLE = (pa.ArrowException, *BROKEN)


Kind = Literal["text", "integer", "number", "other"]


@dataclass(frozen=True)
class Column:
    """A column as its file declares it."""

    name: str
    kind: Kind
    type: str


@dataclass(frozen=True)
class Table:
    """A table that was looked at and not yet read.

    ``blocks`` reads the columns asked for. It raises PredictionsError where the content is damaged, or larger than
    ``wa_bench.data.limits``.
    """

    columns: tuple[Column, ...]
    blocks: Callable[[Sequence[str]], Iterator[pl.DataFrame]]


def parquet_table(path: Path) -> Table:
    """A Parquet file.

    Raises:
        PredictionsError: it is damaged, encrypted, or its footer or a page header asks for more than the limits.
    """
    place = path.name
    try:
        with path.open("rb") as file:
            _look_at_pages(file, _look_at_footer(file, place), place)
        with pq.ParquetFile(path, pre_buffer=False) as opened:
            metadata, schema = opened.metadata, opened.schema_arrow
    except _UNREADABLE as error:
        _refuse(place, ".parquet", error)

    def blocks(names: Sequence[str]) -> Iterator[pl.DataFrame]:
        bounds = _Bounds(place)
        try:
            with pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=1 << 20) as file:
                for batch in file.iter_batches(_ROWS, columns=list(names), use_threads=False):
                    batch.validate(full=True)
                    yield bounds.frame(batch.select(list(names)))
        except _UNREADABLE as error:
            _refuse(place, ".parquet", error)

    return Table(tuple(_column(field) for field in schema), blocks)


def csv_table(opened: Callable[[], BinaryIO], place: str) -> Table:
    """A CSV table in UTF-8 with a header; every value is text.

    Args:
        opened: opens it from its beginning.
        place: what error messages call it.

    Raises:
        PredictionsError: no header, or none in UTF-8.
    """
    names = _header(opened, place)

    def blocks(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        bounds = _Bounds(place)
        text = dict.fromkeys(wanted, pa.string())
        try:
            with (
                opened() as file,
                pacsv.open_csv(
                    file,
                    pacsv.ReadOptions(use_threads=False, block_size=LONGEST_LINE, column_names=names, skip_rows=1),
                    pacsv.ParseOptions(newlines_in_values=False),
                    pacsv.ConvertOptions(include_columns=list(wanted), column_types=text, strings_can_be_null=False),
                ) as batches,
            ):
                for batch in batches:
                    yield bounds.frame(batch)
        except pa.ArrowException as error:
            if "straddling" in str(error) or "block boundar" in str(error):
                expected = f"lines of at most {LONGEST_LINE:,} bytes, every quote closed in its line"
                raise PredictionsError(Fault(place, expected, "a longer one")) from None
            _refuse(place, ".csv", error)
        except BROKEN as error:
            _refuse(place, ".csv", error)

    return Table(tuple(Column(name, "text", "text") for name in names), blocks)


class _Bounds:
    """Counts rows and bytes of ids over the blocks of one table."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._rows = self._id_bytes = 0

    def frame(self, batch: pa.RecordBatch) -> pl.DataFrame:
        """The block as a frame, if the table is within bounds so far."""
        self._rows += batch.num_rows
        if self._rows > MOST_ROWS:
            raise PredictionsError(Fault(self._place, f"at most {MOST_ROWS:,} rows", "more"))
        plain = pa.RecordBatch.from_arrays(batch.columns, names=batch.schema.names)  # without metadata of the file's
        frame = pl.DataFrame(pl.from_arrow(plain))
        if frame.schema.get(ID) == pl.String:
            self._count_ids(frame.get_column(ID).str.len_bytes().fill_null(0).to_numpy())
        return frame

    def _count_ids(self, lengths: npt.NDArray[np.uint32]) -> None:
        _require_short(int(lengths.max(initial=0)), self._place)
        self._id_bytes += int(lengths.sum())
        if self._id_bytes > MOST_ID_BYTES:
            place = f"{self._place}, column {ID}"
            raise PredictionsError(Fault(place, f"at most {MOST_ID_BYTES:,} bytes of ids", "more"))


def _look_at_footer(file: BinaryIO, place: str) -> Layout:
    """The marks at both ends of a Parquet file, and what its footer says, if within the limits."""
    head = file.read(4)
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES))
    tail = file.read(_END_BYTES)
    if b"PARE" in (head, tail[4:]):
        raise PredictionsError(Fault(place, "a Parquet file in plain", "an encrypted one"))
    if head != b"PAR1" or tail[4:] != b"PAR1" or size < 4 + _END_BYTES:
        raise ValueError("a file without the marks of a whole one")
    length, most = int.from_bytes(tail[:4], "little"), min(LARGEST_FOOTER, size - 4 - _END_BYTES)
    if length > most:
        expected, remedy = f"a footer of at most {most:,} bytes", "write larger row groups"
        raise PredictionsError(Fault(place, expected, f"one of {length:,}", remedy))
    file.seek(size - _END_BYTES - length)
    found = layout(file.read(length))
    faults = []
    if found.columns > MOST_COLUMNS:
        faults.append(Fault(place, f"at most {MOST_COLUMNS} columns", f"{found.columns:,}"))
    if not 0 <= found.rows <= MOST_ROWS:
        faults.append(Fault(place, f"at most {MOST_ROWS:,} rows", f"{found.rows:,}"))
    if faults:
        raise PredictionsError(*faults)
    return found


def _look_at_pages(file: BinaryIO, whole: Layout, place: str) -> None:
    """Compare the headers of all pages with the footer and with the limits, before anything is decoded."""
    count = total = words = 0
    size = file.seek(0, 2)
    for chunk in whole.chunks:
        if not (chunk.start >= 4 and 0 <= chunk.length <= size - chunk.start):
            raise ValueError("a column outside the file")
        values = 0
        for page in pages(file, chunk.start, chunk.length):
            total, count = total + page.size, count + 1
            if total > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES:,} bytes after decompression")
            if count > MOST_PAGES:
                raise ValueError(f"more than {MOST_PAGES:,} pages; write larger ones")
            if not page.is_dictionary:
                values += page.values
            elif chunk.is_text:
                words += page.values
                if words > MOST_ROWS:
                    raise ValueError(f"more than {MOST_ROWS:,} words in dictionaries")
                _require_short(longest_text(_content(file, page, chunk.codec), page.values), place)
        if not values == chunk.values == chunk.rows <= whole.rows:
            found = f"{chunk.values:,} values in the footer, {values:,} in the pages"
            raise ValueError(f"a group of {chunk.rows:,} rows with {found}")


def _content(file: BinaryIO, page: Page, codec: int) -> bytes:
    """A page after decompression."""
    file.seek(page.start)
    stored = file.read(page.stored)
    if codec == _UNCOMPRESSED:
        return stored
    if codec not in _CODECS:
        raise ValueError(f"words in compression {codec}; write the file with zstd or snappy")
    return bytes(pa.decompress(stored, page.size, _CODECS[codec], asbytes=True))


def _require_short(longest: int, place: str) -> None:
    if longest > LONGEST_ID:
        found = f"one of {longest:,} bytes"
        raise PredictionsError(Fault(f"{place}, column {ID}", f"ids of at most {LONGEST_ID} bytes", found))


def _column(field: pa.Field) -> Column:
    dtype = field.type
    kind: Kind = "other"
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        kind = "text"
    elif pa.types.is_integer(dtype):
        kind = "integer"
    elif pa.types.is_float32(dtype) or pa.types.is_float64(dtype):
        kind = "number"
    return Column(field.name, kind, shown(str(dtype)))


def _header(opened: Callable[[], BinaryIO], place: str) -> list[str]:
    """Names of the columns of a CSV table."""
    try:
        with opened() as file:
            start = file.read(_LONGEST_HEADER)
    except BROKEN as error:
        _refuse(place, ".csv", error)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise PredictionsError(Fault(place, "text in UTF-8", "UTF-16", "save it as CSV in UTF-8"))
    line, _, rest = start.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"\n").partition(b"\n")
    if not rest and len(start) == _LONGEST_HEADER:
        raise PredictionsError(Fault(place, f"a first line of less than {_LONGEST_HEADER:,} bytes", "a longer one"))
    try:
        names = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        _refuse(place, ".csv", error)
    if not any(names):
        raise PredictionsError(Fault(place, "a readable .csv table", "no header"))
    if len(names) > MOST_COLUMNS:
        raise PredictionsError(Fault(place, f"at most {MOST_COLUMNS} columns", f"{len(names):,}"))
    return names


def _refuse(place: str, kind: str, error: Exception) -> NoReturn:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise PredictionsError(Fault(place, f"a readable {kind} table", shown(reason, 200).strip("'\""))) from None
