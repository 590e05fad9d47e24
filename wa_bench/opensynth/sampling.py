"""What a seed stands for: the one source of randomness of the dataset.

Every family has a million seeds: ``family = FAMILIES[seed // 1_000_000]``. The settings of a family walk a
low-discrepancy sequence, so that any prefix of its seeds covers them evenly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import Literal, TypeVar

import numpy as np

from wa_bench.opensynth.network import Block, Network, Settings, Strategy, chain
from wa_bench.opensynth.schedule import initiation_interval

T = TypeVar("T")

FAMILIES = ("dense", "exemplar", "conv1d", "conv2d", "branched", "distributed")
FAMILY_SEEDS = 1_000_000
"""Seeds of one family."""

_WIDTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
_LATENCY_WIDTHS = (2, 3, 4, 6, 8, 10, 12, 16, 20)
"""Layer widths that networks of the resource strategy and of the unrolled ones draw from."""
_ADDER_BUDGET = {"dense": 4_000, "branched": 3_000, "conv1d": 3_000, "conv2d": 3_000, "distributed": 6_000}
"""Most bits of adders that a network may unroll: synthesis time grows with it."""
_MULTIPLIER_BUDGET = {"dense": 400, "branched": 300, "conv1d": 300, "conv2d": 300}
"""Most parallel multipliers a resource-strategy network may use."""
_STREAM_BUDGET = 1_500
"""Most cycles between two inputs of a streamed network: simulation time grows with it."""
_SHALLOWEST = 2
_TRIES_A_DEPTH = 50
"""Draws before a network that stays over its budget loses a layer."""
_LIVE_INPUTS, _LIVE_OUTPUTS = 64, 16
"""A network must give this many different outputs to so many inputs."""
_LARGEST_SOFTMAX = 16
"""Most values of a softmax in the branched family."""
_MERGES: tuple[Literal["none", "add", "concatenate"], ...] = ("none", "none", "add", "concatenate")
_ACTIVATIONS: tuple[Literal["linear", "relu", "tanh", "sigmoid"], ...] = ("linear", "relu", "relu", "tanh", "sigmoid")
_POOLINGS: tuple[Literal["max_pooling", "average_pooling"], ...] = ("max_pooling", "average_pooling")
_DENSE_AFTER_CONVOLUTION = (2, 4, 6, 8, 12, 16)
_EXEMPLAR_REUSE_FACTORS = (4, 16, 64, 256, 1024)
_EXEMPLAR_MULTIPLIERS = {"resource": 900, "latency": 400}
"""Most multipliers of an exemplar by strategy: synthesis of the larger settings would take too long."""


def _dense(*widths: int, last: int, use_bias: bool = True) -> tuple[Block, ...]:
    """Dense layers with ReLU, and one without."""
    return (*(Block("dense", width, relu=True, use_bias=use_bias) for width in widths), Block("dense", last))


def _residual(width: int, count: int) -> tuple[Block, ...]:
    """A dense layer, then ``count`` dense layers whose input is added to their output; ReLU after each, no bias."""
    first = Block("dense", width, relu=True, use_bias=False)
    return first, *(
        block
        for index in range(count)
        for block in (Block("dense", width, use_bias=False), Block("add", relu=True, other=2 * index + 1))
    )


EXEMPLARS: dict[str, tuple[int, tuple[Block, ...]]] = {
    "Anomaly": (128, (*_dense(8, 4, 128, 4, last=128), Block("softmax"))),
    "AutoMLP": (7, (*_dense(12, 16, 12, last=2), Block("softmax"))),
    "BiPC": (36, _residual(36, 5)),
    "Cookie": (512, (*_dense(4, 32, 32, last=5), Block("softmax"))),
    "Jet": (16, (*_dense(32, 32, 32, last=5), Block("softmax"))),
    "Particle": (14, (*_dense(32, 32, 32, last=3), Block("softmax"))),
    "Quarks": (10, (*_dense(32, last=1), Block("sigmoid"))),
}
"""Inputs and layers of the seven exemplar models of wa-hls4ml (arXiv:2511.05615)."""


@cache
def exemplar_grid() -> tuple[tuple[str, Settings], ...]:
    """Model and settings of every exemplar seed: weight bits by reuse factor, and latency where affordable."""
    resource = [
        Settings("resource", reuse, bits, max(bits, 6))
        for bits in (2, 4, 8, 12, 16)
        for reuse in _EXEMPLAR_REUSE_FACTORS
    ]
    latency = [Settings("latency", 1, bits, max(bits, 6)) for bits in (2, 3, 4)]
    grid = []
    for name in EXEMPLARS:
        for settings in (*resource, *latency):
            multipliers = sum(layer.multipliers for layer in _exemplar(name, settings, 0).products)
            if multipliers <= _EXEMPLAR_MULTIPLIERS[settings.strategy]:
                grid.append((name, settings))
    return tuple(grid)


def _exemplar(name: str, settings: Settings, seed: int) -> Network:
    width, blocks = EXEMPLARS[name]
    return Network(name, (width,), blocks, settings, seed)


def from_seed(seed: int) -> Network:
    """The network that ``seed`` stands for.

    Raises:
        ValueError: no family has such a seed.
    """
    family, index = divmod(seed, FAMILY_SEEDS)
    if not 0 <= family < len(FAMILIES):
        raise ValueError(f"seed {seed}: expected one below {len(FAMILIES) * FAMILY_SEEDS}")
    match FAMILIES[family]:
        case "exemplar":
            if index >= len(grid := exemplar_grid()):
                raise ValueError(f"exemplar seed {seed}: the grid has {len(grid)} settings")
            return _exemplar(*grid[index], seed)
        case "dense" | "distributed":
            return _draw(seed, index, _dense_network)
        case "branched":
            return _draw(seed, index, _branched_network)
        case _:
            return _draw(seed, index, _streamed_network)


def _drawn_as(seed: int) -> str:
    return FAMILIES[seed // FAMILY_SEEDS]


def split(network: Network) -> str:
    """Split by architecture, so that none is in two of them: about 70 / 15 / 15 %.

    The architecture is the widths of the dense layers, whatever stands between them; for convolutions, all layers.
    """
    if _drawn_as(network.seed) == "exemplar":
        return "exemplar"
    if network.is_streamed:
        layers = [(block.kind, block.units, block.window, block.stride) for block in network.blocks]
        architecture = repr((network.in_shape, layers))
    else:
        dense = (block.units for block in network.blocks if block.kind == "dense")
        architecture = repr((*network.in_shape, *dense))
    share = int(sha256(architecture.encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.70 else "val" if share < 0.85 else "test"


def family(network: Network) -> str:
    """Family of the record: for plain dense networks the strategy, as in wa-hls4ml."""
    name = _drawn_as(network.seed)
    return network.settings.strategy if name == "dense" else name


def cost(network: Network) -> float:
    """Work of synthesis and simulation as a share of the budget, which is about half a minute of one core."""
    settings, name = network.settings, _drawn_as(network.seed)
    cycles = initiation_interval(network) / _STREAM_BUDGET if network.is_streamed else 0.0
    if settings.strategy == "resource":
        return max(cycles, sum(layer.multipliers for layer in network.products) / _MULTIPLIER_BUDGET[name])
    adders = sum(layer.weights.size for layer in network.products) * settings.weight_bits / 3
    return max(cycles, adders * (settings.weight_bits + settings.activation_bits) / _ADDER_BUDGET[name])


def is_alive(network: Network) -> bool:
    """Whether the outputs depend on the inputs enough for a comparison of outputs to mean something."""
    outputs = network.outputs(network.inputs(_LIVE_INPUTS))
    return len(np.unique(outputs, axis=0)) >= _LIVE_OUTPUTS


def _draw(seed: int, index: int, make: Callable[[int, int, Settings, np.random.Generator], Network]) -> Network:
    """Settings from the sequence, then architectures until one is affordable: ever shallower, then ever dearer."""
    depth_at, weight_at, activation_at, strategy_at, reuse_at = _low_discrepancy(index, 5)
    strategy: Strategy = "latency" if strategy_at < 0.25 else "resource"
    if _drawn_as(seed) == "distributed":
        strategy = "distributed_arithmetic"
    streamed = _drawn_as(seed) in {"conv1d", "conv2d"}
    # Unrolled convolutions of wide weights are too dear at any size.
    weight_bits = 2 + int((8 if streamed and strategy == "latency" else 15) * weight_at)
    activation_bits = max(4, min(16, weight_bits + int(9 * activation_at) - 4))
    reuse_factor = round(2 ** (1 + 9 * reuse_at)) if strategy == "resource" else 1
    settings = Settings(strategy, reuse_factor, weight_bits, activation_bits)
    depth = 2 + int(5 * depth_at)
    budget = 1.0
    rng = np.random.default_rng((seed, 2))
    while True:
        for _ in range(_TRIES_A_DEPTH):
            network = make(seed, depth, settings, rng)
            if cost(network) <= budget and is_alive(network):
                return network
        if depth > _SHALLOWEST:
            depth -= 1
        else:
            budget *= 1.5


def _widths(settings: Settings) -> tuple[int, ...]:
    return _WIDTHS if settings.strategy == "resource" else _LATENCY_WIDTHS


def _dense_network(seed: int, depth: int, settings: Settings, rng: np.random.Generator) -> Network:
    widths = tuple(rng.choice(_widths(settings), size=depth + 1).tolist())
    return chain("dense_" + "_".join(map(str, widths)), widths, settings, seed)


def _branched_network(seed: int, depth: int, settings: Settings, rng: np.random.Generator) -> Network:
    """Dense layers with skip connections, tables, folded batch normalization and softmax."""
    start, *widths = rng.choice(_widths(settings), size=depth + 1).tolist()
    blocks: list[Block] = []
    lengths = [start]
    for at, width in enumerate(widths):
        other = int(rng.integers(0, len(lengths)))
        merge = _pick(rng, _MERGES) if at else "none"
        activation = _pick(rng, _ACTIVATIONS)
        units = lengths[other] if merge == "add" and lengths[other] <= max(_widths(settings)) else width
        use_bias, batchnorm = bool(rng.random() < 0.8), bool(rng.random() < 0.3)
        blocks.append(Block("dense", units, relu=activation == "relu", use_bias=use_bias, batchnorm=batchnorm))
        lengths.append(units)
        if activation == "tanh" or activation == "sigmoid":  # noqa: PLR1714
            blocks.append(Block(activation))
            lengths.append(units)
        if merge != "none":
            fits = lengths[other] == units
            blocks.append(Block("add" if fits else "concatenate", other=other))
            lengths.append(units if fits else units + lengths[other])
    if lengths[-1] <= _LARGEST_SOFTMAX and rng.random() < 0.5:
        blocks.append(Block("softmax"))
    name = "_".join(_label(block) for block in blocks)
    return Network(f"branched_{start}_{name}", (start,), tuple(blocks), settings, seed)


def _streamed_network(seed: int, depth: int, settings: Settings, rng: np.random.Generator) -> Network:
    """Convolutions, pooling, then dense layers on the flattened rest."""
    dimensions = 1 if _drawn_as(seed) == "conv1d" else 2
    size = _pick(rng, (12, 16, 20, 24, 32) if dimensions == 1 else (6, 7, 8, 10))
    channels = _pick(rng, (1, 2, 3, 4))
    in_shape = (*(size,) * dimensions, channels)
    blocks: list[Block] = []
    for _ in range(max(1, depth // 2)):
        kernel = _pick(rng, (2, 3, 4, 5) if dimensions == 1 else (2, 3))
        stride = _pick(rng, (1, 1, 2))
        if size < kernel + stride:
            break
        filters = _pick(rng, (2, 4, 6, 8))
        blocks.append(Block("conv", filters, (kernel,) * dimensions, stride, relu=bool(rng.random() < 0.7)))
        size = (size - kernel) // stride + 1
        if size >= 4 and rng.random() < 0.5:
            blocks.append(Block(_pick(rng, _POOLINGS), window=(2,) * dimensions))
            size //= 2
    blocks.append(Block("flatten"))
    widths = rng.choice(_DENSE_AFTER_CONVOLUTION, size=max(1, depth - depth // 2 - 1)).tolist()
    blocks += _dense(*widths[:-1], last=widths[-1])
    name = "_".join(_label(block) for block in blocks)
    return Network(f"conv{dimensions}d_{'x'.join(map(str, in_shape))}_{name}", in_shape, tuple(blocks), settings, seed)


def _pick(rng: np.random.Generator, options: tuple[T, ...]) -> T:
    return options[int(rng.integers(len(options)))]


def _label(block: Block) -> str:
    """A word for the model's name."""
    match block.kind:
        case "dense":
            return f"{block.units}{'r' * block.relu}{'n' * block.batchnorm}"
        case "conv":
            return f"c{block.units}k{block.window[0]}s{block.stride}{'r' * block.relu}"
        case "add" | "concatenate":
            return f"{block.kind[:3]}{block.other}"
        case _:
            return block.kind.replace("_pooling", "pool")


def _low_discrepancy(index: int, dimensions: int) -> list[float]:
    """Point ``index`` of the R_d additive recurrence sequence (powers of the plastic number's generalization)."""
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (dimensions + 1))
    return [(0.5 + (index + 1) * root ** -(k + 1)) % 1.0 for k in range(dimensions)]
