"""Integer layers: shapes, fixed-point scales and exact outputs in numpy.

Every layer takes and gives two's-complement numbers of one width, ``bits``; ``fraction`` says how many of them stand
behind the binary point of the result (it may exceed the width, or be negative). Arrays carry the batch first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from wa_bench.opensynth.adders import AdderGraph, adder_graph
from wa_bench.opensynth.arithmetic import Integers, log2_ceil, quantize, saturate, shift_right

_TABLE_INDEX_BITS = 10
"""Look-up tables have 1024 entries at most, hls4ml's default."""
_TABLE_RANGE_BITS = 4
"""Tables of tanh and sigmoid cover -8 to 8, as hls4ml's sigmoid does (its tanh covers -4 to 4)."""

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(ABC):
    """A layer of a network. ``inputs`` are positions of the layers that it reads; 0 is the network's input."""

    inputs: tuple[int, ...]
    in_shape: Shape
    bits: int
    fraction: int

    @property
    def out_shape(self) -> Shape:
        """Shape of the result, without the batch."""
        return self.in_shape

    @abstractmethod
    def apply(self, *values: Integers) -> Integers:
        """Exact result for values of shape (batch, *in_shape)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Source(Layer):
    """The network's input."""

    def apply(self, *values: Integers) -> Integers:
        """The values themselves."""
        return values[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Product(Layer):
    """A matrix product: ``quantize(weights @ x + (bias << bias_shift), shift)``, ReLU included if ``relu``.

    The result type of a trained network is chosen by what the layer puts out; :meth:`fitting_shift` does the same.

    Weights have shape (n_out, n_in). Of ``n_in * n_out / reuse_factor`` multipliers each takes ``reuse_factor`` steps.
    """

    weights: Integers
    bias: Integers
    use_bias: bool = True
    bias_shift: int
    shift: int
    relu: bool
    reuse_factor: int
    batchnorm: bool = False
    weight_bits: int

    @property
    def n_out(self) -> int:
        """Outputs of one product."""
        return int(self.weights.shape[0])

    @property
    def n_in(self) -> int:
        """Inputs of one product."""
        return int(self.weights.shape[1])

    @property
    def multipliers(self) -> int:
        """Multipliers that work in parallel."""
        return self.n_in * self.n_out // self.reuse_factor

    @cached_property
    def adders(self) -> AdderGraph:
        """The product as additions, for distributed arithmetic."""
        return adder_graph(self.weights, self.bits)

    @property
    def accumulator_bits(self) -> int:
        """Width that holds a bias plus ``n_in`` full-scale products without overflow."""
        return self.weight_bits + self.bits + log2_ceil(self.n_in + 1)

    @abstractmethod
    def accumulate(self, values: Integers) -> Integers:
        """Sums before they are quantized, shape (batch, *out_shape)."""

    def apply(self, *values: Integers) -> Integers:
        """The quantized sums."""
        return quantize(self.accumulate(values[0]), self.shift, self.bits, self.relu)

    def fitting_shift(self, values: Integers) -> int:
        """The shift that lets results of these values fill the width: 2.5 times their mean size is full scale."""
        sums = self.accumulate(values)
        return max(0, (5 * int(np.abs(sums).sum()) // (2 * sums.size)).bit_length() - (self.bits - 1))

    def _sums(self, values: Integers) -> Integers:
        sums: Integers = values @ self.weights.T + (self.bias << self.bias_shift)
        return sums


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Product):
    """A fully connected layer."""

    @property
    def out_shape(self) -> Shape:
        """Outputs."""
        return (self.n_out,)

    def accumulate(self, values: Integers) -> Integers:
        """One product a sample."""
        return self._sums(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sliding(Layer):
    """A layer that looks at a window of its input at every position: no padding, windows ``strides`` apart."""

    window: Shape
    strides: Shape

    @property
    def positions(self) -> Shape:
        """Number of windows in each dimension."""
        sizes = zip(self.in_shape[:-1], self.window, self.strides, strict=True)
        return tuple((size - window) // stride + 1 for size, window, stride in sizes)

    def last_pixels(self) -> Integers:
        """Flat index of the input pixel that completes each window, in output order."""
        index = np.arange(prod(self.in_shape[:-1])).reshape(self.in_shape[:-1])
        corners = tuple(
            slice(window - 1, None, stride) for window, stride in zip(self.window, self.strides, strict=True)
        )
        return index[corners].reshape(-1)

    def _windows(self, values: Integers) -> Integers:
        """Shape (batch, *positions, *window, channels)."""
        axes = tuple(range(1, 1 + len(self.window)))
        views = np.lib.stride_tricks.sliding_window_view(values, self.window, axis=axes)
        steps = tuple(slice(None, None, stride) for stride in self.strides)
        chosen = views[(slice(None), *steps)]
        return np.moveaxis(chosen, len(self.window) + 1, -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution(Sliding, Product):
    """A convolution in one or two dimensions; weights of shape (filters, window volume * channels)."""

    @property
    def out_shape(self) -> Shape:
        """Positions and filters."""
        return (*self.positions, self.n_out)

    def accumulate(self, values: Integers) -> Integers:
        """One product a position."""
        windows = self._windows(values)
        return self._sums(windows.reshape(*windows.shape[: 1 + len(self.window)], -1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooling(Sliding):
    """The largest or the mean value of windows of a power of two pixels; means are floored."""

    average: bool

    @property
    def out_shape(self) -> Shape:
        """Positions and channels."""
        return (*self.positions, self.in_shape[-1])

    def apply(self, *values: Integers) -> Integers:
        """One value a position and channel."""
        windows = self._windows(values[0])
        axes = tuple(range(1 + len(self.window), 1 + 2 * len(self.window)))
        if self.average:
            return shift_right(windows.sum(axis=axes), log2_ceil(prod(self.window)))
        largest: Integers = windows.max(axis=axes)
        return largest


@dataclass(frozen=True, kw_only=True, eq=False)
class Flatten(Layer):
    """All pixels, one after another, as one vector."""

    @property
    def out_shape(self) -> Shape:
        """Number of values."""
        return (prod(self.in_shape),)

    def apply(self, *values: Integers) -> Integers:
        """The same numbers in one row a sample."""
        return values[0].reshape(len(values[0]), -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Table(Layer):
    """A function by table: the input cut to the table's index, the result of ``bits`` bits in [-1, 1)."""

    function: str
    in_fraction: int

    @property
    def index_bits(self) -> int:
        """Logarithm of the number of entries."""
        return min(self.bits, _TABLE_INDEX_BITS)

    @property
    def index_shift(self) -> int:
        """Bits of the input that the index leaves out; added ones where negative."""
        return self.in_fraction - (self.index_bits - _TABLE_RANGE_BITS)

    @cached_property
    def entries(self) -> Integers:
        """Results, in the order of the index as an unsigned number."""
        count = 1 << self.index_bits
        index = (np.arange(count) + count // 2) % count - count // 2
        x = index * (1 << _TABLE_RANGE_BITS) / count
        y = np.tanh(x) if self.function == "tanh" else 1 / (1 + np.exp(-x))
        return saturate(np.floor(y * (1 << self.fraction)).astype(np.int64), self.bits)

    def apply(self, *values: Integers) -> Integers:
        """The table's entry for every value."""
        return self.entries[saturate(shift_right(values[0], self.index_shift), self.index_bits)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Layer):
    """Softmax of a vector by two tables: exponentials of the distance from the largest value, and their sum's inverse.

    A distance of 8 and more counts as the last entry of the first table. Its numbers have ``table_bits`` bits, those of
    the second table one more.
    """

    in_fraction: int

    @property
    def table_bits(self) -> int:
        """Width of an exponential."""
        return max(8, self.bits)

    @property
    def index_bits(self) -> int:
        """Logarithm of the entries of the first table."""
        return min(self.bits, _TABLE_INDEX_BITS)

    @property
    def index_shift(self) -> int:
        """Bits of the distance that the index leaves out; added ones where negative."""
        return self.in_fraction - (self.index_bits - _TABLE_RANGE_BITS + 1)

    @property
    def sum_bits(self) -> int:
        """Width of the sum of exponentials."""
        return self.table_bits + log2_ceil(self.in_shape[0])

    @property
    def sum_shift(self) -> int:
        """Bits of the sum that the index of the second table leaves out."""
        return max(0, self.sum_bits - _TABLE_INDEX_BITS)

    @cached_property
    def exponentials(self) -> Integers:
        """Entries of the first table."""
        count = 1 << self.index_bits
        distance = np.arange(count) * (1 << (_TABLE_RANGE_BITS - 1)) / count
        return np.floor(np.exp(-distance) * ((1 << self.table_bits) - 1) + 0.5).astype(np.int64)

    @cached_property
    def inverses(self) -> Integers:
        """Entries of the second table."""
        index = np.arange(1 << (self.sum_bits - self.sum_shift), dtype=np.int64)
        middle = np.maximum((index << self.sum_shift) + (1 << self.sum_shift >> 1), 1)
        inverses: Integers = np.minimum((1 << 2 * self.table_bits) // middle, (1 << (self.table_bits + 1)) - 1)
        return inverses

    @property
    def result_shift(self) -> int:
        """Bits that the product of the two tables' entries loses."""
        return 2 * self.table_bits - self.fraction

    def apply(self, *values: Integers) -> Integers:
        """Shares that add up to about one."""
        distance = values[0].max(axis=1, keepdims=True) - values[0]
        index = shift_right(distance, self.index_shift).clip(0, (1 << self.index_bits) - 1)
        parts = self.exponentials[index]
        inverse = self.inverses[parts.sum(axis=1, keepdims=True) >> self.sum_shift]
        return saturate((parts * inverse) >> self.result_shift, self.bits)


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Layer):
    """Sum of two layers at the coarser of their scales, saturated; ``shifts`` are the bits that each loses."""

    shifts: tuple[int, int]
    relu: bool

    def apply(self, *values: Integers) -> Integers:
        """Element by element."""
        return quantize((values[0] >> self.shifts[0]) + (values[1] >> self.shifts[1]), 0, self.bits, self.relu)


@dataclass(frozen=True, kw_only=True, eq=False)
class Concatenate(Layer):
    """Two vectors, one behind the other, at the coarser of their scales."""

    shifts: tuple[int, int]
    other_shape: Shape

    @property
    def out_shape(self) -> Shape:
        """Both lengths."""
        return (self.in_shape[0] + self.other_shape[0],)

    def apply(self, *values: Integers) -> Integers:
        """The first vector, then the second."""
        return np.concatenate([values[0] >> self.shifts[0], values[1] >> self.shifts[1]], axis=1)
