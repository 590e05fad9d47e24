from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.opensynth.arithmetic import canonical_signed_digits, log2_ceil, quantize
from wa_bench.opensynth.network import EXEMPLAR_GRID, EXEMPLAR_SEED, EXEMPLARS, from_seed
from wa_bench.records.reuse import is_valid_reuse_factor

seeds = st.integers(0, 5000)


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


def test_reference_outputs_agree_with_a_plain_loop() -> None:
    network = from_seed(5)
    (vector,) = network.inputs(5)[4:]
    values = [int(v) for v in vector]
    for layer in network.layers:
        limit = 2 ** (network.settings.activation_bits - 1)
        sums = [
            sum(int(w) * v for w, v in zip(row, values, strict=True)) + (int(b) << layer.bias_shift)
            for row, b in zip(layer.weights, layer.bias, strict=True)
        ]
        values = [max(0 if layer.relu else -limit, min(limit - 1, total >> layer.shift)) for total in sums]
    assert network.outputs(network.inputs(5))[4].tolist() == values


@given(seeds)
def test_a_seed_stands_for_one_network_with_valid_settings(seed: int) -> None:
    network, again = from_seed(seed), from_seed(seed)
    assert network == again
    assert all((a.weights == b.weights).all() for a, b in zip(network.layers, again.layers, strict=True))
    settings = network.settings
    assert 2 <= settings.weight_bits <= 16
    for layer in network.layers:
        assert is_valid_reuse_factor(layer.n_in, layer.n_out, layer.reuse_factor)
        assert layer.weights.min() >= -(2 ** (settings.weight_bits - 1))
        assert layer.weights.max() < 2 ** (settings.weight_bits - 1)


def test_a_prefix_of_seeds_covers_the_settings_evenly() -> None:
    networks = [from_seed(seed) for seed in range(300)]
    bits = Counter(network.settings.weight_bits for network in networks)
    assert set(bits) == set(range(2, 17))
    assert max(bits.values()) - min(bits.values()) <= 3
    latency = sum(network.settings.strategy == "latency" for network in networks)
    assert abs(latency - 0.3 * 300) <= 3


def test_architectures_never_cross_splits() -> None:
    splits = defaultdict(set)
    for seed in range(1000):
        splits[from_seed(seed).widths].add(from_seed(seed).split)
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "val", "test"}


def test_the_exemplar_grid_covers_every_architecture_and_ends_with_an_error() -> None:
    grid = [from_seed(EXEMPLAR_SEED + i) for i in range(len(EXEMPLAR_GRID))]
    assert {network.name for network in grid} == set(EXEMPLARS)
    assert {network.split for network in grid} == {"exemplar"}
    with pytest.raises(ValueError, match="the grid has"):
        from_seed(EXEMPLAR_SEED + len(EXEMPLAR_GRID))
