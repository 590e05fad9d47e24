"""The scale on which two scores are compared: the metric's own for near ones, straight on where one is far better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.evaluation.metrics import FISHER, LOG_ODDS, LOGARITHM, PLAIN, SHORTFALL, Scale, parse_metric
from wa_bench.evaluation.pair_scale import FAR, PairScale

FIRST, SECOND = np.array([0]), np.array([1])
METRICS = ("R2", "SMAPE(eps=1)", "RMSE", "Spearman", "Within(percent=10)", "APE(q=0.5)")


def gain(metric: str, better: float, worse: float) -> float:
    scale = PairScale(parse_metric(metric), np.array([better, worse]))
    return float(scale.badness(SECOND, SECOND)[0] - scale.badness(FIRST, SECOND)[0])


def factor(metric: str, better: float, worse: float) -> float:
    return float(PairScale(parse_metric(metric), np.array([better, worse])).factor(FIRST, SECOND)[0])


@pytest.mark.parametrize("scale", [PLAIN, LOGARITHM, SHORTFALL, FISHER, LOG_ODDS], ids=lambda scale: scale.name)
@given(place=st.floats(-3, 3))
def test_a_scale_leads_there_and_back_with_the_slope_that_it_states(scale: Scale, place: float) -> None:
    step = np.array(1e-6)
    slope = (scale.back(place + step) - scale.back(place - step)) / (2 * step)
    np.testing.assert_allclose(scale.there(scale.back(np.array(place))), place, atol=1e-9)
    np.testing.assert_allclose(scale.slope(np.array(place)), slope, rtol=1e-5)
    assert scale.rising == (scale.slope(np.array(place)) > 0)


@given(worse=st.floats(0.01, 100), times=st.floats(1, 10))
def test_near_scores_are_compared_on_the_metrics_own_scale(worse: float, times: float) -> None:
    assert gain("R2", 1 - worse / times, 1 - worse) == pytest.approx(np.log(times), abs=1e-9)
    assert factor("R2", 1 - worse / times * 1.000001, 1 - worse) == 1


@given(worse=st.floats(0.01, 100), times=st.floats(10.001, 1e9))
def test_of_a_far_better_score_counts_how_far_it_is_from_the_worse_and_not_how_many_times(
    worse: float, times: float
) -> None:
    better = 1 - worse / times
    assert gain("R2", better, 1 - worse) == pytest.approx(FAR + 1 - 10 / times, abs=1e-6)
    # Influences on log(1 - R2) count as much as the better's own shortfall does beside a tenth of the worse's.
    assert factor("R2", better, 1 - worse) == pytest.approx(10 * (1 - better) / worse, rel=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@given(values=st.tuples(*[st.floats(0.001, 0.999)] * 3).map(sorted))
def test_a_better_score_is_farther_from_the_worst_of_three(metric: str, values: list[float]) -> None:
    best, middle, worst = values if parse_metric(metric).better == "lower" else reversed(values)
    assert gain(metric, best, worst) >= gain(metric, middle, worst) - 1e-9
    assert gain(metric, middle, worst) >= -1e-9


def test_a_perfect_score_is_a_finite_way_from_others_and_level_with_another_perfect_one() -> None:
    assert gain("R2", 1.0, 0.5) == pytest.approx(FAR + 1)
    assert factor("R2", 1.0, 0.5) == pytest.approx(1 / -0.05)
    assert gain("R2", 1.0, 1.0) == 0
    assert gain("SMAPE(eps=1)", 0.0, 0.0) == 0


def test_where_the_worse_is_at_the_bad_end_of_its_scale_both_are_compared_as_they_are() -> None:
    assert gain("SMAPE(eps=1)", 50.0, 200.0) == 150
    assert factor("SMAPE(eps=1)", 50.0, 200.0) == pytest.approx(50 * 150 / 200)
    assert gain("Spearman", 0.5, -1.0) == 1.5


def test_nothing_is_said_of_a_score_that_is_undefined() -> None:
    assert np.isnan(gain("R2", 0.5, np.nan))
