"""A network as its layers follow from one another: shapes, parameters and links, in the words of a record.

Readers hand over one operation after the other; this file works out what a genuine wa-hls4ml record of the network
would say of each. Shapes leave out the batch dimension and have the channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Annotated, Any, Literal, get_args

import msgspec

from wa_bench.errors import Fault, FaultyInputError
from wa_bench.records.columns import note
from wa_bench.records.hls4ml import parse_precision
from wa_bench.records.schema import Layer, Precision

Kind = Literal[
    "input",
    "dense",
    "conv1d",
    "conv2d",
    "activation",
    "batch_normalization",
    "max_pooling1d",
    "max_pooling2d",
    "average_pooling1d",
    "average_pooling2d",
    "global_max_pooling1d",
    "global_max_pooling2d",
    "global_average_pooling1d",
    "global_average_pooling2d",
    "flatten",
    "reshape",
    "dropout",
    "add",
    "average",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
    "concatenate",
]
KINDS: tuple[str, ...] = get_args(Kind)
"""Kinds of layers that a network may have."""
Activation = Literal["relu", "tanh", "sigmoid", "softmax", "linear"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
"""Activations that a layer may have."""
WEIGHTED = ("dense", "conv1d", "conv2d")
"""Kinds with a matrix product: they alone have a reuse factor of their own."""
_CONVOLUTIONS = ("conv1d", "conv2d")
_SLIDING = ("max_pooling1d", "max_pooling2d", "average_pooling1d", "average_pooling2d")
_GLOBAL = tuple(kind for kind in KINDS if kind.startswith("global"))
SETTINGS: dict[str, tuple[str, ...]] = {
    "inputs": KINDS,
    "result": KINDS,
    "shape": ("input", "reshape"),
    "units": WEIGHTED,
    "use_bias": WEIGHTED,
    "bias": WEIGHTED,
    "weight": (*WEIGHTED, "batch_normalization"),
    "activation": (*WEIGHTED, "activation"),
    "kernel": _CONVOLUTIONS,
    "pool": _SLIDING,
    "strides": (*_CONVOLUTIONS, *_SLIDING),
    "padding": (*_CONVOLUTIONS, *_SLIDING),
    "keepdims": _GLOBAL,
    "axis": ("concatenate",),
    "params_per_channel": ("batch_normalization",),
}
"""The kinds of layers that each setting means something for."""

_LARGEST_SIZE = 2**20
_MOST_PRODUCTS = 2**36
_MOST_LAYERS = 4096
_MOST_TEXT = 200

_Size = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST_SIZE)]
_Wanted = Annotated[tuple[Annotated[int, msgspec.Meta(ge=-1, le=_LARGEST_SIZE)], ...], msgspec.Meta(max_length=3)]
_Window = Annotated[tuple[_Size, ...], msgspec.Meta(min_length=1, max_length=2)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_MOST_TEXT)]
_Type = Annotated[str, msgspec.Meta(max_length=_MOST_TEXT)]


class NetworkError(FaultyInputError):
    """A network that cannot be read as it is, or settings that do not fit it."""


class Operation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer as it is told: what it is and what it reads. Everything else follows."""

    kind: Annotated[Kind, note("kind of the layer")]
    name: Annotated[_Name, note("name, told once in a network")]
    inputs: Annotated[
        tuple[str, ...] | None, note("names of the layers that it reads; the one before, if not told")
    ] = None
    shape: Annotated[_Wanted | None, note("of an input: its shape; of a reshape: the one to reach, with one -1")] = None
    units: Annotated[_Size | None, note("neurons or filters")] = None
    kernel: Annotated[_Window | None, note("window of a convolution")] = None
    strides: Annotated[_Window | None, note("steps of the window; 1 for convolutions, the window for poolings")] = None
    padding: Annotated[Literal["valid", "same"], note("valid (none) or same")] = "valid"
    pool: Annotated[_Window | None, note("window of a pooling; 2 in each direction, if not told")] = None
    keepdims: Annotated[bool, note("whether a global pooling leaves sizes of 1 behind")] = False
    axis: Annotated[int, note("of a concatenation: the axis, counted without the batch; the channels are -1")] = -1
    use_bias: Annotated[bool, note("whether a dense layer or convolution adds a bias")] = True
    activation: Annotated[Activation | None, note("of an activation, or of one that follows within the layer")] = None
    params_per_channel: Annotated[int, msgspec.Meta(ge=2, le=4), note("parameters of a batch normalization")] = 4
    weight: Annotated[_Type | None, note("type of the weights, such as fixed<6,1>, where the network tells it")] = None
    bias: Annotated[_Type | None, note("type of the biases, likewise")] = None
    result: Annotated[_Type | None, note("type of the outputs, likewise")] = None


@dataclass(frozen=True)
class Network:
    """A network without settings.

    ``layers`` are those of a record, but that reuse factors are 1 and types are null where the network itself does
    not tell them. ``quantized`` says whether it tells any.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def quantized(self) -> bool:
        """Whether the network itself tells the type of any weight, as QKeras does."""
        return any(layer.weight is not None for layer in self.layers)


class _MisfitError(Exception):
    def __init__(self, expected: str, found: str, remedy: str | None = None) -> None:
        self.expected, self.found, self.remedy = expected, found, remedy


@dataclass
class Builder:
    """Makes a network of one operation after the other and keeps all faults until the end.

    ``place`` is what messages call the network, such as its file; ``supported`` are the types of layers that its reader
    understands, by their names there. What reads a faulty layer is passed over in silence.
    """

    place: str
    supported: Sequence[str]
    _layers: list[Layer] = field(default_factory=list)
    _index: dict[str, int | None] = field(default_factory=dict)
    _faults: list[Fault] = field(default_factory=list)
    _unsupported: dict[str, str] = field(default_factory=dict)
    _last: str | None = None

    def fault(self, name: str, expected: str, found: str, remedy: str | None = None) -> None:
        """Keep a fault of the layer ``name``, whose shape is then unknown."""
        self._faults.append(Fault(f"{self.place}, layer {_shown(name)}", expected, _short(found), remedy))
        self.hide(name)

    def unsupported(self, name: str, what: str) -> None:
        """Keep the fault that a layer is of a type that no surrogate knows."""
        self._unsupported[name] = what
        self.hide(name)

    def hide(self, name: str) -> None:
        """Pass over the layer ``name``: what it reads is hidden by a fault already told."""
        self._index[name] = None
        self._last = name

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Output shape of the layer ``name``; None where a fault hides it."""
        index = self._index.get(name)
        return None if index is None else self._layers[index].out_shape

    def add(self, kind: str, name: str, **told: object) -> None:
        """The next layer, from the fields of an ``Operation`` that are told; None stands for one that is not.

        An activation within a layer with weights becomes a layer of its own behind it.
        """
        if name in self._index:
            self._faults.append(Fault(f"{self.place}, layer {_shown(name)}", "each name once", "another of that name"))
            return
        given = {setting: value for setting, value in told.items() if value is not None}
        try:
            operation = msgspec.convert({"kind": kind, "name": name, **given}, Operation)
        except msgspec.ValidationError as error:
            expected, _, path = str(error).partition(" - at `$.")
            setting = path.rstrip("`").partition("[")[0]
            found = f"{setting} = {given.get(setting)!r}" if setting else "others"
            self.fault(name, expected.removeprefix("Expected ").replace("`", ""), found)
            return
        if odd := [setting for setting in given if kind not in SETTINGS[setting]]:
            fields = ", ".join(setting for setting, kinds in SETTINGS.items() if kind in kinds)
            self.fault(name, f"for a layer of kind {kind} the fields {fields}", ", ".join(odd))
            return
        before = () if self._last is None or operation.kind == "input" else (self._last,)
        sources = before if operation.inputs is None else operation.inputs
        if unknown := [source for source in sources if source not in self._index]:
            self.fault(name, "names of earlier layers", ", ".join(map(_shown, unknown)))
            return
        self._last = name
        inputs = [index for source in sources if (index := self._index[source]) is not None]
        if len(inputs) < len(sources):
            self._index[name] = None
            return
        fused = operation.activation if operation.kind in WEIGHTED else None
        try:
            self._append(operation, inputs, result=None if fused else operation.result)
            self._index[name] = len(self._layers) - 1
            if fused not in (None, "linear"):
                follower = Operation(kind="activation", name=f"{name}_{fused}", activation=fused)
                self._append(follower, [len(self._layers) - 1], result=operation.result)
                self._index[name] = len(self._layers) - 1
        except _MisfitError as misfit:
            self.fault(name, misfit.expected, misfit.found, misfit.remedy)

    def unread(self) -> list[str]:
        """Names of the layers that no other layer reads, in order; none where a fault hides any layer."""
        if None in self._index.values():
            return []
        read = {source for layer in self._layers for source in layer.inputs}
        return [name for name, index in self._index.items() if index not in read]

    def network(self, name: str, outputs: Sequence[str] | None = None) -> Network:
        """The network of the layers that ``outputs`` follow from; of all layers, if they are not told.

        Raises:
            NetworkError: all faults at once; or there is no layer with weights.
        """
        unknown = [output for output in outputs or () if output not in self._index]
        if unknown or (outputs is not None and not outputs):
            found = _short(", ".join(map(_shown, unknown))) or "none"
            self._faults.append(Fault(self.place, "layers as outputs of the network", found))
        if self._unsupported:
            found = ", ".join(f"{_shown(name)} ({_short(what)})" for name, what in self._unsupported.items())
            expected = f"layers of the types {', '.join(self.supported)}"
            self._faults.insert(0, Fault(self.place, expected, f"unsupported layers: {found}"))
        if self._faults:
            raise NetworkError(*self._faults)
        layers = tuple(self._layers) if outputs is None else self._reaching(outputs)
        if not any(layer.params for layer in layers):
            raise NetworkError(Fault(self.place, "a network with weights", f"{len(layers)} layers without any"))
        return Network(_short(name), layers)

    def _reaching(self, outputs: Sequence[str]) -> tuple[Layer, ...]:
        """The layers that ``outputs`` follow from, in order."""
        wanted = {self._index[output] for output in outputs}
        for index in reversed(range(len(self._layers))):
            if index in wanted:
                wanted.update(self._layers[index].inputs)
        kept = [index for index in range(len(self._layers)) if index in wanted]
        place = {index: number for number, index in enumerate(kept)}
        return tuple(
            msgspec.structs.replace(layer, inputs=tuple(place[source] for source in layer.inputs))
            for layer in (self._layers[index] for index in kept)
        )

    def _append(self, operation: Operation, inputs: list[int], result: str | None) -> None:
        if len(self._layers) >= _MOST_LAYERS:
            raise _MisfitError(f"at most {_MOST_LAYERS:,} layers", "more")
        shapes = [self._layers[index].out_shape for index in inputs]
        self._layers.append(_layer(operation, tuple(inputs), shapes, result))


def _layer(operation: Operation, inputs: tuple[int, ...], shapes: list[tuple[int, ...]], result: str | None) -> Layer:
    """The layer of a record for ``operation``, which reads ``shapes``.

    A dense layer on rows or pixels is a convolution with a window of one, as hls4ml builds it. Strides and padding of
    a pooling are null where its windows lie side by side, as genuine records do not tell them.
    """
    kind = operation.kind
    if kind == "dense" and shapes and len(shapes[0]) > 1:
        spatial = len(shapes[0]) - 1
        return _layer(
            msgspec.structs.replace(operation, kind=f"conv{spatial}d", kernel=(1,) * spatial, strides=None),
            inputs,
            shapes,
            result,
        )
    _check_inputs(operation, shapes)
    dimensions = int(kind[-2]) if kind.endswith(("1d", "2d")) else 0
    if dimensions and len(shapes[0]) != dimensions + 1:
        found = f"{_sizes(shapes[0])}, {len(shapes[0]) - 1} of them"
        raise _MisfitError(f"an input with {dimensions} spatial sizes and the channels", found)
    weighted, is_conv, pooling = kind in WEIGHTED, kind.startswith("conv"), "pool" in kind
    in_shape = shapes[0] if shapes else _required(operation, "shape")
    if not in_shape or min(in_shape) < 1:
        raise _MisfitError("positive sizes", _sizes(in_shape))
    kernel = _window(operation, "kernel", dimensions, None) if is_conv else None
    pool = strides = None
    if pooling and dimensions:
        sliding = not kind.startswith("global")
        pool = _window(operation, "pool", dimensions, (2,) * dimensions) if sliding else in_shape[:-1]
        strides = _window(operation, "strides", dimensions, pool) if sliding else None
    elif is_conv and dimensions:
        strides = _window(operation, "strides", dimensions, (1,) * dimensions)
    out_shape = _out_shape(operation, in_shape, shapes, kernel or pool, strides)
    if prod(out_shape) > _MOST_PRODUCTS:
        raise _MisfitError(f"at most {_MOST_PRODUCTS:,} numbers", _sizes(out_shape))
    side_by_side = pooling and (strides in {None, pool}) and operation.padding == "valid"
    params = 0
    if weighted:
        n_in, n_out = prod(kernel or ()) * in_shape[-1], _required(operation, "units")
        if n_in * n_out > _MOST_PRODUCTS:
            raise _MisfitError(f"at most {_MOST_PRODUCTS:,} weights", f"{n_in * n_out:,}")
        params = (n_in + operation.use_bias) * n_out
    elif kind == "batch_normalization":
        params = operation.params_per_channel * in_shape[-1]
    return Layer(
        kind=kind,
        name=operation.name,
        inputs=inputs,
        in_shape=in_shape,
        out_shape=out_shape,
        units=operation.units if weighted else None,
        kernel=kernel,
        strides=None if side_by_side else strides,
        padding=operation.padding if is_conv or (pooling and not side_by_side) else None,
        pool=pool,
        use_bias=operation.use_bias if weighted else None,
        activation=_required(operation, "activation") if kind == "activation" else None,
        params=params,
        reuse_factor=1,
        weight=_precision(operation.weight, "weight") if params else None,
        bias=_precision(operation.bias, "bias") if weighted else None,
        result=_precision(result, "result"),
    )


_MERGES = ("add", "average", "maximum", "minimum", "multiply", "subtract", "concatenate")


def _check_inputs(operation: Operation, shapes: list[tuple[int, ...]]) -> None:
    count = len(shapes)
    if operation.kind in _MERGES:
        if count < 2:
            raise _MisfitError("two or more inputs", str(count))
        if operation.kind != "concatenate" and len(set(shapes)) > 1:
            raise _MisfitError("inputs of one shape", " and ".join(map(_sizes, shapes)))
    elif count != (operation.kind != "input"):
        raise _MisfitError("one input" if operation.kind != "input" else "no input to an input", str(count))


def _out_shape(
    operation: Operation,
    in_shape: tuple[int, ...],
    shapes: list[tuple[int, ...]],
    window: tuple[int, ...] | None,
    strides: tuple[int, ...] | None,
) -> tuple[int, ...]:
    kind = operation.kind
    if kind.startswith("global"):
        return ((1,) * (len(in_shape) - 1) if operation.keepdims else ()) + in_shape[-1:]
    if window and strides:
        channels = operation.units if kind in WEIGHTED else in_shape[-1]
        return (*_slid(in_shape[:-1], window, strides, operation.padding), channels or 0)
    match kind:
        case "dense":
            return (_required(operation, "units"),)
        case "flatten":
            return (prod(in_shape),)
        case "reshape":
            wanted: tuple[int, ...] = _required(operation, "shape")
            free = prod(in_shape) // max(1, prod(size for size in wanted if size != -1))
            reached = tuple(free if size == -1 else size for size in wanted)
            if prod(reached) != prod(in_shape) or not reached or min(reached) < 1:
                raise _MisfitError(f"a shape of {prod(in_shape):,} numbers", _sizes(wanted))
            return reached
        case "concatenate":
            return _joined(shapes, operation.axis)
    return in_shape


def _slid(sizes: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...], padding: str) -> tuple[int, ...]:
    """How often a window fits, direction by direction."""
    if padding == "same":
        return tuple(-(-size // step) for size, step in zip(sizes, strides, strict=True))
    fits = tuple((size - wide) // step + 1 for size, wide, step in zip(sizes, window, strides, strict=True))
    if min(fits) < 1:
        raise _MisfitError(f"a window within the input {_sizes(sizes)}", _sizes(window))
    return fits


def padding_word(
    sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> Literal["valid", "same"] | None:
    """The word for a padding of ``pads`` zeros in all for each direction; None where neither has its output sizes."""
    if not any(pads):
        return "valid"
    reached = [
        (size + pad - wide) // step + 1 for size, pad, wide, step in zip(sizes, pads, window, strides, strict=True)
    ]
    same = [-(-size // step) for size, step in zip(sizes, strides, strict=True)]
    return "same" if reached == same else None


def _joined(shapes: list[tuple[int, ...]], axis: int) -> tuple[int, ...]:
    rank = len(shapes[0])
    if not -rank <= axis < rank:
        raise _MisfitError(f"an axis from {-rank} to {rank - 1}", str(axis))
    place = axis % rank
    others = {shape[:place] + shape[place + 1 :] for shape in shapes}
    if len(others) > 1 or any(len(shape) != rank for shape in shapes):
        raise _MisfitError("inputs alike but in the joined size", " and ".join(map(_sizes, shapes)))
    return (*shapes[0][:place], sum(shape[place] for shape in shapes), *shapes[0][place + 1 :])


def _window(
    operation: Operation, name: str, dimensions: int | None, default: tuple[int, ...] | None
) -> tuple[int, ...]:
    given: tuple[int, ...] = default if getattr(operation, name) is None and default else _required(operation, name)
    if len(given) != dimensions:
        raise _MisfitError(f"{dimensions} sizes as {name}", _sizes(given))
    return given


def _required(operation: Operation, name: str) -> Any:
    value = getattr(operation, name)
    if value is None:
        raise _MisfitError(f"{name} for a layer of kind {operation.kind}", "none")
    return value


def _precision(text: str | None, role: str) -> Precision | None:
    if text is None:
        return None
    try:
        return parse_precision(text)
    except ValueError as error:
        raise _MisfitError(f"as {role} {error}", repr(text)) from None


def _sizes(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _shown(name: str) -> str:
    return ascii(name)[:80]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."
