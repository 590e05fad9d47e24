"""Learning curves: what a surrogate is worth by the number of designs that it learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, NotFittedError
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Settings
from wa_bench.surrogates.conformal import LEVEL, coverage
from wa_bench.surrogates.estimator import Estimator, surrogate


@dataclass(frozen=True)
class Point:
    """A surrogate and its scores.

    Attributes:
        share: of the training set.
        designs: that it learned from.
        folder: where it is saved.
        scores: by split and metric (those that rank), the mean over the targets.
        held: by split and target, the share of designs whose truth lies in the surrogate's 90 % interval; empty
            without intervals.
    """

    share: float
    designs: int
    folder: Path
    scores: dict[str, dict[str, float | None]]
    held: dict[str, dict[str, float]]

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
    """
    points = []
    for folder, share in folders.items():
        some = part(train, share)
        model = surrogate(name, **settings).fit(some, val, work=folder)
        model.save(folder)
        report = evaluate(model.predict(exam), exam, Settings(resamples=0))
        metrics = (exam.track.rank_by, exam.track.tie_breaker)
        scores = {split: {metric: report.mean(metric, split) for metric in metrics} for split in exam.splits}
        points.append(Point(share, some.truth().height, folder, scores, held(model, exam)))
    return points


def held(model: Estimator, exam: Dataset) -> dict[str, dict[str, float]]:
    """By split and target, the share of designs whose truth lies in the surrogate's interval of level ``LEVEL``.

    Empty where the surrogate has no intervals for them.
    """
    try:
        shares = coverage(model.interval(exam, LEVEL), exam)
    except (NotFittedError, DataError):
        return {}
    return {
        str(split): dict(part.select("target", "coverage").iter_rows())
        for (split,), part in shares.partition_by("split", as_dict=True, maintain_order=True).items()
    }


def part(train: Dataset, share: float, seed: int = 0) -> Dataset:
    """A share of the designs, drawn by their ids: the same ones for the same seed, and all of a smaller share."""
    if share >= 1:
        return train
    ids = train.sample_ids().unique().sort()
    drawn = np.random.default_rng(seed).permutation(len(ids))[: max(1, round(share * len(ids)))]
    return train.select(pl.col("sample_id").is_in(ids.gather(drawn).implode()))
