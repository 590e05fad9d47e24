"""Integer networks against plain loops and exact fractions, and what seeds stand for."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wa_bench.opensynth.adders import adder_graph
from wa_bench.opensynth.arithmetic import canonical_signed_digits, log2_ceil, quantize
from wa_bench.opensynth.describe import recorded_layers
from wa_bench.opensynth.layers import Convolution, Pooling, Product, Softmax, Table
from wa_bench.opensynth.network import Block, Network, Settings, chain
from wa_bench.opensynth.sampling import (
    EXEMPLARS,
    FAMILIES,
    FAMILY_SEEDS,
    exemplar_grid,
    family,
    from_seed,
    is_alive,
    split,
)
from wa_bench.opensynth.schedule import initiation_interval, pixel_interval, triggers
from wa_bench.records.reuse import is_valid_reuse_factor
from wa_bench.records.schema import Precision

drawn = st.tuples(st.sampled_from([0, 2, 3, 4, 5]), st.integers(0, 5000)).map(
    lambda pair: pair[0] * FAMILY_SEEDS + pair[1]
)


@given(st.integers(-(2**20), 2**20))
def test_signed_digits_sum_to_the_value_and_no_two_are_adjacent(value: int) -> None:
    digits = canonical_signed_digits(value)
    assert sum(sign << power for sign, power in digits) == value
    powers = [power for _, power in digits]
    assert all(b - a >= 2 for a, b in pairwise(powers))


@given(st.integers(1, 10**6))
def test_log2_ceil_is_the_smallest_sufficient_power(n: int) -> None:
    assert 2 ** log2_ceil(n) >= n
    assert n == 1 or 2 ** (log2_ceil(n) - 1) < n


def test_quantize_floors_rectifies_and_saturates() -> None:
    accumulator = np.array([-100, -9, -1, 0, 7, 8, 100])
    assert quantize(accumulator, 3, 4, relu=False).tolist() == [-8, -2, -1, 0, 0, 1, 7]
    assert quantize(accumulator, 3, 4, relu=True).tolist() == [0, 0, 0, 0, 0, 1, 7]


def test_dense_layers_agree_with_a_plain_loop() -> None:
    network = from_seed(5)
    (vector,) = network.inputs(5)[4:]
    values = [int(v) for v in vector]
    for layer in network.products:
        limit = 2 ** (network.settings.activation_bits - 1)
        sums = [
            sum(int(w) * v for w, v in zip(row, values, strict=True)) + (int(b) << layer.bias_shift)
            for row, b in zip(layer.weights, layer.bias, strict=True)
        ]
        values = [max(0 if layer.relu else -limit, min(limit - 1, total >> layer.shift)) for total in sums]
    assert network.outputs(network.inputs(5))[4].tolist() == values


def test_convolution_and_pooling_agree_with_plain_loops() -> None:
    blocks = (Block("conv", 3, (2, 3), 2), Block("average_pooling", window=(2, 2)), Block("max_pooling", window=(1, 2)))
    network = Network("map", (8, 13, 2), blocks, Settings("resource", 4, 5, 6), 3)
    image = network.inputs(3)[2]
    convolution, average, largest = network.layers[1:]
    assert isinstance(convolution, Convolution)
    assert (convolution.out_shape, average.out_shape, largest.out_shape) == ((4, 6, 3), (2, 3, 3), (2, 1, 3))
    made = convolution.apply(image[None])[0]
    for row, column, filter_ in product(range(4), range(6), range(3)):
        window = image[2 * row : 2 * row + 2, 2 * column : 2 * column + 3].reshape(-1).tolist()
        total = sum(w * v for w, v in zip(convolution.weights[filter_].tolist(), window, strict=True))
        total += int(convolution.bias[filter_]) << convolution.bias_shift
        assert made[row, column, filter_] == max(-32, min(31, total >> convolution.shift))
    means = average.apply(made[None])[0]
    assert means[1, 2, 0] == made[2:4, 4:6, 0].sum() // 4
    assert largest.apply(means[None])[0][0, 0, 1] == means[0, :2, 1].max()


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_tables_follow_their_functions(bits: int) -> None:
    """Within the step of the index, the step of the result, and the width of the tables."""
    blocks = (Block("dense", 6), Block("tanh"), Block("sigmoid"), Block("softmax"))
    network = Network("tables", (5,), blocks, Settings("resource", 1, bits, bits), 4)
    dense, tanh, sigmoid, softmax = network.layers[1:]
    assert isinstance(tanh, Table)
    assert isinstance(softmax, Softmax)
    values = dense.apply(network.inputs(200))
    step = 2.0**-tanh.fraction
    for layer, function, slope in (
        (tanh, np.tanh, 1.0),
        (sigmoid, lambda x: 1 / (1 + np.exp(-x)), 0.25),
    ):
        real = values * 2.0**-dense.fraction
        expected = np.minimum(function(real), 1 - step)
        found = layer.apply(values) * step if layer is tanh else _sigmoid_of(layer, dense.fraction, values) * step
        assert np.abs(found - expected).max() <= slope * 16 / 2**tanh.index_bits + 2 * step
    shares = softmax.apply(values) * step
    exact = np.exp(values * 2.0**-softmax.in_fraction)
    exact /= exact.sum(axis=1, keepdims=True)
    assert np.abs(shares - exact).max() <= 8 / 2**softmax.index_bits + 2 * step + 0.01


def _sigmoid_of(layer: object, in_fraction: int, values: np.ndarray) -> np.ndarray:
    """The sigmoid table of a network, read as if it stood behind values of another scale."""
    assert isinstance(layer, Table)
    from dataclasses import replace

    return replace(layer, in_fraction=in_fraction).apply(values)


@given(drawn)
@settings(max_examples=60, deadline=None)
def test_a_seed_stands_for_one_live_network_with_valid_settings(seed: int) -> None:
    network, again = from_seed(seed), from_seed(seed)
    assert network == again
    assert is_alive(network)
    assert all((a.weights == b.weights).all() for a, b in zip(network.products, again.products, strict=True))
    given_settings = network.settings
    assert 2 <= given_settings.weight_bits <= 16
    assert FAMILIES[seed // FAMILY_SEEDS] in {family(network), "dense"}
    for layer in network.products:
        assert is_valid_reuse_factor(layer.n_in, layer.n_out, layer.reuse_factor)
        assert layer.weights.min() >= -(2 ** (given_settings.weight_bits - 1))
        assert layer.weights.max() < 2 ** (given_settings.weight_bits - 1)


@given(drawn)
@settings(max_examples=40, deadline=None)
def test_no_convolution_is_fed_faster_than_it_can_work(seed: int) -> None:
    network = from_seed(seed)
    between, interval = pixel_interval(network), initiation_interval(network)
    for layer, pixels in zip(network.layers, triggers(network), strict=True):
        if isinstance(layer, Convolution):
            starts = [n * interval + between * int(pixel) for n in range(2) for pixel in pixels]
            assert min(b - a for a, b in pairwise(starts)) >= layer.reuse_factor
        elif isinstance(layer, Product):
            assert interval >= layer.reuse_factor
    assert interval > between * (network.pixels - 1)


@given(drawn)
@settings(max_examples=30, deadline=None)
def test_the_recorded_layers_are_a_graph_whose_types_give_the_reference_outputs(seed: int) -> None:
    """Dense layers, convolutions, sums and poolings in exact fractions, with nothing but the record and the weights."""
    network = from_seed(seed)
    recorded = recorded_layers(network)
    weights = iter(network.products)
    tables = iter([layer for layer in network.layers if isinstance(layer, Table | Softmax)])
    inputs = network.inputs(3)
    values: list[np.ndarray] = []
    for layer in recorded:
        assert all(i < len(values) for i in layer.inputs)
        read = [values[i] for i in layer.inputs]
        assert not read or read[0].shape[1:] == layer.in_shape
        match layer.kind:
            case "input":
                exact = _fractions(inputs, layer.result)
            case "dense" | "conv1d" | "conv2d":
                integers = next(weights)
                exact = _weighted(integers, layer, read[0])
            case "activation" if layer.activation == "relu":
                exact = np.maximum(read[0], 0)
            case "activation":
                table = next(tables)
                result = recorded[layer.inputs[0]].result
                exact = _fractions(table.apply(_integers(read[0], result)), layer.result)
            case "add":
                units = [Fraction(2) ** -fraction_bits(layer.result)] * 2
                exact = sum(value // unit * unit for value, unit in zip(read, units, strict=True))
            case "concatenate":
                exact = np.concatenate(read, axis=1)
            case "flatten":
                exact = read[0].reshape(3, -1)
            case "batch_normalization":
                exact = read[0]
            case _:
                exact = _pooled(layer.kind, read[0], layer.pool)
        values.append(_fixed(exact, layer.result))
        assert values[-1].shape[1:] == layer.out_shape
    assert (_integers(values[-1], recorded[-1].result) == network.outputs(inputs)).all()


def _weighted(integers, layer, read):
    weight = integers.weights * (Fraction(2) ** -fraction_bits(layer.weight))
    bias = integers.bias * (Fraction(2) ** -fraction_bits(layer.bias))
    if isinstance(integers, Convolution):
        windows = integers._windows(read)
        read = windows.reshape(*windows.shape[: 1 + len(integers.window)], -1)
    return read @ weight.T + bias


def _pooled(kind, read, pool):
    layer = Pooling(
        inputs=(0,),
        in_shape=read.shape[1:],
        bits=0,
        fraction=0,
        window=tuple(pool),
        strides=tuple(pool),
        average="average" in kind,
    )
    windows = layer._windows(read)
    axes = tuple(range(1 + len(pool), 1 + 2 * len(pool)))
    return windows.sum(axis=axes) / Fraction(int(np.prod(pool))) if layer.average else windows.max(axis=axes)


def fraction_bits(precision: Precision | None) -> int:
    assert precision is not None
    return precision.width - precision.integer


def _fractions(integers, precision):
    return integers.astype(object) * Fraction(2) ** -fraction_bits(precision)


def _integers(values, precision):
    return (values * Fraction(2) ** fraction_bits(precision)).astype(np.int64)


def _fixed(values, precision):
    """Values floored to a type, and saturated where the type says so."""
    unit = Fraction(2) ** -fraction_bits(precision)
    counts = values // unit
    limit = 2 ** (precision.width - 1)
    if precision.saturation == "SAT":
        counts = np.clip(counts, -limit, limit - 1)
    assert counts.min() >= -limit
    assert counts.max() < limit
    return counts * unit


def test_a_prefix_of_seeds_covers_the_settings_evenly() -> None:
    networks = [from_seed(seed) for seed in range(300)]
    bits = Counter(network.settings.weight_bits for network in networks)
    assert set(bits) == set(range(2, 17))
    assert max(bits.values()) - min(bits.values()) <= 3
    latency = sum(network.settings.strategy == "latency" for network in networks)
    assert abs(latency - 0.25 * 300) <= 3


def test_architectures_never_cross_splits() -> None:
    splits = defaultdict(set)
    for seed in (*range(600), *range(4 * FAMILY_SEEDS, 4 * FAMILY_SEEDS + 300)):
        network = from_seed(seed)
        widths = (*network.in_shape, *(block.units for block in network.blocks if block.kind == "dense"))
        splits[widths].add(split(network))
    for seed in (2 * FAMILY_SEEDS + i for i in range(300)):
        network = from_seed(seed)
        layers = tuple((block.kind, block.units, block.window, block.stride) for block in network.blocks)
        splits[network.in_shape, layers].add(split(network))
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "val", "test"}


def test_the_exemplars_have_the_parameters_of_the_genuine_ones() -> None:
    """arXiv:2511.05615: layer sizes of the seven exemplar models, BiPC with five residual sums and no bias."""
    parameters = {
        "Anomaly": 2864,
        "AutoMLP": 534,
        "BiPC": 7776,
        "Cookie": 3433,
        "Jet": 2821,
        "Particle": 2691,
        "Quarks": 385,
    }
    grid = [from_seed(FAMILY_SEEDS + i) for i in range(len(exemplar_grid()))]
    assert {network.name for network in grid} == set(EXEMPLARS)
    assert {split(network) for network in grid} == {"exemplar"}
    assert len(grid) >= 150
    for network in grid:
        layers = recorded_layers(network)
        assert sum(layer.params for layer in layers) == parameters[network.name]
        assert [layer.kind for layer in layers].count("add") == (5 if network.name == "BiPC" else 0)


def test_seeds_beyond_the_families_are_an_error() -> None:
    with pytest.raises(ValueError, match="the grid has"):
        from_seed(FAMILY_SEEDS + len(exemplar_grid()))
    with pytest.raises(ValueError, match="expected one below"):
        from_seed(len(FAMILIES) * FAMILY_SEEDS)


@given(
    arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 9)), elements=st.integers(-(2**15), 2**15 - 1)),
    st.integers(2, 16),
)
@settings(max_examples=40, deadline=None)
@pytest.mark.skipif(find_spec("da4ml") is None, reason="da4ml has wheels for Linux on x86-64 only")
def test_an_adder_graph_computes_its_matrix_within_its_widths(weights: np.ndarray, bits: int) -> None:
    graph = adder_graph(weights, bits)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = np.random.default_rng(1).choice((low, high, 0, 1), size=(64, weights.shape[1]))
    assert (graph.apply(values) == values @ weights.T).all()
    results: list[np.ndarray] = []
    for node in graph.nodes:
        if node.left is None:
            results.append(values[:, node.right])
        else:
            right = results[node.right] << node.right_shift
            results.append((results[node.left] << node.left_shift) + (-right if node.subtract else right))
            assert node.level > max(graph.nodes[node.left].level, graph.nodes[node.right].level)
        assert results[-1].min() >= -(2 ** (node.bits - 1))
        assert results[-1].max() < 2 ** (node.bits - 1)


def test_result_types_keep_deep_networks_alive() -> None:
    deep = chain("deep", (16,) * 9, Settings("resource", 4, 8, 8), 2)
    outputs = deep.outputs(deep.inputs(64))
    assert len(np.unique(outputs, axis=0)) >= 60
