"""Networks of PyTorch, from the graph that ``torch.fx`` traces; the module computes nothing and stays as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wa_bench.errors import Fault, needs_extra
from wa_bench.networks.network import Builder, Network, NetworkError, padding_word

if TYPE_CHECKING:
    from torch import fx, nn

_KINDS = {
    "Linear": "dense",
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "BatchNorm1d": "batch_normalization",
    "BatchNorm2d": "batch_normalization",
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "MaxPool1d": "max_pooling1d",
    "MaxPool2d": "max_pooling2d",
    "AvgPool1d": "average_pooling1d",
    "AvgPool2d": "average_pooling2d",
    "AdaptiveMaxPool1d": "global_max_pooling1d",
    "AdaptiveMaxPool2d": "global_max_pooling2d",
    "AdaptiveAvgPool1d": "global_average_pooling1d",
    "AdaptiveAvgPool2d": "global_average_pooling2d",
    "Flatten": "flatten",
    "Dropout": "dropout",
    "Dropout1d": "dropout",
    "Dropout2d": "dropout",
    "Identity": "identity",
}
"""Modules that are understood; an activation by its function."""
_FUNCTIONS = {
    "relu": "relu",
    "relu_": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "max_pool1d": "max_pooling1d",
    "max_pool2d": "max_pooling2d",
    "avg_pool1d": "average_pooling1d",
    "avg_pool2d": "average_pooling2d",
    "adaptive_max_pool1d": "global_max_pooling1d",
    "adaptive_max_pool2d": "global_max_pooling2d",
    "adaptive_avg_pool1d": "global_average_pooling1d",
    "adaptive_avg_pool2d": "global_average_pooling2d",
    "flatten": "flatten",
    "view": "reshape",
    "reshape": "reshape",
    "dropout": "dropout",
    "add": "add",
    "iadd": "add",
    "sub": "subtract",
    "mul": "multiply",
    "maximum": "maximum",
    "minimum": "minimum",
    "max": "maximum",
    "min": "minimum",
    "mean": "mean",
    "cat": "concatenate",
    "concat": "concatenate",
}
"""Functions and methods of tensors that are understood."""
_ARGUMENTS = {
    "flatten": ("start_dim", "end_dim"),
    "concatenate": ("dim",),
    "max_pooling": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "average_pooling": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "global": ("output_size",),
    "mean": ("dim", "keepdim"),
}
"""Names of the arguments behind the input, in order."""
_SUPPORTED = (*_KINDS, *dict.fromkeys(_FUNCTIONS))
_ACTIVATIONS = ("relu", "sigmoid", "tanh", "softmax")
_WITHOUT_LAYER = {"getitem": "a slice", "getattr": "an attribute"}
_MERGES = ("add", "subtract", "multiply", "maximum", "minimum")

Shape = Sequence[int]


def from_torch(module: nn.Module, input_shape: Shape | Sequence[Shape] | None = None) -> Network:
    """The network of a PyTorch module.

    Args:
        module: traced by ``torch.fx``: its ``forward`` must not branch on values.
        input_shape: the input's shape as PyTorch has it, channels first, without the batch; a sequence of them for
            several inputs. It can be left out where a linear layer reads the input.

    Raises:
        NetworkError: all faults of the network at once.
        MissingToolError: torch is not installed.
    """
    with needs_extra("torch"):
        from torch import fx, nn
    name = type(module).__name__
    place = f"module {name}"
    if fx.Tracer().is_leaf_module(module, ""):
        module = nn.Sequential(OrderedDict({name.lower(): module}))
    try:
        graph = fx.symbolic_trace(module).graph
    except Exception as error:  # noqa: BLE001 (the module's own code runs here)
        remedy = "take branches on values out of forward, or export the module: torch.onnx.export"
        raise NetworkError(Fault(place, "a module that torch.fx can trace", str(error)[:200], remedy)) from None
    return _Reader(module, place, input_shape).read(graph, name)


class _Call(NamedTuple):
    """A node with the kind of its layer; ``shape`` is that of its first input, channels last."""

    node: fx.Node
    name: str
    kind: str
    inputs: list[str]
    shape: tuple[int, ...]
    told: Callable[[str], Any]


class _Reader:
    """Reads a graph node by node. ``_layer`` says which layer a node's output comes from; sizes come from none."""

    def __init__(self, module: nn.Module, place: str, input_shape: Shape | Sequence[Shape] | None) -> None:
        self.module = module
        self.builder = Builder(place, _SUPPORTED)
        several = input_shape is not None and any(not isinstance(size, int) for size in input_shape)
        self._shapes: list[Any] = [] if input_shape is None else list(input_shape) if several else [input_shape]
        self._layer: dict[fx.Node, str] = {}
        self._called: set[str] = set()
        self._handlers: dict[str, Callable[[_Call], None]] = {
            "dense": self._dense,
            "conv": self._convolution,
            "batch_normalization": self._normalization,
            "global": self._global_pooling,
            "max_pooling": self._pooling,
            "average_pooling": self._pooling,
            "flatten": self._flatten,
            "reshape": self._reshape,
            "concatenate": self._concatenate,
            "mean": self._mean,
        }

    def read(self, graph: fx.Graph, name: str) -> Network:
        outputs: list[str] = []
        for node in graph.nodes:
            match node.op:
                case "placeholder":
                    self._input(node)
                case "call_module":
                    self._module(node, str(node.target))
                case "call_function" | "call_method":
                    self._function(node)
                case "get_attr":
                    self.builder.unsupported(node.name, f"the tensor {node.target}")
                    self._layer[node] = node.name
                case "output":
                    outputs = [self._layer.get(source, source.name) for source in node.all_input_nodes]
        if self._shapes:
            self.builder.fault("input", "one shape for each input", f"{len(self._shapes)} more")
        return self.builder.network(name, outputs)

    def _input(self, node: fx.Node) -> None:
        self._layer[node] = node.name
        shape = list(self._shapes.pop(0)) if self._shapes else self._features(node)
        if shape is None:
            remedy = "hand it over without the batch: input_shape=(channels, rows, columns)"
            self.builder.fault(node.name, "the input's shape", "none", remedy)
        else:
            self.builder.add("input", node.name, shape=[*shape[1:], shape[0]] if len(shape) > 1 else shape)

    def _features(self, node: fx.Node) -> list[int] | None:
        """The shape of an input that a linear layer reads first."""
        reader = next(iter(node.users), None)
        if reader is None or reader.op != "call_module":
            return None
        features = getattr(self.module.get_submodule(str(reader.target)), "in_features", None)
        return None if features is None else [features]

    def _module(self, node: fx.Node, target: str) -> None:
        module = self.module.get_submodule(target)
        name, class_name = target, type(module).__name__
        self._layer[node] = name
        kind = _KINDS.get(class_name) if type(module).__module__.startswith("torch.nn.") else None
        if target in self._called:
            self._layer[node] = node.name
            self.builder.fault(node.name, "each module called once", f"{target} called again")
        elif kind is None:
            self.builder.unsupported(name, class_name)
        else:
            self._called.add(target)
            self._add(node, name, kind, lambda argument: getattr(module, argument, None))

    def _function(self, node: fx.Node) -> None:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", repr(node.target))
        home = "torch" if isinstance(node.target, str) else str(getattr(node.target, "__module__", ""))
        kind = _FUNCTIONS.get(name) if home.startswith(("torch", "_operator")) else None
        if self._asks_for_sizes(node, name):
            return
        self._layer[node] = node.name
        if kind is None:
            self.builder.unsupported(node.name, _WITHOUT_LAYER.get(name, name))
            return
        family = next((family for family in _ARGUMENTS if kind.startswith(family)), "")
        told = dict(zip(_ARGUMENTS.get(family, ()), node.args[1:], strict=False)) | node.kwargs
        if "axis" in told:
            told["dim"] = told.pop("axis")
        told["inplace"] = told.get("inplace") or name == "iadd" or name.endswith("_")
        self._add(node, node.name, kind, told.get)

    def _asks_for_sizes(self, node: fx.Node, name: str) -> bool:
        """Whether a node gives the sizes of a tensor, or one of them, and no tensor."""
        if name == "getitem":
            return node.args[0] not in self._layer
        return name == "size" or (name == "getattr" and node.args[1] == "shape")

    def _add(self, node: fx.Node, name: str, kind: str, told: Callable[[str], Any]) -> None:
        """The layer of a node; ``told`` gives its settings by their names in PyTorch."""
        read = node.all_input_nodes
        if kind in _MERGES:
            # ``x + x`` reads x twice, which all_input_nodes tells once.
            operands = [*node.args, *node.kwargs.values()]
            sources = [cast("fx.Node", operand) for operand in operands if operand in read and operand in self._layer]
            if len(sources) < len(operands):
                self.builder.fault(name, f"{kind} of outputs of other layers", "a constant")
                return
        else:
            sources = [source for source in read if source in self._layer]
            if not sources or (len(sources) < len(read) and kind != "reshape"):
                self.builder.fault(name, "outputs of other layers", "sizes" if read else "none")
                return
        inputs = [self._layer[source] for source in sources]
        shape = self.builder.shape(inputs[0])
        if shape is None:
            self.builder.hide(name)
            return
        call = _Call(node, name, kind, inputs, shape, told)
        if kind in _ACTIVATIONS:
            self.builder.add("activation", name, inputs=inputs, activation=kind)
        elif kind == "identity":
            self._layer[node] = inputs[0]
        else:
            handler = next((self._handlers[start] for start in self._handlers if kind.startswith(start)), None)
            if handler is None:
                self.builder.add(kind, name, inputs=inputs)
            else:
                handler(call)
        if told("inplace"):
            self._layer[sources[0]] = self._layer[node]

    def _dense(self, call: _Call) -> None:
        name, shape, told = call.name, call.shape, call.told
        if len(shape) > 1:
            self.builder.fault(name, "a flat input", f"channels first, shape {shape}", "put nn.Flatten before it")
        elif shape[0] != told("in_features"):
            self.builder.fault(name, f"a layer for {shape[0]} inputs", f"for {told('in_features')}")
        else:
            use_bias = told("bias") is not None
            self.builder.add("dense", name, inputs=call.inputs, units=told("out_features"), use_bias=use_bias)

    def _convolution(self, call: _Call) -> None:
        name, shape, told = call.name, call.shape, call.told
        if told("groups") != 1 or set(told("dilation")) != {1} or told("padding_mode") != "zeros":
            found = f"groups={told('groups')}, dilation={told('dilation')}, padding_mode={told('padding_mode')}"
            self.builder.fault(name, "a convolution of one group, without dilation, padded with zeros", found)
        elif told("in_channels") != shape[-1]:
            self.builder.fault(name, f"a layer for {shape[-1]} channels", f"for {told('in_channels')}")
        elif padding := self._padding(call, told("kernel_size"), told("stride"), told("padding")):
            self.builder.add(
                call.kind,
                name,
                inputs=call.inputs,
                units=told("out_channels"),
                kernel=told("kernel_size"),
                strides=told("stride"),
                padding=padding,
                use_bias=told("bias") is not None,
            )

    def _normalization(self, call: _Call) -> None:
        if call.told("track_running_stats"):
            params = 4 if call.told("affine") else 2
            self.builder.add(call.kind, call.name, inputs=call.inputs, params_per_channel=params)
        else:
            self.builder.fault(call.name, "a batch normalization with running statistics", "one without")

    def _global_pooling(self, call: _Call) -> None:
        if set(_listed(call.told("output_size"))) == {1}:
            self.builder.add(call.kind, call.name, inputs=call.inputs, keepdims=True)
        else:
            self.builder.fault(call.name, "an adaptive pooling to size 1", f"to size {call.told('output_size')}")

    def _pooling(self, call: _Call) -> None:
        told, dimensions = call.told, int(call.kind[-2])
        pool = _window(told("kernel_size"), dimensions)
        strides = _window(told("stride") or told("kernel_size"), dimensions)
        if told("ceil_mode") or set(_listed(told("dilation") or 1)) != {1}:
            self.builder.fault(call.name, "a pooling without ceil_mode and dilation", "one with")
        elif padding := self._padding(call, pool, strides, _window(told("padding") or 0, dimensions)):
            self.builder.add(call.kind, call.name, inputs=call.inputs, pool=pool, strides=strides, padding=padding)

    def _padding(self, call: _Call, window: Any, strides: Any, padding: Any) -> str | None:
        """The word for the padding of a window; None and a fault where there is none."""
        if isinstance(padding, str):
            return padding
        dimensions = len(call.shape) - 1
        if len(window) != dimensions:
            self.builder.fault(call.name, f"a window of {dimensions} sizes", f"{len(window)}")
            return None
        word = padding_word(call.shape[:-1], window, strides, [2 * pad for pad in padding])
        if word is None:
            self.builder.fault(call.name, "padding as with the words valid or same", f"padding {tuple(padding)}")
        return word

    def _flatten(self, call: _Call) -> None:
        start, end = call.told("start_dim"), call.told("end_dim")
        # The module flattens from dimension 1 unless told otherwise, the function from 0, the batch.
        whole = start == 1 and end in {None, -1, len(call.shape)}
        self._reach(call, [-1] if whole else None)

    def _reshape(self, call: _Call) -> None:
        told: Any = call.node.args[1:] or (call.node.kwargs.get("shape", ()),)
        sizes = told[0] if isinstance(told[0], tuple | list) else told
        keeps_batch = sizes and (sizes[0] in {-1, 1} or self._is_batch(sizes[0]))
        self._reach(call, list(sizes[1:]) if keeps_batch else None)

    def _is_batch(self, size: Any) -> bool:
        """Whether a size is that of the batch: ``x.size(0)``, ``x.shape[0]``."""
        asked = getattr(size, "args", ())[1:] or tuple(getattr(size, "kwargs", {}).values())
        return size not in self._layer and asked == (0,)

    def _reach(self, call: _Call, wanted: list[Any] | None) -> None:
        """Reshape to ``wanted``, channels first, without the batch."""
        whole = prod(call.shape)
        if not wanted or not all(isinstance(size, int) for size in wanted):
            self.builder.fault(call.name, "a reshape of all but the batch", "another")
        elif len(wanted) == 1 and wanted[0] not in {-1, whole}:
            self.builder.fault(call.name, f"a reshape of all but the batch, to -1 or {whole}", f"to {wanted[0]}")
        elif len(wanted) > 1:
            self.builder.add("reshape", call.name, inputs=call.inputs, shape=[*wanted[1:], wanted[0]])
        elif len(call.shape) == 1:
            self._layer[call.node] = call.inputs[0]
        else:
            self.builder.add("flatten", call.name, inputs=call.inputs)

    def _concatenate(self, call: _Call) -> None:
        rank, told = len(call.shape) + 1, call.told("dim") or 0
        axis = told + rank if told < 0 else told
        joined: Any = call.node.args[0] if call.node.args else call.node.kwargs.get("tensors", ())
        inputs = [self._layer[source] for source in _listed(joined) if source in self._layer]
        if not 1 <= axis < rank:
            self.builder.fault(call.name, "outputs that are not joined along the batch", f"dim {told}")
        else:
            channels_last = rank - 2 if axis == 1 else axis - 2
            self.builder.add("concatenate", call.name, inputs=inputs, axis=channels_last)

    def _mean(self, call: _Call) -> None:
        """A mean over rows and columns is a global pooling."""
        rank, axes = len(call.shape) + 1, _listed(call.told("dim"))
        spatial = [*range(2, rank)]
        if spatial and all(isinstance(axis, int) for axis in axes) and sorted(axis % rank for axis in axes) == spatial:
            kind, keepdims = f"global_average_pooling{rank - 2}d", bool(call.told("keepdim"))
            self.builder.add(kind, call.name, inputs=call.inputs, keepdims=keepdims)
        else:
            self.builder.fault(call.name, "a mean over rows and columns", f"over the dimensions {call.told('dim')}")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _window(value: Any, dimensions: int) -> list[Any]:
    """A size in each direction, of one told once or for each."""
    sizes = _listed(value)
    return sizes * dimensions if len(sizes) == 1 else sizes
