"""The evaluator: predictions and a dataset in, a report out."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import Fault, PredictionsError
from wa_bench.evaluation.influence import Influence, Pools
from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.report import DESIGN, MEAN, Report, Settings, prediction_column
from wa_bench.evaluation.resampling import Pair, Resamples
from wa_bench.evaluation.scoring import Scored, score
from wa_bench.tracks.track import Exam, Track


def evaluate(predictions: Predictions, dataset: Dataset, settings: Settings | None = None) -> Report:
    """Score ``predictions`` on every exam split of ``dataset``.

    Truth is taken from designs that have every target; a design without prediction lowers the coverage and enters no
    metric; designs that share an id share its answer. Intervals resample clusters of related designs (``Exam.alike``);
    equal settings and truth give every set of predictions the same resamples, so that they can be compared in pairs.

    Raises:
        PredictionsError: predictions of designs that the dataset does not hold, or of other targets.
        UnknownNameError: the dataset holds no split that the track scores.
    """
    settings = settings or Settings()
    track = dataset.track
    exams = [exam for exam in track.exams if exam.split in dataset.splits]
    if predictions.targets != track.target_names:
        expected, found = ", ".join(track.target_names), ", ".join(predictions.targets)
        raise PredictionsError(Fault(predictions.origin, f"the targets {expected} of track {track.name}", found))
    truth = dataset.exam()
    predictions.check_ids(dataset.sample_ids())
    samples = with_predictions(truth, predictions)
    with threadpool_limits(1, user_api="blas"):
        scored = [score_exam(samples.filter(pl.col("split") == exam.split), track, exam, settings) for exam in exams]
    rows = pl.concat([rows for rows, _ in scored])
    influences = [influence for _, some in scored for influence in some]
    return Report(track, rows, samples.drop("cluster", "stratum"), dataset.fingerprint(), settings, influences)


def with_predictions(truth: pl.DataFrame, predictions: Predictions) -> pl.DataFrame:
    """``Dataset.exam`` with a column more for each prediction, null where there is none."""
    columns = {name: prediction_column(name) for name in predictions.targets}
    return truth.join(predictions.frame().rename(columns), on="sample_id", how="left", maintain_order="left")


def score_exam(
    samples: pl.DataFrame, track: Track, exam: Exam, settings: Settings
) -> tuple[pl.DataFrame, list[Influence]]:
    """Rows of one exam, and the influence of its clusters on each.

    Args:
        samples: ``Dataset.exam`` of the exam's split, with the predictions in their columns.
        track: whose metrics and targets are scored.
        exam: whose groups are scored.
        settings: of the intervals.
    """
    clusters, strata = (samples.get_column(name).to_numpy() for name in ("cluster", "stratum"))
    seed = (settings.seed, crc32(exam.split.encode()))
    resamples = Resamples(clusters, strata, settings.resamples, seed)
    pools = Pools(resamples.strata, seed)
    metrics = [parse_metric(name) for name in track.metrics]
    pairs = {name: _pair(samples, name) for name in track.target_names}
    answered = ~np.isnan([prediction for _, prediction in pairs.values()]).any(axis=0)
    rows, influences = [], []
    for group in exam.groups:
        chosen = np.ones(samples.height, dtype=bool)
        if group.column is not None:
            chosen = (samples.get_column(group.column) == group.value).fill_null(value=False).to_numpy()
        places = np.flatnonzero(chosen & answered)
        sample = resamples.of(places)
        scored = score(
            metrics, {name: (y[places], p[places]) for name, (y, p) in pairs.items()}, sample, settings.level
        )
        about = {"split": exam.split, "group": group.name, "designs": int(chosen.sum()), "answered": len(places)}
        for row, place, target in _cells(metrics, track):
            rows.append({**about, **_cell(scored, row, place), "target": target, "metric": track.metrics[row]})
            rows[-1]["clusters"] = sample.clusters
            influences.append(pools.pooled(scored.influences[row, place], sample.present))
    return pl.DataFrame(rows, schema=Report.SCHEMA), influences


def _pair(samples: pl.DataFrame, target: str) -> Pair:
    """Truth and prediction (n,) of a target; NaN without a prediction."""
    prediction = samples.get_column(prediction_column(target)).fill_null(np.nan)
    return samples.get_column(target).to_numpy(), prediction.to_numpy()


def layout(track: Track) -> list[tuple[str, str, str, str]]:
    """Split, group, target and metric of each row of a report on all exams of a track."""
    cells = _cells([parse_metric(name) for name in track.metrics], track)
    return [
        (exam.split, group.name, target, track.metrics[row])
        for exam in track.exams
        for group in exam.groups
        for row, _, target in cells
    ]


def _cells(metrics: list[Metric], track: Track) -> list[tuple[int, int, str]]:
    """Row, column and name of the values that ``Scored`` holds and a report shows."""
    return [
        (row, place, target)
        for row, metric in enumerate(metrics)
        for place, target in enumerate((*track.target_names, DESIGN if metric.joint else MEAN))
        if target == DESIGN or (metric.averages if target == MEAN else not metric.joint)
    ]


def _cell(scored: Scored, row: int, place: int) -> dict[str, Any]:
    """Value, interval and reason."""
    low, high = scored.bounds[row, place]
    return {
        "value": _number(scored.values[row, place]),
        "low": _number(low),
        "high": _number(high),
        "undefined": scored.reasons[row][place],
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
