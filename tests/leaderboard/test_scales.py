from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.pages import scales
from wa_bench.tracks.track import track

METRICS = [parse_metric(name) for name in track("opensynth").metrics]
BOUNDED = [metric for metric in METRICS if scales.limits(metric)]


@given(st.floats(-1e15, 1e15))
def test_what_is_sent_to_the_browser_reads_as_the_number_that_people_see(value: float) -> None:
    seen = scales.shown(value)
    assert scales.as_text(seen) == number(value)
    assert scales.as_number(seen) == float(number(value).replace(",", ""))


@given(st.lists(st.floats(-1e15, 1e15) | st.floats(-12, 12) | st.integers(-9999, 9999).map(lambda half: half / 2000)))
def test_many_numbers_are_sent_as_each_would_be(values: list[float]) -> None:
    hard = [*values, 0.0005, 0.0625, 9.9996, 999.95, 1000.5, math.nan, math.inf]
    assert scales.all_shown(np.array(hard)) == [scales.shown(value) for value in hard]


def test_numbers_that_round_up_into_another_format_are_sent_as_text() -> None:
    assert scales.shown(9.9996) == "10.000"
    assert scales.shown(999.96) == "1000.0"
    assert scales.shown(0.9996) == 1
    assert scales.shown(math.nan) is None


@pytest.mark.parametrize("metric", BOUNDED, ids=str)
@given(values=st.lists(st.floats(-300, 300), min_size=2, max_size=2))
def test_a_better_value_never_has_a_weaker_shade(metric, values: list[float]) -> None:
    first, second = sorted(map(metric.badness, values))
    most = scales.limits(metric)
    assert scales.SHADES > scales.shade(first, most) >= scales.shade(second, most) >= 0


def test_shades_of_a_column_without_a_scale_hold_as_many_each() -> None:
    badness = np.arange(80.0)
    most = scales.column_limits(badness)
    counts = np.bincount([scales.shade(value, most) for value in badness])
    assert counts.tolist() == [10] * scales.SHADES
    assert scales.shade(1.0, scales.column_limits(np.array([np.nan]))) == 0


@pytest.mark.parametrize("name", ["R2", "SMAPE(eps=1)", "Spearman", "RMSLE", "Within(percent=10)", "APE(q=0.75)"])
@given(data=st.data())
def test_interval_bars_keep_the_order_of_scores_and_stay_on_the_axis(name: str, data) -> None:
    metric = parse_metric(name)
    low, high = {"R2": (-50, 1), "Spearman": (-1, 1), "RMSLE": (0.001, 9)}.get(name, (0.001, 99.9))
    values = np.sort(data.draw(st.lists(st.floats(low, high), min_size=2, max_size=12)))
    axis = scales.axis(metric, values, values, values)
    assert axis.ends[0] < axis.ends[1]
    bars = axis.bars(values, values, values)
    assert all(-1 <= x <= 101 and 0 <= first <= last <= 100 for x, first, last in bars)
    assert [x for x, _, _ in bars] == sorted(x for x, _, _ in bars)
    on_axis = [bar[0] for value, bar in zip(values, bars, strict=True) if axis.ends[0] <= value <= axis.ends[1]]
    assert all(0 <= x <= 100 for x in on_axis)


def test_the_axis_of_r2_ends_at_round_values_and_leaves_out_what_is_worse_than_nothing() -> None:
    values = np.array([-40.0, 0.5, 0.93, 0.995])
    axis = scales.axis(parse_metric("R2"), values, values - 0.1, np.minimum(values + 0.1, 1))
    assert axis.ends == (0, 0.999)
    assert [label for _, label in axis.ticks] == ["0", ".9", "", ".999"]
    ends = np.array([[-40.0, -41.0, -39.0], [1.0, 1.0, 1.0], [0.9, math.nan, math.nan], [math.nan, 0.1, 0.2]])
    assert axis.bars(*ends.T) == [(-1.0, 0.0, 0.0), (101.0, 100.0, 100.0), (33.3, 33.3, 33.3), None]
    assert scales.axis(parse_metric("R2"), *[np.array([np.nan])] * 3) is None


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), (2.5, "2.5 s"), (0.0012, "1.2 ms"), (3.77e-4, "377 µs"), (1e-12, "0.001 ns")]
)
def test_measured_times_have_the_prefix_that_suits_them(value: float | None, text: str | None) -> None:
    assert scales.quantity(value, "s") == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), (0, "0"), (999, "999"), (11_613, "11.6 k"), (2_310_000, "2.31 M")]
)
def test_numbers_of_parameters_are_short(value: int | None, text: str | None) -> None:
    assert scales.count(value) == text
