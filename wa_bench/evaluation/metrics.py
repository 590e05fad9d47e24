"""Metrics as values: each prints to the string that parses back, and that string is its key in every table.

``R2``, ``SMAPE(eps=1)``, ``APE(q=0.75)``; with a target, ``R2@lut``. A metric sees only designs that have both truth
and prediction, in the units of the target; how many lack a prediction is the coverage, reported beside it.

Most metrics are functions of sums over the designs (:class:`SumMetric`), the others quantiles of an error
(:class:`QuantileMetric`). Either form says how to compute the metric under weights, which is all that a bootstrap
needs: see ``wa_bench.evaluation.resampling``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar, Literal, get_type_hints

import numpy as np
from numpy.typing import NDArray

from wa_bench.errors import UnknownNameError
from wa_bench.records.parts import PARTS

Floats = NDArray[np.float64]
Direction = Literal["higher", "lower", "zero"]

_PAPER = "wa-hls4ml, arXiv:2511.05615"
_ROUNDING = 1e-12
NO_DESIGN = "no design with truth and prediction"
"""Why no metric has a value."""


class UndefinedMetricError(Exception):
    """The metric has no value on this data; the message says why."""


@dataclass(frozen=True)
class Scale:
    """Where a metric knows no bounds and is spread more evenly: intervals are made there and carried back."""

    name: str
    there: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    """Derivative of the way back, at a place on the scale."""
    rising: bool = True
    """Whether a larger value lies further up the scale."""


PLAIN = Scale("plain", np.asarray, np.asarray, np.ones_like)
LOGARITHM = Scale("logarithm", np.log, np.exp, np.exp)
SHORTFALL = Scale(
    "shortfall", lambda value: np.log(1 - value), lambda x: 1 - np.exp(x), lambda x: -np.exp(x), rising=False
)
FISHER = Scale("fisher", np.arctanh, np.tanh, lambda x: 1 / np.cosh(x) ** 2)
SHARE = Scale("share", np.asarray, lambda x: np.clip(x, 0, 100), np.ones_like)
LOG_ODDS = Scale(
    "log-odds",
    lambda value: np.log(value / (200 - value)),
    lambda x: 200 / (1 + np.exp(-x)),
    lambda x: 50 / np.cosh(x / 2) ** 2,
)


@dataclass(frozen=True)
class Metric(ABC):
    """A metric with its parameters.

    ``better`` says which values are good: higher, lower, or near zero. ``unit`` is "%" or "" for plain numbers,
    and "target" where it is the target's own. In ``formula`` y is the truth, p the prediction, n the number of
    designs. ``source`` says who defined it, ``missing`` what becomes of designs without a prediction.
    """

    title: ClassVar[str]
    better: ClassVar[Direction]
    unit: ClassVar[str]
    range: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    scale: ClassVar[Scale] = PLAIN
    joint: ClassVar[tuple[str, ...]] = ()
    """Targets that it looks at together; without any, it is computed target by target."""
    undefined: ClassVar[str] = ""
    """Why it has no value, where there are designs and it has none."""
    missing: ClassVar[str] = "designs without truth or prediction are left out and lower the coverage"

    @property
    def averages(self) -> bool:
        """Whether its mean over targets means something: not in the targets' own units, nor where signs cancel."""
        return self.unit != "target" and self.better != "zero" and not self.joint

    def badness(self, value: float) -> float:
        """The value, turned so that smaller is better."""
        return {"higher": -value, "lower": value, "zero": abs(value)}[self.better]

    def __str__(self) -> str:
        parameters = ",".join(f"{field.name}={_plain(getattr(self, field.name))}" for field in fields(self))
        return f"{type(self).__name__}({parameters})" if parameters else type(self).__name__

    def score(self, truth: Floats, prediction: Floats) -> float:
        """Value over designs (n,), (n,); of a joint metric (n, targets), (n, targets).

        Raises:
            UndefinedMetricError: it has none here.
        """
        if not len(truth):
            raise UndefinedMetricError(NO_DESIGN)
        return self._score(truth, prediction)

    @abstractmethod
    def _score(self, truth: Floats, prediction: Floats) -> float: ...


class SumMetric(Metric):
    """A metric that is a function of sums over the designs."""

    @abstractmethod
    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """What is summed: (n,), (n,) to (n, k)."""

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """The metric from sums (..., k) of the terms of ``count`` (...) designs; NaN where it is undefined.

        The mean of a single term, unless a metric says otherwise.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(sums[..., 0] / count)

    def _score(self, truth: Floats, prediction: Floats) -> float:
        sums = self.terms(truth, prediction).sum(axis=0)
        value = float(self.of_sums(sums, np.array(len(truth), dtype=float)))
        if np.isnan(value):
            raise UndefinedMetricError(self.undefined)
        return value


class QuantileMetric(Metric):
    """A metric that is a quantile of an error, interpolated linearly between designs."""

    q: float

    @staticmethod
    @abstractmethod
    def errors(truth: Floats, prediction: Floats) -> Floats:
        """The error of each design: (n,), (n,) to (n,)."""

    def __post_init__(self) -> None:
        if not 0 <= self.q <= 1:
            raise ValueError(f"q is a share from 0 to 1, found {self.q}")

    def _score(self, truth: Floats, prediction: Floats) -> float:
        return float(np.quantile(self.errors(truth, prediction), self.q))


@dataclass(frozen=True)
class R2(SumMetric):
    """Share of the truth's variance that the prediction explains."""

    title = "R²"
    better = "higher"
    unit = ""
    range = "(-inf, 1]"
    formula = "1 - sum (y - p)^2 / sum (y - mean y)^2"
    scale = SHORTFALL
    source = f"{_PAPER}, Eq. 1"
    undefined = "the truth does not vary"

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """Squared error; truth and its square, about the mean so that no digits are lost."""
        centred = truth - truth.mean() if np.ptp(truth) else np.zeros_like(truth)
        return np.column_stack([np.square(truth - prediction), centred, np.square(centred)])

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """One minus the unexplained share."""
        error, centred, square = np.moveaxis(sums, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = square - centred**2 / count
            return np.asarray(np.where(spread > _ROUNDING * square, 1 - error / spread, np.nan))


@dataclass(frozen=True)
class SMAPE(SumMetric):
    """Symmetric mean absolute percent error; ``eps`` = 1, the smallest positive count, makes 0 against 0 good."""

    eps: float = 1.0

    title = "SMAPE"
    better = "lower"
    unit = "%"
    range = "[0, 200]"
    formula = "200 / n * sum |y - p| / (|y| + |p| + eps)"
    scale = LOG_ODDS
    source = f"{_PAPER}, Eq. 2, eps as in its authors' scorer"
    undefined = "truth and prediction are both zero, and eps too"

    def __post_init__(self) -> None:
        if not 0 <= self.eps < np.inf:
            raise ValueError(f"eps is a number from 0, found {self.eps}")

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """The percent error of each design."""
        with np.errstate(invalid="ignore"):
            return (200 * np.abs(truth - prediction) / (np.abs(truth) + np.abs(prediction) + self.eps))[:, None]


@dataclass(frozen=True)
class RMSE(SumMetric):
    """Root mean squared error. Large designs dominate it."""

    title = "RMSE"
    better = "lower"
    unit = "target"
    range = "[0, inf)"
    formula = "sqrt(mean (y - p)^2)"
    scale = LOGARITHM
    source = f"{_PAPER}, Eq. 3"

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """Squared error of each design."""
        return np.square(truth - prediction)[:, None]

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """Root of their mean."""
        return np.asarray(np.sqrt(super().of_sums(sums, count)))


@dataclass(frozen=True)
class RPE(QuantileMetric):
    """A quantile of the relative percent error; positive where the prediction is too small."""

    q: float = 0.5

    title = "Percent error"
    better = "zero"
    unit = "%"
    range = "(-inf, inf)"
    formula = "quantile q of 100 * (y - p) / (y + 1)"
    source = f"{_PAPER}, Eq. 4"

    @staticmethod
    def errors(truth: Floats, prediction: Floats) -> Floats:
        """Signed percent errors."""
        return relative_percent_error(truth, prediction)


@dataclass(frozen=True)
class APE(QuantileMetric):
    """A quantile of the absolute percent error: the share q of the designs is at least as good."""

    q: float = 0.75

    title = "Absolute percent error"
    better = "lower"
    unit = "%"
    range = "[0, inf)"
    formula = "quantile q of |100 * (y - p) / (y + 1)|"
    source = f"{_PAPER}, abstract: the 75th percentile of the error of Eq. 4"

    @staticmethod
    def errors(truth: Floats, prediction: Floats) -> Floats:
        """Absolute percent errors."""
        return np.abs(relative_percent_error(truth, prediction))


@dataclass(frozen=True)
class Bias(SumMetric):
    """By how much the predictions of all designs together are too large (positive) or too small."""

    title = "Bias"
    better = "zero"
    unit = "%"
    range = "(-inf, inf)"
    formula = "100 * sum (p - y) / sum y"
    source = "wa-bench"
    undefined = "the truth is zero throughout"

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """Error and truth of each design."""
        return np.column_stack([prediction - truth, truth])

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """The first relative to the second."""
        error, truth = np.moveaxis(sums, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(truth > 0, 100 * error / truth, np.nan))


@dataclass(frozen=True)
class Within(SumMetric):
    """Share of the designs whose absolute percent error is at most ``percent``."""

    percent: float = 10.0

    title = "Within"
    better = "higher"
    unit = "%"
    range = "[0, 100]"
    formula = "100 / n * number of designs with |100 * (y - p) / (y + 1)| <= percent"
    scale = SHARE
    source = "wa-bench"

    def __post_init__(self) -> None:
        if not 0 <= self.percent < np.inf:
            raise ValueError(f"percent is a number from 0, found {self.percent}")

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """100 for a design within, 0 for another."""
        return np.where(np.abs(relative_percent_error(truth, prediction)) <= self.percent, 100.0, 0.0)[:, None]


@dataclass(frozen=True)
class FitAccuracy(SumMetric):
    """Share of the designs for which the prediction is right on whether the design fits on a part.

    ``part`` is the beginning of a part number, such as ``xc7z020``. Where almost all designs fit, saying so is right
    almost always: only a part that some outgrow tells surrogates apart.
    """

    part: str = "xc7z020"

    title = "Fit verdict right"
    better = "higher"
    unit = "%"
    range = "[0, 100]"
    formula = "100 / n * number of designs where (all resources of y fit) = (all resources of p fit)"
    scale = SHARE
    source = "wa-bench; capacities from AMD's data sheets, see wa_bench.records.parts"
    joint = ("bram", "dsp", "ff", "lut")

    def __post_init__(self) -> None:
        if self.part not in {part.prefix for part in PARTS}:
            raise ValueError(f"part is one of {', '.join(part.prefix for part in PARTS)}, found {self.part!r}")

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """100 for a right verdict, 0 for a wrong one."""
        part = next(part for part in PARTS if part.prefix == self.part)
        room = np.array([getattr(part, name) for name in self.joint])
        verdicts = [(counts <= room).all(axis=1) for counts in (truth, prediction)]
        return np.where(verdicts[0] == verdicts[1], 100.0, 0.0)[:, None]


@dataclass(frozen=True)
class RMSLE(SumMetric):
    """Root mean squared error of logarithms: a factor counts alike for small and large designs."""

    title = "Log error"
    better = "lower"
    unit = ""
    range = "[0, inf)"
    formula = "sqrt(mean (ln(1 + y) - ln(1 + max(p, 0)))^2); a negative prediction counts as zero"
    scale = LOGARITHM
    source = "root mean squared logarithmic error, as in scikit-learn, there undefined for negative predictions"

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """Squared difference of the logarithms."""
        return np.asarray(np.square(np.log1p(truth) - np.log1p(np.maximum(prediction, 0))))[:, None]

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """Root of their mean."""
        return np.asarray(np.sqrt(super().of_sums(sums, count)))


@dataclass(frozen=True)
class Spearman(SumMetric):
    """Rank correlation: whether the prediction puts the designs in the right order.

    The terms are the value plus each design's influence on it (the infinitesimal jackknife), so that their mean is
    the coefficient and their resampled means have its spread, to first order.
    """

    title = "Rank correlation"
    better = "higher"
    unit = ""
    range = "[-1, 1]"
    formula = "correlation of the mid-ranks of y and p"
    scale = FISHER
    source = "Spearman 1904; ties share their mean rank; resamples by its influence function"
    undefined = "truth or prediction does not vary"

    def terms(self, truth: Floats, prediction: Floats) -> Floats:
        """Value plus influence of each design."""
        by_truth, by_prediction = _Ranks(truth), _Ranks(prediction)
        x, y = by_truth.centred, by_prediction.centred
        # The coefficient is a / sqrt(b c). A design counts in each of the three averages by its own product, and by
        # moving the ranks of those above it.
        a, b, c = (x * y).mean(), (x * x).mean(), (y * y).mean()
        if not b * c:
            return np.full((len(truth), 1), np.nan)
        da = x * y + by_truth.above(y) + by_prediction.above(x) - 3 * a
        db = x * x + 2 * by_truth.above(x) - 3 * b
        dc = y * y + 2 * by_prediction.above(y) - 3 * c
        value = a / np.sqrt(b * c)
        return np.asarray(value + da / np.sqrt(b * c) - value / 2 * (db / b + dc / c))[:, None]

    def of_sums(self, sums: Floats, count: Floats) -> Floats:
        """Their mean, kept in range."""
        mean = np.clip(super().of_sums(sums, count), -1, 1)
        return np.asarray(np.where(np.abs(mean) > 1 - _ROUNDING, np.sign(mean), mean))


def relative_percent_error(truth: Floats, prediction: Floats) -> Floats:
    """Signed percent error of each design, ``100 * (y - p) / (y + 1)``: the paper's RPE."""
    return 100 * (truth - prediction) / (truth + 1)


class _Ranks:
    """Mid-ranks of values (n,), as shares of n about one half."""

    def __init__(self, values: Floats) -> None:
        self._order = np.argsort(values)
        ordered = values[self._order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        lengths = np.diff(np.append(starts, len(values)))
        self._below = np.repeat(starts, lengths)
        self._up_to = self._below + np.repeat(lengths, lengths)
        self.centred = np.empty(len(values))
        self.centred[self._order] = (self._below + self._up_to) / (2 * len(values)) - 0.5

    def above(self, weights: Floats) -> Floats:
        """For each value, the sum of ``weights`` (n,) of the greater values and half of the equal ones, over n."""
        sums = np.concatenate([[0.0], np.cumsum(weights[self._order])])
        result = np.empty(len(weights))
        result[self._order] = (sums[-1] - (sums[self._below] + sums[self._up_to]) / 2) / len(weights)
        return result


_PATTERN = re.compile(r"^(\w+)(?:\(([^()]+)\))?$")


def _plain(value: float | str) -> str:
    """Shortest text that reads back as the value: 1 for 1.0."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else repr(value)


def kinds() -> dict[str, type[Metric]]:
    """All metrics by name."""
    found = [kind for form in Metric.__subclasses__() for kind in form.__subclasses__()]
    return {kind.__name__: kind for kind in found}


@lru_cache(maxsize=256)
def parse_metric(text: str) -> Metric:
    """The metric that prints as ``text``; parameters that are not told have their defaults.

    Raises:
        UnknownNameError: no such metric or parameter, or one told twice.
    """
    known = kinds()
    match = _PATTERN.match(text.strip())
    if match is None or match[1] not in known:
        raise UnknownNameError("metric", text, list(known))
    kind = known[match[1]]
    types = get_type_hints(kind)
    told = [part.partition("=") for part in match[2].split(",")] if match[2] else []
    settings = {name: value for name, _, value in told}
    try:
        return kind(**{name: types[name](settings.pop(name)) for name, _, _ in told})
    except (KeyError, TypeError, ValueError):
        names = [f"{field.name}={types[field.name].__name__}" for field in fields(kind)]
        raise UnknownNameError(f"parameter of metric {match[1]}", match[2], names or ["(none)"]) from None


def parse_cell(text: str) -> tuple[Metric, str]:
    """Metric and target of text such as ``R2@lut``; the target is empty where none is told.

    Raises:
        UnknownNameError: no such metric or parameter.
    """
    metric, _, target = text.partition("@")
    return parse_metric(metric), target
