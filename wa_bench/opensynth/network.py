"""Integer networks: an architecture with settings and seeded weights, and the exact outputs it must produce."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np

from wa_bench.opensynth.arithmetic import Integers, signed_range
from wa_bench.opensynth.layers import (
    Add,
    Concatenate,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Pooling,
    Product,
    Shape,
    Softmax,
    Source,
    Table,
)
from wa_bench.records.reuse import closest_valid_reuse_factor

_CALIBRATION_INPUTS = 64
"""Inputs that result types are fitted to."""


Strategy = Literal["latency", "resource", "distributed_arithmetic"]


@dataclass(frozen=True)
class Settings:
    """hls4ml-like settings of a design. Bits are total widths; ``reuse_factor`` is the requested one."""

    strategy: Strategy
    reuse_factor: int
    weight_bits: int
    activation_bits: int


@dataclass(frozen=True)
class Block:
    """One layer of an architecture. It reads the layer before it, and layer number ``other`` (0: the input) if two.

    ``units`` are neurons or filters, ``window`` is a kernel or a pooling window.
    """

    kind: Literal[
        "dense", "conv", "max_pooling", "average_pooling", "flatten", "tanh", "sigmoid", "softmax", "add", "concatenate"
    ]
    units: int = 0
    window: Shape = ()
    stride: int = 1
    relu: bool = False
    use_bias: bool = True
    batchnorm: bool = False
    other: int = 0


@dataclass(frozen=True)
class Network:
    """An architecture with its settings and the seed that its weights come from."""

    name: str
    in_shape: Shape
    blocks: tuple[Block, ...]
    settings: Settings
    seed: int

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers with their numbers; the first is the input."""
        bits = self.settings.activation_bits
        rng = np.random.default_rng(self.seed)
        layers: list[Layer] = [Source(inputs=(), in_shape=self.in_shape, bits=bits, fraction=bits - 1)]
        values = [self._uniform(_CALIBRATION_INPUTS, stream=3)]
        for block in self.blocks:
            layer = _build(block, layers, self.settings, rng)
            if isinstance(layer, Product):
                layer = _calibrated(layer, values[-1])
            values.append(layer.apply(*(values[i] for i in layer.inputs)))
            layers.append(layer)
        return tuple(layers)

    @property
    def products(self) -> tuple[Product, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if isinstance(layer, Product))

    @property
    def is_streamed(self) -> bool:
        """Whether inputs arrive pixel by pixel (io_stream) and not all at once (io_parallel)."""
        return len(self.in_shape) > 1

    @property
    def pixels(self) -> int:
        """Words of one input: pixels if streamed, else 1."""
        return prod(self.in_shape[:-1])

    @property
    def group(self) -> str:
        """The benchmark's group: dense, conv1d or conv2d."""
        return "dense" if not self.is_streamed else f"conv{len(self.in_shape) - 1}d"

    def inputs(self, count: int) -> Integers:
        """Seeded test inputs, shape (count, *in_shape); the first two are the extremes."""
        vectors = self._uniform(count, stream=1)
        vectors[0], vectors[1 % count] = signed_range(self.settings.activation_bits)
        return vectors

    def _uniform(self, count: int, stream: int) -> Integers:
        low, high = signed_range(self.settings.activation_bits)
        rng = np.random.default_rng((self.seed, stream))
        return rng.integers(low, high, size=(count, *self.in_shape), endpoint=True)

    def outputs(self, inputs: Integers) -> Integers:
        """Reference outputs, shape (count, outputs)."""
        values: list[Integers] = [inputs]
        for layer in self.layers[1:]:
            values.append(layer.apply(*(values[i] for i in layer.inputs)))
        return values[-1]


def chain(name: str, widths: tuple[int, ...], settings: Settings, seed: int) -> Network:
    """Dense layers of these widths, the first being that of the input; ReLU after all but the last."""
    last = len(widths) - 2
    blocks = tuple(Block("dense", width, relu=i < last) for i, width in enumerate(widths[1:]))
    return Network(name, widths[:1], blocks, settings, seed)


def _build(block: Block, layers: list[Layer], settings: Settings, rng: np.random.Generator) -> Layer:
    before = layers[-1]
    bits, fraction, shape = settings.activation_bits, before.fraction, before.out_shape
    inputs: tuple[int, ...] = (len(layers) - 1,)
    match block.kind:
        case "dense" | "conv":
            return _product(block, before, inputs, settings, rng)
        case "max_pooling" | "average_pooling":
            return Pooling(
                inputs=inputs,
                in_shape=shape,
                bits=bits,
                fraction=fraction,
                window=block.window,
                strides=block.window,
                average=block.kind == "average_pooling",
            )
        case "flatten":
            return Flatten(inputs=inputs, in_shape=shape, bits=bits, fraction=fraction)
        case "tanh" | "sigmoid":
            return Table(
                inputs=inputs, in_shape=shape, bits=bits, fraction=bits - 1, function=block.kind, in_fraction=fraction
            )
        case "softmax":
            return Softmax(inputs=inputs, in_shape=shape, bits=bits, fraction=bits - 1, in_fraction=fraction)
        case "add" | "concatenate":
            other = layers[block.other]
            coarser = min(fraction, other.fraction)
            shifts = (fraction - coarser, other.fraction - coarser)
            inputs = (*inputs, block.other)
            if block.kind == "add":
                return Add(inputs=inputs, in_shape=shape, bits=bits, fraction=coarser, shifts=shifts, relu=block.relu)
            return Concatenate(
                inputs=inputs, in_shape=shape, bits=bits, fraction=coarser, shifts=shifts, other_shape=other.out_shape
            )


def _product(
    block: Block, before: Layer, inputs: tuple[int, ...], settings: Settings, rng: np.random.Generator
) -> Product:
    """A dense layer or convolution with weights uniform over their range and biases a quarter as large."""
    n_in = prod(block.window) * before.out_shape[-1]
    low, high = signed_range(settings.weight_bits)
    weights = rng.integers(low, high, size=(block.units, n_in), endpoint=True)
    bias = rng.integers(low, high, size=block.units, endpoint=True) if block.use_bias else np.zeros(block.units, int)
    shared = settings.strategy == "resource"
    reuse_factor = closest_valid_reuse_factor(n_in, block.units, settings.reuse_factor) if shared else 1
    strides = (block.stride,) * len(block.window)
    sliding = {"window": block.window, "strides": strides} if block.kind == "conv" else {}
    return (Convolution if block.kind == "conv" else Dense)(
        inputs=inputs,
        in_shape=before.out_shape,
        bits=settings.activation_bits,
        fraction=settings.weight_bits - 1 + before.fraction,
        weights=weights,
        bias=bias,
        use_bias=block.use_bias,
        bias_shift=settings.activation_bits - 3,
        shift=0,
        relu=block.relu,
        reuse_factor=reuse_factor,
        batchnorm=block.batchnorm,
        weight_bits=settings.weight_bits,
        **sliding,
    )


def _calibrated(layer: Product, values: Integers) -> Product:
    """The layer with a result type that fits what it makes of ``values``."""
    shift = layer.fitting_shift(values)
    return replace(layer, shift=shift, fraction=layer.fraction - shift)
