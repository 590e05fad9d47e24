"""How scores are drawn: the shade of a cell, the axis of an interval bar, text for people."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wa_bench.evaluation.metrics import FISHER, LOG_ODDS, LOGARITHM, SHARE, SHORTFALL, Floats, Metric
from wa_bench.evaluation.report import number

SHADES = 8
"""From 0, the worst, to 7."""
PERCENT_ERROR = (100.0, 50.0, 25.0, 12.0, 6.0, 3.0, 1.0)
_PERCENT_RIGHT = (-20.0, -40.0, -60.0, -75.0, -90.0, -95.0, -99.0)
_SHARE = (0.0, -0.25, -0.5, -0.75, -0.9, -0.97, -0.99)
_LOGARITHM = (2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03)
_FAR_TAIL = 0.1
"""Share of the surrogates whose intervals may run off the worse end of an axis."""


_TICKS = {
    SHORTFALL: (-99, -9, -1, 0, 0.9, 0.99, 0.999, 0.9999),
    FISHER: (-0.9, 0, 0.9, 0.99, 0.999, 0.9999),
    LOG_ODDS: (0.01, 0.1, 1, 10, 50, 100, 150, 190),
    LOGARITHM: (0.001, 0.01, 0.1, 1, 10, 100),
    SHARE: (0, 25, 50, 75, 100),
}
"""Round values of each scale that intervals are made on."""


class Axis(NamedTuple):
    """The axis of interval bars, 100 wide: where round values stand on it, and their labels."""

    metric: Metric
    ends: tuple[float, float]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and label of each round value; on a short bar, those that would touch the last have no label."""
        return [(at, label if at == 100 or at < 100 - _LABEL else "") for at, label in self.marks]

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Place and label of each round value."""
        low, high = self.ends
        values = [value for value in _TICKS.get(self.metric.scale, self.ends) if low <= value <= high]
        places = (np.round(self.at(np.array(values)), 1) + 0.0).tolist()  # no minus zero
        return [(at, _label(value)) for value, at in zip(values, places, strict=True)]

    def at(self, values: Floats) -> Floats:
        """Where values (n,) stand, from 0 to 100 if they are on the axis; infinite at the end of an endless scale."""
        with np.errstate(all="ignore"):
            low, high = self.metric.scale.there(np.array(self.ends, dtype=np.float64))
            there = self.metric.scale.there(values)
            places = 100 * (there - low) / (high - low)
        return np.where(np.isfinite(there), places, np.where(values <= self.ends[0], -np.inf, np.inf))

    def bars(self, values: Floats, lows: Floats, highs: Floats) -> list[Bar | None]:
        """Where values (n,) and their intervals stand, None where undefined.

        -1 and 101 are off the axis; an interval of no width is unknown.
        """
        known = np.isfinite(lows) & np.isfinite(highs)
        first, last = (_within(self.at(np.where(known, ends, values))) for ends in (lows, highs))
        x = self.at(values)
        x = np.where(x < -_OFF, -1.0, np.where(x > 100 + _OFF, 101.0, _within(x)))
        found = zip(x.tolist(), first.tolist(), last.tolist(), strict=True)
        return [bar if defined else None for bar, defined in zip(found, np.isfinite(values), strict=True)]


Bar = tuple[float, float, float]
"""A value, and the ends of its interval."""

_OFF, _LABEL = 0.5, 35
"""How far from its end, in hundredths of the axis, a value is off it and a label does not touch the last."""


def _within(x: Floats) -> Floats:
    return np.minimum(np.maximum(x, 0), 100).round(1)


def _label(value: float) -> str:
    return f"{value:g}".replace("0.", ".").replace("-", "−")


def limits(metric: Metric) -> tuple[float, ...] | None:
    """The badness that each shade may have at most, shade 1 first; None where values of one column only compare.

    They are the same in all columns and boards, so that a shade means one thing.
    """
    if metric.unit == "target":
        return None
    if metric.unit == "%":
        return _PERCENT_RIGHT if metric.better == "higher" else PERCENT_ERROR
    return _SHARE if metric.better == "higher" else _LOGARITHM


def column_limits(badness: Floats) -> tuple[float, ...]:
    """The same from the values (n,) of one column: as many in each shade."""
    known = badness[np.isfinite(badness)]
    if not known.size:
        return (-math.inf,) * (SHADES - 1)
    return tuple(float(limit) for limit in np.quantile(known, np.arange(SHADES - 1, 0, -1) / SHADES))


def shade(badness: float, most: tuple[float, ...]) -> int:
    """How many of the limits are kept."""
    return sum(badness <= limit for limit in most)


def shade_of(metric: Metric, value: float | None) -> int | None:
    """The shade of a score; None where it is undefined or only compares with its column."""
    most = limits(metric)
    return None if value is None or most is None else shade(metric.badness(value), most)


def axis(metric: Metric, values: Floats, lows: Floats, highs: Floats) -> Axis | None:
    """The axis for values (n,) and their intervals, on the scale that intervals are made on; None without any.

    It ends where the scores do: intervals may run off, and at its worse end one surrogate in ten and, where higher is
    better, what is worse than nothing.
    """
    known = np.isfinite(values)
    if not known.any():
        return None
    lows, highs = (np.where(np.isfinite(ends), ends, values)[known] for ends in (lows, highs))
    if metric.better == "higher":
        low, high = float(np.quantile(lows, _FAR_TAIL, method="inverted_cdf")), float(highs.max())
    else:
        low, high = float(lows.min()), float(np.quantile(highs, 1 - _FAR_TAIL, method="inverted_cdf"))
    ticks = _TICKS.get(metric.scale)
    if ticks and metric.better == "higher" and values[known].max() > 0:
        ticks = tuple(tick for tick in ticks if tick >= 0)
        high = float(values[known].max())
    if ticks is None:
        step = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
        return Axis(metric, (math.floor(low / step) * step, (math.floor(high / step) + 1) * step))
    first = max((place for place, tick in enumerate(ticks[:-1]) if tick <= low), default=0)
    last = min((place for place, tick in enumerate(ticks) if tick >= high and place > first), default=len(ticks) - 1)
    return Axis(metric, (ticks[first], ticks[last]))


Shown = float | int | str | None


def all_shown(values: Floats) -> list[Shown]:
    """``shown`` of each of many values (n,)."""
    size = np.abs(values)
    steps = np.where(size < 10, 1000.0, np.where(size < 1000, 10.0, 1.0))
    with np.errstate(invalid="ignore"):
        scaled = values * steps
        whole = np.rint(scaled)
        easy = (np.abs(scaled - whole) < _NO_TIE) & ((steps == 1) | (np.abs(whole) < _NEXT_FORMAT))
    plain = [int(value) if value.is_integer() else value for value in np.where(easy, whole / steps, 0).tolist()]
    return [value if sure else shown(hard) for value, sure, hard in zip(plain, easy, values.tolist(), strict=True)]


_NO_TIE, _NEXT_FORMAT = 0.4999, 10_000
"""Nearer to a half, the decimal text decides; from there, ``number`` shows another number of decimals."""


def shown(value: float | None) -> Shown:
    """The number that people see, as the browser will show it again; text where its rule would show another."""
    if value is None or not math.isfinite(value):
        return None
    text = number(value)
    plain = float(text.replace(",", ""))
    if number(plain) != text:
        return text
    return int(plain) if plain.is_integer() else plain


def as_number(seen: Shown) -> float | None:
    """The number that ``shown`` text stands for."""
    return float(seen.replace(",", "")) if isinstance(seen, str) else seen


def as_text(seen: Shown) -> str:
    """``shown`` as text."""
    return seen if isinstance(seen, str) else number(seen)


def quantity(value: float | None, unit: str) -> str | None:
    """A measured quantity with the prefix that suits it: ``1.2 ms``."""
    if value is None:
        return None
    prefixes = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
    size, prefix = next((each for each in prefixes if value >= each[0]), prefixes[-1])
    return f"{value / size:.3g} {prefix}{unit}"


def count(value: int | None) -> str | None:
    """A count in short: ``1.2 M``."""
    if value is None:
        return None
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)


def explained(metric: Metric) -> str:
    """A metric in a sentence or two."""
    better = "nearer to zero is better" if metric.better == "zero" else f"{metric.better} is better"
    unit = {"target": ", in the unit of the target", "": ""}.get(metric.unit, f", in {metric.unit}")
    name = "" if str(metric) == metric.title else f" ({metric})"
    formula = metric.formula.replace("^2", "²").replace(" - ", " − ")
    return f"{metric.title}{name}: {formula}. {better.capitalize()}; range {bounds(metric)}{unit}."


def bounds(metric: Metric) -> str:
    """The range of a metric, for people."""
    return metric.range.replace("-inf", "−∞").replace("inf", "∞")


def option(metric: Metric) -> str:
    """A metric's name in a list to choose from: title, and what tells it from others of that title."""
    text = str(metric)
    return metric.title if "(" not in text else f"{metric.title} ({text.partition('(')[2]}"
