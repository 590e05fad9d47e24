"""Several surrogates, weighted for each target by what they are worth on validation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import needs_extra
from wa_bench.files import write_text
from wa_bench.surrogates.estimator import Estimator, available, surrogate

_STATE = "weights.json"

Floats = npt.NDArray[np.float64]


@dataclass
class Ensemble(Estimator):
    """Weighted means of the logarithms ``log1p`` of what the members answer.

    The weights of a target are not negative, sum to one, and make the mean squared error on the logarithm over the
    validation set smallest; so there it is at most that of the best member. Without a validation set they are equal.

    Settings:
        members: surrogates by name, to be fitted with their default settings, or folders of saved ones.
    """

    members: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("analytic", "trees", "gnn", "transformer")

    name = "ensemble"
    title = "Ensemble"
    family = "ensemble"
    method = (
        "Weighted mean of the logarithms of what several surrogates answer; for each target the weights, not negative "
        "and of sum one, that make the squared error on the validation set smallest."
    )

    def __post_init__(self) -> None:
        self._members: list[Estimator] = []
        self._weights: dict[str, list[float]] = {}

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Of each target, the weight of each member."""
        return {name: dict(zip(self.members, weights, strict=True)) for name, weights in self._weights.items()}

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
        self._members = [
            surrogate(member).fit(train, val, work=None if work is None else _folder(work, place, member))
            if member in available()
            else Estimator.load(member)
            for place, member in enumerate(self.members)
        ]
        targets = train.track.target_names
        self._weights = {name: [1 / len(self.members)] * len(self.members) for name in targets}
        if val is None:
            return
        truth = val.truth().unique("sample_id", keep="first", maintain_order=True)
        answers = [
            truth.select("sample_id").join(member.predict(val).frame(), on="sample_id", maintain_order="left")
            for member in self._members
        ]
        for name in targets:
            logs = np.stack([np.log1p(answer.get_column(name).to_numpy()) for answer in answers], axis=1)
            self._weights[name] = simplex_weights(logs, np.log1p(truth.get_column(name).to_numpy())).tolist()

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        answers = [member._predict(frame, targets) for member in self._members]
        columns = []
        for place, name in enumerate(targets):
            logs = np.stack([np.log1p(answer[place].to_numpy()) for answer in answers], axis=1)
            columns.append(pl.Series(name, np.expm1(logs @ np.array(self._weights[name]))))
        return columns

    def _write_state(self, folder: Path) -> None:
        for place, (name, member) in enumerate(zip(self.members, self._members, strict=True)):
            member._save(_folder(folder, place, name))
        write_text(folder / _STATE, json.dumps(self._weights, indent=2) + "\n")

    def _read_state(self, folder: Path) -> None:
        self._weights = msgspec.json.decode((folder / _STATE).read_bytes(), type=dict[str, list[float]])
        self._members = [Estimator.load(_folder(folder, place, name)) for place, name in enumerate(self.members)]


def simplex_weights(answers: Floats, truth: Floats) -> Floats:
    """Weights of the columns of ``answers`` (n, m) that come closest to ``truth`` (n,) in the square.

    They are not negative and sum to one. As they do, the error is ``R w`` with ``R = answers - truth``; the least
    ``|R w|^2 + (sum w - 1)^2`` over ``w >= 0`` has the direction that is sought, as along each direction its smallest
    value grows with ``|R w|`` at ``sum w = 1``.
    """
    with needs_extra("surrogates"):
        from scipy.optimize import nnls

    errors = answers - truth[:, None]
    system = np.vstack([errors, np.ones(answers.shape[1])])
    weights, _ = nnls(system, np.append(np.zeros(len(truth)), 1.0))
    return np.asarray(weights / weights.sum())


def _folder(folder: Path, place: int, member: str) -> Path:
    return folder / f"{place}-{Path(member).name}"
