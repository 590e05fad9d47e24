from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.records.reuse import closest_valid_reuse_factor, is_valid_reuse_factor, valid_reuse_factors

sizes = st.integers(1, 128)


@given(sizes, sizes)
def test_valid_factors_are_divisors_of_the_inputs_and_whole_outputs_of_it(n_in: int, n_out: int) -> None:
    divisors = {r for r in range(1, n_in + 1) if n_in % r == 0}
    multiples = {n_in * d for d in range(1, n_out + 1) if n_out % d == 0}
    assert set(valid_reuse_factors(n_in, n_out)) == divisors | multiples


@given(sizes, sizes, st.integers(1, 40_000))
def test_closest_factor_is_valid_and_none_is_nearer(n_in: int, n_out: int, requested: int) -> None:
    chosen = closest_valid_reuse_factor(n_in, n_out, requested)
    assert is_valid_reuse_factor(n_in, n_out, chosen)
    for other in valid_reuse_factors(n_in, n_out):
        assert (abs(chosen - requested), chosen) <= (abs(other - requested), other)


def test_of_two_equally_near_factors_the_smaller_is_taken() -> None:
    assert valid_reuse_factors(7, 12)[:2] == (1, 7)
    assert closest_valid_reuse_factor(7, 12, 4) == 1


def test_real_records_carry_the_factor_that_the_rule_gives(mirror: Path) -> None:
    dataset = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    checked = 0
    for design in dataset.stream():
        for layer in design.layers:
            if layer.units is None:
                continue
            n_in = layer.in_shape[-1]
            for size in layer.kernel or []:
                n_in *= size
            assert layer.reuse_factor == closest_valid_reuse_factor(n_in, layer.units, design.reuse_factor)
            checked += 1
    assert checked > 100
