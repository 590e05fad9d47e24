"""The page of trade-offs: accuracy against what a prediction costs, with the front of those that none beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.report import MEAN, number
from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.embedded import embedded

WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 16, 48
_SPREAD = 5.0
"""A value farther from the best than so many times the median's distance stands at the edge."""


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
    charts = [_chart(board, cost, entries, metric) for cost, entries in told.items() if entries]
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
    """What the browser needs to draw the chart with other axes."""
    metrics = [parse_metric(name) for name in (board.track.rank_by, board.track.tie_breaker)]
    splits = board.entries[0].scores.splits
    return {
        "size": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        "spread": _SPREAD,
        "costs": [{"field": cost.field, "title": cost.title, "unit": cost.unit} for cost in COSTS],
        "metrics": [
            {
                "name": str(metric),
                "title": metric.title,
                "unit": metric.unit,
                "better": metric.better,
                "best": _best(metric),
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
                    [
                        [row["value"], row["low"], row["high"]]
                        for metric in metrics
                        for row in [_row(entry, metric, split)]
                    ]
                    for split in splits
                ],
            }
            for entry in board.entries
            if any(_cost(entry, cost) is not None for cost in COSTS)
        ],
    }


def _row(entry: Entry, metric: Metric, split: str) -> dict[str, Any]:
    return entry.scores.row((f"{metric}@{MEAN}", split))


def _cost(entry: Entry, cost: Cost) -> float | None:
    value: float | None = getattr(entry.card, cost.field)
    return value


def _best(metric: Metric) -> float:
    """The best value there is: the end of the metric's range."""
    end = metric.range.strip("[]()").split(", ")[1 if metric.better == "higher" else 0]
    return float(end)


def _chart(board: Board, cost: Cost, entries: Sequence[Entry], metric: Metric) -> Chart:
    scored = [(entry, row) for entry in entries if (row := entry.scores.row(board.ranking[0]))["value"] is not None]
    costs = {entry.slug: float(_cost(entry, cost) or 0) for entry, _ in scored}
    positive = [value for value in costs.values() if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    last = max(last, first + 1)
    worst, best = _range([row["value"] for _, row in scored], metric)

    def across(value: float) -> float:
        share = 0.0 if value <= 0 else (math.log10(value) - first) / (last - first)
        return LEFT + max(share, 0) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        share = min(max((value - worst) / (best - worst), 0), 1)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    ranked = [(costs[entry.slug], row["value"], entry.slug) for entry, row in scored if entry.rank is not None]
    front = front_of(ranked, metric)
    points = []
    taken: list[tuple[float, float, float]] = []
    for entry, row in sorted(scored, key=lambda each: (each[0].slug not in front, costs[each[0].slug])):
        x, y = across(costs[entry.slug]), up(row["value"])
        on_front = entry.slug in front
        points.append(
            Point(
                entry,
                x,
                y,
                up(row["value"] if row["low"] is None else row["low"]),
                up(row["value"] if row["high"] is None else row["high"]),
                abs(row["value"] - best) > abs(worst - best),
                on_front,
                f"{entry.card.name}: {metric.title} {number(row['value'])}, {shown_cost(costs[entry.slug], cost)}",
                _label(entry.card.name, x, y, taken) if on_front else None,
            )
        )
    corners = [(across(costs[slug]), up(value)) for _, value, slug in ranked if slug in front]
    return Chart(
        cost,
        tuple((across(10.0**power), shown_cost(10.0**power, cost)) for power in range(first, last + 1)),
        tuple((up(value), number(value)) for value in _ticks(*sorted((worst, best)))),
        tuple(sorted(points, key=lambda point: point.on_front)),
        _steps(sorted(corners)),
    )


def _range(values: Sequence[float], metric: Metric) -> tuple[float, float]:
    """The worst value shown and the best there is: one far off does not squeeze the others."""
    best = _best(metric)
    far = sorted(abs(value - best) for value in values)
    reach = min(far[-1], _SPREAD * far[(len(far) - 1) // 2]) * 1.08 or 1.0
    return (best - reach if metric.better == "higher" else best + reach), best


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
    """Where a name stands without covering another: above its point, else below, else nowhere."""
    shown = name if len(name) <= 28 else f"{name[:27]}…"
    width = 6.2 * len(shown)
    left = min(x + 8, WIDTH - RIGHT - width)
    for top in (y - 9, y + 18, y - 24, y + 33):
        free = all(
            top + 12 < above or above + 12 < top or left > end or left + width < start for start, end, above in taken
        )
        if free and TOP <= top <= HEIGHT - BOTTOM - 4:
            taken.append((left, left + width, top))
            return left, top, shown
    return None


def _ticks(low: float, high: float) -> list[float]:
    """Round values within an axis, about six."""
    raw = (high - low) / 6
    step = 10 ** math.floor(math.log10(raw))
    step *= next(times for times in (1, 2, 2.5, 5, 10) if times * step >= raw)
    return [step * count for count in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def shown_cost(value: float | None, cost: Cost) -> str:
    """A cost for people, with a prefix: 3.2 ms, 1.5 M; what is not told is said so."""
    if value is None:
        return "not told"
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{cost.unit}".strip()
    return f"{value:.3g} {cost.unit}".strip()
