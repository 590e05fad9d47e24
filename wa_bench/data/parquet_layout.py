"""Where the pages of a Parquet file lie and what they claim, from its footer and their headers.

Nothing is decoded here. A decoder believes these claims and takes memory for them, so they are compared with each other
and with the limits before one sees the file. They are Thrift structs in the compact protocol; numbers and types of the
fields are those of parquet-format's ``parquet.thrift``. A field whose type is not the one given there is refused:
decoders do not agree on what to do with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from wa_bench.data.limits import LARGEST_PAGE

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_LONGEST_HEADER = 64 << 10
_DEEPEST = 8
_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)
_INNER = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_BOUNDED_ENCODINGS = frozenset({0, 2, 3, 4, 5, 6, 8, 9})
"""Those whose values are no longer than their page: all but DELTA_BYTE_ARRAY, where a value repeats the one before."""
_TEXT = 6
"""The physical type of texts."""

_Fields = dict[int, tuple[int, Any]]
"""Fields of a struct by number: type and value."""


@dataclass(frozen=True)
class Shape:
    """What the lists of a struct hold, by field, and which of its fields are structs with lists of their own."""

    lists: dict[int, int]
    structs: dict[int, Shape]


_PLAIN = Shape({}, {})
_METADATA = Shape(
    {2: _I32, 3: _BINARY, 8: _STRUCT, 13: _STRUCT}, {16: Shape({2: _I64, 3: _I64}, {}), 17: Shape({2: _I32}, {})}
)
_GROUP = Shape({1: _STRUCT, 4: _STRUCT}, {1: Shape({}, {3: _METADATA})})
_FOOTER = Shape({2: _STRUCT, 4: _STRUCT, 5: _STRUCT, 7: _STRUCT}, {4: _GROUP})


@dataclass(frozen=True)
class Chunk:
    """A column of a row group: rows of the group, values of the column, and where its pages lie."""

    rows: int
    values: int
    start: int
    length: int
    codec: int
    is_text: bool


@dataclass(frozen=True)
class Layout:
    """Rows and columns of a file, and its chunks in order."""

    rows: int
    columns: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Page:
    """A page as its header describes it: its values, its bytes after decompression, and where in the file it stands."""

    values: int
    size: int
    is_dictionary: bool
    start: int
    stored: int


def layout(footer: bytes) -> Layout:
    """What a footer says.

    Raises:
        ValueError: it is damaged, or speaks of encryption or of other files.
    """
    fields = _Compact(footer).struct(_FOOTER)
    if 8 in fields:
        raise ValueError("encrypted columns")
    schema, groups = (_required(fields, number, _LIST) for number in (2, 4))
    chunks = []
    for group in groups:
        rows = _required(group, 3, _I64)
        columns = _required(group, 1, _LIST)
        for column in columns:
            if column.keys() & {1, 8, 9}:
                raise ValueError("a column that is encrypted or in another file")
            chunks.append(_chunk(rows, _required(column, 3, _STRUCT)))
    return Layout(_required(fields, 3, _I64), len(schema) - 1, tuple(chunks))


def _chunk(rows: int, metadata: _Fields) -> Chunk:
    data = _required(metadata, 9, _I64)
    dictionary = _required(metadata, 11, _I64) if 11 in metadata else 0
    return Chunk(
        rows=rows,
        values=_required(metadata, 5, _I64),
        start=min(data, dictionary) if dictionary > 0 else data,
        length=_required(metadata, 7, _I64),
        codec=_required(metadata, 4, _I32),
        is_text=_required(metadata, 1, _I32) == _TEXT,
    )


def pages(file: BinaryIO, start: int, length: int) -> Iterator[Page]:
    """The pages of a column chunk that takes ``length`` bytes from ``start``.

    Raises:
        ValueError: a header that is damaged, or asks for more than ``LARGEST_PAGE``.
    """
    position, end = start, start + length
    while position < end:
        file.seek(position)
        header = _Compact(file.read(min(_LONGEST_HEADER, end - position)))
        fields = header.struct(_PLAIN)
        kind, size, stored = (_required(fields, number, _I32) for number in (1, 2, 3))
        if not 0 <= size <= LARGEST_PAGE:
            raise ValueError(f"a page of {size:,} bytes where at most {LARGEST_PAGE:,} are read")
        body = position + header.position
        position = body + stored
        if stored < 0 or position > end:
            raise ValueError("a page that ends behind its column")
        if kind == _INDEX:
            continue
        if kind not in _INNER:
            raise ValueError(f"a page of the unknown kind {kind}")
        inner = _required(fields, _INNER[kind], _STRUCT)
        if (encoding := _required(inner, _ENCODING[kind], _I32)) not in _BOUNDED_ENCODINGS:
            raise ValueError(f"a page in encoding {encoding}; write the file with plain or dictionary encoding")
        values = _required(inner, 1, _I32)
        if values < 0:
            raise ValueError(f"a page of {values} values")
        yield Page(values, size, kind == _DICTIONARY, body, stored)


def longest_text(dictionary: bytes, values: int) -> int:
    """Bytes of the longest text in the content of a dictionary page.

    Raises:
        ValueError: the page does not hold as many values as its header says.
    """
    position = longest = 0
    for _ in range(values):
        length = int.from_bytes(dictionary[position : position + 4], "little")
        position += 4 + length
        longest = max(longest, length)
    if position != len(dictionary):
        raise ValueError("a dictionary with other values than it says")
    return longest


def _required(fields: _Fields, number: int, kind: int) -> Any:
    found, value = fields.get(number, (None, None))
    if found != kind:
        raise ValueError(f"a struct whose field {number} is missing or of another type")
    return value


class _Compact:
    """Thrift structs in the compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self, shape: Shape, depth: int = 0) -> _Fields:
        """Fields by number; texts and floating-point numbers have no value."""
        if depth > _DEEPEST:
            raise ValueError("a struct too deep")
        fields: _Fields = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._integer()
            if number in fields:
                raise ValueError("a struct with a field twice")
            if kind == _LIST:
                fields[number] = kind, self._list(shape, number, depth)
            else:
                fields[number] = kind, self._value(kind, shape.structs.get(number, _PLAIN), depth)
        return fields

    def _list(self, shape: Shape, number: int, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        if kind != shape.lists.get(number, kind) or count > len(self._data) - self.position:
            raise ValueError("a list of another type or length than it can have")
        inner = shape.structs.get(number, _PLAIN)
        return [self._value(kind, inner, depth, listed=True) for _ in range(count)]

    def _value(self, kind: int, shape: Shape, depth: int, *, listed: bool = False) -> Any:
        if kind in (_TRUE, _FALSE):
            return bool(self._byte()) if listed else kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _STRUCT:
            return self.struct(shape, depth + 1)
        if kind not in (_BYTE, _DOUBLE, _BINARY):
            raise ValueError(f"a field of the unknown type {kind}")
        length = {_BYTE: 1, _DOUBLE: 8}.get(kind) or self._varint()
        self.position += length
        return None

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number without end")

    def _byte(self) -> int:
        if self.position >= len(self._data):
            raise ValueError("a struct that is cut, or too long")
        self.position += 1
        return self._data[self.position - 1]
