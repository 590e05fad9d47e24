from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score, root_mean_squared_error

from wa_bench.errors import UnknownNameError
from wa_bench.evaluation.metrics import (
    R2,
    RMSE,
    RPE,
    SMAPE,
    Metric,
    UndefinedMetricError,
    parse_metric,
    relative_percent_error,
)

TRUTH = np.array([0.0, 1.0, 3.0, 4.0])
PREDICTION = np.array([0.0, 2.0, 3.0, 1.0])

counts = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=2, max_size=30)


def test_values_worked_by_hand() -> None:
    # errors 0, -1, 0, 3; mean of truth 2; squares about it 4 + 1 + 1 + 4
    assert R2().score(TRUTH, PREDICTION) == 1 - 10 / 10
    assert RMSE().score(TRUTH, PREDICTION) == math.sqrt(10 / 4)
    assert SMAPE().score(TRUTH, PREDICTION) == pytest.approx(200 / 4 * (0 + 1 / 4 + 0 + 3 / 6))
    assert relative_percent_error(TRUTH, PREDICTION).tolist() == [0, -50, 0, 60]
    assert RPE(q=0.5).score(TRUTH, PREDICTION) == 0
    assert RPE(q=0.75).score(TRUTH, PREDICTION) == pytest.approx(15)


def test_zero_against_zero_is_no_error() -> None:
    zero = np.zeros(3)
    assert SMAPE().score(zero, zero) == 0
    assert RPE().score(zero, zero) == 0


def test_too_small_a_prediction_has_a_positive_percent_error() -> None:
    assert RPE().score(np.array([99.0]), np.array([49.0])) == 50


def test_r2_of_truth_without_variance_is_undefined_with_its_reason() -> None:
    with pytest.raises(UndefinedMetricError, match="the truth does not vary"):
        R2().score(np.ones(3), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("metric", [R2(), SMAPE(), RMSE(), RPE()])
def test_no_design_means_no_value(metric: Metric) -> None:
    with pytest.raises(UndefinedMetricError, match="no design"):
        metric.score(np.array([]), np.array([]))


@given(counts)
def test_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, prediction = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    assert RMSE().score(truth, prediction) == pytest.approx(root_mean_squared_error(truth, prediction))
    if len(set(truth)) > 1:
        assert R2().score(truth, prediction) == pytest.approx(r2_score(truth, prediction))


@given(counts, st.floats(0, 1))
def test_values_stay_in_their_range(pairs: list[tuple[int, int]], q: float) -> None:
    truth, prediction = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    assert 0 <= SMAPE().score(truth, prediction) < 200
    assert RMSE().score(truth, prediction) >= 0
    assert RPE(q=q).score(truth, prediction) <= 100


@pytest.mark.parametrize("text", ["R2", "RMSE", "SMAPE(eps=1)", "SMAPE(eps=0.5)", "RPE(q=0.25)", "RPE(q=0.75)"])
def test_a_metric_prints_to_the_string_it_parses_from(text: str) -> None:
    assert str(parse_metric(text)) == text
    assert parse_metric(str(parse_metric(text))) == parse_metric(text)


@given(st.floats(0, 1))
def test_every_parameter_survives_printing(q: float) -> None:
    assert parse_metric(str(RPE(q=q))) == RPE(q=q)


@pytest.mark.parametrize(
    "text",
    ["r2", "R2()", "__import__('os')", "SMAPE(x=1)", "RPE(q=a)", "RPE(q=7)", "SMAPE(eps=1"],
)
def test_unknown_metrics_and_parameters_are_refused(text: str) -> None:
    with pytest.raises(UnknownNameError):
        parse_metric(text)
