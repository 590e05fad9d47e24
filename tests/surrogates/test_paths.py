from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.surrogates.paths import longest, readers

Design = list[tuple[list[int], float]]
"""What each layer reads, and what it adds."""


@st.composite
def designs(draw: st.DrawFn) -> Design:
    count = draw(st.integers(1, 8))
    return [
        (draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [], draw(st.floats(0, 100))) for i in range(count)
    ]


def table_of(drawn: list[Design]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "position": [i for design in drawn for i in range(len(design))],
            "inputs": [inputs for design in drawn for inputs, _ in design],
            "added": [added for design in drawn for _, added in design],
        },
        schema={"position": pl.Int64, "inputs": pl.List(pl.Int64), "added": pl.Float64},
    )


@given(st.lists(designs(), max_size=4))
def test_a_layer_waits_for_the_slowest_of_those_that_it_reads(drawn: list[Design]) -> None:
    expected: list[float] = []
    for design in drawn:
        sums: list[float] = []
        for inputs, added in design:
            sums.append(max((sums[i] for i in inputs), default=0) + added)
        expected += sums
    table = table_of(drawn)
    found = longest(table, path=pl.col("added"), layers=pl.lit(1) + 0 * pl.col("position"))
    assert found["path"].to_list() == pytest.approx(expected)
    assert found["layers"].is_between(1, table["position"] + 1).all()


@given(st.lists(designs(), max_size=4))
def test_readers_are_counted_within_a_design(drawn: list[Design]) -> None:
    expected = [sum(inputs.count(i) for inputs, _ in design) for design in drawn for i in range(len(design))]
    assert readers(table_of(drawn)).to_list() == expected


def test_what_a_layer_cannot_read_is_passed_over() -> None:
    table = pl.DataFrame({"position": [0, 1, 0, 1], "inputs": [[-1], [1], [], [0, 7]], "added": [1.0, 2.0, 4.0, 8.0]})
    assert longest(table, path=pl.col("added"))["path"].to_list() == [1, 2, 4, 12]
