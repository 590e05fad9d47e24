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
from typing import Annotated, Any, ClassVar, Self, cast
from zipfile import BadZipFile

import msgspec
import polars as pl
import yaml

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, NotFittedError, UnknownNameError
from wa_bench.files import write_text
from wa_bench.records.schema import Design
from wa_bench.surrogates import features
from wa_bench.surrogates.conformal import INTERVALS_FILE, LEVEL, Conformal
from wa_bench.surrogates.pieces import TRUTH, pieces, tools

_SETTINGS_FILE = "surrogate.json"
_HISTORY_FILE = "history.json"
CHECKPOINT_FILE = "checkpoint.safetensors"
"""What an unfinished training leaves."""

Count = Annotated[int, msgspec.Meta(ge=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Dropout = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Origin(msgspec.Struct, frozen=True):
    """What a fitted surrogate follows from, beside its settings.

    Attributes:
        trained_on: data fingerprint of the training set.
        validated_on: that of the validation set, if there was one.
        tools: synthesis tools of the training set.
        truth: what was learned.
        features: version of features and rules (``features.VERSION``).
        wa_bench: version of this package.
    """

    trained_on: str
    validated_on: str | None
    tools: tuple[str, ...]
    truth: str
    features: int
    wa_bench: str

    @classmethod
    def of(cls, train: Dataset, val: Dataset | None) -> Self:
        """That of a surrogate that is fitted now."""
        validated_on = None if val is None else val.fingerprint()
        now = features.VERSION, version("wa-bench")
        return cls(train.fingerprint(), validated_on, tools(train), train.track.truth, *now)


class _Saved(msgspec.Struct):
    """What ``surrogate.json`` holds."""

    surrogate: str
    settings: dict[str, Any]
    origin: Origin | None


class Estimator(ABC):
    """A surrogate. Subclasses are dataclasses; ``name`` is their entry point.

    ``title``, ``family``, ``method`` (how it predicts), ``owes`` (data that went into it before any training) and
    ``control`` (whether it only bounds the scale) are for the card of a submission. Only one that ``sees_truth`` is
    handed targets and estimates when it predicts: the oracle. One that ``resumes`` goes on from the checkpoint of
    an interrupted training. After ``fit`` there is ``origin``, and in ``history`` what was watched in training, a line
    an epoch; empty for surrogates without epochs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str] = "other"
    method: ClassVar[str]
    owes: ClassVar[str] = "none"
    control: ClassVar[bool] = False
    needs_training: ClassVar[bool] = True
    sees_truth: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    origin: Origin | None = None
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
            DataError: no design of ``train`` has every target, or its records are no designs; or ``work`` is no place
                for this surrogate (see :meth:`require_place`).
        """
        _require_designs(train)
        if work is not None:
            self.require_place(work)
        if train.truth().is_empty():
            raise DataError(Fault(repr(train), "designs with every target to learn from", "none"))
        self._conformal = None
        self._fit(train, val, None if work is None else Path(work))
        self.origin = Origin.of(train, val)
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
        if self.needs_training and self.origin is None:
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

    def interval(self, dataset: Dataset, level: float = LEVEL) -> pl.DataFrame:
        """Intervals that hold the truth of a share ``level`` of designs like those of the validation set.

        They are wider where a design lies far from the training set (see :mod:`wa_bench.surrogates.conformal`).

        Returns:
            ``sample_id``, and ``<target>_low`` and ``<target>_high`` of each target, one row a design.

        Raises:
            NotFittedError: the surrogate was fitted without a validation set.
            DataError: the records are no designs, or of a synthesis tool that no validation design was of, or
                validation designs are too few for the level.
        """
        if self._conformal is None:
            raise NotFittedError(f"surrogate {self.name!r} has no intervals; give fit() a validation set")
        return self._conformal.intervals(self.predict(dataset), dataset, level)

    @property
    def trained_on(self) -> str | None:
        """Data fingerprint of the training set."""
        return None if self.origin is None else self.origin.trained_on

    @property
    def calibrated_on(self) -> tuple[str, ...]:
        """Synthesis tools of the validation designs that its intervals were measured on; empty without intervals."""
        return () if self._conformal is None else self._conformal.tools

    @property
    def parameters(self) -> int | None:
        """Number of trained parameters of a fitted network; None where there is no such number."""
        return None

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write settings, data fingerprint, history and learned state to ``folder``; no pickle.

        A checkpoint of the training that is there is done with, and goes. One that was saved there before is replaced
        if its settings are the same.

        Raises:
            NotFittedError: there is nothing to save yet.
            DataError: the folder holds another surrogate, or this one with other settings.
        """
        if self.needs_training and self.origin is None:
            raise NotFittedError(f"surrogate {self.name!r} is not fitted yet; there is nothing to save")
        self.require_place(folder)
        self._save(Path(folder))

    def require_place(self, folder: str | os.PathLike[str]) -> None:
        """Refuse a folder that holds another surrogate, finished or not, or this one with other settings.

        Raises:
            DataError: it does.
        """
        file, checkpoint = Path(folder) / _SETTINGS_FILE, Path(folder) / CHECKPOINT_FILE
        faults = []
        expected = f"no surrogate, or {self.name} with the same settings"
        remedy = "take another folder, or remove this one"
        if file.exists():
            try:
                about = msgspec.json.decode(file.read_bytes(), type=_Saved)
            except (msgspec.MsgspecError, OSError) as error:
                faults.append(Fault(str(file), expected, f"a damaged file ({error})", remedy))
            else:
                own = msgspec.json.decode(msgspec.json.encode(self.settings()))
                changed = [
                    f"{name}={json.dumps(value)}" for name, value in about.settings.items() if own.get(name) != value
                ]
                if about.surrogate != self.name:
                    faults.append(Fault(str(file), expected, about.surrogate, remedy))
                elif about.settings != own:
                    faults.append(Fault(str(file), expected, " ".join([self.name, *changed]), remedy))
        if checkpoint.exists() and not self.resumes:
            faults.append(Fault(str(checkpoint), expected, "the unfinished training of another", remedy))
        if faults:
            raise DataError(*faults)

    def _save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in (_HISTORY_FILE, INTERVALS_FILE):
            (folder / left_over).unlink(missing_ok=True)
        self._write_state(folder)
        if self.history:
            write_text(folder / _HISTORY_FILE, json.dumps(self.history, indent=0) + "\n")
        if self._conformal is not None:
            self._conformal.save(folder)
        about = msgspec.json.encode(_Saved(self.name, self.settings(), self.origin))
        write_text(folder / _SETTINGS_FILE, msgspec.json.format(about).decode() + "\n")
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The surrogate that ``save`` wrote to ``folder``; called on ``Estimator`` itself, whichever it is.

        Raises:
            DataError: the folder holds none, another one, a damaged one, or one that learned from other features.
        """
        file = Path(folder) / _SETTINGS_FILE
        if not file.is_file():
            raise DataError(Fault(str(file), "a saved surrogate", "nothing"))
        try:
            about = msgspec.json.decode(file.read_bytes(), type=_Saved)
            if about.origin and about.origin.features != features.VERSION:
                expected = f"a surrogate that learned from features and rules of version {features.VERSION}"
                raise DataError(Fault(str(file), expected, f"version {about.origin.features}", "train it again"))
            known = available() if cls is Estimator else [cls.name]
            if about.surrogate not in known:
                raise DataError(Fault(str(file), f"one of {', '.join(known)}", repr(about.surrogate)))
            kind = kind_of(about.surrogate) if cls is Estimator else cls
            model = cast("Self", msgspec.convert(about.settings, kind))
            model._read_state(Path(folder))
            if (history := Path(folder) / _HISTORY_FILE).exists():
                model.history = msgspec.json.decode(history.read_bytes(), type=list[dict[str, float | None]])
            model._conformal = Conformal.load(Path(folder))
            model.origin = about.origin
        except (msgspec.MsgspecError, OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            found = f"damaged files ({type(error).__name__}: {error})"
            raise DataError(Fault(str(folder), "a whole saved surrogate", found)) from None
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
        DataError: a value of another type, or out of bounds.
        MissingToolError: a package that it needs is not installed.
    """
    return _made(name, settings, strict=True)


def _made(name: str, settings: Mapping[str, Any], *, strict: bool) -> Estimator:
    kind = kind_of(name)
    accepted = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for setting in settings:
        if setting not in accepted:
            raise UnknownNameError(f"setting of surrogate {name}", setting, accepted or ["(none)"])
    try:
        return msgspec.convert(settings, kind, strict=strict)
    except msgspec.ValidationError as error:
        expected = "values of their types, within their bounds"
        raise DataError(Fault(f"settings of surrogate {name}", expected, str(error))) from None


def fitted(
    name: str, settings: Mapping[str, Any], train: Dataset, val: Dataset | None, folder: str | os.PathLike[str]
) -> Estimator:
    """The surrogate that ``folder`` holds, if it has these settings and this origin; else it is fitted and saved there.

    An interrupted fit goes on where the folder holds a checkpoint.

    Raises:
        UnknownNameError: no such surrogate, or no such setting.
        DataError: it cannot be fitted (see :meth:`Estimator.fit`), or the folder holds the unfinished training of
            another.
    """
    model = surrogate(name, **settings)
    try:
        kept = Estimator.load(folder)
    except DataError:
        kept = None
    if kept is not None and kept.origin == Origin.of(train, val) and _identity(kept) == _identity(model):
        return kept
    (Path(folder) / _SETTINGS_FILE).unlink(missing_ok=True)
    model.fit(train, val, work=folder)
    model.save(folder)
    return model


def _identity(model: Estimator) -> bytes:
    """Name and settings, as a file has them."""
    return msgspec.json.encode((model.name, model.settings()))


def settings_of(name: str, given: Sequence[str]) -> dict[str, Any]:
    """Settings of a surrogate from texts such as ``epochs=30``; values are YAML.

    Raises:
        UnknownNameError: no such surrogate, or no such setting.
        DataError: texts that are no settings, or values of another type or out of bounds.
    """
    settings = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise DataError(Fault(f"setting {text!r}", "key=value, such as epochs=30", "no ="))
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise DataError(Fault(f"setting {key}", "a value in YAML", repr(value))) from None
    model = _made(name, settings, strict=False)
    return {key: getattr(model, key) for key in settings}
