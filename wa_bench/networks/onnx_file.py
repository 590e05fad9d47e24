"""Networks in ONNX files. Weights are not read but for the sizes that reshapes ask for; nothing runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wa_bench.errors import Fault, needs_extra
from wa_bench.networks.network import Builder, Network, NetworkError, padding_word

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 1 << 30
_MOST_NODES = 100_000

_SIMPLE: dict[str, dict[str, Any]] = {
    "Relu": {"kind": "activation", "activation": "relu"},
    "Sigmoid": {"kind": "activation", "activation": "sigmoid"},
    "Tanh": {"kind": "activation", "activation": "tanh"},
    "Softmax": {"kind": "activation", "activation": "softmax"},
    "BatchNormalization": {"kind": "batch_normalization"},
    "Dropout": {"kind": "dropout"},
}
"""Nodes that follow from their inputs alone."""
_MERGES = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Max": "maximum", "Min": "minimum", "Mean": "average"}
_POOLINGS = {"MaxPool": "max_pooling", "AveragePool": "average_pooling"}
_GLOBAL = {"GlobalMaxPool": "global_max_pooling", "GlobalAveragePool": "global_average_pooling"}
_PASSING = ("Identity", "Cast")
_SUPPORTED = (
    *("Gemm", "MatMul", "Conv", *_SIMPLE, *_POOLINGS, *_GLOBAL, "ReduceMean"),
    *("Flatten", "Reshape", "Squeeze", "Transpose", "Concat", *_MERGES, *_PASSING, "Constant"),
)
_CHANNELS_FIRST = ("Conv", "BatchNormalization", *_POOLINGS, *_GLOBAL)
_KEEP_LAYOUT = {*_SIMPLE, *_MERGES, *_PASSING, "Concat"} - {*_CHANNELS_FIRST}
_TO_FIRST = {(0, 2, 1), (0, 3, 1, 2)}
_TO_LAST = {(0, 2, 1), (0, 2, 3, 1)}


def read_onnx(path: Path) -> Network:
    """The network in an ONNX file.

    Raises:
        NetworkError: all faults of the network at once, or what is wrong with the file.
        MissingToolError: onnx is not installed.
    """
    with needs_extra("onnx"):
        import onnx
        from google.protobuf.message import DecodeError
    if (size := path.stat().st_size) > _MOST_BYTES:
        remedy = "keep the weights in a file of their own: onnx.save(model, path, save_as_external_data=True)"
        raise NetworkError(Fault(str(path), f"at most {_MOST_BYTES:,} bytes", f"{size:,} bytes", remedy))
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise NetworkError(Fault(str(path), "an ONNX file", str(error)[:200])) from None
    return from_onnx(model, path.name, path.stem)


def from_onnx(model: onnx.ModelProto, place: str, name: str = "network") -> Network:
    """The network in an ONNX model.

    Raises:
        NetworkError: all faults of the network at once.
        MissingToolError: onnx is not installed.
    """
    with needs_extra("onnx"):
        import onnx  # noqa: F401
    if len(model.graph.node) > _MOST_NODES:
        raise NetworkError(Fault(place, f"at most {_MOST_NODES:,} nodes", f"{len(model.graph.node):,}"))
    return _Reader(model.graph, place).read(name)


_Handler = Callable[["onnx.NodeProto", str, list[str], tuple[int, ...]], None]
"""Adds the layer of a node with its name, the names of the layers that it reads and the shape of the first."""


class _Reader:
    """Reads a graph node by node.

    ``_layer`` says which layer a tensor comes from; ``_first`` whether its channels stand first there (they stand last
    in the network's own shapes).
    """

    def __init__(self, graph: onnx.GraphProto, place: str) -> None:
        self.graph = graph
        self.builder = Builder(place, _SUPPORTED)
        self._constants: dict[str, onnx.TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self._constant_shape = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        self._layer: dict[str, str] = {}
        self._first: dict[str, bool] = {}
        self._done: set[str] = set()
        self._batch = 1
        self._readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for tensor in node.input:
                self._readers[tensor].append(node)
        self._handlers: dict[str, _Handler] = {
            "Gemm": self._dense,
            "MatMul": self._dense,
            "Conv": self._convolution,
            "Flatten": self._reshape,
            "Reshape": self._reshape,
            "Squeeze": self._reshape,
            "Transpose": self._transpose,
            "Concat": self._concatenate,
            "ReduceMean": self._mean,
            **dict.fromkeys(_POOLINGS, self._pooling),
            **dict.fromkeys(_GLOBAL, self._global_pooling),
            **dict.fromkeys(_MERGES, self._merge),
        }

    def read(self, name: str) -> Network:
        for value in self.graph.input:
            if value.name not in self._constants:
                self._input(value)
        for node in self.graph.node:
            if node.output and node.output[0] not in self._done:
                self._node(node, node.name or node.output[0])
        outputs = [self._layer.get(value.name, value.name) for value in self.graph.output]
        return self.builder.network(name, outputs)

    def _input(self, value: onnx.ValueInfoProto) -> None:
        batch, *dims = [dim.dim_value or dim.dim_param or "?" for dim in value.type.tensor_type.shape.dim] or ["?"]
        self._batch = batch if isinstance(batch, int) else 1
        self._layer[value.name] = value.name
        if not all(isinstance(dim, int) for dim in dims):
            remedy = "export it with fixed sizes, all but the batch"
            self.builder.fault(value.name, "fixed sizes", " x ".join(map(str, dims)), remedy)
            return
        self._first[value.name] = len(dims) > 1 and self._is_first(value.name)
        self.builder.add("input", value.name, shape=_channels_last(dims, first=self._first[value.name]))

    def _is_first(self, tensor: str) -> bool:
        """Whether what reads ``tensor`` takes its channels to stand first, as all of ONNX does by itself."""
        seen, waiting = {tensor}, [tensor]
        while waiting:
            for node in self._readers[waiting.pop(0)]:
                if node.op_type in _CHANNELS_FIRST:
                    return True
                if node.op_type == "MatMul" or (node.op_type == "Transpose" and _perm(node) in _TO_FIRST):
                    return False
                if node.op_type in _KEEP_LAYOUT and node.output[0] not in seen:
                    seen.add(node.output[0])
                    waiting.append(node.output[0])
        return True

    def _node(self, node: onnx.NodeProto, name: str) -> None:
        output, kind = node.output[0], node.op_type
        if kind == "Constant":
            self._constant(node, name)
            return
        if kind in {*_PASSING, "Transpose"} and node.input and node.input[0] in self._constant_shape:
            self._constant_again(node)
            return
        self._layer |= dict.fromkeys(node.output, name)
        if kind not in _SUPPORTED:
            self.builder.unsupported(name, kind)
            return
        sources = [tensor for tensor in node.input if tensor and tensor not in self._constant_shape]
        if unknown := [tensor for tensor in sources if tensor not in self._layer]:
            self.builder.fault(name, "outputs of earlier nodes", ", ".join(map(ascii, unknown))[:200])
            return
        self._first[output] = any(self._first.get(tensor, False) for tensor in sources)
        inputs = [self._layer[tensor] for tensor in sources]
        shape = self.builder.shape(inputs[0]) if inputs else None
        if shape is None:
            self.builder.hide(name)
            return
        if kind in _PASSING:
            self._layer[output] = inputs[0]
        elif kind in _SIMPLE:
            self.builder.add(name=name, inputs=inputs, **_SIMPLE[kind])
        else:
            self._handlers[kind](node, name, inputs, shape)

    def _constant(self, node: onnx.NodeProto, name: str) -> None:
        import onnx

        value = next(iter(_attributes(node).values()), None)
        if not isinstance(value, onnx.TensorProto):
            try:
                value = onnx.numpy_helper.from_array(np.asarray(value))
            except (TypeError, ValueError, NotImplementedError):
                self.builder.fault(name, "a constant of numbers", ascii(value)[:80])
                return
        self._constants[node.output[0]] = value
        self._constant_shape[node.output[0]] = tuple(value.dims)

    def _constant_again(self, node: onnx.NodeProto) -> None:
        """Keep what a node makes of a constant: a constant of the same values, perhaps in another order."""
        source, output = node.input[0], node.output[0]
        shape = self._constant_shape[source]
        perm = _perm(node) or tuple(reversed(range(len(shape))))
        if node.op_type != "Transpose":
            if source in self._constants:
                self._constants[output] = self._constants[source]
        elif sorted(perm) == [*range(len(shape))]:
            shape = tuple(shape[place] for place in perm)
        self._constant_shape[output] = shape

    def _weights(self, node: onnx.NodeProto, name: str, ranks: tuple[int, ...]) -> tuple[int, ...] | None:
        """Shape of the weights of a node, which must be constants."""
        shape = self._constant_shape.get(node.input[1]) if len(node.input) > 1 else None
        if shape is None or len(shape) not in ranks:
            found = "none" if shape is None else f"shape {shape}"
            self.builder.fault(name, f"constant weights of {' or '.join(map(str, ranks))} dimensions", found)
            return None
        return shape

    def _dense(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        weights = self._weights(node, name, (2,))
        if weights is None:
            return
        told = _attributes(node)
        odd = {key: told[key] for key in ("alpha", "beta") if told.get(key, 1.0) != 1.0} | (
            {"transA": 1} if told.get("transA") else {}
        )
        if odd:
            self.builder.fault(name, "a plain Gemm", f"{odd}")
        elif len(shape) > 1 and self._first[node.input[0]]:
            self.builder.fault(name, "a flat input, or channels last", f"channels first, shape {shape}")
        else:
            n_in, units = weights[::-1] if told.get("transB") else weights
            if n_in != shape[-1]:
                self.builder.fault(name, f"weights for {shape[-1]} inputs", f"for {n_in}")
                return
            use_bias = len(node.input) > 2 or self._takes_bias(node, name, units)
            self.builder.add("dense", name, inputs=inputs, units=units, use_bias=use_bias)

    def _takes_bias(self, node: onnx.NodeProto, name: str, units: int) -> bool:
        """Whether the only reader of a product adds a constant to each unit; it then belongs to the layer."""
        readers = self._readers[node.output[0]]
        if len(readers) != 1 or readers[0].op_type != "Add":
            return False
        constants = [self._constant_shape[tensor] for tensor in readers[0].input if tensor in self._constant_shape]
        if len(constants) != 1 or max(constants[0], default=1) != units or prod(constants[0]) != units:
            return False
        output = readers[0].output[0]
        self._layer[output], self._first[output] = name, self._first[node.output[0]]
        self._done.add(output)
        return True

    def _convolution(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        weights = self._weights(node, name, (3, 4))
        if weights is None:
            return
        told = _attributes(node)
        kernel = weights[2:]
        if told.get("group", 1) != 1 or set(told.get("dilations", [1])) != {1}:
            found = f"{told.get('group', 1)} groups, dilations {told.get('dilations', [1])}"
            self.builder.fault(name, "a convolution of one group without dilation", found)
        elif weights[1] != shape[-1]:
            self.builder.fault(name, f"weights for {shape[-1]} channels", f"for {weights[1]}")
        elif (padding := self._padding(name, told, shape, kernel)) is not None:
            self.builder.add(
                f"conv{len(kernel)}d",
                name,
                inputs=inputs,
                units=weights[0],
                kernel=kernel,
                strides=told.get("strides"),
                padding=padding,
                use_bias=len(node.input) > 2 or self._takes_bias(node, name, weights[0]),
            )

    def _pooling(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        told = _attributes(node)
        pool = told.get("kernel_shape", [])
        if told.get("ceil_mode") or set(told.get("dilations", [1])) != {1}:
            self.builder.fault(name, "a pooling without ceil_mode and dilation", "one with")
        elif (padding := self._padding(name, told, shape, pool)) is not None:
            strides = told.get("strides", [1] * len(pool))
            kind = f"{_POOLINGS[node.op_type]}{len(pool)}d"
            self.builder.add(kind, name, inputs=inputs, pool=pool, strides=strides, padding=padding)

    def _global_pooling(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        self.builder.add(f"{_GLOBAL[node.op_type]}{len(shape) - 1}d", name, inputs=inputs, keepdims=True)

    def _merge(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        if len(inputs) < len(node.input):
            self.builder.fault(name, f"{node.op_type} of outputs of other layers", "a constant")
        else:
            self.builder.add(_MERGES[node.op_type], name, inputs=inputs)

    def _padding(self, name: str, told: dict[str, Any], shape: tuple[int, ...], window: Any) -> str | None:
        """The word for the padding of a window; None and a fault where there is none."""
        dimensions = len(window)
        automatic = told.get("auto_pad", b"NOTSET").decode()
        if automatic != "NOTSET":
            return "same" if automatic.startswith("SAME") else "valid"
        pads, strides = told.get("pads", [0] * 2 * dimensions), told.get("strides", [1] * dimensions)
        if not (len(shape) - 1 == dimensions == len(strides) and len(pads) == 2 * dimensions and min(strides) > 0):
            self.builder.fault(name, f"a window of {len(shape) - 1} sizes, with strides and pads", f"{dimensions}")
            return None
        both = [before + after for before, after in zip(pads[:dimensions], pads[dimensions:], strict=True)]
        word = padding_word(shape[:-1], window, strides, both)
        if word is None:
            self.builder.fault(name, "padding as with the words valid or same", f"pads {pads}")
        return word

    def _reshape(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        output = node.output[0]
        if node.op_type == "Squeeze":
            wanted: list[int] | None = [-1] if prod(shape[:-1]) == 1 else None
        elif node.op_type == "Flatten":
            wanted = [-1] if _attributes(node).get("axis", 1) == 1 else None
        else:
            sizes = self._values(node.input[1] if len(node.input) > 1 else "")
            wanted = sizes[1:] if sizes and sizes[0] in {-1, 0, self._batch} else None
        if not wanted or (len(wanted) == 1 and wanted[0] not in {-1, prod(shape)}):
            remedy = "export with torch.nn.Flatten and a fixed batch size"
            self.builder.fault(name, "a reshape to a constant shape, batch first", "another", remedy)
        elif len(wanted) > 1:
            self._first[output] = self._is_first(output)
            self.builder.add("reshape", name, inputs=inputs, shape=_channels_last(wanted, first=self._first[output]))
        elif len(shape) == 1:
            self._layer[output] = inputs[0]
        else:
            self._first[output] = False
            self.builder.add("flatten", name, inputs=inputs)

    def _values(self, tensor: str) -> list[int] | None:
        """The whole numbers of a small constant that stands in the file itself."""
        import onnx

        constant = self._constants.get(tensor)
        if constant is None or prod(constant.dims) > 8 or constant.data_location == onnx.TensorProto.EXTERNAL:
            return None
        try:
            return [int(value) for value in onnx.numpy_helper.to_array(constant).ravel()]
        except (TypeError, ValueError):
            return None

    def _transpose(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        """Drop a transpose between channels first and channels last."""
        source, output, perm = node.input[0], node.output[0], _perm(node)
        first = self._first[source]
        if perm == tuple(range(len(shape) + 1)):
            self._layer[output] = inputs[0]
        elif len(perm) == len(shape) + 1 and perm in (_TO_LAST if first else _TO_FIRST):
            self._layer[output] = inputs[0]
            self._first[output] = not first
        else:
            self.builder.fault(name, "a transpose between channels first and last", f"perm {perm}")

    def _concatenate(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        rank = len(shape) + 1
        axis = _attributes(node).get("axis", 1)
        axis += rank if axis < 0 else 0
        if self._first[node.output[0]]:
            axis = rank - 1 if axis == 1 else axis - 1
        if len(inputs) < len(node.input) or axis < 1:
            self.builder.fault(name, "outputs of other layers, not joined along the batch", "others")
        else:
            self.builder.add("concatenate", name, inputs=inputs, axis=axis - 1)

    def _mean(self, node: onnx.NodeProto, name: str, inputs: list[str], shape: tuple[int, ...]) -> None:
        """A mean over rows and columns is a global pooling."""
        rank = len(shape) + 1
        told = _attributes(node)
        axes = told.get("axes") or (self._values(node.input[1]) if len(node.input) > 1 else None) or []
        first = self._first[node.output[0]]
        spatial = [*range(2, rank)] if first else [*range(1, rank - 1)]
        if not spatial or sorted(axis % rank for axis in axes) != spatial:
            self.builder.fault(name, "a mean over rows and columns", f"over the axes {axes}")
            return
        keepdims = bool(told.get("keepdims", 1))
        self._first[node.output[0]] = first and keepdims
        self.builder.add(f"global_average_pooling{rank - 2}d", name, inputs=inputs, keepdims=keepdims)


def _channels_last(dims: list[Any], *, first: bool) -> list[Any]:
    return [*dims[1:], dims[0]] if first else dims


def _perm(node: onnx.NodeProto) -> tuple[int, ...]:
    perm = _attributes(node).get("perm", ()) if node.op_type == "Transpose" else ()
    return tuple(perm)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    import onnx

    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
