"""All metrics of one set of designs: values, intervals, and the influence of each cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wa_bench.evaluation import intervals
from wa_bench.evaluation.metrics import NO_DESIGN, Floats, Metric, QuantileMetric, Scale, SumMetric
from wa_bench.evaluation.resampling import Pair, Sample

Pairs = dict[str, Pair]
"""Truth and prediction (n,) of each target."""


class Scored(NamedTuple):
    """Arrays over metrics and targets: (metrics, targets + 1, ...).

    The last column is the mean over the targets, or of a joint metric its only value.

    Attributes:
        values: NaN where undefined.
        reasons: why a value is undefined, or why it has no interval.
        bounds: (..., 2) interval, NaN where there is none.
        influences: (..., clusters) of the sample's clusters on the value, on the metric's scale; NaN where unknown.
    """

    values: Floats
    reasons: list[list[str | None]]
    bounds: Floats
    influences: Floats


def score(metrics: Sequence[Metric], pairs: Pairs, sample: Sample, level: float) -> Scored:
    """Metrics of truth and prediction of each target, with intervals from the resamples of ``sample``."""
    shape = (len(metrics), len(pairs) + 1)
    values, bounds = np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    influences = np.full((*shape, sample.clusters), np.nan)
    for part in (_score_sums, _score_quantiles, _score_joint) if sample.clusters else ():
        rows, found = part(metrics, pairs, sample, level)
        values[rows], bounds[rows], influences[rows] = found.values, found.bounds, found.influences
    alike = (influences == 0).all(axis=2) & ~np.isnan(values)
    bounds[alike] = np.nan
    if intervals.too_few(sample):
        bounds[:], influences[:] = np.nan, np.nan
    return Scored(values, _reasons(metrics, values, bounds, alike, sample), bounds, influences)


def _reasons(
    metrics: Sequence[Metric], values: Floats, bounds: Floats, alike: NDArray[np.bool_], sample: Sample
) -> list[list[str | None]]:
    reasons: list[list[str | None]] = [[None] * values.shape[1] for _ in metrics]
    for row, place in zip(*np.nonzero(np.isnan(values)), strict=True):
        whole = place == values.shape[1] - 1 and not metrics[row].joint
        why = "undefined for every target" if whole else metrics[row].undefined
        reasons[row][place] = why if sample.clusters else NO_DESIGN
    if sample.size:
        for row, place in zip(*np.nonzero(np.isnan(bounds).any(axis=2) & ~np.isnan(values)), strict=True):
            if intervals.too_few(sample):
                reasons[row][place] = f"no interval from {sample.freedom + 1} independent clusters"
            elif alike[row, place]:
                reasons[row][place] = "no interval: all clusters score alike"
            else:
                reasons[row][place] = "no interval: it hangs on too few clusters"
    return reasons


class _Part(NamedTuple):
    """Some rows of ``Scored``."""

    values: Floats
    bounds: Floats
    influences: Floats


def _score_sums(metrics: Sequence[Metric], pairs: Pairs, sample: Sample, level: float) -> tuple[list[int], _Part]:
    chosen = {row: metric for row, metric in enumerate(metrics) if isinstance(metric, SumMetric) and not metric.joint}
    shape = (len(chosen), len(pairs) + 1)
    if not chosen:
        return [], _Part(np.empty(shape), np.empty((*shape, 2)), np.empty((*shape, sample.clusters)))
    found = [array.swapaxes(0, 1) for array in sample.sum_metrics(list(chosen.values()), list(pairs.values()))]
    scales = [metric.scale for metric in chosen.values() for _ in range(shape[1])]
    values, draws, left_out = (
        _with_mean(array, found[0][..., 0]).reshape(len(scales), array.shape[2]) for array in found
    )
    bounds, influences = _studentized(values, draws, left_out, scales, sample, level)
    return list(chosen), _Part(values.reshape(shape), bounds.reshape(*shape, 2), influences.reshape(*shape, -1))


def _score_joint(metrics: Sequence[Metric], pairs: Pairs, sample: Sample, level: float) -> tuple[list[int], _Part]:
    chosen = {row: metric for row, metric in enumerate(metrics) if isinstance(metric, SumMetric) and metric.joint}
    shape = (len(chosen), len(pairs) + 1)
    part = _Part(np.full(shape, np.nan), np.full((*shape, 2), np.nan), np.full((*shape, sample.clusters), np.nan))
    for place, metric in enumerate(chosen.values()):
        truths, predictions = zip(*(pairs[name] for name in metric.joint), strict=True)
        pair = np.column_stack(truths), np.column_stack(predictions)
        values, draws, left_out = (found[0] for found in sample.sum_metrics([metric], [pair]))
        part.values[place, -1] = values.item()
        bounds, influences = _studentized(values, draws, left_out, [metric.scale], sample, level)
        part.bounds[place, -1], part.influences[place, -1] = bounds[0], influences[0]
    return list(chosen), part


def _studentized(
    values: Floats, draws: Floats, left_out: Floats, scales: list[Scale], sample: Sample, level: float
) -> tuple[Floats, Floats]:
    """Intervals (k, 2) and influences (k, clusters) of values (k, 1).

    A value at the end of its scale is at the end whichever cluster is left out: nothing moves it.
    """
    with np.errstate(all="ignore"):
        there = np.array([scale.there(value) for scale, value in zip(scales, values, strict=True)])
        left = np.array([scale.there(some) for scale, some in zip(scales, left_out, strict=True)])
        moved = np.where(np.isinf(there) & (left == there), 0, there - left)
        moved = np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, np.nan)
        influences = sample.centred(moved)
    return intervals.studentized(values[:, 0], draws, influences, scales, sample, level), influences


def _score_quantiles(metrics: Sequence[Metric], pairs: Pairs, sample: Sample, level: float) -> tuple[list[int], _Part]:
    rows = [row for row, metric in enumerate(metrics) if isinstance(metric, QuantileMetric)]
    shape = (len(metrics), len(pairs))
    values, draws = np.full(shape, np.nan), np.full((*shape, sample.size), np.nan)
    influences = np.zeros((*shape, sample.clusters))
    wanted = {}
    for kind in QuantileMetric.__subclasses__():
        chosen = {row: metric.q for row, metric in enumerate(metrics) if isinstance(metric, kind)}
        for place, pair in enumerate(pairs.values() if chosen else ()):
            wanted[place, kind] = kind.errors(*pair), chosen
    found = sample.quantiles([(errors, list(chosen.values())) for errors, chosen in wanted.values()])
    for (place, _), (errors, chosen), (value, drawn) in zip(wanted, wanted.values(), found, strict=True):
        values[list(chosen), place], draws[list(chosen), place] = value, drawn
        for (row, q), some in zip(chosen.items(), drawn, strict=True):
            influences[row, place] = sample.quantile_influence(errors, q, values[row, place], some)
    values, draws, influences = (_with_mean(array[rows], values[rows]) for array in (values, draws, influences))
    bounds = intervals.percentile(values.ravel(), draws.reshape(values.size, sample.size), level, sample)
    return rows, _Part(values, bounds.reshape(*values.shape, 2), influences)


def _with_mean(found: Floats, values: Floats) -> Floats:
    """(metrics, targets, ...) with the mean over the targets whose values (metrics, targets) are defined."""
    defined = ~np.isnan(values).reshape(values.shape + (1,) * (found.ndim - values.ndim))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(defined, found, 0).sum(axis=1, keepdims=True) / defined.sum(axis=1, keepdims=True)
    return np.concatenate([found, mean], axis=1)
