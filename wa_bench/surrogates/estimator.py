"""The one interface of all surrogates, in the habit of scikit-learn.

A surrogate is a dataclass whose fields are its settings. Adding one takes one file and one line under the entry
points ``wa_bench.surrogates``.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, ClassVar, Self, cast
from zipfile import BadZipFile

import msgspec
import polars as pl
import yaml

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, NotFittedError, UnknownNameError
from wa_bench.files import write_text
from wa_bench.records.schema import Design
from wa_bench.surrogates.conformal import INTERVALS_FILE, Conformal
from wa_bench.surrogates.pieces import TRUTH, pieces

_SETTINGS_FILE = "surrogate.json"
_HISTORY_FILE = "history.json"
CHECKPOINT_FILE = "checkpoint.safetensors"
"""What an unfinished training leaves."""


class _Saved(msgspec.Struct):
    """What ``surrogate.json`` holds."""

    surrogate: str
    settings: dict[str, Any]
    trained_on: str | None
    wa_bench: str


class Estimator(ABC):
    """A surrogate. Subclasses are dataclasses; ``name`` is their entry point.

    Only one that ``sees_truth`` is handed targets and estimates when it predicts: the oracle. After ``fit`` the data
    fingerprint of the training set is in ``trained_on``, and what was watched in training in ``history``, a line an
    epoch; empty for surrogates without epochs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs_training: ClassVar[bool] = True
    sees_truth: ClassVar[bool] = False
    trained_on: str | None = None
    history: Sequence[Mapping[str, float | None]] = ()
    _conformal: Conformal | None = None

    def fit(self, train: Dataset, val: Dataset | None = None, *, work: str | os.PathLike[str] | None = None) -> Self:
        """Learn from ``train``; ``val`` is for early stopping, where the surrogate uses it, and for intervals.

        Args:
            train: designs to learn from.
            val: designs to watch, and to measure the errors on that intervals are made of.
            work: folder for checkpoints of surrogates with epochs: training goes on from one that is there, and
                ends as if it had not been interrupted.

        Raises:
            DataError: no design of ``train`` has every target, or its records are no designs.
        """
        _require_designs(train)
        if train.truth().is_empty():
            raise DataError(Fault(repr(train), "designs with every target to learn from", "none"))
        self._conformal = None
        self._fit(train, val, None if work is None else Path(work))
        self.trained_on = train.fingerprint()
        if val is not None:
            self._conformal = Conformal.measured(self.predict(val), val, train)
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
        given = dataset.frame() if self.sees_truth else dataset.frame().select(pl.exclude(TRUTH))
        answers = pl.DataFrame(schema={"sample_id": pl.String, **dict.fromkeys(targets, pl.Float64)})
        for rows in pieces(given):
            if rows.height:
                answers.extend(pl.DataFrame([rows.get_column("sample_id"), *self._predict(rows, targets)]))
        answers = answers.drop_nulls()
        return Predictions(answers.unique("sample_id", keep="first", maintain_order=True), targets, self.name)

    def interval(self, dataset: Dataset, level: float = 0.9) -> pl.DataFrame:
        """Intervals that hold the truth of a share ``level`` of designs like those of the validation set.

        They are wider where a design lies far from the training set (see :mod:`wa_bench.surrogates.conformal`).

        Returns:
            ``sample_id``, and ``<target>_low`` and ``<target>_high`` of each target, one row a design.

        Raises:
            NotFittedError: the surrogate was fitted without a validation set.
            DataError: the records are no designs, or validation designs are too few for the level.
        """
        if self._conformal is None:
            raise NotFittedError(f"surrogate {self.name!r} has no intervals; give fit() a validation set")
        return self._conformal.intervals(self.predict(dataset), dataset, level)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write settings, data fingerprint, history and learned state to ``folder``; no pickle.

        A checkpoint of the training that is there is done with, and goes.

        Raises:
            NotFittedError: there is nothing to save yet.
        """
        if self.needs_training and self.trained_on is None:
            raise NotFittedError(f"surrogate {self.name!r} is not fitted yet; there is nothing to save")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in (_HISTORY_FILE, INTERVALS_FILE):
            (folder / left_over).unlink(missing_ok=True)
        self._write_state(folder)
        if self.history:
            write_text(folder / _HISTORY_FILE, json.dumps(self.history, indent=0) + "\n")
        if self._conformal is not None:
            self._conformal.save(folder)
        about = {
            "surrogate": self.name,
            "settings": self.settings(),
            "trained_on": self.trained_on,
            "wa_bench": version("wa-bench"),
        }
        write_text(folder / _SETTINGS_FILE, json.dumps(about, indent=2) + "\n")
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)

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
            known = available() if cls is Estimator else [cls.name]
            if about.surrogate not in known:
                raise DataError(Fault(str(file), f"one of {', '.join(known)}", repr(about.surrogate)))
            kind = kind_of(about.surrogate) if cls is Estimator else cls
            model = cast("Self", msgspec.convert(about.settings, kind))
            model._read_state(Path(folder))
            if (history := Path(folder) / _HISTORY_FILE).exists():
                model.history = msgspec.json.decode(history.read_bytes(), type=list[dict[str, float | None]])
            model._conformal = Conformal.load(Path(folder))
        except (msgspec.MsgspecError, OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            found = f"damaged files ({type(error).__name__}: {error})"
            raise DataError(Fault(str(folder), "a whole saved surrogate", found)) from None
        model.trained_on = about.trained_on
        return model

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
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
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="wa_bench.surrogates")}


def available() -> list[str]:
    """Names of all installed surrogates."""
    return sorted(_installed())


def kind_of(name: str) -> type[Estimator]:
    """The class of a surrogate by name; imports what it needs.

    Raises:
        UnknownNameError: no such surrogate.
        MissingToolError: a package that it needs is not installed.
    """
    if name not in _installed():
        raise UnknownNameError("surrogate", name, available())
    return cast("type[Estimator]", _installed()[name].load())


def surrogate(name: str, **settings: Any) -> Estimator:
    """A surrogate by name, with its settings.

    Raises:
        UnknownNameError: no such surrogate, or no such setting.
        MissingToolError: a package that it needs is not installed.
    """
    kind = kind_of(name)
    accepted = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for setting in settings:
        if setting not in accepted:
            raise UnknownNameError(f"setting of surrogate {name}", setting, accepted or ["(none)"])
    return kind(**settings)


def settings_of(name: str, given: Sequence[str]) -> dict[str, Any]:
    """Settings of a surrogate from texts such as ``epochs=30``; values are YAML.

    Raises:
        UnknownNameError: no such surrogate, or no such setting.
        DataError: texts that are no settings, or values of another type.
    """
    kind = kind_of(name)
    settings = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise DataError(Fault(f"setting {text!r}", "key=value, such as epochs=30", "no ="))
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise DataError(Fault(f"setting {key}", "a value in YAML", repr(value))) from None
    surrogate(name, **settings)
    try:
        model = msgspec.convert(settings, kind, strict=False)
    except msgspec.ValidationError as error:
        raise DataError(Fault(f"settings of surrogate {name}", "values of their types", str(error))) from None
    return {key: getattr(model, key) for key in settings}
