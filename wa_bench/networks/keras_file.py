"""Networks of Keras 2 and 3 and QKeras, from the JSON that they write; neither is needed, no code runs."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec

from wa_bench.errors import Fault
from wa_bench.networks.network import ACTIVATIONS, Builder, Network, NetworkError
from wa_bench.networks.qkeras import (
    ACTIVATION_QUANTIZERS,
    WEIGHT_QUANTIZERS,
    activation_type,
    read_quantizer,
    weight_type,
)

_CONFIG = "config.json"
_MOST_BYTES = 16 << 20
_MOST_ENTRIES = 1000
_MOST_DEPTH = 8
_HDF5 = b"\x89HDF\r\n\x1a\n"

_KINDS = {
    "InputLayer": "input",
    "Dense": "dense",
    "QDense": "dense",
    "Conv1D": "conv1d",
    "QConv1D": "conv1d",
    "Conv2D": "conv2d",
    "QConv2D": "conv2d",
    "Activation": "activation",
    "QActivation": "activation",
    "ReLU": "activation",
    "Softmax": "activation",
    "BatchNormalization": "batch_normalization",
    "QBatchNormalization": "batch_normalization",
    "MaxPooling1D": "max_pooling1d",
    "MaxPooling2D": "max_pooling2d",
    "AveragePooling1D": "average_pooling1d",
    "AveragePooling2D": "average_pooling2d",
    "QAveragePooling2D": "average_pooling2d",
    "GlobalMaxPooling1D": "global_max_pooling1d",
    "GlobalMaxPooling2D": "global_max_pooling2d",
    "GlobalAveragePooling1D": "global_average_pooling1d",
    "GlobalAveragePooling2D": "global_average_pooling2d",
    "QGlobalAveragePooling2D": "global_average_pooling2d",
    "Flatten": "flatten",
    "Reshape": "reshape",
    "Dropout": "dropout",
    "Add": "add",
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Multiply": "multiply",
    "Subtract": "subtract",
    "Concatenate": "concatenate",
}
"""Layers that are understood, with their kind in a record."""


class _Layer(msgspec.Struct):
    class_name: str
    config: dict[str, Any] = {}
    name: str | None = None
    inbound_nodes: Any = None


class _Config(msgspec.Struct):
    layers: list[_Layer]
    name: str = "network"
    build_input_shape: list[int | None] | None = None


class _Model(msgspec.Struct):
    class_name: str
    config: _Config


def kind_of(class_name: str) -> str | None:
    """The kind in a record of a layer class of Keras or hls4ml; None where it is not understood."""
    return _KINDS.get(class_name)


def read_keras(path: Path) -> Network:
    """The network in a ``.keras`` archive.

    Raises:
        NetworkError: all faults of the network at once, or what is wrong with the file.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_HDF5)) == _HDF5:
                raise NetworkError(legacy_fault(path))
        with zipfile.ZipFile(path) as archive:
            text = _member(archive, path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise NetworkError(Fault(str(path), "a .keras archive", f"{type(error).__name__}: {error}"[:200])) from None
    try:
        content = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NetworkError(Fault(f"{path.name}, {_CONFIG}", "a JSON object", str(error)[:200])) from None
    return from_keras(content, path.name)


def legacy_fault(path: Path) -> Fault:
    """What to say of a file in the old HDF5 format."""
    remedy = "save the model again with Keras: keras.models.load_model('old.h5').save('model.keras')"
    return Fault(str(path), "a .keras archive", "a file in the old HDF5 format", remedy)


def _member(archive: zipfile.ZipFile, place: str) -> bytes:
    names = archive.namelist()
    if len(names) > _MOST_ENTRIES:
        raise NetworkError(Fault(place, f"at most {_MOST_ENTRIES:,} files in the archive", f"{len(names):,}"))
    if _CONFIG not in names:
        raise NetworkError(Fault(place, f"an archive with {_CONFIG}", ascii(names[:5])))
    with archive.open(_CONFIG) as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise NetworkError(Fault(f"{place}, {_CONFIG}", f"at most {_MOST_BYTES:,} bytes", "more"))
    return text


def from_keras(content: dict[str, Any], place: str) -> Network:
    """The network in the JSON that Keras makes of a model: ``model.to_json()``, or the config of an archive.

    Raises:
        NetworkError: all faults of the network at once.
    """
    if content.get("class_name") not in ("Sequential", "Functional", "Model"):
        found = f"a model of class {ascii(content.get('class_name'))[:80]}"
        remedy = "build the model from Keras layers, or describe it in our own JSON"
        raise NetworkError(Fault(place, "a Sequential or Functional model", found, remedy))
    try:
        model = msgspec.convert(content, _Model)
    except msgspec.ValidationError as error:
        raise NetworkError(Fault(place, "the JSON of a Keras model", str(error))) from None
    builder = Builder(place, list(_KINDS))
    is_graph = model.class_name != "Sequential"
    if not is_graph:
        _sequential_input(model.config, builder)
    for layer in model.config.layers:
        _add(builder, layer, is_graph=is_graph)
    return builder.network(model.config.name)


def _sequential_input(config: _Config, builder: Builder) -> None:
    """The input of a sequential model, where it is no layer of its own."""
    if config.layers and config.layers[0].class_name == "InputLayer":
        return
    first = config.layers[0].config if config.layers else {}
    shape = first.get("batch_input_shape") or first.get("batch_shape") or config.build_input_shape
    if shape is None:
        builder.fault(
            "input", "the input's shape", "none", "build the model, or put keras.Input((...)) first, and save again"
        )
    else:
        _input(builder, "input", shape)


def _input(builder: Builder, name: str, told: object) -> None:
    """The input ``name`` of a shape with the batch dimension."""
    shape = _unbatched(told)
    if isinstance(shape, list) and None in shape:
        remedy = "build the model with fixed sizes, such as keras.Input((32, 4)), and save again"
        builder.fault(name, "fixed sizes, all but the batch", " x ".join(map(str, shape)), remedy)
    else:
        builder.add("input", name, shape=shape)


def _unbatched(shape: object) -> object:
    """A shape without its batch dimension; as it is if it has none, for a message."""
    if isinstance(shape, list) and len(shape) == 1 and isinstance(shape[0], list):
        shape = shape[0]
    return shape[1:] if isinstance(shape, list) else shape


def _add(builder: Builder, layer: _Layer, *, is_graph: bool) -> None:
    config = layer.config
    name = str(config.get("name") or layer.name or layer.class_name)
    kind = _KINDS.get(layer.class_name)
    if kind is None:
        builder.unsupported(name, layer.class_name)
        return
    if kind == "input":
        _input(builder, name, config.get("batch_shape", config.get("batch_input_shape")))
        return
    if kind == "concatenate" and config.get("axis") == 0:
        builder.fault(name, "outputs that are not joined along the batch", "axis = 0")
        return
    for setting, allowed in _PLAIN.items():
        value = config.get(setting)
        if value is not None and value not in allowed:
            builder.fault(name, f"{setting} = {allowed[0]}", f"{setting} = {value!r}")
            return
    inputs = None
    if is_graph:
        inputs, problem = _inputs(layer.inbound_nodes)
        if problem:
            builder.fault(name, "a layer that is called once, on outputs of other layers", problem)
            return
    try:
        told = _told(kind, config, layer.class_name)
    except ValueError as error:
        quantizers = ", ".join(dict.fromkeys((*ACTIVATION_QUANTIZERS, *WEIGHT_QUANTIZERS)))
        expected = f"activations {', '.join(ACTIVATIONS)} and quantizers {quantizers}"
        builder.fault(name, expected, f"{layer.class_name} with {str(error)[:80]}, which is not supported")
        return
    builder.add(kind, name, inputs=inputs, **told)


_PLAIN: dict[str, tuple[object, ...]] = {
    "data_format": ("channels_last",),
    "dilation_rate": (1, [1], [1, 1]),
    "groups": (1,),
    "max_value": (None,),
    "negative_slope": (0.0,),
    "threshold": (0.0,),
}
"""Settings that hls4ml, or the records, know in one form only."""


def _told(kind: str, config: dict[str, Any], class_name: str) -> dict[str, object]:
    """What the config of a layer tells of it.

    Raises:
        ValueError: an activation or a quantizer that is not understood.
    """
    dimensions = int(kind[-2]) if kind.endswith(("1d", "2d")) else 1
    match kind:
        case "dense" | "conv1d" | "conv2d":
            function, result = _activation(config.get("activation"))
            return {
                "units": config.get("units", config.get("filters")),
                "kernel": _window(config.get("kernel_size"), dimensions),
                "strides": _window(config.get("strides"), dimensions),
                "padding": config.get("padding"),
                "use_bias": config.get("use_bias"),
                "activation": function,
                "weight": _weights(config.get("kernel_quantizer"), is_kernel=True),
                "bias": _weights(config.get("bias_quantizer"), is_kernel=False),
                "result": result,
            }
        case "activation":
            told = config.get("activation") if class_name.endswith("Activation") else class_name.lower()
            function, result = _activation(told)
            return {"activation": function, "result": result}
        case "batch_normalization":
            return {"params_per_channel": 2 + bool(config.get("scale", True)) + bool(config.get("center", True))}
        case "reshape":
            return {"shape": config.get("target_shape")}
        case "concatenate":
            axis = config.get("axis", -1)
            return {"axis": axis - 1 if isinstance(axis, int) and axis > 0 else axis}
    if kind.startswith("global"):
        return {"keepdims": config.get("keepdims")}
    if "pooling" in kind:
        return {
            "pool": _window(config.get("pool_size"), dimensions),
            "strides": _window(config.get("strides"), dimensions),
            "padding": config.get("padding"),
        }
    return {}


def _window(told: object, dimensions: int) -> object:
    return [told] * dimensions if isinstance(told, int) else told


def _activation(told: object) -> tuple[str | None, str | None]:
    """Function and result type of an activation; None where none is told."""
    if told is None or (isinstance(told, str) and told in ACTIVATIONS):
        return told, None
    if isinstance(told, dict) and told.get("class_name") == "function" and told.get("config") in ACTIVATIONS:
        return told["config"], None
    quantizer = read_quantizer(told)
    if quantizer is None:
        raise ValueError(f"activation {told!a}")
    try:
        return activation_type(quantizer)
    except ValueError as error:
        raise ValueError(f"activation {error}") from None


def _weights(told: object, *, is_kernel: bool) -> str | None:
    """Type of the weights or biases that a quantizer tells; None where there is none."""
    if told is None:
        return None
    quantizer = read_quantizer(told)
    if quantizer is None:
        raise ValueError(f"quantizer {told!a}")
    try:
        return weight_type(quantizer, is_kernel=is_kernel)
    except ValueError as error:
        raise ValueError(f"quantizer {error}") from None


def _inputs(nodes: object) -> tuple[list[str], str | None]:
    """Names of the layers that a layer reads, and what is wrong with how it is called."""
    if not isinstance(nodes, list) or len(nodes) != 1:
        return [], f"{len(nodes)} calls" if isinstance(nodes, list) else "no list of calls"
    (node,) = nodes
    sources: list[tuple[object, ...]] = []
    if isinstance(node, dict):
        problem = _tensors(node.get("args"), sources, _MOST_DEPTH)
    else:
        calls = node if isinstance(node, list) else []
        sources = [tuple(call[:3]) for call in calls if isinstance(call, list)]
        problem = None if calls and len(sources) == len(calls) else f"the call {ascii(node)[:80]}"
    if problem is None and any(len(source) < 3 or list(source[1:]) != [0, 0] for source in sources):
        problem = "a layer that is called more than once or has several outputs"
    return [str(source[0]) for source in sources if source], problem


def _tensors(told: object, sources: list[tuple[object, ...]], depth: int) -> str | None:
    """Collect the histories of the tensors in the arguments of a Keras 3 call; what else there is, in words."""
    if isinstance(told, list) and depth:
        return next(filter(None, [_tensors(item, sources, depth - 1) for item in told]), None)
    config = told.get("config") if isinstance(told, dict) and told.get("class_name") == "__keras_tensor__" else None
    history = config.get("keras_history") if isinstance(config, dict) else None
    if isinstance(history, list):
        sources.append(tuple(history))
        return None
    return f"the argument {ascii(told)[:80]}"
