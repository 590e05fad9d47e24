"""Conformal intervals: how far off a surrogate may be, as measured on designs that it did not learn from.

Split conformal prediction (Papadopoulos et al., ECML 2002; Lei et al., JASA 2018), on the logarithm: the score of a
validation design is ``|log1p(y) - log1p(p)| / difficulty``, and the interval of a new design is all values whose score
is at most the ``ceil((n + 1) level)``-th smallest of the ``n`` scores. It holds the truth of a share ``level`` of
designs drawn like the validation set, whatever the surrogate; of other designs it promises nothing. So the difficulty
grows with the distance from the training set,

    difficulty = 1 + weight * distance / (median distance of the validation set),

where the distance is that of the nearest of some training designs, over standardized :func:`features.designs`, and
the weight, one of ``_WEIGHTS`` for each target, is that which makes the intervals of the validation set narrowest, by
the mean of the logarithm of their widths: the arithmetic mean would leave the hard designs short.
Where a surrogate is exact for more designs than the level asks for, the intervals are points, and hold the truth of
all those designs, not of a share.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from wa_bench.data.dataset import Dataset
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

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conformal:
    """What intervals are made of.

    Attributes:
        scores: (validation designs, targets), each column in rising order.
        weights: (targets,) of the distance.
        typical: (1,) median distance of the validation designs.
        points, mean, spread: of the training designs that distances are taken to (:class:`References`).
        tools: synthesis tools of the validation designs; of designs of others the intervals say nothing.
    """

    scores: Floats
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
        designs = truth.select("sample_id").join(_design_features(val), on="sample_id", maintain_order="left")
        distances = references.nearest(designs.drop("sample_id").to_numpy())[1].astype(np.float64)
        answers = truth.select("sample_id").join(predictions.frame(), on="sample_id", maintain_order="left")
        targets = val.track.target_names
        errors = np.abs(_logs(truth, targets) - _logs(answers, targets))
        return cls.calibrated(errors, distances, references, tools(val))

    @classmethod
    def calibrated(
        cls, errors: Floats, distances: Floats, references: References, of_tools: tuple[str, ...] = ()
    ) -> Self:
        """From errors (designs, targets) on the logarithm and distances (designs,) of validation designs."""
        typical = float(np.median(distances)) or 1.0
        difficulties = [1 + weight * distances / typical for weight in _WEIGHTS]
        widths = [
            np.exp(np.log(difficulty).mean()) * np.quantile(errors / difficulty[:, None], LEVEL, axis=0)
            for difficulty in difficulties
        ]
        weights = np.array(_WEIGHTS)[np.argmin(widths, axis=0)]
        scores = np.sort(errors / (1 + weights * distances[:, None] / typical), axis=0)
        return cls(scores, weights, np.array([typical]), **vars(references), tools=of_tools)

    def radius(self, distances: Floats, level: float) -> Floats:
        """Half the width (designs, targets) of intervals on the logarithm, at some distances (designs,).

        Raises:
            DataError: the level is no share, or validation designs are too few for it.
        """
        count = len(self.scores)
        place = ceil((count + 1) * level) if 0 < level < 1 else 0
        if not 0 < place <= count:
            needed = f"a share from 0 to 1 that {count} validation designs can tell, at most {count / (count + 1):.4g}"
            raise DataError(Fault("level", needed, f"{level:g}"))
        radius: Floats = self.scores[place - 1] * (1 + self.weights * distances[:, None] / self.typical)
        return radius

    def intervals(self, predictions: Predictions, dataset: Dataset, level: float) -> pl.DataFrame:
        """Intervals around predictions of a dataset: ``sample_id``, ``<target>_low``, ``<target>_high``.

        Raises:
            DataError: designs of a tool that no validation design was of, or as of :meth:`radius`.
        """
        if strangers := set(tools(dataset)) - set(self.tools):
            measured, found = (" and ".join(sorted(names)) for names in (self.tools, strangers))
            remedy = "predict without intervals, or train and validate on such designs"
            raise DataError(Fault("intervals", f"designs of {measured}, which they were measured on", found, remedy))
        described = _design_features(dataset).unique("sample_id", keep="first", maintain_order=True)
        answers = predictions.frame()
        designs = answers.select("sample_id").join(described, on="sample_id", maintain_order="left")
        references = References(self.points, self.mean, self.spread)
        distances = references.nearest(designs.drop("sample_id").to_numpy())[1].astype(np.float64)
        radius = self.radius(distances, level)
        logs = _logs(answers, predictions.targets)
        low, high = np.expm1(logs - radius).clip(min=0), np.expm1(logs + radius)
        columns = {
            f"{name}_{end}": values[:, place]
            for place, name in enumerate(predictions.targets)
            for end, values in (("low", low), ("high", high))
        }
        return pl.DataFrame({"sample_id": answers.get_column("sample_id"), **columns})

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
        return cls(**arrays, tools=msgspec.json.decode(about, type=tuple[str, ...]))


def coverage(intervals: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """How often intervals hold the truth, by split and target.

    Returns:
        ``split``, ``target``, ``designs``, ``coverage`` (share), ``error`` (its binomial standard error), and
        ``width``, the median of ``log1p(high) - log1p(low)``.
    """
    truth = dataset.truth()
    joined = truth.join(intervals, on="sample_id", how="inner")
    rows = []
    for (split,), part in joined.partition_by("split", as_dict=True, maintain_order=True).items():
        for name in dataset.track.target_names:
            low, high, value = (part.get_column(column).to_numpy() for column in (f"{name}_low", f"{name}_high", name))
            share = float(np.mean((low <= value + _TOLERANCE) & (value <= high + _TOLERANCE)))
            width = float(np.median(np.log1p(high) - np.log1p(low)))
            error = sqrt(share * (1 - share) / part.height)
            rows.append((split, name, part.height, share, error, width))
    return pl.DataFrame(rows, schema=["split", "target", "designs", "coverage", "error", "width"], orient="row")


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


def _logs(frame: pl.DataFrame, targets: tuple[str, ...]) -> Floats:
    return frame.select(pl.col(targets).clip(lower_bound=0).log1p()).to_numpy()
