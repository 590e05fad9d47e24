"""The one interface of all surrogates, in the habit of scikit-learn.

A surrogate is a dataclass whose fields are its settings. Adding one takes one file and one line under the entry
points ``wa_bench.surrogates``.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import asdict, fields
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, ClassVar, Self, cast
from zipfile import BadZipFile

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, NotFittedError, UnknownNameError
from wa_bench.files import write_text
from wa_bench.records.schema import LATENCIES, RESOURCES, Design

_TRUTH = [*RESOURCES, *LATENCIES, "hls_estimate"]
"""Columns that no surrogate may use as input."""
_SETTINGS_FILE = "surrogate.json"


class _Saved(msgspec.Struct):
    """What ``surrogate.json`` holds."""

    surrogate: str
    settings: dict[str, Any]
    trained_on: str | None
    wa_bench: str


class Estimator(ABC):
    """A surrogate. Subclasses are dataclasses; ``name`` is their entry point.

    Only one that ``sees_truth`` is handed targets and estimates when it predicts: the oracle. After ``fit`` the data
    fingerprint of the training set is in ``trained_on``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs_training: ClassVar[bool] = True
    sees_truth: ClassVar[bool] = False
    trained_on: str | None = None

    def fit(self, train: Dataset, val: Dataset | None = None) -> Self:
        """Learn from ``train``; ``val`` is for early stopping, where the surrogate uses it.

        Raises:
            DataError: no design of ``train`` has every target, or its records are no designs.
        """
        _require_designs(train)
        if train.truth().is_empty():
            raise DataError(Fault(repr(train), "designs with every target to learn from", "none"))
        self._fit(train, val)
        self.trained_on = train.fingerprint()
        return self

    def predict(self, dataset: Dataset) -> Predictions:
        """Predictions for every design of ``dataset``, with or without truth.

        Designs that share a sample id get one answer, that of the first.

        Raises:
            NotFittedError: the surrogate needs training and had none.
            DataError: the records are no designs.
        """
        if self.needs_training and self.trained_on is None:
            raise NotFittedError(f"surrogate {self.name!r} is not fitted yet; call fit() or load() first")
        _require_designs(dataset)
        targets = dataset.track.target_names
        frame = dataset.frame().collect()
        columns = self._predict(frame if self.sees_truth else frame.drop(_TRUTH), targets)
        answers = pl.DataFrame([frame.get_column("sample_id"), *columns]).drop_nulls()
        return Predictions(answers.unique("sample_id", keep="first", maintain_order=True), targets, self.name)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write settings, data fingerprint and learned state to ``folder``. No pickle.

        Raises:
            NotFittedError: there is nothing to save yet.
        """
        if self.needs_training and self.trained_on is None:
            raise NotFittedError(f"surrogate {self.name!r} is not fitted yet; there is nothing to save")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._write_state(folder)
        about = {
            "surrogate": self.name,
            "settings": self.settings(),
            "trained_on": self.trained_on,
            "wa_bench": version("wa-bench"),
        }
        write_text(folder / _SETTINGS_FILE, json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The surrogate that ``save`` wrote to ``folder``; called on ``Estimator`` itself, whichever it is.

        Raises:
            DataError: the folder holds none, another one, or a damaged one.
        """
        file = Path(folder) / _SETTINGS_FILE
        if not file.is_file():
            raise DataError(Fault(str(file), "a saved surrogate", "nothing"))
        try:
            about = msgspec.json.decode(file.read_bytes(), type=_Saved)
            known = available() if cls is Estimator else {cls.name: cls}
            if about.surrogate not in known:
                raise DataError(Fault(str(file), f"one of {', '.join(known)}", repr(about.surrogate)))
            model = cast("Self", msgspec.convert(about.settings, known[about.surrogate]))
            model._read_state(Path(folder))
        except (msgspec.MsgspecError, OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            found = f"damaged files ({type(error).__name__}: {error})"
            raise DataError(Fault(str(folder), "a whole saved surrogate", found)) from None
        model.trained_on = about.trained_on
        return model

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def _fit(self, train: Dataset, val: Dataset | None) -> None:
        """Learn. Nothing to do for surrogates without training."""

    @abstractmethod
    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        """One named Float64 series a target, in the order of the rows; null where there is no answer."""

    def _write_state(self, folder: Path) -> None:
        """Write what was learned. Nothing to do for surrogates without training."""

    def _read_state(self, folder: Path) -> None:
        """Read what ``_write_state`` wrote."""


def _require_designs(dataset: Dataset) -> None:
    if dataset.kind is not Design:
        raise DataError(Fault(repr(dataset), "designs of networks, as of the tracks hls4ml and opensynth", "others"))


@cache
def available() -> dict[str, type[Estimator]]:
    """All installed surrogates by name. Their heavy packages are imported when they are used."""
    return {entry.name: entry.load() for entry in entry_points(group="wa_bench.surrogates")}


def surrogate(name: str, **settings: Any) -> Estimator:
    """A surrogate by name, with its settings.

    Raises:
        UnknownNameError: no such surrogate, or no such setting.
    """
    known = available()
    if name not in known:
        raise UnknownNameError("surrogate", name, list(known))
    accepted = [field.name for field in fields(known[name])]  # type: ignore[arg-type]
    for setting in settings:
        if setting not in accepted:
            raise UnknownNameError(f"setting of surrogate {name}", setting, accepted or ["(none)"])
    return known[name](**settings)
