"""The evaluator: predictions and a dataset in, a report out."""

from __future__ import annotations

import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import Fault, PredictionsError, UnknownNameError
from wa_bench.evaluation.metrics import UndefinedMetricError, parse_metric
from wa_bench.evaluation.report import Report, prediction_column
from wa_bench.tracks.track import Exam, Group


def evaluate(predictions: Predictions, dataset: Dataset) -> Report:
    """Score ``predictions`` on every exam split of ``dataset``.

    Truth is taken from designs that have every target; a design without prediction lowers the coverage and
    enters no metric.

    Raises:
        PredictionsError: predictions of designs that the dataset does not hold, or of other targets.
        UnknownNameError: the dataset holds no split that the track scores.
        DataError: a sample id stands for more than one design.
    """
    track = dataset.track
    exams = [exam for exam in track.exams if exam.split in dataset.splits]
    if not exams:
        raise UnknownNameError(f"exam split of track {track.name}", ", ".join(dataset.splits), track.exam_splits)
    if predictions.targets != track.target_names:
        expected, found = ", ".join(track.target_names), ", ".join(predictions.targets)
        raise PredictionsError(Fault(predictions.origin, f"the targets {expected} of track {track.name}", found))
    predictions.check_ids(dataset.sample_ids())
    samples = dataset.truth().join(
        predictions.frame().rename({name: prediction_column(name) for name in track.target_names}),
        on="sample_id",
        how="left",
        maintain_order="left",
    )
    rows = [
        row
        for exam in exams
        for group in exam.groups
        for row in _score_group(samples, track.target_names, track.metrics, exam, group)
    ]
    return Report(track, pl.DataFrame(rows, schema=Report.SCHEMA), samples, dataset.fingerprint())


def _score_group(
    samples: pl.DataFrame, targets: tuple[str, ...], metrics: tuple[str, ...], exam: Exam, group: Group
) -> list[dict[str, object]]:
    chosen = samples.filter(pl.col("split") == exam.split)
    if group.column is not None:
        chosen = chosen.filter(pl.col(group.column) == group.value)
    answered = chosen.drop_nulls([prediction_column(name) for name in targets])
    rows: list[dict[str, object]] = []
    for target in targets:
        truth = answered.get_column(target).to_numpy()
        prediction = answered.get_column(prediction_column(target)).to_numpy()
        for metric in metrics:
            value, reason = None, None
            try:
                value = parse_metric(metric).score(truth, prediction)
            except UndefinedMetricError as error:
                reason = str(error)
            rows.append(
                {
                    "split": exam.split,
                    "group": group.name,
                    "target": target,
                    "metric": metric,
                    "value": value,
                    "undefined": reason,
                    "designs": chosen.height,
                    "answered": answered.height,
                }
            )
    return rows
