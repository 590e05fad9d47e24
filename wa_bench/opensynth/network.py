"""Integer networks: what one opensynth seed stands for, and the exact outputs it must produce.

``Architecture`` and ``Settings`` say what is built; ``Network`` adds the weights and computes the reference
outputs in numpy. Everything follows from the seed: :func:`from_seed` is the only source of randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

import numpy as np

from wa_bench.opensynth.arithmetic import Integers, accumulator_bits, log2_ceil, quantize, signed_range
from wa_bench.records.reuse import closest_valid_reuse_factor

EXEMPLAR_SEED = 1_000_000
"""Seeds from here on stand for the exemplar grid, smaller ones for the random family."""

EXEMPLARS: dict[str, tuple[int, ...]] = {
    "Jet": (16, 32, 32, 32, 5),
    "Quarks": (10, 32, 1),
    "AutoMLP": (7, 12, 16, 12, 2),
    "Particle": (14, 32, 32, 32, 3),
}
"""Layer widths of the wa-hls4ml exemplar models (arXiv:2511.05615); output activations are left out."""

_WIDTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
"""Layer widths the random family draws from; latency-strategy networks take the first seven."""
_LATENCY_BUDGET = 2_000
"""Most weight bits a latency-strategy network may unroll: synthesis time grows with it."""
_MULTIPLIER_BUDGET = 800
"""Most parallel multipliers a resource-strategy network may use."""


@dataclass(frozen=True)
class Settings:
    """hls4ml-like settings of a design. Bits are total widths; ``reuse_factor`` is the requested one."""

    strategy: str
    reuse_factor: int
    weight_bits: int
    activation_bits: int


@dataclass(frozen=True)
class Dense:
    """One fully connected layer in integers: ``quantize(weights @ x + (bias << bias_shift), shift)``."""

    weights: Integers
    bias: Integers
    bias_shift: int
    shift: int
    relu: bool
    reuse_factor: int

    @property
    def n_out(self) -> int:
        """Outputs."""
        return int(self.weights.shape[0])

    @property
    def n_in(self) -> int:
        """Inputs."""
        return int(self.weights.shape[1])

    @property
    def multipliers(self) -> int:
        """Multipliers that work in parallel."""
        return self.n_in * self.n_out // self.reuse_factor


@dataclass(frozen=True)
class Network:
    """A network with its settings and the seed that its weights come from."""

    name: str
    widths: tuple[int, ...]
    settings: Settings
    seed: int

    @cached_property
    def layers(self) -> tuple[Dense, ...]:
        """The dense layers, ReLU after all but the last."""
        settings = self.settings
        rng = np.random.default_rng(self.seed)
        low, high = signed_range(settings.weight_bits)
        shapes = list(pairwise(self.widths))
        layers = []
        for index, (n_in, n_out) in enumerate(shapes):
            reuse = (
                1 if settings.strategy == "latency" else closest_valid_reuse_factor(n_in, n_out, settings.reuse_factor)
            )
            layers.append(
                Dense(
                    weights=rng.integers(low, high, size=(n_out, n_in), endpoint=True),
                    bias=rng.integers(low, high, size=n_out, endpoint=True),
                    bias_shift=settings.activation_bits - 1,
                    shift=settings.weight_bits - 1 + log2_ceil(n_in) // 2,
                    relu=index < len(shapes) - 1,
                    reuse_factor=reuse,
                )
            )
        return tuple(layers)

    @property
    def split(self) -> str:
        """Split by architecture alone, so that no architecture crosses splits: about 70 / 15 / 15 %."""
        if self.seed >= EXEMPLAR_SEED:
            return "exemplar"
        share = int(sha256(repr(self.widths).encode()).hexdigest()[:8], 16) / 2**32
        return "train" if share < 0.70 else "val" if share < 0.85 else "test"

    def accumulator_bits(self, layer: Dense) -> int:
        """Width of a layer's accumulators, without overflow."""
        return accumulator_bits(self.settings.weight_bits, self.settings.activation_bits, layer.n_in)

    def inputs(self, count: int) -> Integers:
        """Seeded test inputs, shape (count, width of the first layer); the first two are the extremes."""
        low, high = signed_range(self.settings.activation_bits)
        rng = np.random.default_rng((self.seed, 1))
        vectors = rng.integers(low, high, size=(count, self.widths[0]), endpoint=True)
        vectors[0], vectors[1 % count] = low, high
        return vectors

    def outputs(self, inputs: Integers) -> Integers:
        """Reference outputs, shape (count, width of the last layer)."""
        values = inputs
        for layer in self.layers:
            accumulator = values @ layer.weights.T + (layer.bias << layer.bias_shift)
            values = quantize(accumulator, layer.shift, self.settings.activation_bits, layer.relu)
        return values


def _exemplar_grid() -> list[tuple[str, Settings]]:
    """Settings of the exemplar split: weight bits by reuse factor, and latency where it stays affordable."""
    grid = []
    for name, widths in EXEMPLARS.items():
        for bits in (2, 4, 8, 16):
            grid += [(name, Settings("resource", reuse, bits, max(bits, 6))) for reuse in (8, 32, 128)]
        weights = sum(n_in * n_out for n_in, n_out in pairwise(widths))
        grid += [
            (name, Settings("latency", 1, bits, max(bits, 6)))
            for bits in (2, 4, 8)
            if weights * bits <= _LATENCY_BUDGET
        ]
    return grid


EXEMPLAR_GRID = _exemplar_grid()


def from_seed(seed: int) -> Network:
    """The network that ``seed`` stands for.

    Seeds 0, 1, 2, ... walk a low-discrepancy sequence (additive recurrence with the powers of the plastic
    number's generalization) through depth, bits, strategy and reuse factor, so that any prefix covers the
    settings evenly. Widths and weights are drawn from the generator seeded by the same number. Seeds from
    ``EXEMPLAR_SEED`` on index the exemplar grid.
    """
    if seed >= EXEMPLAR_SEED:
        index = seed - EXEMPLAR_SEED
        if index >= len(EXEMPLAR_GRID):
            raise ValueError(f"exemplar seed {seed}: the grid has {len(EXEMPLAR_GRID)} settings")
        name, settings = EXEMPLAR_GRID[index]
        return Network(name, EXEMPLARS[name], settings, seed)
    depth_at, weight_at, activation_at, strategy_at, reuse_at = _low_discrepancy(seed, 5)
    weight_bits = 2 + int(15 * weight_at)
    activation_bits = max(4, min(16, weight_bits + int(9 * activation_at) - 4))
    strategy = "latency" if strategy_at < 0.3 else "resource"
    depth = 1 + int((2 if strategy == "latency" else 4) * depth_at)
    reuse_factor = 1 if strategy == "latency" else round(2 ** (1 + 9 * reuse_at))
    settings = Settings(strategy, reuse_factor, weight_bits, activation_bits)
    rng = np.random.default_rng((seed, 2))
    while True:
        widths = tuple(rng.choice(_WIDTHS[:7] if strategy == "latency" else _WIDTHS, size=depth + 1).tolist())
        network = Network("dense_" + "_".join(map(str, widths)), widths, settings, seed)
        if strategy == "latency":
            cost = sum(layer.weights.size for layer in network.layers) * weight_bits
            affordable = cost <= _LATENCY_BUDGET
        else:
            affordable = sum(layer.multipliers for layer in network.layers) <= _MULTIPLIER_BUDGET
        if affordable:
            return network


def _low_discrepancy(index: int, dimensions: int) -> list[float]:
    """Point ``index`` of the R_d additive recurrence sequence, in [0, 1)."""
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (dimensions + 1))
    return [(0.5 + (index + 1) * root ** -(k + 1)) % 1.0 for k in range(dimensions)]
