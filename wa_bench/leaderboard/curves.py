"""Summaries of a submission's errors, small enough to keep and to draw on a page."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from wa_bench.data.dataset import Dataset
from wa_bench.evaluation.metrics import APE, RPE, Floats, parse_metric, relative_percent_error
from wa_bench.evaluation.report import prediction_column
from wa_bench.tracks.track import Track

GRID = np.geomspace(0.1, 10_000, 81)
"""Absolute percent errors at which the share of designs is given: the same for all submissions."""
_QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
_SIZE_BINS = 12
_LEAST_IN_BIN = 15
_MOST_WORST = 10
_MOST_KEPT = 2000
REUSE = "reuse_factor"


class Curves(NamedTuple):
    """Tables of percent errors, 100 (truth - prediction) / (truth + 1), of the designs answered.

    Attributes:
        cdf: split, target, error (absolute, of ``GRID``), share (percent of the designs that err no more).
        boxes: split, group, target, q05, q25, q50, q75, q95 of the signed error, designs.
        by_size: split, target, at (median truth of a bin), lower, median, upper (quartiles of the absolute error),
            designs. Designs whose truth is zero are a bin of their own.
        by_reuse: the same by requested reuse factor, where the records have one.
    """

    cdf: pl.DataFrame
    boxes: pl.DataFrame
    by_size: pl.DataFrame
    by_reuse: pl.DataFrame


_CDF = {"split": pl.String, "target": pl.String, "error": pl.Float64, "share": pl.Float64}
_BOXES = {
    "split": pl.String,
    "group": pl.String,
    "target": pl.String,
    **dict.fromkeys(_QUANTILES, pl.Float64),
    "designs": pl.Int64,
}
_BINS = {
    "split": pl.String,
    "target": pl.String,
    **dict.fromkeys(("at", "lower", "median", "upper"), pl.Float64),
    "designs": pl.Int64,
}


def curves(samples: pl.DataFrame, track: Track, reuse: pl.DataFrame | None) -> Curves:
    """Summaries of ``Report.samples``; ``reuse`` has sample_id and reuse factor, where the records have one."""
    if not any(isinstance(parse_metric(name), APE | RPE) for name in track.metrics):
        samples = samples.head(0)
    if reuse is not None:
        samples = samples.join(reuse, on="sample_id", how="left", maintain_order="left")
    cdf: list[tuple[object, ...]] = []
    boxes: list[tuple[object, ...]] = []
    by_size: list[tuple[object, ...]] = []
    by_reuse: list[tuple[object, ...]] = []
    for exam in track.exams:
        chosen = samples.filter(pl.col("split") == exam.split)
        members = {
            group.name: (chosen[group.column] == group.value).fill_null(value=False).to_numpy()
            for group in exam.groups
            if group.column is not None
        }
        for name in track.target_names:
            answered = chosen[prediction_column(name)].is_not_null().to_numpy()
            if not answered.any():
                continue
            truth, prediction = (chosen[column].to_numpy()[answered] for column in (name, prediction_column(name)))
            signed = relative_percent_error(truth, prediction)
            size = np.abs(signed)
            within = np.bincount(np.searchsorted(GRID, size), minlength=len(GRID) + 1)
            share = 100 * np.cumsum(within[:-1]) / len(size)
            cdf.extend((exam.split, name, *point) for point in zip(GRID.tolist(), share.tolist(), strict=True))
            for group in exam.groups:
                errors = signed[members[group.name][answered]] if group.name in members else signed
                if len(errors):
                    quantiles = np.quantile(errors, list(_QUANTILES.values())).tolist()
                    boxes.append((exam.split, group.name, name, *quantiles, len(errors)))
            by_size.extend((exam.split, name, *line) for line in _binned(size, truth))
            if REUSE in chosen.columns:
                factors = chosen[REUSE].fill_null(0).to_numpy()[answered].astype(np.float64)
                by_reuse.extend((exam.split, name, *line) for line in _binned(size, factors))
    return Curves(
        pl.DataFrame(cdf, schema=_CDF, orient="row"),
        pl.DataFrame(boxes, schema=_BOXES, orient="row"),
        pl.DataFrame(by_size, schema=_BINS, orient="row"),
        pl.DataFrame(by_reuse, schema=_BINS, orient="row"),
    )


def worst_designs(errors: pl.DataFrame, track: Track) -> pl.DataFrame:
    """The ten designs of each split with the largest error: the mean of the targets' terms of SMAPE (0 to 200).

    Args:
        errors: ``Report.errors``.
        track: whose targets are looked at.

    Returns:
        split, sample_id, error, each target's truth (``lut``) and prediction (``lut_predicted``).
    """
    terms = [f"{name}_smape" for name in track.target_names if f"{name}_smape" in errors.columns]
    shown = [column for name in track.target_names for column in (name, prediction_column(name))]
    if not terms:
        return errors.head(0).select("split", "sample_id", pl.lit(0.0).alias("error"), *shown)
    scored = errors.with_columns(error=pl.mean_horizontal(terms)).drop_nulls("error")
    parts = [
        scored.filter(pl.col("split") == exam.split)
        .sort("error", "sample_id", descending=[True, False])
        .head(_MOST_WORST)
        for exam in track.exams
    ]
    return pl.concat(parts).select("split", "sample_id", "error", *shown)


def small_exams(errors: pl.DataFrame) -> pl.DataFrame:
    """Of ``Report.errors`` the splits of at most 2,000 designs, numbers in single precision."""
    small = errors.filter(pl.len().over("split") <= _MOST_KEPT)
    return small.with_columns(pl.col(pl.Float64).cast(pl.Float32))


def reuse_factors(exam: Dataset) -> pl.DataFrame | None:
    """sample_id and requested reuse factor of the designs; None where the records have none."""
    names = exam.frame().collect_schema().names()
    return exam.frame().select("sample_id", REUSE).collect() if REUSE in names else None


def _binned(errors: Floats, values: Floats) -> list[tuple[float, ...]]:
    """Median value, quartiles of the errors, and number of designs, of each bin of values."""
    return [
        (at, *np.quantile(errors[rows], (0.25, 0.5, 0.75)).tolist(), len(rows)) for at, rows in _bins(values.tobytes())
    ]


@lru_cache(maxsize=64)
def _bins(numbers: bytes) -> list[tuple[float, NDArray[np.intp]]]:
    """Bins of about as many numbers each, in rising order: their median, and which they are.

    Numbers that are few are a bin each, and so is everything that is not above zero. Submissions share the truth, so
    that their bins are found once.
    """
    values = np.frombuffer(numbers)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.diff(ordered, prepend=-np.inf))
    ends = ends[ordered[ends] > 0]
    if len(ends) > _SIZE_BINS:
        bins = np.clip((len(values) - ends[0]) // _LEAST_IN_BIN, 1, _SIZE_BINS)
        wanted = ends[0] + (len(values) - ends[0]) * np.arange(bins) // bins
        ends = np.unique(ends[np.searchsorted(ends, wanted, side="right") - 1])
    return [(float(np.median(values[rows])), rows) for rows in np.split(order, ends) if len(rows)]
