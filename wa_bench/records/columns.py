"""Records as columns and back: any struct type, its Arrow schema, and fast conversion both ways.

A record type is a frozen ``msgspec.Struct``. What a field means stands in its annotation,
``Annotated[float | None, note("energy of the run", "J")]``; data cards are made from that.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from operator import attrgetter

import msgspec
import numpy as np
import pyarrow as pa

if typing.TYPE_CHECKING:
    import polars as pl

R = typing.TypeVar("R", bound=msgspec.Struct)

_ROWS = 4096


def note(description: str, unit: str | None = None) -> msgspec.Meta:
    """What a field of a record type means, and what it is counted in."""
    return msgspec.Meta(description=description, extra={"unit": unit})


class Column(typing.NamedTuple):
    """What the record type says of one of its fields."""

    name: str
    type: pa.DataType
    description: str
    unit: str | None


@cache
def arrow_schema(kind: type[msgspec.Struct]) -> pa.Schema:
    """The Arrow schema of a table of ``kind``."""
    return pa.schema(list(_arrow_type(kind)))


def columns(kind: type[msgspec.Struct]) -> list[Column]:
    """The fields of ``kind`` with their Arrow types, descriptions and units."""
    described = []
    for name, annotation in typing.get_type_hints(kind, include_extras=True).items():
        metas = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, msgspec.Meta)]
        meta = metas[0] if metas else msgspec.Meta()
        unit = (meta.extra or {}).get("unit")
        described.append(Column(name, arrow_schema(kind).field(name).type, meta.description or "", unit))
    return described


def to_table(records: Iterable[R], kind: type[R]) -> pa.Table:
    """Records as an Arrow table, one row each."""
    schema = arrow_schema(kind)
    return pa.Table.from_batches([_batch(chunk, kind) for chunk in _chunks(records)], schema=schema)


def to_frame(records: Iterable[R], kind: type[R]) -> pl.DataFrame:
    """Records as a polars frame, one row each."""
    import polars as pl

    return pl.DataFrame(to_table(records, kind))


def to_records(frame: pl.DataFrame, kind: type[R]) -> Iterator[R]:
    """The rows of a frame as typed records, some thousand in memory at a time."""
    for rows in frame.iter_slices(_ROWS):
        yield from msgspec.convert(rows.to_dicts(), list[kind])  # type: ignore[valid-type]


def _chunks(records: Iterable[R]) -> Iterator[list[R]]:
    """Some thousand records at a time, so that a large dataset is never held as Python objects."""
    remaining = iter(records)
    while chunk := list(islice(remaining, _ROWS)):
        yield chunk


def _batch(records: Sequence[R], kind: type[R]) -> pa.RecordBatch:
    schema = arrow_schema(kind)
    fields = [_array([*map(attrgetter(field.name), records)], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(fields, schema=schema)


def _array(values: Sequence[typing.Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array of ``values``. Nested objects that occur more than once are converted once."""
    if not pa.types.is_nested(kind):
        return pa.array(values, kind)
    ids = pa.array(np.fromiter(map(id, values), np.int64, len(values))).dictionary_encode()
    if 2 * len(ids.dictionary) > len(values):
        return _nested(values, kind)
    places = np.empty(len(ids.dictionary), np.int64)
    places[ids.indices.to_numpy()] = np.arange(len(values))
    return _nested([values[place] for place in places.tolist()], kind).take(ids.indices)


def _nested(values: Sequence[typing.Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_struct(kind):
        return _structs(values, kind)
    if not pa.types.is_nested(kind.value_type):
        return pa.array(values, kind)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), _array([*chain(*values)], kind.value_type), type=kind)


def _structs(values: Sequence[typing.Any], kind: pa.StructType) -> pa.Array:
    """Structs; where some are missing, the fields of the others are spread out by index."""
    present = [value for value in values if value is not None]
    rows = [*zip(*map(msgspec.structs.astuple, present), strict=True)] or [()] * len(kind)
    children = [_array(row, field.type) for row, field in zip(rows, kind, strict=True)]
    if len(present) == len(values):
        return pa.StructArray.from_arrays(children, fields=[*kind])
    missing = np.array([value is None for value in values])
    rows = pa.array(np.cumsum(~missing) - 1, mask=missing)
    spread = [child.take(rows) for child in children]
    return pa.StructArray.from_arrays(spread, fields=[*kind], mask=pa.array(missing))


_PRIMITIVES = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}


def _arrow_type(annotation: typing.Any) -> pa.DataType:
    """Arrow counterpart of a field annotation."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) in (list, tuple):
        return pa.list_(_arrow_type(typing.get_args(annotation)[0]))
    if issubclass(annotation, msgspec.Struct):
        hints = typing.get_type_hints(annotation)
        return pa.struct([pa.field(name, _arrow_type(hint)) for name, hint in hints.items()])
    return _PRIMITIVES[annotation]
