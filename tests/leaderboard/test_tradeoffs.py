from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.leaderboard.pages.pareto import COSTS, front_of, shown_cost

some = st.integers(0, 6).map(float)
points = st.lists(st.tuples(some, some), min_size=1, max_size=25).map(
    lambda pairs: [(cost, value, str(name)) for name, (cost, value) in enumerate(pairs)]
)


@given(points, st.sampled_from(["R2", "SMAPE"]))
def test_the_front_is_those_that_none_equals_or_beats_in_both_and_beats_in_one(
    points: list[tuple[float, float, str]], name: str
) -> None:
    metric = parse_metric(name)

    def beaten(cost: float, value: float) -> bool:
        return any(
            (other, metric.badness(score)) <= (cost, metric.badness(value))
            and metric.badness(score) <= metric.badness(value)
            and (other, score) != (cost, value)
            for other, score, _ in points
        )

    assert front_of(points, metric) == {name for cost, value, name in points if not beaten(cost, value)}


@pytest.mark.parametrize(
    ("value", "field", "text"),
    [
        (2.93e-5, "seconds_per_design", "29.3 µs"),
        (0.5, "joules_per_design", "500 mJ"),
        (72_900, "parameters", "72.9 k"),
        (0, "parameters", "0"),
        (None, "parameters", "not told"),
    ],
)
def test_costs_are_shown_with_the_prefix_that_suits_them(value: float | None, field: str, text: str) -> None:
    assert shown_cost(value, next(cost for cost in COSTS if cost.field == field)) == text
