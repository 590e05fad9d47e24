"""Typed decoding of wa-hls4ml JSON records, all families and the exemplars.

The raw layout differs by family (Hub dataset fastmachinelearning/wa-hls4ml): numbers may be strings, the shapes
of an input layer are nested once more, precision is a string or an object, a missing report is ``{}``, the
2_20 family names its layers and has no ``LayerName``, the exemplars leave out ``inbound_layers``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from wa_bench.errors import Fault, RecordError
from wa_bench.records.schema import (
    LARGEST_COUNT,
    LATENCIES,
    RESOURCES,
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
    r"^(?:ap_|ac_)?(u?)(fixed|int)<(\d+)(?:,(-?\d+))?(?:,(?:AP_)?(\w+))?(?:,(?:AP_)?(\w+))?(?:,\d+)?>$"
)

_LARGEST_WIDTH = 4096

_Shape = list[int | list[int | None] | None]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_COUNT)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
_Sizes = Annotated[list[_Positive], msgspec.Meta(min_length=1, max_length=3)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Clock = Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class _RawLayer(msgspec.Struct):
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


class _RawModel(msgspec.Struct):
    Precision: str | dict[str, str]
    ReuseFactor: _Positive
    Strategy: _Name


class _RawLayerSettings(msgspec.Struct):
    Precision: str | dict[str, str] = "auto"


class _RawSettings(msgspec.Struct):
    Model: _RawModel
    LayerName: dict[str, _RawLayerSettings] | None = None
    clock_period: _Clock | None = None
    io_type: Literal["io_parallel", "io_stream"] | None = None


class _RawMeta(msgspec.Struct):
    model_name: str
    uuid: str | None = None
    model_id: str | None = None


class _RawResources(msgspec.Struct):
    bram: float | None = None
    dsp: float | None = None
    ff: float | None = None
    lut: float | None = None
    uram: float | None = None


class _RawLatency(msgspec.Struct):
    cycles_min: float | None = None
    cycles_max: float | None = None
    interval_min: float | None = None
    interval_max: float | None = None
    target_clock: _Clock | None = None


class _RawRecord(msgspec.Struct):
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


def decode(
    raw: Any, *, split: str, family: str | None = None, file: str, index: int, revision: str | None = None
) -> Design:
    """One raw record as a typed design.

    Args:
        raw: the JSON object.
        split: the split it belongs to.
        family: its family; found from the content where None.
        file: name of the file it was read from.
        index: its place in the file.
        revision: revision of the dataset.

    Raises:
        RecordError: names file, index, field, what was expected and found.
    """
    try:
        record = msgspec.convert(raw, _RawRecord, strict=False)
        return _design(record, split, family, Provenance(file, index, revision))
    except msgspec.ValidationError as error:
        misfit = _misfit(str(error), raw)
    except _MisfitError as error:
        misfit = error
    place = f"{file}, record {index}" + (f", field {misfit.field}" if misfit.field else "")
    raise RecordError(Fault(place, misfit.expected, misfit.found))


def _misfit(message: str, raw: Any) -> _MisfitError:
    """The message of msgspec, such as ``Expected `int`, got `str` - at `$.a[0].b` ``, with the offending value."""
    complaint, _, path = message.partition(" - at ")
    path = path.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.match(r"Object missing required field `(\w+)`", complaint):
        return _MisfitError(path, f"the field {missing[1]}", "none")
    expected = complaint.removeprefix("Expected ").partition(", got")[0].replace("`", "").replace("float", "number")
    value = raw
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            break
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = "of great size or depth"
    return _MisfitError(path, expected, f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}")


def _design(record: _RawRecord, split: str, family: str | None, provenance: Provenance) -> Design:
    sample_id = record.meta_data.uuid or record.meta_data.model_id
    if not sample_id:
        raise _MisfitError("meta_data", "uuid or model_id", "neither")
    if family is None:
        family = "exemplar" if split == "exemplar" else _family(record)
    settings = record.hls_config
    default = parse_precision(_default_precision(settings.Model), "hls_config.Model.Precision")
    layers = _layers(record, default)
    estimate = _counts(record.hls_resource_report, RESOURCES, "hls_resource_report")
    clock = record.latency_report.target_clock if record.latency_report else None
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
        **_counts(record.resource_report, RESOURCES, "resource_report"),
        **_counts(record.latency_report, LATENCIES, "latency_report"),
        hls_estimate=None if set(estimate.values()) == {None} else HlsEstimate(**estimate),
        provenance=provenance,
    )


def _model_name(record: _RawRecord) -> str:
    """The name without the folders it was built in."""
    return record.meta_data.model_name.rsplit("/", 1)[-1]


def _family(record: _RawRecord) -> str:
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


def _group(record: _RawRecord, family: str) -> str:
    if family != "exemplar":
        return family if family in ("conv1d", "conv2d") else "dense"
    match = _EXEMPLAR_NAME.match(_model_name(record))
    if match is None:
        expected = "an exemplar's name such as Jet_8b_128rf_L"
        raise _MisfitError("meta_data.model_name", expected, repr(_model_name(record)))
    spelled = {name.lower(): name for name in EXEMPLARS}
    return spelled.get(match[1].lower(), match[1])


def _counts(report: _RawResources | _RawLatency | None, names: Sequence[str], field: str) -> dict[str, Any]:
    """The named figures of a report; null where it lacks them. All but BRAM are whole numbers."""
    counts: dict[str, Any] = {}
    for name in names:
        value = getattr(report, name, None)
        if value is not None:
            whole = name != "bram"
            in_range = math.isfinite(value) and 0 <= value <= LARGEST_COUNT
            if not in_range or (whole and value != int(value)):
                expected = f"a {'whole ' if whole else ''}number from 0 to 2^53"
                raise _MisfitError(f"{field}.{name}", expected, str(value))
            value = int(value) if whole else value
        counts[name] = value
    return counts


def _default_precision(model: _RawModel) -> str:
    if isinstance(model.Precision, str):
        return model.Precision
    return model.Precision.get("default", "auto")


@lru_cache(maxsize=1024)
def parse_precision(text: str, field: str) -> Precision | None:
    """A type such as ``ap_fixed<8, 3>`` or ``ufixed<8,1,RND_CONV,SAT,0>``; None for ``auto``."""
    if text.strip() == "auto":
        return None
    match = _FIXED_POINT.match(text.replace(" ", ""))
    if match is None or (match[2] == "fixed" and match[4] is None):
        raise _MisfitError(field, "a type such as fixed<16,6>, int<8> or auto", repr(text))
    width = int(match[3])
    integer = width if match[2] == "int" else int(match[4])
    if not 1 <= width <= _LARGEST_WIDTH or abs(integer) > _LARGEST_WIDTH:
        raise _MisfitError(field, f"a width from 1 to {_LARGEST_WIDTH}", repr(text))
    return Precision(width, integer, not match[1], match[5] or "TRN", match[6] or "WRAP")


def _kind(class_name: str) -> str:
    """Canonical layer kind: ``QDense`` and ``Dense`` are dense, ``AveragePooling1D`` is average_pooling1d."""
    name = re.sub(r"^Q(?=[A-Z])", "", class_name).removesuffix("Layer")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def _layers(record: _RawRecord, default: Precision | None) -> list[Layer]:
    raw = record.model_config
    names = _layer_names(record)
    inputs = _graph(raw, names)
    return [
        _layer(layer, names[i], inputs[i], record.hls_config.LayerName or {}, default, f"model_config[{i}]")
        for i, layer in enumerate(raw)
    ]


def _layer_names(record: _RawRecord) -> list[str | None]:
    """Names of the layers: their own, else the ``LayerName`` entries in order, else what their readers call them.

    A name that the record does not tell is None.

    ``LayerName`` also holds entries that hls4ml derives from a layer (``dense_1_linear``, ``dense_1_alpha``) and
    one for a model input that is no layer of ``model_config``; these are passed over.
    """
    layers, entries = record.model_config, record.hls_config.LayerName or {}
    if all(layer.name for layer in layers):
        return [layer.name for layer in layers]
    outside = set(layers[0].inbound_layers or ()) if layers and layers[0].class_name != "InputLayer" else set()
    main = [name for name in entries if name not in outside and not _is_derived(name, entries)]
    if len(main) == len(layers):
        return list(main)
    called = [layer.inbound_layers[0] if layer.inbound_layers else None for layer in layers[1:]]
    return [*called, main[-1] if main else None]


def _is_derived(name: str, entries: dict[str, _RawLayerSettings]) -> bool:
    stem, _, suffix = name.rpartition("_")
    return stem in entries and not suffix.isdigit()


def _graph(layers: list[_RawLayer], names: list[str | None]) -> list[list[int]]:
    """For each layer the indices of the layers it reads."""
    index_of = {name: i for i, name in enumerate(names) if name is not None}
    graph: list[list[int]] = []
    for i, layer in enumerate(layers):
        if layer.inbound_layers is None:
            graph.append(_derived_inputs(layers, i))
            continue
        known = [index_of[name] for name in layer.inbound_layers if name in index_of]
        if i and len(known) < len(layer.inbound_layers):
            missing = [name for name in layer.inbound_layers if name not in index_of]
            raise _MisfitError(f"model_config[{i}].inbound_layers", "names of earlier layers", repr(missing))
        if any(earlier >= i for earlier in known):
            raise _MisfitError(f"model_config[{i}].inbound_layers", "names of earlier layers", "a later one")
        graph.append(known)
    return graph


def _derived_inputs(layers: list[_RawLayer], i: int) -> list[int]:
    """Inputs of layer ``i`` where the record does not tell them.

    A layer reads the one before it. A merge also reads, for each further input shape, the nearest earlier layer
    that puts out this shape: the shortest skip connection that fits.
    """
    if i == 0:
        return []
    inputs = [i - 1]
    if _kind(layers[i].class_name) in _MERGES:
        for shape in layers[i].input_shape[1:]:
            earlier = (j for j in reversed(range(i - 1)) if layers[j].output_shape in (shape, [shape]))
            source = next((j for j in earlier if j not in inputs), None)
            if source is None:
                expected = "an earlier layer for each input of the merge"
                raise _MisfitError(f"model_config[{i}].input_shape", expected, f"none of shape {shape}")
            inputs.append(source)
    return inputs


def _layer(
    raw: _RawLayer,
    name: str | None,
    inputs: list[int],
    entries: dict[str, _RawLayerSettings],
    default: Precision | None,
    place: str,
) -> Layer:
    kind = _kind(raw.class_name)
    in_shape = _shape(raw.input_shape, f"{place}.input_shape")
    out_shape = _shape(raw.output_shape, f"{place}.output_shape")
    if entries and name not in entries and raw.parameters:
        raise _MisfitError(place, "an entry of hls_config.LayerName for a layer with weights", f"none called {name!r}")
    precision = entries[name].Precision if name in entries else {}
    types = {"result": precision} if isinstance(precision, str) else precision
    has_weights = raw.parameters > 0

    def precision_of(role: str, applies: bool = True) -> Precision | None:
        if role in types:
            return parse_precision(types[role], f"hls_config.LayerName.{name}.Precision.{role}")
        return default if applies and not entries else None

    return Layer(
        kind=kind,
        name=name,
        inputs=inputs,
        in_shape=in_shape,
        out_shape=out_shape,
        units=raw.neurons if raw.neurons is not None else raw.filters,
        kernel=raw.kernel_size,
        strides=raw.strides,
        padding=raw.padding,
        pool=_pool(raw, kind, in_shape, out_shape),
        use_bias=raw.use_bias,
        activation=_activation(raw.activation),
        params=raw.parameters,
        reuse_factor=raw.reuse_factor,
        weight=precision_of("weight", has_weights),
        bias=precision_of("bias", has_weights and bool(raw.use_bias)),
        result=precision_of("result"),
        accumulator=precision_of("accum", has_weights),
    )


def _shape(raw: _Shape, field: str) -> list[int]:
    """First shape without the batch dimension."""
    first = raw[0] if raw and isinstance(raw[0], list) else raw
    dims = first[1:]
    if not dims or not all(isinstance(dim, int) and dim > 0 for dim in dims):
        raise _MisfitError(field, "a shape such as [null, 16] with positive sizes", repr(raw))
    return [dim for dim in dims if isinstance(dim, int)]


def _pool(raw: _RawLayer, kind: str, in_shape: list[int], out_shape: list[int]) -> list[int] | None:
    """Pooling window: as given, else the only one that fits the sizes; None where several would."""
    if "pooling" not in kind or raw.pool_size is not None:
        return raw.pool_size
    if "global" in kind:
        return in_shape[:-1]
    if len(out_shape) != len(in_shape):
        return None
    window = []
    for size, pooled in zip(in_shape[:-1], out_shape[:-1], strict=True):
        fits = [w for w in range(1, size + 1) if (-(-size // w) if raw.padding == "same" else size // w) == pooled]
        if len(fits) != 1:
            return None
        window += fits
    return window


def _activation(text: str | None) -> str | None:
    """``quantized_relu(8,1)`` is relu; its bits stand in the result precision."""
    return None if text is None else text.partition("(")[0].strip().removeprefix("quantized_").lower()
