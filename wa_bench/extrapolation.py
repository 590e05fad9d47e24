"""Extrapolation: what a surrogate is worth on networks unlike all that it learned from.

The constants of the analytic rules were fitted on all families and depths of opensynth's train split, so what builds on
these rules has seen something of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, Fault
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import Settings
from wa_bench.surrogates.estimator import Estimator, fitted


@dataclass(frozen=True)
class Unseen:
    """Networks that are left out of training and asked for afterwards.

    Attributes:
        name: what they are, such as ``family conv1d``.
        chosen: whether a record is one of them.
    """

    name: str
    chosen: pl.Expr


@dataclass(frozen=True)
class Scores:
    """Scores on the networks asked for; a score that no target defines is None.

    Attributes:
        means: by metric (those that rank), the mean over the targets.
        worst: the target with the worst score by the first of them.
        lowest: that score.
    """

    means: dict[str, float | None]
    worst: str | None
    lowest: float | None


@dataclass(frozen=True)
class Trial:
    """A surrogate on networks that it saw the like of, and on the same ones when it did not.

    Attributes:
        unseen: what was left out.
        asked: designs that were scored.
        learned: designs that the surrogate learned from, ordinarily.
        learned_without: when they were left out.
        ordinary: scores of the surrogate that learned from all families and depths.
        without: scores of the one that did not see the like.
    """

    unseen: str
    asked: int
    learned: int
    learned_without: int
    ordinary: Scores
    without: Scores

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def families(dataset: Dataset) -> list[Unseen]:
    """Each family of the designs, left out in its turn."""
    names = dataset.frame().select(pl.col("family").unique().sort()).collect().get_column("family")
    return [Unseen(f"family {name}", pl.col("family") == name) for name in names]


def deeper(layers: int) -> Unseen:
    """Networks with more than so many layers with weights (dense and convolution layers)."""
    weighted = pl.col("layers").list.eval(pl.element().struct.field("units").is_not_null()).list.sum()
    return Unseen(f"deeper than {layers} layers", weighted > layers)


def extrapolate(
    name: str,
    settings: Mapping[str, Any],
    train: Dataset,
    val: Dataset,
    exam: Dataset,
    unseen: Sequence[Unseen],
    folder: Path,
) -> list[Trial]:
    """Fit a surrogate once to everything and once without each of ``unseen``, and score both on those.

    What is left out of training is left out of validation too. Fewer designs to learn from cost something by
    themselves: a learning curve says how much.

    Args:
        name: of the surrogate.
        settings: of the surrogate.
        train: designs to learn from.
        val: designs to watch.
        exam: designs of an exam split.
        unseen: what to leave out, each in its turn.
        folder: receives a saved surrogate for each; those that are there already are taken.

    Raises:
        DataError: nothing of some of ``unseen`` is in the exam, or nothing else in the training set: all of them.
    """
    parts = [(each, train.select(~each.chosen), exam.select(each.chosen)) for each in unseen]
    counts = [(some.truth().height, asked.truth().height) for _, some, asked in parts]
    faults = [
        Fault(f"networks to leave out, {each.name}", "designs to score, and others to learn from", found)
        for (each, _, _), (some, asked) in zip(parts, counts, strict=True)
        if not (some and asked)
        for found in [f"{asked} to score, {some} to learn from"]
    ]
    if faults:
        raise DataError(*faults)
    ordinary = fitted(name, settings, train, val, folder / "ordinary")
    learned = train.truth().height
    trials = []
    for (each, some, asked), (learned_without, count) in zip(parts, counts, strict=True):
        work = folder / f"without {each.name}".replace(" ", "-")
        model = fitted(name, settings, some, val.select(~each.chosen), work)
        scores = scored(ordinary, asked), scored(model, asked)
        trials.append(Trial(each.name, count, learned, learned_without, *scores))
    return trials


def scored(model: Estimator, asked: Dataset) -> Scores:
    """Scores on designs of one exam split."""
    report = evaluate(model.predict(asked), asked, Settings(resamples=0))
    track = asked.track
    means = {metric: report.mean(metric) for metric in (track.rank_by, track.tie_breaker)}
    known = {name: score for name in track.target_names if (score := report[f"{track.rank_by}@{name}"]) is not None}
    badness = parse_metric(track.rank_by).badness
    worst = max(known, key=lambda name: badness(known[name]), default=None)
    return Scores(means, worst, None if worst is None else known[worst])
