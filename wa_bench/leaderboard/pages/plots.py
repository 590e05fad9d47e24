"""Small plots as geometry for ``plot.html.j2``: one panel a target, one line an exam."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from wa_bench.leaderboard.curves import GRID, Curves
from wa_bench.tracks.track import ALL, Target, Track

_WIDTH, _HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 24, 36
_ROW, _NAMES = 17, 92
_PERCENTS = (0, 1, 10, 100, 1000, 10_000, 100_000)

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A place on an axis in pixels, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A line of a series (numbered from one), with the band around it and the dots on it."""

    series: int
    path: str
    area: str = ""
    dots: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Box:
    """A box in pixels: its row, whiskers, quartiles, median; ``series`` is its exam's, ``whole`` if it is all of it."""

    series: int
    name: str
    whole: bool
    y: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float
    title: str


@dataclass(frozen=True)
class Panel:
    """A plot of ``width`` by ``height`` pixels whose axes span ``left`` to ``right`` and ``bottom`` to ``top``."""

    title: str
    about: str
    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...] = ()
    lines: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    width: float = _WIDTH
    height: float = _HEIGHT
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM


def error_cdfs(curves: Curves, track: Track) -> list[Panel]:
    """Share of the designs whose absolute percent error is at most x, a panel a target."""
    panels = []
    x = _scale(math.log10, (float(GRID[0]), float(GRID[-1])), _LEFT, _WIDTH - _RIGHT)
    y = _scale(float, (0, 100), _HEIGHT - _BOTTOM, _TOP)
    for target, parts in _by_target(curves.cdf, track):
        lines = [
            Line(series, _path(zip(map(x, part["error"]), map(y, part["share"]), strict=True)))
            for series, part in parts
        ]
        ticks = tuple(Tick(x(error), short(error)) for error in (0.1, 1, 10, 100, 1000, 10_000))
        panels.append(
            Panel(
                target.label,
                f"{target.label}: share of designs by absolute percent error",
                "absolute percent error, at most",
                ticks,
                tuple(Tick(y(share), f"{share} %") for share in (0, 25, 50, 75, 100)),
                tuple(lines),
            )
        )
    return panels


def errors_against(table: pl.DataFrame, track: Track, label: str) -> list[Panel]:
    """Median and quartiles of the absolute percent error over what the designs are binned by.

    Args:
        table: ``Curves.by_size`` or ``Curves.by_reuse``.
        track: whose targets and exams.
        label: of the axis, with a place for the target's ``{unit}``.
    """
    panels = []
    for target, parts in _by_target(table, track):
        x, x_ticks = _sizes(sorted({place for _, part in parts for place in part["at"]}))
        top = max(10.0, *(value for _, part in parts for value in part["upper"]))
        y = _scale(_signed_log, (0, top), _HEIGHT - _BOTTOM, _TOP)
        lines = []
        for series, part in parts:
            at = [x(place) for place in part["at"]]
            lower, median, upper = ([y(value) for value in part[name]] for name in ("lower", "median", "upper"))
            band = [*zip(at, upper, strict=True), *zip(reversed(at), reversed(lower), strict=True)]
            dots = tuple((round(a, 1), round(b, 1)) for a, b in zip(at, median, strict=True))
            lines.append(Line(series, _path(zip(at, median, strict=True)), _path(band) + "Z", dots))
        panels.append(
            Panel(
                target.label,
                f"{target.label}: absolute percent error against {label.format(unit=target.unit)}",
                label.format(unit=target.unit),
                x_ticks,
                tuple(Tick(y(value), f"{short(value)} %") for value in _PERCENTS if value <= top),
                tuple(lines),
            )
        )
    return panels


def error_boxes(curves: Curves, track: Track) -> list[Panel]:
    """Boxes of the signed percent error by group: half of the designs in the box, nine of ten in the whiskers."""
    panels = []
    for target, parts in _by_target(curves.boxes, track):
        span = (
            min(-1.0, *(value for _, part in parts for value in part["q05"])),
            max(1.0, *(value for _, part in parts for value in part["q95"])),
        )
        x = _scale(_signed_log, span, _NAMES, _WIDTH - _RIGHT)
        rows: list[Box] = []
        for series, part in parts:
            for line in _lines(part):
                y = _TOP + 12 + _ROW * len(rows)
                whole = line["group"] == ALL.name
                name = line["split"] if whole else line["group"]
                q05, q25, q50, q75, q95 = (round(x(line[q]), 1) for q in ("q05", "q25", "q50", "q75", "q95"))
                title = f"{line['split']}, {line['group']}: median {line['q50']:.3g} %, {line['designs']:,} designs"
                rows.append(Box(series, name, whole, y, q05, q25, q50, q75, q95, title))
        height = _TOP + _ROW * len(rows) + 12 + _BOTTOM
        values = sorted({sign * value for value in _PERCENTS for sign in (-1, 1)})
        marks = [Tick(x(value), short(value)) for value in values if span[0] <= value <= span[1]]
        panels.append(
            Panel(
                target.label,
                f"{target.label}: signed percent error by group",
                "signed percent error",
                tuple(_apart(marks)),
                boxes=tuple(rows),
                height=height,
                left=_NAMES,
                bottom=height - _BOTTOM,
            )
        )
    return panels


def short(value: float) -> str:
    """A tick's label: 0.1, 100, 10k, 1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


Columns = dict[str, list[Any]]


def _by_target(table: pl.DataFrame, track: Track) -> Iterator[tuple[Target, list[tuple[int, Columns]]]]:
    """Of each target that has some rows, those of each exam, with the number of its series."""
    parts = table.partition_by("target", "split", as_dict=True)
    for target in track.targets:
        found = [
            (series, parts[target.name, split].to_dict(as_series=False))
            for series, split in enumerate(track.exam_splits, 1)
            if (target.name, split) in parts
        ]
        if found:
            yield target, found


def _lines(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _scale(
    turned: Callable[[float], float], span: tuple[float, float], first: float, last: float
) -> Callable[[float], float]:
    """From values to pixels."""
    low, high = turned(span[0]), turned(span[1])
    return lambda value: first + (last - first) * (turned(value) - low) / ((high - low) or 1.0)


def _signed_log(value: float) -> float:
    return math.copysign(math.log10(1 + abs(value)), value)


def _sizes(places: Sequence[float]) -> tuple[Callable[[float], float], tuple[Tick, ...]]:
    """A logarithmic axis for sizes; zero, where there is one, stands at its start."""
    positive = [place for place in places if place > 0] or [1.0]
    zero = len(positive) < len(places)
    first = _LEFT + (26 if zero else 6)
    scale = _scale(math.log10, (positive[0], positive[-1]), first, _WIDTH - _RIGHT - 6)
    powers = range(math.floor(math.log10(positive[0])), math.ceil(math.log10(positive[-1])) + 1)
    many = positive[-1] / positive[0] > 30
    values = [step * 10.0**power for power in powers for step in ((1,) if many else (1, 2, 5))]
    ticks = [Tick(scale(value), short(value)) for value in values if positive[0] <= value <= positive[-1]]
    if zero:
        ticks.insert(0, Tick(_LEFT + 6, "0"))
    return (lambda value: scale(value) if value > 0 else _LEFT + 6), tuple(_apart(ticks))


def _apart(ticks: Sequence[Tick], least: float = 24) -> list[Tick]:
    """The ticks whose labels do not touch; zero stays."""
    kept = [tick for tick in ticks if tick.label == "0"]
    for tick in ticks:
        if all(abs(tick.at - other.at) >= least for other in kept):
            kept.append(tick)
    return sorted(kept, key=lambda tick: tick.at)


def _path(points: Sequence[Point] | zip[Point]) -> str:
    """SVG path data; points on a level line between two others are left out."""
    rounded = [(round(x, 1), round(y, 1)) for x, y in points]
    kept = [
        point
        for before, point, after in zip([None, *rounded], rounded, [*rounded[1:], None], strict=False)
        if before is None or after is None or not before[1] == point[1] == after[1]
    ]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in kept)
