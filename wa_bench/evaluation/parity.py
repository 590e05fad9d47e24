"""Prediction against truth as SVG text, one panel a target.

A board has hundreds of these figures; they are written as text, since a plotting library takes fifty times as long.
Text and axes take the colour of the page around them (``currentColor``); equal input gives equal bytes.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from itertools import cycle
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wa_bench.errors import needs_extra
from wa_bench.evaluation.figures import COLOURS, COLUMNS, Pairs, pairs_of, symlog_range
from wa_bench.evaluation.metrics import FitAccuracy, Floats, parse_metric
from wa_bench.evaluation.report import Report
from wa_bench.evaluation.svg import short
from wa_bench.records.parts import PARTS
from wa_bench.tracks.track import Target, Track

# Points of the page. A panel stands ``_ACROSS`` right of the one before, or ``_DOWN`` below it.
_FIGURE, _ACROSS, _DOWN = 648.0, 214.0, 194.4
_LEFT, _TOP, _WIDTH, _HEIGHT = 52.0, 36.0, 164.0, 126.0
_TICK, _GAP = 3.5, 2.5

_MOST_DOTS = 300
_DENSITY_BINS = 90
_FAINTEST = 0.35
_DOTS = (
    "m-1.6 0a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0z",
    "m-1.8 1.3h3.6l-1.8-3z",
    "m-1.4-1.4h2.8v2.8h-2.8z",
    "m0-2l2 2-2 2-2-2z",
)
"""Paths around a point."""
_MOST_TICKS = 8
_LINEAR = 10 / 9
"""Decades that the linear part of an axis is as long as."""


def parity(report: Report) -> str:
    """Prediction against truth, coloured by split, on logarithmic axes (symlog, so that zero has a place).

    A split of more than 300 designs is drawn as a density: the stronger a cell, the more designs, by logarithm. The
    axes span the truth with some room; predictions farther off stand at their edge. Dotted lines are the capacity of
    the part that the track asks about, where it lies on the axes.
    """
    targets = report.track.targets
    capacities = _capacities(report.track)
    height = _DOWN * -(-len(targets) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_FIGURE:g}pt" height="{height:g}pt" '
        f'viewBox="0 0 {_FIGURE:g} {height:g}" font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif" '
        'font-size="8" style="fill: currentColor">',
        *_legend(report.splits),
    ]
    for place, (target, pairs) in enumerate(zip(targets, pairs_of(report), strict=True)):
        x, y = _LEFT + _ACROSS * (place % COLUMNS), _TOP + _DOWN * (place // COLUMNS)
        parts += [
            f'<g transform="translate({x:g} {y:g})">',
            *_panel(target, pairs, capacities.get(target.name)),
            "</g>",
        ]
    return "\n".join((*parts, "</svg>\n"))


class _Capacity(NamedTuple):
    """How much of a resource a part has."""

    part: str
    size: int


def _capacities(track: Track) -> dict[str, _Capacity]:
    """By target, of the part that the track's verdicts on what fits are about."""
    fits = [metric for metric in map(parse_metric, track.metrics) if isinstance(metric, FitAccuracy)]
    parts = [part for part in PARTS if fits and part.prefix == fits[0].part]
    return {name: _Capacity(part.prefix, getattr(part, name)) for part in parts for name in fits[0].joint}


class _Axis(NamedTuple):
    """A logarithmic axis from ``low`` to ``high``, linear below ``threshold``."""

    threshold: float
    low: float
    high: float

    def at(self, values: Floats) -> Floats:
        """Where values stand, from 0 to 1; those beyond an end stand there."""
        low, high = self._there(np.array([self.low, self.high]))
        return np.asarray((self._there(np.clip(values, self.low, self.high)) - low) / (high - low))

    def _there(self, values: Floats) -> Floats:
        size = np.abs(values) / self.threshold
        there: Floats = np.where(size <= 1, size * _LINEAR, _LINEAR + np.log10(np.maximum(size, 1)))
        return np.copysign(there, values)

    def ticks(self) -> list[tuple[float, str]]:
        """Place and label of zero and of the powers of ten, or of some of them; of the end where there is none."""
        powers = 10.0 ** np.arange(np.round(np.log10(self.threshold)), np.floor(np.log10(self.high)) + 1)
        powers = powers[powers >= self.low]
        some = powers[:: -(-len(powers) // _MOST_TICKS)] if len(powers) else [float(f"{self.high:.2g}")]
        values = np.array([*([0.0] if self.low <= 0 else []), *some])
        return list(zip(self.at(values).tolist(), map(short, values.tolist()), strict=True))


def _legend(splits: list[str]) -> Iterator[str]:
    x = 12.0
    for split, colour, dot in zip(splits, cycle(COLOURS), cycle(_DOTS)):
        yield f'<path d="M{x:g} 10{dot}" style="fill: {colour}"/><text x="{x + 8:g}" y="13">{escape(split)}</text>'
        x += 30 + 5 * len(split)


def _panel(target: Target, pairs: Pairs, capacity: _Capacity | None) -> Iterator[str]:
    axis = _Axis(*symlog_range(pairs))
    for (truth, prediction), colour, dot in zip(pairs.values(), cycle(COLOURS), cycle(_DOTS)):
        draw = _density if len(truth) > _MOST_DOTS else _scatter
        yield draw(axis.at(truth), axis.at(prediction), colour, dot)
    yield _line(f"M0 {_HEIGHT:g}L{_WIDTH:g} 0", "stroke-width: 0.8; opacity: 0.6")
    if capacity is not None and capacity.size < axis.high:
        place = float(axis.at(np.array(capacity.size)))
        x, y = place * _WIDTH, (1 - place) * _HEIGHT
        yield _line(
            f"M{x:.1f} {_HEIGHT:g}V0M0 {y:.1f}H{_WIDTH:g}", "stroke-width: 0.8; stroke-dasharray: 0.8 1.6; opacity: 0.8"
        )
        yield _text(x + 7, _HEIGHT - 3, capacity.part, "start", size=6, upward=True)
    across, up = [], []
    for place, label in axis.ticks():
        x, y = place * _WIDTH, (1 - place) * _HEIGHT
        across.append(f"M{x:.1f} {_HEIGHT:g}v{_TICK}")
        up.append(f"M0 {y:.1f}h-{_TICK}")
        yield _text(x, _HEIGHT + _TICK + _GAP + 7, label)
        yield _text(-_TICK - _GAP, y + 3, label, "end")
    yield _line(f"M0 0V{_HEIGHT:g}H{_WIDTH:g}{''.join(across)}{''.join(up)}", "stroke-width: 0.8")
    yield _text(_WIDTH / 2, _HEIGHT + 26, f"truth [{target.unit}]")
    yield _text(-30, _HEIGHT / 2, "prediction", upward=True)
    yield _text(_WIDTH / 2, -6, target.label, size=9)


def _line(path: str, style: str) -> str:
    return f'<path d="{path}" style="fill: none; stroke: currentColor; {style}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", *, size: float = 8, upward: bool = False) -> str:
    place = f'transform="translate({x:.1f} {y:.1f}) rotate(-90)"' if upward else f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


def _scatter(across: Floats, up: Floats, colour: str, dot: str) -> str:
    """A dot a design."""
    points = zip((across * _WIDTH).tolist(), ((1 - up) * _HEIGHT).tolist(), strict=True)
    path = "".join(f"M{x:.1f} {y:.1f}{dot}" for x, y in points)
    return f'<path d="{path}" style="fill: {colour}; opacity: 0.75"/>'


def _density(across: Floats, up: Floats, colour: str, _: str) -> str:
    """A picture of how many designs are where."""
    column, row = (np.minimum((at * _DENSITY_BINS).astype(np.int64), _DENSITY_BINS - 1) for at in (across, 1 - up))
    counts = np.bincount(row * _DENSITY_BINS + column, minlength=_DENSITY_BINS**2).reshape(_DENSITY_BINS, -1)
    share = np.log(np.maximum(counts, 1)) / np.log(max(counts.max(), 2))
    alpha = np.where(counts, _FAINTEST + (1 - _FAINTEST) * share, 0)
    pixels = np.empty((*counts.shape, 4), dtype=np.uint8)
    pixels[..., :3] = list(bytes.fromhex(colour.removeprefix("#")))
    pixels[..., 3] = np.round(255 * alpha)
    return (
        f'<image width="{_WIDTH:g}" height="{_HEIGHT:g}" preserveAspectRatio="none" style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{b64encode(_png(pixels)).decode()}"/>'
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture of red, green, blue and opacity (height, width, 4)."""
    with needs_extra("plots"):
        from PIL import Image
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()
