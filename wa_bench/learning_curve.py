"""Learning curves: what a surrogate is worth by the number of designs that it learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, NotFittedError
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Settings
from wa_bench.surrogates.conformal import LEVEL, coverage
from wa_bench.surrogates.estimator import Estimator, surrogate


class Held(TypedDict):
    """How often intervals hold the truth of a target: share of all designs, median width on the logarithm, by strategy.

    A width of zero says that most intervals are points, for designs that the surrogate is exact for.
    """

    coverage: float
    width: float
    strategies: dict[str, float]


@dataclass(frozen=True)
class Point:
    """A surrogate and its scores.

    Attributes:
        share: of the training set.
        designs: that it learned from.
        folder: where it is saved.
        scores: by split and metric (those that rank), the mean over the targets.
        held: how often its 90 % intervals hold the truth, see :func:`held`.
    """

    share: float
    designs: int
    folder: Path
    scores: dict[str, dict[str, float | None]]
    held: dict[str, dict[str, Held]]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "folder": str(self.folder)}


def learning_curve(
    name: str,
    settings: Mapping[str, Any],
    train: Dataset,
    val: Dataset,
    exam: Dataset,
    folders: Mapping[Path, float],
) -> list[Point]:
    """Fit a surrogate to shares of the training set, save each to its folder, and score each on the exam.

    A smaller share is part of a larger one. An interrupted fit goes on where its folder holds a checkpoint.

    Raises:
        DataError: a folder holds another surrogate, or this one with other settings.
    """
    points = []
    for folder in folders:
        surrogate(name, **settings).require_place(folder)
    for folder, share in folders.items():
        some = part(train, share)
        model = surrogate(name, **settings).fit(some, val, work=folder)
        model.save(folder)
        report = evaluate(model.predict(exam), exam, Settings(resamples=0))
        metrics = (exam.track.rank_by, exam.track.tie_breaker)
        scores = {split: {metric: report.mean(metric, split) for metric in metrics} for split in exam.splits}
        points.append(Point(share, some.truth().height, folder, scores, held(model, exam)))
    return points


def held(model: Estimator, exam: Dataset) -> dict[str, dict[str, Held]]:
    """By split and target, how often the surrogate's intervals of level ``LEVEL`` hold the truth.

    Empty where the surrogate has no intervals for them.
    """
    try:
        intervals = model.interval(exam, LEVEL)
    except (NotFittedError, DataError):
        return {}
    found: dict[str, dict[str, Held]] = {}
    for row in coverage(intervals, exam).iter_rows(named=True):
        of_targets = found.setdefault(row["split"], {})
        of_targets[row["target"]] = Held(coverage=row["coverage"], width=row["width"], strategies={})
    for row in coverage(intervals, exam, ("split", "strategy")).iter_rows(named=True):
        found[row["split"]][row["target"]]["strategies"][row["strategy"]] = row["coverage"]
    return found


def part(train: Dataset, share: float, seed: int = 0) -> Dataset:
    """A share of the designs, drawn by their ids: the same ones for the same seed, and all of a smaller share."""
    if share >= 1:
        return train
    ids = train.sample_ids().unique().sort()
    drawn = np.random.default_rng(seed).permutation(len(ids))[: max(1, round(share * len(ids)))]
    return train.select(pl.col("sample_id").is_in(ids.gather(drawn).implode()))
