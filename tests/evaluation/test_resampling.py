"""The fast ways against scoring every resample by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wa_bench.evaluation import resampling
from wa_bench.evaluation.metrics import APE, R2, RMSE, RMSLE, RPE, SMAPE, Bias, UndefinedMetricError, Within
from wa_bench.evaluation.resampling import Resamples, join

SUMS = [R2(), SMAPE(), RMSE(), RMSLE(), Bias(), Within()]


def designs(seed: int, size: int, clusters: int):
    rng = np.random.default_rng(seed)
    truth = np.round(rng.lognormal(4, 2, size))
    prediction = np.round(truth * rng.lognormal(0, 0.5, size))
    return np.unique(rng.integers(0, clusters, size), return_inverse=True)[1], truth, prediction


def scored_one_by_one(metric, resamples: Resamples, rows, truth, prediction) -> list[float]:
    values = []
    for weights in resamples.weights.T:
        drawn = np.repeat(np.arange(len(rows)), weights[resamples.clusters[rows]])
        try:
            values.append(metric.score(truth[rows][drawn], prediction[rows][drawn]))
        except UndefinedMetricError:
            values.append(np.nan)
    return values


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 200), st.integers(1, 60), st.floats(0, 1))
def test_every_resample_gets_what_scoring_it_alone_gives(seed: int, size: int, clusters: int, q: float) -> None:
    cluster, truth, prediction = designs(seed, size, clusters)
    resamples = Resamples(cluster, cluster % 3, 20, seed)
    rows = np.flatnonzero(np.random.default_rng(seed).random(size) < 0.7)
    if not len(rows):
        return
    sample = resamples.of(rows)
    values, draws, _ = sample.sum_metrics(SUMS, [(truth[rows], prediction[rows])])
    for metric, value, fast in zip(SUMS, values[0], draws[0], strict=True):
        if not np.isnan(value).item():
            assert value.item() == pytest.approx(metric.score(truth[rows], prediction[rows]), rel=1e-9)
        assert fast == pytest.approx(
            scored_one_by_one(metric, resamples, rows, truth, prediction), nan_ok=True, rel=1e-9
        )
    for metric in (RPE(q=q), APE(q=q)):
        ((value, (fast,)),) = sample.quantiles([(metric.errors(truth[rows], prediction[rows]), [q])])
        assert value.item() == metric.score(truth[rows], prediction[rows])
        slow = scored_one_by_one(metric, resamples, rows, truth, prediction)
        assert fast == pytest.approx(slow, nan_ok=True, rel=1e-9, abs=1e-9)


def test_quantiles_far_from_where_they_are_looked_for_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, truth, prediction = designs(0, 3000, 300)
    resamples = Resamples(cluster, np.zeros_like(cluster), 30, 0)
    sample, errors = resamples.of(np.arange(3000)), APE().errors(truth, prediction)
    ((_, near),) = sample.quantiles([(errors, [0.25, 0.9])])
    monkeypatch.setattr(resampling, "_REACH", 0.01)
    ((_, far),) = sample.quantiles([(errors, [0.25, 0.9])])
    assert far.tolist() == near.tolist()


def test_strata_keep_their_number_of_clusters_and_seeds_their_draws() -> None:
    cluster = np.repeat(np.arange(30), 2)
    strata = np.repeat([0, 0, 1], 20)
    first, again, other = (Resamples(cluster, strata, 50, seed) for seed in (3, 3, 4))
    assert (first.weights == again.weights).all()
    assert (first.weights != other.weights).any()
    assert set(first.weights[:20].sum(axis=0)) == {20}
    assert set(first.weights[20:].sum(axis=0)) == {10}


def test_many_clusters_are_joined_without_changing_the_spread() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=40_000)
    cluster = np.arange(40_000)
    resamples = Resamples(cluster, np.zeros_like(cluster), 400, 0)
    assert len(resamples.weights) == resampling.MOST_CLUSTERS
    _, draws, _ = resamples.of(cluster).sum_metrics([SMAPE(eps=0)], [(np.ones(40_000), np.exp(values))])
    terms = 200 * np.abs(1 - np.exp(values)) / (1 + np.exp(values))
    assert draws.std() == pytest.approx(terms.std() / 200, rel=0.15)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.integers(4, 100))
def test_joining_keeps_strata_apart_and_groups_even(strata: list[int], most: int) -> None:
    kinds = np.unique(strata, return_inverse=True)[1]
    joined, stratum_of = join(kinds, most, np.random.default_rng(0))
    assert (stratum_of[joined] == kinds).all()
    assert len(stratum_of) <= most + len(set(strata))
    for stratum in set(kinds):
        sizes = np.bincount(joined[kinds == stratum], minlength=len(stratum_of))[stratum_of == stratum]
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("strata", [1, 7])
def test_influences_add_up_to_the_variance_of_the_resamples(strata: int) -> None:
    cluster, truth, prediction = designs(1, 4000, 800)
    stratum = cluster % strata
    prediction = prediction * (1 + stratum / strata)
    sample = Resamples(cluster, stratum, 2000, 0).of(np.arange(4000))
    metrics = [SMAPE(), RMSLE(), Within()]
    values, draws, left_out = sample.sum_metrics(metrics, [(truth, prediction)])
    moved = sample.centred((values - left_out)[0])
    assert np.sqrt(np.square(moved).sum(axis=1)) == pytest.approx(draws[0].std(axis=1), rel=0.07)
    assert sample.spread(moved).mean(axis=1) == pytest.approx(draws[0].std(axis=1), rel=0.1)
    errors, q = APE().errors(truth, prediction), 0.75
    ((value, (drawn,)),) = sample.quantiles([(errors, [q])])
    moved = sample.quantile_influence(errors, q, value.item(), drawn)
    assert np.sqrt(np.square(moved).sum()) == pytest.approx(drawn.std(), rel=0.01)
    assert np.bincount(stratum[np.unique(cluster, return_index=True)[1]], weights=moved) == pytest.approx(0, abs=1e-9)


def test_a_cluster_that_alone_lets_the_truth_vary_leaves_no_value_behind() -> None:
    truth = np.full(300, 12345.0)
    truth[:3] = [1.0, 2e6, 7.0]
    cluster = np.arange(300) // 3
    sample = Resamples(cluster, np.zeros_like(cluster), 50, 0).of(np.arange(300))
    _, _, left_out = sample.sum_metrics([R2()], [(truth, truth + 1.0)])
    assert np.isnan(left_out[0, 0, 0])
    assert np.isfinite(left_out[0, 0, 1:]).all()
