"""The layers of an integer network in the words of a record."""

from __future__ import annotations

from functools import partial

from wa_bench.opensynth import layers
from wa_bench.opensynth.network import Network
from wa_bench.records.schema import Layer, Precision


def recorded_layers(network: Network) -> list[Layer]:
    """Layers with their fixed-point types, as the decoder of wa-hls4ml gives them.

    ReLU is an activation of its own, behind its layer; so is folded batch normalization, which has no cost. It needs
    the bias that folding leaves, so a layer without one has none.
    """
    recorded: list[Layer] = []
    place: list[int] = []
    dimensions = len(network.in_shape) - 1
    for layer in network.layers:
        inputs = tuple(place[i] for i in layer.inputs)
        recorded += _layer(layer, inputs, len(recorded), dimensions)
        place.append(len(recorded) - 1)
    return recorded


def _layer(layer: layers.Layer, inputs: tuple[int, ...], index: int, dimensions: int) -> list[Layer]:
    """The layer, and what a record shows as layers behind it."""
    in_shape, out_shape = layer.in_shape, layer.out_shape
    saturated = _saturated(layer.bits, layer.fraction)
    plain = partial(Layer, inputs=inputs, in_shape=in_shape, out_shape=out_shape, params=0, reuse_factor=1)
    after = partial(Layer, in_shape=out_shape, out_shape=out_shape, reuse_factor=1, result=saturated)
    relu = partial(after, kind="activation", activation="relu", params=0)
    match layer:
        case layers.Source():
            return [plain(kind="input", name="input", result=saturated)]
        case layers.Product():
            made = [_product(layer, inputs, index, dimensions)]
            if layer.batchnorm and layer.use_bias:
                units = layer.n_out
                made.append(
                    after(kind="batch_normalization", name=f"batchnorm_{index}", inputs=(index,), params=4 * units)
                )
            if layer.relu:
                made.append(relu(name=f"relu_{index}", inputs=(index + len(made) - 1,)))
            return made
        case layers.Pooling():
            kind = f"{'average' if layer.average else 'max'}_pooling{dimensions}d"
            return [
                plain(
                    kind=kind,
                    name=f"pool_{index}",
                    pool=layer.window,
                    strides=layer.window,
                    padding="valid",
                    result=saturated,
                )
            ]
        case layers.Flatten():
            return [plain(kind="flatten", name=f"flatten_{index}", result=saturated)]
        case layers.Table():
            return [
                plain(kind="activation", name=f"{layer.function}_{index}", activation=layer.function, result=saturated)
            ]
        case layers.Softmax():
            return [plain(kind="activation", name=f"softmax_{index}", activation="softmax", result=saturated)]
        case layers.Add():
            made = [plain(kind="add", name=f"add_{index}", result=saturated)]
            return [*made, relu(name=f"relu_{index}", inputs=(index,))] if layer.relu else made
        case layers.Concatenate():
            return [plain(kind="concatenate", name=f"concatenate_{index}", result=saturated)]
    raise NotImplementedError(type(layer).__name__)


def _product(layer: layers.Product, inputs: tuple[int, ...], index: int, dimensions: int) -> Layer:
    """A dense layer or convolution. Its sums stay whole until ReLU cuts them."""
    product_fraction = layer.fraction + layer.shift
    accumulator = Precision(layer.accumulator_bits, layer.accumulator_bits - product_fraction, signed=True)
    is_conv = isinstance(layer, layers.Convolution)
    kind = f"conv{dimensions}d" if is_conv else "dense"
    return Layer(
        kind=kind,
        name=f"{kind}_{index}",
        inputs=inputs,
        in_shape=layer.in_shape,
        out_shape=layer.out_shape,
        units=layer.n_out,
        kernel=layer.window if isinstance(layer, layers.Convolution) else None,
        strides=layer.strides if isinstance(layer, layers.Convolution) else None,
        padding="valid" if is_conv else None,
        use_bias=layer.use_bias,
        params=(layer.n_in + layer.use_bias) * layer.n_out,
        reuse_factor=layer.reuse_factor,
        weight=Precision(layer.weight_bits, 1, signed=True),
        bias=Precision(layer.weight_bits, layer.weight_bits - product_fraction + layer.bias_shift, signed=True),
        result=accumulator if layer.relu else _saturated(layer.bits, layer.fraction),
        accumulator=accumulator,
    )


def _saturated(bits: int, fraction: int) -> Precision:
    return Precision(bits, bits - fraction, signed=True, saturation="SAT")
