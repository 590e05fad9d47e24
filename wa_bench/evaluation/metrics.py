"""Metrics as values: each prints to the string that parses back, and that string is its key in every table.

``R2``, ``SMAPE(eps=1)``, ``RPE(q=0.75)``; with a target, ``R2@lut``. Definitions are those of the wa-hls4ml
benchmark (arXiv:2511.05615 and its authors' scorer), in the units of the target. A metric sees only designs that
have both truth and prediction; how many lack a prediction is the coverage, reported beside it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from wa_bench.errors import UnknownNameError

Floats = NDArray[np.float64]
Direction = Literal["higher", "lower", "zero"]


class UndefinedMetricError(Exception):
    """The metric has no value on this data; the message says why."""


@dataclass(frozen=True)
class Metric(ABC):
    """A metric with its parameters.

    ``better`` says which values are good: higher, lower, or near zero. ``unit`` is "%" or "" for plain numbers,
    and "target" where it is the target's own.
    """

    title: ClassVar[str]
    better: ClassVar[Direction]
    unit: ClassVar[str]
    range: ClassVar[str]
    formula: ClassVar[str]

    def __str__(self) -> str:
        parameters = ",".join(f"{field.name}={_plain(getattr(self, field.name))}" for field in fields(self))
        return f"{type(self).__name__}({parameters})" if parameters else type(self).__name__

    def score(self, truth: Floats, prediction: Floats) -> float:
        """Value over designs (n,), (n,).

        Raises:
            UndefinedMetricError: it has none here.
        """
        if not len(truth):
            raise UndefinedMetricError("no design with truth and prediction")
        return self._score(truth, prediction)

    @abstractmethod
    def _score(self, truth: Floats, prediction: Floats) -> float: ...


@dataclass(frozen=True)
class R2(Metric):
    """Share of the truth's variance that the prediction explains."""

    title = "R²"
    better = "higher"
    unit = ""
    range = "(-inf, 1]"
    formula = "1 - sum (y - p)^2 / sum (y - mean y)^2"

    def _score(self, truth: Floats, prediction: Floats) -> float:
        if truth.min() == truth.max():
            raise UndefinedMetricError("the truth does not vary")
        spread = np.square(truth - truth.mean()).sum()
        return float(1 - np.square(truth - prediction).sum() / spread)


@dataclass(frozen=True)
class SMAPE(Metric):
    """Symmetric mean absolute percent error; ``eps`` = 1, the smallest positive count, makes 0 against 0 good."""

    eps: float = 1.0

    title = "SMAPE"
    better = "lower"
    unit = "%"
    range = "[0, 200)"
    formula = "200 / n * sum |y - p| / (|y| + |p| + eps)"

    def _score(self, truth: Floats, prediction: Floats) -> float:
        scale = np.abs(truth) + np.abs(prediction) + self.eps
        return float(200 * np.mean(np.abs(truth - prediction) / scale))


@dataclass(frozen=True)
class RMSE(Metric):
    """Root mean squared error."""

    title = "RMSE"
    better = "lower"
    unit = "target"
    range = "[0, inf)"
    formula = "sqrt(mean (y - p)^2)"

    def _score(self, truth: Floats, prediction: Floats) -> float:
        return float(np.sqrt(np.mean(np.square(truth - prediction))))


@dataclass(frozen=True)
class RPE(Metric):
    """A quantile of the relative percent error; positive where the prediction is too small."""

    q: float = 0.5

    title = "Percent error"
    better = "zero"
    unit = "%"
    range = "(-inf, inf)"
    formula = "quantile q of 100 * (y - p) / (y + 1)"

    def __post_init__(self) -> None:
        if not 0 <= self.q <= 1:
            raise ValueError(f"q is a share from 0 to 1, found {self.q}")

    def _score(self, truth: Floats, prediction: Floats) -> float:
        return float(np.quantile(relative_percent_error(truth, prediction), self.q))


def relative_percent_error(truth: Floats, prediction: Floats) -> Floats:
    """Signed percent error of each design, ``100 * (y - p) / (y + 1)``: the paper's RPE."""
    return 100 * (truth - prediction) / (truth + 1)


_PATTERN = re.compile(r"^(\w+)(?:\(([^()]+)\))?$")


def _plain(value: float) -> str:
    """Shortest text that reads back as the number: 1 for 1.0."""
    return str(int(value)) if value == int(value) else repr(value)


def parse_metric(text: str) -> Metric:
    """The metric that prints as ``text``.

    Raises:
        UnknownNameError: no such metric or parameter.
    """
    kinds = {kind.__name__: kind for kind in Metric.__subclasses__()}
    match = _PATTERN.match(text.strip())
    if match is None or match[1] not in kinds:
        raise UnknownNameError("metric", text, list(kinds))
    kind = kinds[match[1]]
    settings = [part.partition("=") for part in match[2].split(",")] if match[2] else []
    try:
        return kind(**{name: float(value) for name, _, value in settings})
    except (TypeError, ValueError):
        names = [f"{field.name}=number" for field in fields(kind)]
        raise UnknownNameError(f"parameter of metric {match[1]}", match[2], names or ["(none)"]) from None
