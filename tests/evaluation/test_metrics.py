from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import r2_score, root_mean_squared_error, root_mean_squared_log_error

from wa_bench.errors import UnknownNameError
from wa_bench.evaluation.metrics import (
    APE,
    R2,
    RMSE,
    RMSLE,
    RPE,
    SMAPE,
    Bias,
    FitAccuracy,
    Metric,
    Spearman,
    UndefinedMetricError,
    Within,
    kinds,
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
    assert APE(q=1).score(TRUTH, PREDICTION) == 60
    assert APE(q=0.75).score(TRUTH, PREDICTION) == pytest.approx(52.5)
    assert Within(percent=50).score(TRUTH, PREDICTION) == 75
    assert Within(percent=0).score(TRUTH, PREDICTION) == 50
    assert Bias().score(TRUTH, PREDICTION) == pytest.approx(100 * (6 - 8) / 8)
    logs = [0, math.log(2 / 3), 0, math.log(5 / 2)]
    assert RMSLE().score(TRUTH, PREDICTION) == pytest.approx(math.sqrt(sum(x * x for x in logs) / 4))
    # ranks 1 2 3 4 against 1 3 4 2
    assert Spearman().score(TRUTH, PREDICTION) == pytest.approx(1 - 6 * (0 + 1 + 1 + 4) / (4 * 15))


def test_a_negative_prediction_counts_as_zero_for_the_log_error_only() -> None:
    truth, prediction = np.array([3.0]), np.array([-5.0])
    assert RMSLE().score(truth, prediction) == pytest.approx(math.log(4))
    assert RMSE().score(truth, prediction) == 8


def test_a_fit_verdict_looks_at_all_resources_together() -> None:
    small, too_many_luts, too_many_dsps = [10, 10, 1000, 1000], [10, 10, 1000, 53_201], [10, 221, 1000, 1000]
    truth = np.array([small, small, too_many_luts, too_many_luts], dtype=float)
    prediction = np.array([small, too_many_luts, too_many_dsps, small], dtype=float)
    assert FitAccuracy(part="xc7z020").score(truth, prediction) == 50
    assert FitAccuracy(part="xcu250").score(truth, prediction) == 100
    assert str(parse_metric("FitAccuracy(part=xcu250)")) == "FitAccuracy(part=xcu250)"
    with pytest.raises(UnknownNameError):
        parse_metric("FitAccuracy(part=abacus)")


def test_reasons_of_undefined_values() -> None:
    zero, varied = np.zeros(3), np.array([1.0, 2.0, 3.0])
    for metric, truth, prediction, reason in [
        (Bias(), zero, varied, "the truth is zero throughout"),
        (Spearman(), varied, zero, "truth or prediction does not vary"),
        (SMAPE(eps=0), zero, zero, "truth and prediction are both zero"),
    ]:
        with pytest.raises(UndefinedMetricError, match=reason):
            metric.score(truth, prediction)


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
    assert RMSLE().score(truth, prediction) == pytest.approx(root_mean_squared_log_error(truth, prediction))
    if len(set(truth)) > 1:
        assert R2().score(truth, prediction) == pytest.approx(r2_score(truth, prediction))


@given(counts)
def test_rank_correlation_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    truth, prediction = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if len(set(truth)) > 1 and len(set(prediction)) > 1:
        assert Spearman().score(truth, prediction) == pytest.approx(spearmanr(truth, prediction)[0], abs=1e-9)


def test_the_influence_on_rank_correlation_gives_the_spread_of_resampled_coefficients() -> None:
    rng = np.random.default_rng(0)
    truth = np.round(rng.lognormal(3, 1, 300))
    prediction = np.round(truth * rng.lognormal(0, 0.7, 300))
    stated = Spearman().terms(truth, prediction).std() / math.sqrt(300)
    resampled = [spearmanr(truth[rows], prediction[rows])[0] for rows in rng.integers(0, 300, (800, 300))]
    assert stated == pytest.approx(np.std(resampled), rel=0.1)


@given(counts, st.floats(0, 1))
def test_values_stay_in_their_range(pairs: list[tuple[int, int]], q: float) -> None:
    truth, prediction = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    assert 0 <= SMAPE().score(truth, prediction) <= 200
    assert APE(q=q).score(truth, prediction) >= 0
    assert 0 <= Within(percent=100 * q).score(truth, prediction) <= 100
    assert RMSE().score(truth, prediction) >= 0
    assert RPE(q=q).score(truth, prediction) <= 100


def test_every_metric_says_all_that_its_readers_need() -> None:
    assert set(kinds()) == {"R2", "SMAPE", "RMSE", "RPE", "APE", "Bias", "Within", "RMSLE", "Spearman", "FitAccuracy"}
    for kind in kinds().values():
        metric = kind()
        assert metric.better in {"higher", "lower", "zero"}
        assert metric.unit in {"", "%", "target"}
        for text in (metric.title, metric.range, metric.formula, metric.source, metric.missing, kind.__doc__):
            assert text
        assert parse_metric(str(metric)) == metric


@pytest.mark.parametrize(
    "text", ["R2", "RMSE", "SMAPE(eps=1)", "SMAPE(eps=0.5)", "RPE(q=0.25)", "APE(q=0.75)", "Within(percent=10)", "Bias"]
)
def test_a_metric_prints_to_the_string_it_parses_from(text: str) -> None:
    assert str(parse_metric(text)) == text
    assert parse_metric(str(parse_metric(text))) == parse_metric(text)


@given(st.floats(0, 1))
def test_every_parameter_survives_printing(q: float) -> None:
    assert parse_metric(str(RPE(q=q))) == RPE(q=q)


@pytest.mark.parametrize(
    "text",
    [
        "r2",
        "R2()",
        "__import__('os')",
        "SMAPE(x=1)",
        "RPE(q=a)",
        "RPE(q=7)",
        "SMAPE(eps=1",
        "SMAPE(eps=-1)",
        "SMAPE(eps=inf)",
        "Within(percent=nan)",
    ],
)
def test_unknown_metrics_and_parameters_are_refused(text: str) -> None:
    with pytest.raises(UnknownNameError):
        parse_metric(text)
