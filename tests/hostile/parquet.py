"""Parquet files byte by byte, so that footer and page headers can say what no writer would."""

from __future__ import annotations

import struct as binary
from collections.abc import Sequence
from dataclasses import dataclass

INT32, INT64, DOUBLE, BYTE_ARRAY = 1, 2, 5, 6
PLAIN, RLE_DICTIONARY = 0, 8
UNCOMPRESSED, ZSTD = 0, 6
_I32, _I64, _TEXT, _LIST, _STRUCT = 5, 6, 8, 9, 12


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def i32(value: int) -> tuple[int, bytes]:
    return _I32, varint(value << 1 if value >= 0 else (-value << 1) - 1)


def i64(value: int) -> tuple[int, bytes]:
    return _I64, i32(value)[1]


def text(value: bytes) -> tuple[int, bytes]:
    return _TEXT, varint(len(value)) + value


def listed(kind: int, items: Sequence[bytes]) -> tuple[int, bytes]:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return _LIST, head + b"".join(items)


def struct(**fields: tuple[int, bytes]) -> tuple[int, bytes]:
    """Fields are named f1, f2, ... by their numbers in parquet.thrift."""
    out, last = b"", 0
    for number, (kind, data) in sorted((int(name[1:]), field) for name, field in fields.items()):
        out += bytes([(number - last) << 4 | kind]) + data
        last = number
    return _STRUCT, out + b"\0"


def data_page(values: int, body: bytes, *, encoding: int = PLAIN, size: int | None = None) -> bytes:
    header = struct(f1=i32(values), f2=i32(encoding), f3=i32(3), f4=i32(3))
    claimed = len(body) if size is None else size
    return struct(f1=i32(0), f2=i32(claimed), f3=i32(len(body)), f5=header)[1] + body


def dictionary_page(values: int, body: bytes, *, size: int | None = None) -> bytes:
    header = struct(f1=i32(values), f2=i32(PLAIN))
    claimed = len(body) if size is None else size
    return struct(f1=i32(2), f2=i32(claimed), f3=i32(len(body)), f7=header)[1] + body


def plain_text(*values: bytes) -> bytes:
    return b"".join(binary.pack("<I", len(value)) + value for value in values)


def repeated_index(count: int) -> bytes:
    """``count`` times the first value of the dictionary, as one run."""
    return b"\x01" + varint(count << 1) + b"\0"


@dataclass
class Chunk:
    """A column and its only chunk; ``start`` and ``values`` are what the footer claims, if not the truth."""

    name: bytes
    kind: int
    pages: bytes
    values: int
    dictionary: bool = False
    codec: int = UNCOMPRESSED
    start: int | None = None
    length: int | None = None


def write(chunks: Sequence[Chunk], rows: int, group_rows: int | None = None) -> bytes:
    """A file with one row group."""
    body = b"PAR1"
    schema = [struct(f4=text(b"schema"), f5=i32(len(chunks)))[1]]
    columns = []
    for chunk in chunks:
        start = len(body) if chunk.start is None else chunk.start
        utf8 = {"f6": i32(0)} if chunk.kind == BYTE_ARRAY else {}
        schema.append(struct(f1=i32(chunk.kind), f3=i32(0), f4=text(chunk.name), **utf8)[1])
        length = len(chunk.pages) if chunk.length is None else chunk.length
        dictionary = {"f11": i64(start)} if chunk.dictionary else {}
        metadata = struct(
            f1=i32(chunk.kind),
            f2=listed(_I32, [i32(PLAIN)[1], i32(RLE_DICTIONARY)[1]]),
            f3=listed(_TEXT, [text(chunk.name)[1]]),
            f4=i32(chunk.codec),
            f5=i64(chunk.values),
            f6=i64(length),
            f7=i64(length),
            f9=i64(start),
            **dictionary,
        )
        columns.append(struct(f2=i64(start), f3=metadata)[1])
        body += chunk.pages
    total = sum(len(chunk.pages) for chunk in chunks)
    group = struct(f1=listed(_STRUCT, columns), f2=i64(total), f3=i64(rows if group_rows is None else group_rows))
    footer = struct(f1=i32(1), f2=listed(_STRUCT, schema), f3=i64(rows), f4=listed(_STRUCT, [group[1]]))[1]
    return body + footer + binary.pack("<I", len(footer)) + b"PAR1"


def numbers(name: bytes, values: Sequence[float]) -> Chunk:
    """An honest column of doubles."""
    return Chunk(name, DOUBLE, data_page(len(values), binary.pack(f"<{len(values)}d", *values)), len(values))


def constant(name: bytes, count: int, claimed: int | None = None) -> Chunk:
    """``count`` times one number in a few bytes."""
    pages = dictionary_page(1, binary.pack("<d", 1.0)) + data_page(
        count, repeated_index(count), encoding=RLE_DICTIONARY
    )
    return Chunk(name, DOUBLE, pages, count if claimed is None else claimed, dictionary=True)


def constant_id(identity: bytes, count: int, claimed: int | None = None) -> Chunk:
    """``count`` times one id in a few bytes."""
    pages = dictionary_page(1, plain_text(identity)) + data_page(count, repeated_index(count), encoding=RLE_DICTIONARY)
    return Chunk(b"sample_id", BYTE_ARRAY, pages, count if claimed is None else claimed, dictionary=True)
