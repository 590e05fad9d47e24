"""The page of trade-offs: accuracy against what a prediction costs, with the front of those that none beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.embedded import embedded
from wa_bench.leaderboard.pages.score_table import ExamColumns, score_table

WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 16, 48
_DOT = 7
"""Half of the room that a point takes."""


@dataclass(frozen=True)
class Cost:
    """What a prediction costs: a field of the card, smaller is better."""

    field: str
    title: str
    short: str
    unit: str


COSTS = (
    Cost("seconds_per_design", "Inference time of a design", "time", "s"),
    Cost("parameters", "Parameters", "parameters", ""),
    Cost("joules_per_design", "Energy of an inference", "energy", "J"),
)


@dataclass(frozen=True)
class Point:
    """A submission in a chart, in pixels; ``off`` where its score lies beyond the axis."""

    entry: Entry
    x: float
    y: float
    low: float
    high: float
    off: bool
    on_front: bool
    words: str
    label: tuple[float, float, str] | None


@dataclass(frozen=True)
class Chart:
    """A chart of ``WIDTH`` by ``HEIGHT`` pixels. Ticks are (place, text); ``front`` is SVG path data."""

    cost: Cost
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    front: str


def pages(board: Board, site: Site) -> Iterator[Page]:
    """The page of a track that has submissions."""
    if not board.entries:
        return
    path = f"{board.track.name}/pareto.html"
    yield Page(path, partial(_page, board, site, path), board.state)


def _page(board: Board, site: Site, path: str) -> str:
    metric = parse_metric(board.track.rank_by)
    told = {cost: [entry for entry in board.entries if _cost(entry, cost) is not None] for cost in COSTS}
    scored = score_table(board).columns(metric, board.track.exams[0].split)
    charts = [_chart(board, cost, entries, metric, scored) for cost, entries in told.items() if entries]
    return render(
        "pareto.html.j2",
        path,
        site,
        board=board,
        nav="pareto",
        costs=COSTS,
        metric=metric,
        charts=charts,
        size={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "bottom": HEIGHT - BOTTOM,
            "top": TOP,
        },
        lines=[_line(board, entry, charts) for entry in board.entries],
        untold=[(cost, [entry for entry in board.entries if entry not in entries]) for cost, entries in told.items()],
        data=(data := _data(board)),
        embedded=embedded(data),
    )


def _line(board: Board, entry: Entry, charts: Sequence[Chart]) -> dict[str, Any]:
    """A row of the table."""
    return {
        "entry": entry,
        "row": entry.scores.row(board.ranking[0]),
        "costs": [shown_cost(_cost(entry, cost), cost) for cost in COSTS],
        "fronts": [
            chart.cost.short for chart in charts for point in chart.points if point.entry is entry and point.on_front
        ],
    }


def _data(board: Board) -> dict[str, Any]:
    """What the browser needs to draw the chart with other axes: exact scores, and where they stand on an axis."""
    metrics = [parse_metric(name) for name in (board.track.rank_by, board.track.tie_breaker)]
    splits = board.entries[0].scores.splits
    table = score_table(board)
    columns = {(metric, split): table.columns(metric, split) for metric in metrics for split in splits}
    return {
        "size": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        "costs": [{"field": cost.field, "title": cost.title, "unit": cost.unit} for cost in COSTS],
        "metrics": [
            {
                "name": str(metric),
                "title": metric.title,
                "better": metric.better,
                "marks": [_marks(columns[metric, split]) for split in splits],
            }
            for metric in metrics
        ],
        "exams": splits,
        "entries": [
            {
                "slug": entry.slug,
                "name": entry.card.name,
                "ranked": entry.rank is not None,
                "costs": [_cost(entry, cost) for cost in COSTS],
                "scores": [
                    [[entry.mean(str(metric), split), columns[metric, split].bars[place]] for metric in metrics]
                    for split in splits
                ],
            }
            for place, entry in enumerate(board.entries)
            if any(_cost(entry, cost) is not None for cost in COSTS)
        ],
    }


def _marks(scored: ExamColumns) -> list[tuple[float, str]]:
    return scored.axis.marks if scored.axis else []


def _cost(entry: Entry, cost: Cost) -> float | None:
    value: float | None = getattr(entry.card, cost.field)
    return value


def _chart(board: Board, cost: Cost, entries: Sequence[Entry], metric: Metric, scored: ExamColumns) -> Chart:
    bars = {entry.slug: bar for entry, bar in zip(board.entries, scored.bars, strict=True) if bar is not None}
    drawn = [entry for entry in entries if entry.slug in bars]
    costs = {entry.slug: float(_cost(entry, cost) or 0) for entry in drawn}
    values = {entry.slug: float(entry.mean(str(metric)) or 0) for entry in drawn}
    positive = [value for value in costs.values() if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    last = max(last, first + 1)

    def across(value: float) -> float:
        share = 0.0 if value <= 0 else (math.log10(value) - first) / (last - first)
        return LEFT + max(share, 0) * (WIDTH - LEFT - RIGHT)

    def up(at: float) -> float:
        share = min(max(at, 0), 100) / 100
        return HEIGHT - BOTTOM - (1 - share if metric.better == "lower" else share) * (HEIGHT - TOP - BOTTOM)

    ranked = [(costs[entry.slug], values[entry.slug], entry.slug) for entry in drawn if entry.rank is not None]
    front = front_of(ranked, metric)
    places = {entry.slug: (across(costs[entry.slug]), up(bars[entry.slug][0])) for entry in drawn}
    taken = [(x - _DOT, x + _DOT, y + 4) for x, y in places.values()]
    points = []
    for entry in sorted(drawn, key=lambda each: (each.slug not in front, costs[each.slug])):
        (x, y), (at, low, high), on_front = places[entry.slug], bars[entry.slug], entry.slug in front
        score, price = number(values[entry.slug]), shown_cost(costs[entry.slug], cost)
        points.append(
            Point(
                entry,
                x,
                y,
                up(low),
                up(high),
                not 0 <= at <= 100,
                on_front,
                f"{entry.card.name}: {metric.title} {score}, {price}",
                _label(entry.card.name, x, y, taken) if on_front else None,
            )
        )
    return Chart(
        cost,
        tuple((across(10.0**power), shown_cost(10.0**power, cost)) for power in range(first, last + 1)),
        tuple((up(at), label) for at, label in _marks(scored)),
        tuple(sorted(points, key=lambda point: point.on_front)),
        _steps(sorted(places[slug] for slug in front)),
    )


def front_of(points: Sequence[tuple[float, float, str]], metric: Metric) -> set[str]:
    """Names of the points (cost, score, name) that no other equals or beats in both and beats in one."""
    front: set[str] = set()
    last = (math.nan, math.inf)
    for cost, value, name in sorted(points, key=lambda point: (point[0], metric.badness(point[1]), point[2])):
        place = (cost, metric.badness(value))
        if place[1] < last[1] or place == last:
            front.add(name)
            last = place
    return front


def _steps(corners: Sequence[tuple[float, float]]) -> str:
    """A stair through the front: what can be had at a cost, up to the right edge."""
    if not corners:
        return ""
    path = f"M{corners[0][0]:.1f} {corners[0][1]:.1f}"
    path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in corners[1:])
    return f"{path}H{WIDTH - RIGHT}"


def _label(name: str, x: float, y: float, taken: list[tuple[float, float, float]]) -> tuple[float, float, str] | None:
    """Where a name stands without covering another or a point: above its point, else below, else nowhere."""
    shown = name if len(name) <= 28 else f"{name[:27]}…"
    width = 7.4 * len(shown)
    left = min(x + 8, WIDTH - RIGHT - width)
    for top in (y - 9, y + 18, y - 24, y + 33):
        free = all(
            top + 12 < above or above + 12 < top or left > end or left + width < start for start, end, above in taken
        )
        if free and TOP <= top <= HEIGHT - BOTTOM - 4:
            taken.append((left, left + width, top))
            return left, top, shown
    return None


def shown_cost(value: float | None, cost: Cost) -> str:
    """A cost for people, with a prefix: 3.2 ms, 1.5 M; what is not told is said so."""
    if value is None:
        return "not told"
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{cost.unit}".strip()
    return f"{value:.3g} {cost.unit}".strip()
