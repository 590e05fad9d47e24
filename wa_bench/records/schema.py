"""A record: one design with its network, settings and measured cost.

The structs below are the one definition; the Arrow schema, the readers and the data cards follow from them.
Resources are counts after logic synthesis (``bram`` in blocks of 36 kbit, halves allowed); cycles and intervals
are clock cycles. A figure that was not reported is null, never zero.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

import msgspec
import polars as pl
import pyarrow as pa


class Precision(msgspec.Struct, frozen=True):
    """A fixed-point type: total ``width`` and ``integer`` bits, rounding and saturation mode as in ap_fixed."""

    width: int
    integer: int
    signed: bool
    rounding: str = "TRN"
    saturation: str = "WRAP"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer. Shapes leave out the batch dimension.

    ``inputs`` are the indices of the layers it reads: the graph. ``in_shape`` is the shape of the first input.
    ``units`` are neurons or filters. ``pool`` is the pooling window; where the record does not give it, the one
    that follows from the shapes, if only one does. ``reuse_factor`` is the valid one, as built.
    """

    kind: str
    name: str | None = None
    inputs: list[int]
    in_shape: list[int]
    out_shape: list[int]
    units: int | None = None
    kernel: list[int] | None = None
    strides: list[int] | None = None
    padding: str | None = None
    pool: list[int] | None = None
    use_bias: bool | None = None
    activation: str | None = None
    params: int
    reuse_factor: int
    weight: Precision | None = None
    bias: Precision | None = None
    result: Precision | None = None
    accumulator: Precision | None = None


class HlsEstimate(msgspec.Struct, frozen=True):
    """Resources that C-synthesis estimated: neither truth nor allowed input. ``bram`` in blocks of 18 kbit."""

    bram: float | None
    dsp: int | None
    ff: int | None
    lut: int | None
    uram: int | None


class Synthesis(msgspec.Struct, frozen=True):
    """How an open toolchain made the record: enough to make it again.

    ``checked_vectors`` is the number of inputs on which the simulated Verilog equalled the integer reference,
    ``netlist_vectors`` the same of the mapped netlist (zero where a primitive in it has no model). ``failure`` is the
    reason why a design has no figures.
    """

    seed: int
    generator_version: str
    simulator: str
    script_sha256: str
    verilog_sha256: str
    checked_vectors: int
    netlist_vectors: int = 0
    failure: str | None = None


class Provenance(msgspec.Struct, frozen=True):
    """Where the record was read (file, index in it, dataset revision) or how it was made."""

    file: str | None = None
    index: int | None = None
    revision: str | None = None
    synthesis: Synthesis | None = None


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dataset. ``group`` is dense, conv1d, conv2d, or the exemplar's name."""

    sample_id: str
    split: str
    family: str
    group: str
    model_name: str
    source: str
    part: str | None = None
    clock_ns: float | None = None
    tool: str
    tool_version: str | None = None
    hls4ml_version: str | None = None
    strategy: str
    io_type: str
    io_type_inferred: bool
    reuse_factor: int
    precision: Precision | None = None
    layers: list[Layer]
    bram: float | None = None
    dsp: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None
    cycles_min: int | None = None
    cycles_max: int | None = None
    interval_min: int | None = None
    interval_max: int | None = None
    hls_estimate: HlsEstimate | None = None
    provenance: Provenance


RESOURCES = HlsEstimate.__struct_fields__
"""Resource columns, in order."""
LARGEST_COUNT = 2**53
"""Largest figure a record may hold: every whole number up to it is exact as a float."""
LATENCIES = ("cycles_min", "cycles_max", "interval_min", "interval_max")
"""Latency columns, in order."""


@cache
def arrow_schema() -> pa.Schema:
    """The Arrow schema of a table of designs."""
    return pa.schema(list(_arrow_type(Design)))


def to_table(designs: Iterable[Design]) -> pa.Table:
    """Designs as an Arrow table, one row each."""
    schema = arrow_schema()
    batches = [
        pa.RecordBatch.from_pylist([msgspec.to_builtins(design) for design in chunk], schema=schema)
        for chunk in _chunks(designs)
    ]
    return pa.Table.from_batches(batches, schema=schema)


def to_frame(designs: Iterable[Design]) -> pl.DataFrame:
    """Designs as a polars frame, one row each."""
    return pl.DataFrame(to_table(designs))


def designs(frame: pl.DataFrame) -> Iterator[Design]:
    """The rows of a frame as typed records."""
    for row in frame.iter_rows(named=True):
        yield msgspec.convert(row, Design)


def _chunks(designs: Iterable[Design]) -> Iterator[list[Design]]:
    """Some thousand designs at a time, so that a large dataset is never held as Python objects."""
    remaining = iter(designs)
    while chunk := list(islice(remaining, 4096)):
        yield chunk


_PRIMITIVES = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}


def _arrow_type(annotation: typing.Any) -> pa.DataType:
    """Arrow counterpart of a field annotation."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) is list:
        return pa.list_(_arrow_type(typing.get_args(annotation)[0]))
    if issubclass(annotation, msgspec.Struct):
        hints = typing.get_type_hints(annotation)
        return pa.struct([pa.field(name, _arrow_type(hint)) for name, hint in hints.items()])
    return _PRIMITIVES[annotation]
