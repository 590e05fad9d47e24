"""Controls: surrogates that bound the scale. Any useful surrogate stands between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.files import write_text
from wa_bench.surrogates.estimator import Estimator

_STATE = "means.json"


@dataclass
class Constant(Estimator):
    """Predicts the mean of each target over the training set: what knowing nothing of the design is worth."""

    name = "constant"
    title = "Constant (training mean)"
    method = "Answers with the mean of each target over the training set. A control: the floor of the scale."
    control = True

    def __post_init__(self) -> None:
        self._means: dict[str, float] = {}

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
        means = train.truth().select(pl.col(train.track.target_names).mean())
        self._means = means.row(0, named=True)

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        return [pl.Series(name, [self._means[name]] * frame.height, dtype=pl.Float64) for name in targets]

    def _write_state(self, folder: Path) -> None:
        write_text(folder / _STATE, json.dumps(self._means, indent=2) + "\n")

    def _read_state(self, folder: Path) -> None:
        self._means = msgspec.json.decode((folder / _STATE).read_bytes(), type=dict[str, float])


@dataclass
class Oracle(Estimator):
    """Answers with the truth itself: proves that the judge gives full marks where they are due."""

    name = "oracle"
    title = "Oracle (the truth itself)"
    method = "Answers with the truth of each design. A control: it shows that the judge gives full marks."
    control = True
    needs_training = False
    sees_truth = True

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        return [frame.get_column(name).cast(pl.Float64) for name in targets]
