"""Typed decoding of wa-hls4ml JSON records, all families and the exemplars.

The raw layout differs by family (Hub dataset fastmachinelearning/wa-hls4ml): numbers may be strings, the shapes
of an input layer are nested once more, precision is a string or an object, a missing report is ``{}``, the
2_20 family names its layers and has no ``LayerName``, the exemplars leave out ``inbound_layers``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import msgspec

from wa_bench.errors import Fault, RecordError
from wa_bench.records.json_array import (
    ByteStream,
    Chunk,
    Misfit,
    Position,
    misfit_fault,
    read_array,
    without_collection,
)
from wa_bench.records.schema import (
    LARGEST_COUNT,
    Design,
    HlsEstimate,
    Layer,
    Precision,
    Provenance,
)

EXEMPLARS = ("Anomaly", "AutoMLP", "BiPC", "Cookie", "Jet", "Particle", "Quarks")

_MERGES = {"add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"}
_EXEMPLAR_NAME = re.compile(r"^([A-Za-z]+)_\d+b_\d+rf_[LR]$")
_FIXED_POINT = re.compile(
    r"(?:(?P<ac>ac_)|(?:ap_)?(?P<unsigned>u)?)(?:int<(?P<bits>\d+)|fixed<(?P<width>\d+),(?P<integer>-?\d+))"
    r"(?(ac)(?:,(?i:true|1|(?P<false>false|0))|(?=>)))"
    r"(?:,(?:A[PC]_)?(?P<rounding>TRN|TRN_ZERO|RND|RND_ZERO|RND_INF|RND_MIN_INF|RND_CONV)"
    r"(?:,(?:A[PC]_)?(?P<saturation>WRAP|SAT|SAT_ZERO|SAT_SYM)(?:,\d+)?)?)?>"
)
"""A type in hls4ml's words; those of ``ac_`` types stand behind whether it is signed."""

_LARGEST_WIDTH = 4096

_Size = Annotated[int, msgspec.Meta(le=2**31 - 1)]
_Shape = tuple[_Size | tuple[_Size | None, ...] | None, ...]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_COUNT)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
_Sizes = Annotated[tuple[_Positive, ...], msgspec.Meta(min_length=1, max_length=3)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Clock = Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class _RawLayer(msgspec.Struct, gc=False):
    class_name: _Name
    input_shape: _Shape
    output_shape: _Shape
    reuse_factor: _Positive
    parameters: _Count = 0
    name: str | None = None
    inbound_layers: list[str] | None = None
    neurons: _Positive | None = None
    filters: _Positive | None = None
    kernel_size: _Sizes | None = None
    strides: _Sizes | None = None
    pool_size: _Sizes | None = None
    padding: str | None = None
    use_bias: bool | None = None
    activation: str | None = None


class _RawTypes(msgspec.Struct, frozen=True, gc=False):
    default: str = "auto"
    weight: str | None = None
    bias: str | None = None
    result: str | None = None
    accum: str | None = None


class _RawModel(msgspec.Struct, gc=False):
    Precision: str | _RawTypes
    ReuseFactor: _Positive
    Strategy: _Name


class _RawLayerSettings(msgspec.Struct, gc=False):
    Precision: str | _RawTypes = "auto"


class _RawSettings(msgspec.Struct, gc=False):
    Model: _RawModel
    LayerName: dict[str, _RawLayerSettings] | None = None
    clock_period: _Clock | None = None
    io_type: Literal["io_parallel", "io_stream"] | None = None


class _RawMeta(msgspec.Struct, gc=False):
    model_name: str
    uuid: str | None = None
    model_id: str | None = None


class _RawResources(msgspec.Struct, gc=False):
    bram: Annotated[float, msgspec.Meta(ge=0, le=LARGEST_COUNT)] | None = None
    dsp: _Count | None = None
    ff: _Count | None = None
    lut: _Count | None = None
    uram: _Count | None = None


class _RawLatency(msgspec.Struct, gc=False):
    cycles_min: _Count | None = None
    cycles_max: _Count | None = None
    interval_min: _Count | None = None
    interval_max: _Count | None = None
    target_clock: _Clock | None = None


class RawRecord(msgspec.Struct, gc=False):
    """What is read of a JSON object; the rest is passed over."""

    meta_data: _RawMeta
    model_config: Annotated[list[_RawLayer], msgspec.Meta(min_length=1)]
    hls_config: _RawSettings
    target_part: str
    hls4ml_version: str
    resource_report: _RawResources | None = None
    hls_resource_report: _RawResources | None = None
    latency_report: _RawLatency | None = None
    vivado_version: str | None = None
    backend_version: str | None = None


class _MisfitError(Exception):
    """A value that the types allow and the schema does not."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        self.field, self.expected, self.found = field, expected, found


def read_designs(
    stream: ByteStream,
    *,
    split: str,
    family: str | None = None,
    file: str,
    revision: str | None = None,
    resume: Position = Position(),  # noqa: B008
    on_fault: Callable[[int, Fault], None] | None = None,
) -> Iterator[Chunk[Design]]:
    """The records of a JSON array as typed designs, a chunk at a time.

    Args:
        stream: the text, from ``resume.offset`` on.
        split: the split they belong to.
        family: their family; found from the content where None.
        file: name of the file, for provenance and messages.
        revision: revision of the dataset.
        resume: the ``resume`` of an earlier chunk.
        on_fault: is told index and fault of each record that does not fit the schema, which is then left out; where
            None, the first one raises.

    Raises:
        RecordError: names file, index, field, what was expected and found. Damage to the text always raises.
    """

    def pass_over(misfit: Misfit) -> None:
        report(misfit.position.index, misfit_fault(file, misfit))

    def report(index: int, fault: Fault) -> None:
        if on_fault is None:
            raise RecordError(fault)
        on_fault(index, fault)

    for chunk in read_array(stream, RawRecord, file, resume, pass_over):
        designs = []
        with without_collection():
            for index, record in enumerate(chunk.records, chunk.index):
                try:
                    designs.append(_design(record, split, family, Provenance(file, index, revision)))
                except _MisfitError as error:
                    place = f"{file}, record {index}, field {error.field}"
                    report(index, Fault(place, error.expected, error.found))
        yield Chunk(chunk.resume, chunk.index, designs)


def _design(record: RawRecord, split: str, family: str | None, provenance: Provenance) -> Design:
    sample_id = record.meta_data.uuid or record.meta_data.model_id
    if not sample_id:
        raise _MisfitError("meta_data", "uuid or model_id", "neither")
    if family is None:
        family = "exemplar" if split == "exemplar" else _family(record)
    settings = record.hls_config
    default = _default_precision(settings.Model)
    layers = _layers(record, default)
    resources = record.resource_report or _NO_RESOURCES
    latency = record.latency_report or _NO_LATENCY
    estimate = (None,) if record.hls_resource_report is None else msgspec.structs.astuple(record.hls_resource_report)
    clock = latency.target_clock
    io_type = settings.io_type or (
        "io_stream" if any(layer.kind.startswith("conv") for layer in layers) else "io_parallel"
    )
    return Design(
        sample_id=sample_id,
        split=split,
        family=family,
        group=_group(record, family),
        model_name=_model_name(record),
        source="wa-hls4ml",
        part=record.target_part,
        clock_ns=settings.clock_period if clock is None else clock,
        tool="vivado",
        tool_version=record.vivado_version or record.backend_version,
        hls4ml_version=record.hls4ml_version,
        strategy=settings.Model.Strategy.lower(),
        io_type=io_type,
        io_type_inferred=settings.io_type is None,
        reuse_factor=settings.Model.ReuseFactor,
        precision=default,
        layers=layers,
        bram=resources.bram,
        dsp=resources.dsp,
        ff=resources.ff,
        lut=resources.lut,
        uram=resources.uram,
        cycles_min=latency.cycles_min,
        cycles_max=latency.cycles_max,
        interval_min=latency.interval_min,
        interval_max=latency.interval_max,
        hls_estimate=None if set(estimate) == {None} else HlsEstimate(*estimate),
        provenance=provenance,
    )


def _model_name(record: RawRecord) -> str:
    """The name without the folders it was built in."""
    return record.meta_data.model_name.rsplit("/", 1)[-1]


def _family(record: RawRecord) -> str:
    """The family by content: each has a feature of its own."""
    kinds = {_kind(layer.class_name) for layer in record.model_config}
    if record.meta_data.model_id:
        return "2_20"
    if _EXEMPLAR_NAME.match(_model_name(record)):
        return "exemplar"
    if "conv2d" in kinds or "conv1d" in kinds:
        return "conv2d" if "conv2d" in kinds else "conv1d"
    if record.hls4ml_version.startswith("0."):
        return f"{sum(_kind(layer.class_name) == 'dense' for layer in record.model_config)}layer"
    return record.hls_config.Model.Strategy.lower()


def _group(record: RawRecord, family: str) -> str:
    if family != "exemplar":
        return family if family in ("conv1d", "conv2d") else "dense"
    match = _EXEMPLAR_NAME.match(_model_name(record))
    if match is None:
        expected = "an exemplar's name such as Jet_8b_128rf_L"
        raise _MisfitError("meta_data.model_name", expected, repr(_model_name(record)))
    spelled = {name.lower(): name for name in EXEMPLARS}
    return spelled.get(match[1].lower(), match[1])


_NO_RESOURCES = _RawResources()
_NO_LATENCY = _RawLatency()


def _default_precision(model: _RawModel) -> Precision | None:
    text = model.Precision if isinstance(model.Precision, str) else model.Precision.default
    try:
        return parse_precision(text)
    except ValueError as error:
        raise _MisfitError("hls_config.Model.Precision", str(error), repr(text)) from None


@lru_cache(maxsize=1024)
def parse_precision(text: str) -> Precision | None:
    """A type such as ``ap_fixed<8, 3>`` or ``ufixed<8,1,RND_CONV,SAT,0>``; None for ``auto``.

    Raises:
        ValueError: it is none; says what was expected.
    """
    if text.strip() == "auto":
        return None
    match = _FIXED_POINT.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError("a type such as fixed<16,6>, ufixed<8,1,RND_CONV,SAT>, int<8> or auto")
    width = int(match["bits"] or match["width"])
    integer = int(match["integer"] or width)
    if not 1 <= width <= _LARGEST_WIDTH or abs(integer) > _LARGEST_WIDTH:
        raise ValueError(f"a width from 1 to {_LARGEST_WIDTH}")
    signed = not (match["unsigned"] or match["false"])
    return Precision(width, integer, signed, match["rounding"] or "TRN", match["saturation"] or "WRAP")


@lru_cache(maxsize=1024)
def _kind(class_name: str) -> str:
    """Canonical layer kind: ``QDense`` and ``Dense`` are dense, ``AveragePooling1D`` is average_pooling1d."""
    name = re.sub(r"^Q(?=[A-Z])", "", class_name).removesuffix("Layer")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def _layers(record: RawRecord, default: Precision | None) -> list[Layer]:
    raw = record.model_config
    names = _layer_names(record)
    inputs = _graph(raw, names)
    entries = record.hls_config.LayerName or {}
    return [
        _layer(layer, name, read, entries, default, i)
        for i, (layer, name, read) in enumerate(zip(raw, names, inputs, strict=True))
    ]


def _layer_names(record: RawRecord) -> list[str | None]:
    """Names of the layers: their own, else the ``LayerName`` entries in order, else what their readers call them.

    A name that the record does not tell is None.

    ``LayerName`` also holds entries that hls4ml derives from a layer (``dense_1_linear``, ``dense_1_alpha``) and
    one for a model input that is no layer of ``model_config``; these are passed over.
    """
    layers, entries = record.model_config, record.hls_config.LayerName or {}
    if all(layer.name for layer in layers):
        return [layer.name for layer in layers]
    outside = set(layers[0].inbound_layers or ()) if layers and layers[0].class_name != "InputLayer" else set()
    main = []
    for name in entries:
        stem, _, suffix = name.rpartition("_")
        if (stem not in entries or suffix.isdigit()) and name not in outside:
            main.append(name)
    if len(main) == len(layers):
        return list(main)
    called = [layer.inbound_layers[0] if layer.inbound_layers else None for layer in layers[1:]]
    return [*called, main[-1] if main else None]


_SINGLE = [(source,) for source in range(64)]
"""Inputs of a layer that reads one; shared, as nearly all do."""


def _graph(layers: list[_RawLayer], names: list[str | None]) -> list[tuple[int, ...]]:
    """For each layer the indices of the layers it reads."""
    index_of = {name: i for i, name in enumerate(names) if name is not None}
    graph: list[tuple[int, ...]] = []
    for i, layer in enumerate(layers):
        if layer.inbound_layers is None:
            graph.append(_derived_inputs(layers, i))
            continue
        if len(layer.inbound_layers) == 1:
            source = index_of.get(layer.inbound_layers[0], i)
            if source < min(i, len(_SINGLE)):
                graph.append(_SINGLE[source])
                continue
        known = tuple([index_of[name] for name in layer.inbound_layers if name in index_of])
        if i and len(known) < len(layer.inbound_layers):
            missing = [name for name in layer.inbound_layers if name not in index_of]
            raise _MisfitError(f"model_config[{i}].inbound_layers", "names of earlier layers", repr(missing))
        if known and max(known) >= i:
            raise _MisfitError(f"model_config[{i}].inbound_layers", "names of earlier layers", "a later one")
        graph.append(known)
    return graph


def _derived_inputs(layers: list[_RawLayer], i: int) -> tuple[int, ...]:
    """Inputs of layer ``i`` where the record does not tell them.

    A layer reads the one before it. A merge also reads, for each further input shape, the nearest earlier layer
    that puts out this shape: the shortest skip connection that fits.
    """
    if i == 0:
        return ()
    inputs = [i - 1]
    if _kind(layers[i].class_name) in _MERGES:
        for shape in layers[i].input_shape[1:]:
            earlier = (j for j in reversed(range(i - 1)) if layers[j].output_shape in (shape, (shape,)))
            source = next((j for j in earlier if j not in inputs), None)
            if source is None:
                expected = "an earlier layer for each input of the merge"
                raise _MisfitError(f"model_config[{i}].input_shape", expected, f"none of shape {shape}")
            inputs.append(source)
    return tuple(inputs)


def _layer(
    raw: _RawLayer,
    name: str | None,
    inputs: tuple[int, ...],
    entries: dict[str, _RawLayerSettings],
    default: Precision | None,
    index: int,
) -> Layer:
    try:
        geometry = _geometry(raw.class_name, raw.input_shape, raw.output_shape, raw.pool_size, raw.padding)
    except _MisfitError as error:
        raise _MisfitError(f"model_config[{index}].{error.field}", error.expected, error.found) from None
    if entries:
        entry = entries.get(name) if name is not None else None
        if entry is None and raw.parameters:
            expected = "an entry of hls_config.LayerName for a layer with weights"
            raise _MisfitError(f"model_config[{index}]", expected, f"none called {name!r}")
        try:
            types = _no_types if entry is None else _entry_types(entry.Precision)
        except _MisfitError as error:
            field = f"hls_config.LayerName.{name}.Precision.{error.field}"
            raise _MisfitError(field, error.expected, error.found) from None
    else:
        of_weights = default if raw.parameters else None
        types = (of_weights, of_weights if raw.use_bias else None, default, of_weights)
    weight, bias, result, accumulator = types
    return Layer(
        kind=geometry.kind,
        name=name,
        inputs=inputs,
        in_shape=geometry.in_shape,
        out_shape=geometry.out_shape,
        units=raw.neurons if raw.neurons is not None else raw.filters,
        kernel=raw.kernel_size,
        strides=raw.strides,
        padding=raw.padding,
        pool=geometry.pool,
        use_bias=raw.use_bias,
        activation=_activation(raw.activation),
        params=raw.parameters,
        reuse_factor=raw.reuse_factor,
        weight=weight,
        bias=bias,
        result=result,
        accumulator=accumulator,
    )


_Types = tuple[Precision | None, Precision | None, Precision | None, Precision | None]
_no_types: _Types = (None, None, None, None)


@lru_cache(maxsize=1 << 14)
def _entry_types(given: str | _RawTypes) -> _Types:
    """Types of weight, bias, result and accumulator; a single text is the type of the result."""
    raw = _RawTypes(result=given) if isinstance(given, str) else given
    types = []
    for role in ("weight", "bias", "result", "accum"):
        text = getattr(raw, role) or "auto"
        try:
            types.append(parse_precision(text))
        except ValueError as error:
            raise _MisfitError(role, str(error), repr(text)) from None
    weight, bias, result, accumulator = types
    return weight, bias, result, accumulator


class _Geometry(NamedTuple):
    """What follows from the class and the shapes of a layer; one object for all layers alike."""

    kind: str
    in_shape: _Sizes
    out_shape: _Sizes
    pool: _Sizes | None


@lru_cache(maxsize=1 << 13)
def _geometry(class_name: str, raw_in: _Shape, raw_out: _Shape, pool: _Sizes | None, padding: str | None) -> _Geometry:
    kind = _kind(class_name)
    in_shape = _shape(raw_in, "input_shape")
    out_shape = _shape(raw_out, "output_shape")
    return _Geometry(kind, in_shape, out_shape, _pool(pool, kind, padding, in_shape, out_shape))


def _shape(raw: _Shape, field: str) -> _Sizes:
    """First shape without the batch dimension."""
    first = raw[0] if raw and isinstance(raw[0], tuple) else raw
    dims = tuple(dim for dim in first[1:] if isinstance(dim, int) and dim > 0)
    if not dims or len(dims) < len(first) - 1:
        raise _MisfitError(field, "a shape such as [null, 16] with positive sizes", json.dumps(raw))
    return dims


def _pool(given: _Sizes | None, kind: str, padding: str | None, in_shape: _Sizes, out_shape: _Sizes) -> _Sizes | None:
    """Pooling window: as given, else the only one that fits the sizes; None where several would."""
    if "pooling" not in kind or given is not None:
        return given
    if "global" in kind:
        return in_shape[:-1]
    if len(out_shape) != len(in_shape):
        return None
    window = []
    for size, pooled in zip(in_shape[:-1], out_shape[:-1], strict=True):
        if padding == "same":
            smallest, largest = -(-size // pooled), size if pooled == 1 else -(-size // (pooled - 1)) - 1
        else:
            smallest, largest = size // (pooled + 1) + 1, size // pooled
        if smallest != largest:
            return None
        window.append(smallest)
    return tuple(window)


@lru_cache(maxsize=1024)
def _activation(text: str | None) -> str | None:
    """``quantized_relu(8,1)`` is relu; its bits stand in the result precision."""
    return None if text is None else text.partition("(")[0].strip().removeprefix("quantized_").lower()
