"""Nearest neighbour: the answer of the training design that is most alike. A baseline without a model of hardware."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.surrogates import features
from wa_bench.surrogates.arrays import read_arrays, write_arrays
from wa_bench.surrogates.distance import References
from wa_bench.surrogates.estimator import Estimator
from wa_bench.surrogates.pieces import learnable

_STATE = "designs.safetensors"


@dataclass
class Nearest(Estimator):
    """Figures of the training design at the smallest distance over standardized :func:`features.designs`."""

    name = "nearest"
    title = "Nearest neighbour"
    method = (
        "Answers with the figures of the training design at the smallest Euclidean distance over standardized physics "
        "features of the design. No model of hardware beyond the features."
    )

    def __post_init__(self) -> None:
        self._designs: References | None = None
        self._figures = np.empty((0, 0))

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
        targets = train.track.target_names
        parts = [(features.designs(rows).to_numpy(), rows.select(targets).to_numpy()) for rows in learnable(train)]
        self._designs = References.of(np.concatenate([part for part, _ in parts]))
        self._figures = np.concatenate([figures for _, figures in parts])

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        assert self._designs is not None  # noqa: S101
        rows, _ = self._designs.nearest(features.designs(frame).to_numpy())
        return [pl.Series(name, self._figures[rows, place]) for place, name in enumerate(targets)]

    def _write_state(self, folder: Path) -> None:
        write_arrays(folder / _STATE, {**vars(self._designs), "figures": self._figures})

    def _read_state(self, folder: Path) -> None:
        arrays, _ = read_arrays(folder / _STATE)
        self._figures = arrays.pop("figures")
        self._designs = References(**arrays)
