"""Conformal intervals: how far off a surrogate may be, as measured on designs that it did not learn from.

Split conformal prediction (Papadopoulos et al., ECML 2002; Lei et al., JASA 2018), on the logarithm: the score of a
validation design is ``|log1p(y) - log1p(p)| / difficulty``, and the interval of a new design is all values whose score
is at most the ``ceil((n + 1) level)``-th smallest of the ``n`` scores. It holds the truth of a share ``level`` of
designs drawn like the validation set, whatever the surrogate; of other designs it promises nothing.

The promise is kept for each group by itself (Vovk, ACML 2012), as one quantile over all would leave the few designs of
a hard kind without: a group of a target is the designs of one strategy for which the analytic rules claim to be exact,
or do not. Where a group has too few validation designs for the level, the designs of all strategies with the same
claim speak for it, then all designs; its interval is never narrower than its own largest score.

The difficulty grows with the distance from the training set,

    difficulty = 1 + weight * distance / (median distance of the validation set),

where the distance is that of the nearest of some training designs, over standardized :func:`features.designs`, and
the weight, one of ``_WEIGHTS`` for each target, is that which makes the intervals of the validation set narrowest, by
the mean of the logarithm of their widths: the arithmetic mean would leave the hard designs short.
Where a surrogate is exact for more designs than the level asks for, the intervals are points, and hold the truth of
all those designs, not of a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from wa_bench.data.dataset import Dataset, targets_of
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault
from wa_bench.surrogates import features
from wa_bench.surrogates.arrays import read_arrays, write_arrays
from wa_bench.surrogates.distance import References
from wa_bench.surrogates.pieces import pieces, tools

INTERVALS_FILE = "intervals.safetensors"
_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
_REFERENCES = 4096
"""Training designs that distances are taken to, at most."""
LEVEL = 0.9
"""The usual level, at which the weights are chosen."""
_STRATEGIES = ("latency", "resource", "distributed_arithmetic")
_NO_GROUP = 255
_LEAST = {"interval_max": 1.0}
"""What a figure of any design is at least, where that is not zero."""

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Conformal:
    """What intervals are made of.

    Attributes:
        scores: (validation designs, targets).
        groups: (validation designs, targets), as of :func:`groups_of`.
        weights: (targets,) of the distance.
        typical: (1,) median distance of the validation designs.
        points, mean, spread: of the training designs that distances are taken to (:class:`References`).
        tools: synthesis tools of the validation designs; of designs of others the intervals say nothing.
    """

    scores: Floats
    groups: Groups
    weights: Floats
    typical: Floats
    points: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]
    tools: tuple[str, ...]

    @classmethod
    def measured(cls, predictions: Predictions, val: Dataset, train: Dataset) -> Self | None:
        """From the errors of predictions of ``val``; none if no design of it has every target."""
        truth = val.truth().unique("sample_id", keep="first", maintain_order=True)
        if truth.is_empty():
            return None
        references = References.of(_design_features(_sampled(train)).drop("sample_id").to_numpy())
        distances = _distances(references, val, truth)
        answers = truth.select("sample_id").join(predictions.frame(), on="sample_id", maintain_order="left")
        targets = val.track.target_names
        errors = np.abs(_logs(truth, targets) - _logs(answers, targets))
        return cls.calibrated(errors, groups_of(val, truth), distances, references, tools(val))

    @classmethod
    def calibrated(
        cls,
        errors: Floats,
        groups: Groups,
        distances: Floats,
        references: References,
        of_tools: tuple[str, ...] = (),
    ) -> Self:
        """From errors on the logarithm and groups (designs, targets) and distances (designs,) of validation designs."""
        typical = float(np.median(distances)) or 1.0
        difficulties = [1 + weight * distances / typical for weight in _WEIGHTS]
        widths = [
            np.exp(np.log(difficulty).mean()) * np.quantile(errors / difficulty[:, None], LEVEL, axis=0)
            for difficulty in difficulties
        ]
        weights = np.array(_WEIGHTS)[np.argmin(widths, axis=0)]
        scores = errors / (1 + weights * distances[:, None] / typical)
        return cls(scores, groups, weights, np.array([typical]), **vars(references), tools=of_tools)

    def radius(self, groups: Groups, distances: Floats, level: float) -> Floats:
        """Half the width of intervals on the logarithm of designs of some groups, at some distances (designs,).

        Both groups and widths are (designs, targets).

        Raises:
            DataError: the level is no share, or validation designs are too few for it.
        """
        count = len(self.scores)
        if not (0 < level < 1 and ceil((count + 1) * level) <= count):
            needed = f"a share from 0 to 1 that {count} validation designs can tell, at most {count / (count + 1):.4g}"
            raise DataError(Fault("level", needed, f"{level:g}"))
        return bounds(self.scores, self.groups, groups, level) * (1 + self.weights * distances[:, None] / self.typical)

    def intervals(self, predictions: Predictions, dataset: Dataset, level: float) -> pl.DataFrame:
        """Intervals around predictions of a dataset: ``sample_id``, ``<target>_low``, ``<target>_high``.

        Raises:
            DataError: designs of a tool that no validation design was of, or as of :meth:`radius`.
        """
        if strangers := set(tools(dataset)) - set(self.tools):
            measured, found = (" and ".join(sorted(names)) for names in (self.tools, strangers))
            remedy = "predict without intervals, or train and validate on such designs"
            raise DataError(Fault("intervals", f"designs of {measured}, which they were measured on", found, remedy))
        answers = predictions.frame()
        distances = _distances(References(self.points, self.mean, self.spread), dataset, answers)
        return around(answers, predictions.targets, self.radius(groups_of(dataset, answers), distances, level))

    def save(self, folder: Path) -> None:
        """Write to a file of the folder, whole or not at all."""
        arrays = {name: value for name, value in vars(self).items() if name != "tools"}
        write_arrays(folder / INTERVALS_FILE, arrays, msgspec.json.encode(self.tools).decode())

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What ``save`` wrote to the folder, if it did.

        Raises:
            ValueError, TypeError, MsgspecError: the file is damaged.
        """
        if not (folder / INTERVALS_FILE).exists():
            return None
        arrays, about = read_arrays(folder / INTERVALS_FILE)
        if "groups" not in arrays:  # of a version that had none
            arrays["groups"] = np.full(arrays["scores"].shape, _NO_GROUP, np.uint8)
        return cls(**arrays, tools=msgspec.json.decode(about, type=tuple[str, ...]))


def groups_of(dataset: Dataset, asked: pl.DataFrame) -> Groups:
    """Groups (designs, targets) of the designs whose ``sample_id`` is asked for: intervals are made for each by itself.

    A number for the strategy and for whether the analytic rules claim to be exact; if they do, it is odd.
    """
    from wa_bench.surrogates import analytic  # it is a surrogate, which have intervals

    targets = dataset.track.target_names
    strategy = pl.col("strategy").replace_strict(_STRATEGIES, range(len(_STRATEGIES)), default=len(_STRATEGIES))
    described = pl.concat(
        rows.select("sample_id", strategy.alias("_strategy")).hstack(analytic.exactness(rows).select(targets))
        for rows in pieces(dataset.frame())
    ).unique("sample_id", keep="first", maintain_order=True)
    found = asked.select("sample_id").join(described, on="sample_id", maintain_order="left")
    return (
        found.select((2 * pl.col("_strategy") + (pl.col(name) == "exact")).alias(name) for name in targets)
        .to_numpy()
        .astype(np.uint8)
    )


def bounds(scores: Floats, groups: Groups, asked: Groups, level: float) -> Floats:
    """What a share ``level`` of the scores of a design's own groups is at most, (designs, targets).

    Args:
        scores: (known designs, targets).
        groups: (known designs, targets).
        asked: (designs, targets), groups.
        level: share.
    """
    found = np.empty(asked.shape)
    for place in range(asked.shape[1]):
        for group in np.unique(asked[:, place]):
            found[asked[:, place] == group, place] = _bound(scores[:, place], groups[:, place], group, level)
    return found


def _bound(scores: Floats, groups: Groups, group: int, level: float) -> float:
    bound = 0.0
    for pool in (scores[groups == group], scores[groups % 2 == group % 2], scores):
        place = ceil((len(pool) + 1) * level)
        if len(pool):
            bound = max(bound, np.sort(pool)[min(place, len(pool)) - 1])
        if place <= len(pool):
            break
    return bound


def around(answers: pl.DataFrame, targets: Sequence[str], radius: Floats) -> pl.DataFrame:
    """``sample_id``, and ``<target>_low`` and ``<target>_high`` so far from the answers on the logarithm."""
    logs = _logs(answers, targets)
    low, high = np.expm1(logs - radius), np.expm1(logs + radius)
    columns = {}
    for place, name in enumerate(targets):
        least = np.minimum(_LEAST.get(name, 0.0), np.expm1(logs[:, place]))
        columns[f"{name}_low"], columns[f"{name}_high"] = low[:, place].clip(min=least), high[:, place]
    return pl.DataFrame({"sample_id": answers.get_column("sample_id"), **columns})


def coverage(intervals: pl.DataFrame, dataset: Dataset, by: Sequence[str] = ("split",)) -> pl.DataFrame:
    """How often intervals hold the truth, by columns of the records and target.

    Returns:
        The columns of ``by``, ``target``, ``designs``, ``coverage`` (share), ``error`` (its binomial standard error),
        and ``width``, the median of ``log1p(high) - log1p(low)``.
    """
    described = dataset.frame().select("sample_id", *by, *targets_of(dataset.track)).collect()
    joined = described.drop_nulls(dataset.track.target_names).join(intervals, on="sample_id", how="inner")
    rows = []
    for key, part in joined.partition_by(by, as_dict=True, maintain_order=True).items():
        for name in dataset.track.target_names:
            low, high, value = (part.get_column(column).to_numpy() for column in (f"{name}_low", f"{name}_high", name))
            share = float(np.mean((low <= value + _TOLERANCE) & (value <= high + _TOLERANCE)))
            width = float(np.median(np.log1p(high) - np.log1p(low)))
            error = sqrt(share * (1 - share) / part.height)
            rows.append((*key, name, part.height, share, error, width))
    return pl.DataFrame(rows, schema=[*by, "target", "designs", "coverage", "error", "width"], orient="row")


_TOLERANCE = 1e-6
"""Of logarithms and back, in units of the target."""


def _sampled(train: Dataset) -> Dataset:
    """Some designs of the training set, always the same ones."""
    ids = train.sample_ids()
    if len(ids) <= _REFERENCES:
        return train
    places = np.random.default_rng(0).choice(len(ids), _REFERENCES, replace=False)
    return train.select(pl.col("sample_id").is_in(ids.gather(np.sort(places)).implode()))


def _design_features(dataset: Dataset) -> pl.DataFrame:
    """``sample_id`` and :func:`features.designs`."""
    return pl.concat(rows.select("sample_id").hstack(features.designs(rows)) for rows in pieces(dataset.frame()))


def _distances(references: References, dataset: Dataset, asked: pl.DataFrame) -> Floats:
    """From the nearest reference, (designs,), of the designs whose ``sample_id`` is asked for."""
    described = _design_features(dataset).unique("sample_id", keep="first", maintain_order=True)
    designs = asked.select("sample_id").join(described, on="sample_id", maintain_order="left")
    return references.nearest(designs.drop("sample_id").to_numpy())[1].astype(np.float64)


def _logs(frame: pl.DataFrame, targets: Sequence[str]) -> Floats:
    return frame.select(pl.col(targets).clip(lower_bound=0).log1p()).to_numpy()
