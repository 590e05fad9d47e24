"""Confidence intervals from resamples.

Metrics of sums get symmetric bootstrap-t intervals on a scale without bounds (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, ch. 12): how far a resample lies from the value is counted in standard errors, which each
resample states anew from the clusters it drew, by their influence (infinitesimal jackknife). Where few large designs
decide, as in R2 and RMSE, this covers the truth where plain percentiles do not. Quantiles get percentile intervals.
"""

from __future__ import annotations

import numpy as np

from wa_bench.evaluation.metrics import Floats, Scale
from wa_bench.evaluation.resampling import Sample

FEWEST_CLUSTERS = 10
"""With fewer independent clusters no interval is given."""
MOST_UNDEFINED = 0.05
"""Share of the resamples that may lack a value; where it is larger no interval is given."""
FARTHEST = 4.0
"""Standard errors that an interval reaches at most: where one cluster decides, resamples without it would ask for
any number, and more than this covered nothing more in simulations."""


def percentile(draws: Floats, level: float) -> Floats:
    """Quantiles of draws (k, resamples) that hold the middle share ``level``: (k, 2), NaN where too many lack."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.full((len(draws), 2), np.nan)
    if not draws.size:
        return bounds
    lacking = np.isnan(draws).mean(axis=1)
    bounds[lacking == 0] = np.quantile(draws[lacking == 0], tails, axis=1).T
    for row in np.flatnonzero((lacking > 0) & (lacking <= MOST_UNDEFINED)):
        bounds[row] = np.nanquantile(draws[row], tails)
    return bounds


def studentized(
    values: Floats, draws: Floats, influences: Floats, scales: list[Scale], sample: Sample, level: float
) -> Floats:
    """Intervals (k, 2) of values (k,).

    Args:
        values: on the data as it is.
        draws: (k, resamples) on each resample.
        influences: (k, clusters) of the clusters, on the scale, centred.
        scales: of each value.
        sample: the resamples.
        level: share of the truth to be covered.

    Where a value has no finite place on its scale (a perfect score) or hangs on one cluster, percentiles are given.
    """
    bounds = percentile(draws, level)
    with np.errstate(all="ignore"):
        there = np.array([scale.there(value) for scale, value in zip(scales, values, strict=True)])
        drawn = np.array([scale.there(some) for scale, some in zip(scales, draws, strict=True)])
    usable = np.isfinite(there) & np.isfinite(influences).all(axis=1) & ~np.isnan(bounds).any(axis=1)
    if not usable.any():
        return bounds
    errors = np.sqrt(np.square(influences[usable]).sum(axis=1))
    with np.errstate(all="ignore"):
        distance = np.abs(drawn[usable] - there[usable, None]) / sample.spread(influences[usable])
    distance = np.where(np.isnan(distance), np.inf, distance)
    reach = np.minimum(np.quantile(distance, level, axis=1, method="inverted_cdf"), FARTHEST) * errors
    for row, far in zip(np.flatnonzero(usable), reach, strict=True):
        bounds[row] = np.sort(scales[row].back(there[row] + np.array([-far, far])))
    return bounds


def why_none(clusters: int) -> str:
    """Why a value on so many clusters has no interval."""
    if clusters < FEWEST_CLUSTERS:
        return f"no interval from {clusters} independent clusters, fewer than {FEWEST_CLUSTERS}"
    return "no interval: undefined in too many resamples"
