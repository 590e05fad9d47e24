"""The page that compares two to five submissions: the verdicts among the best, and what the browser judges others by.

The browser makes the paired test of ``wa_bench.evaluation.comparison`` on the same resamples (``assets/paired.js``).
It loads, from ``<track>/compare/``:

<exam>.u1                   how often each pool of designs is drawn: (pools, resamples) bytes
<slug>.json                 scores and error curves
<slug>.<exam>.<metric>.f4   influence of each pool on each score: (groups x targets, pools) little-endian float32
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from wa_bench.evaluation.comparison import FEWEST_TO_LEARN_FROM, LEVEL, Comparison, compare, yardstick
from wa_bench.evaluation.influence import Influence
from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.pair_scale import FAR
from wa_bench.evaluation.report import MEAN
from wa_bench.leaderboard.board import Board, Entry, Site, ranked
from wa_bench.leaderboard.curves import GRID
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.embedded import embedded

MOST = 5
"""Submissions that are compared at once."""

_MOST_DECIMALS = 6


def pages(board: Board, site: Site) -> Iterator[Page]:
    """The page, and what it loads."""
    if len(board.entries) < 2:
        return
    folder = f"{board.track.name}/compare"
    path = f"{folder}.html"
    yield Page(path, partial(_page, board, site, path), board.state)
    state = f"{board.entries[0].scores.fingerprint} {board.settings}"
    for split in board.entries[0].scores.splits:
        yield Page(f"{folder}/{split}.u1", partial(_weights, board, split), state)
    for entry in board.entries:
        key = entry.digest.key
        yield Page(f"{folder}/{entry.slug}.json", partial(_scores, board, entry), key)
        for split in entry.scores.splits:
            for row, metric in enumerate(_metrics(board)):
                yield Page(
                    f"{folder}/{entry.slug}.{split}.{row}.f4",
                    partial(_influences, board, entry, split, metric),
                    key,
                )


def _page(board: Board, site: Site, path: str) -> str:
    best = _best(board)
    return render(
        "compare.html.j2",
        path,
        site,
        board=board,
        nav="compare",
        data=(data := _index(board)),
        embedded=embedded(data),
        best=best,
        most=MOST,
        metric=parse_metric(board.track.rank_by),
        exams=[
            {
                "split": exam.split,
                "sampled": exam.sampled,
                "matrix": _matrix(compare([entry.scores for entry in best], (board.ranking[0], exam.split))),
            }
            for exam in board.track.exams
            if exam.split in board.entries[0].scores.splits and len(best) > 1
        ],
        level=LEVEL,
    )


def _best(board: Board) -> list[Entry]:
    """The best that have a rank, and so answer the same designs."""
    return ranked(board.entries)[:MOST]


def _matrix(comparison: Comparison) -> list[list[dict[str, str] | None]]:
    """Row minus column, as text, with its verdict; None on the diagonal."""
    places = range(len(comparison.values))
    return [[None if one == two else _difference(comparison, one, two) for two in places] for one in places]


def _difference(comparison: Comparison, one: int, two: int) -> dict[str, str]:
    difference, reach = comparison.difference(one, two)
    ends = [] if difference is None or reach is None else [difference - reach, difference + reach]
    shown, *between = _signed(difference, ends)
    return {
        "verdict": comparison.verdict(one, two),
        "difference": shown,
        "interval": " to ".join(between) or "no interval",
    }


def _signed(difference: float | None, ends: list[float]) -> list[str]:
    """A difference and its interval: two digits of the largest, and as many as tell the ends from zero and each other.

    What more decimals than people read would not tell from zero is shown by its power of ten: ``+3.2e-8``.
    """
    if difference is None:
        return ["undefined"]
    largest = max((abs(value) for value in (difference, *ends) if value), default=1.0)
    told = [*ends, *((ends[1] - ends[0]) / 2 for _ in ends[:1])]
    wanted = [2 - math.ceil(math.log10(largest)), *(-math.floor(math.log10(abs(value))) for value in told if value)]
    decimals = min(max(0, *wanted), _MOST_DECIMALS)
    return [_in_digits(value, decimals) for value in (difference, *ends)]


def _in_digits(value: float, decimals: int) -> str:
    text = f"{value:+,.{decimals}f}"
    if text.strip("+-0."):
        return text
    return f"{value:+.1e}".replace("e-0", "e-") if value else "0"


def _index(board: Board) -> dict[str, Any]:
    """What the browser must know before it loads the scores of those chosen."""
    first = board.entries[0].scores
    counts = [len(list(combinations(range(count), 2))) for count in range(2, MOST + 1)]
    return {
        "track": board.track.name,
        "level": LEVEL,
        "resamples": board.settings.resamples,
        "rules": {"pairs": {count: _rule(board, count) for count in counts}, "learn": FEWEST_TO_LEARN_FROM, "far": FAR},
        "metrics": [
            {
                "name": str(metric),
                "title": metric.title,
                "better": metric.better,
                "scale": metric.scale.name,
                "rising": metric.scale.rising,
                "unit": metric.unit,
            }
            for metric in _metrics(board)
        ],
        "targets": [
            *({"name": target.name, "label": target.label} for target in board.track.targets),
            {"name": MEAN, "label": "Mean"},
        ],
        "exams": [
            {
                "split": split,
                "groups": first.groups(split),
                "designs": [first.row((board.ranking[0], split, group))["designs"] for group in first.groups(split)],
                "strata": _pools(board, split).strata.tolist(),
            }
            for split in first.splits
        ],
        "errors": GRID.tolist(),
        "entries": [
            {
                "slug": entry.slug,
                "name": entry.card.name,
                "kind": entry.card.kind,
                "ranked": entry.rank is not None,
                "answers": entry.scores.answers[:16],
            }
            for entry in board.entries
        ],
    }


def _rule(board: Board, pairs: int) -> dict[str, float]:
    """Which of the sorted distances of the resamples a yardstick is made from, and by how much it is made longer."""
    share, longer = yardstick(pairs, board.settings.resamples)
    place = np.quantile(np.arange(board.settings.resamples), share, method="inverted_cdf")
    return {"place": int(place), "longer": longer}


def _metrics(board: Board) -> list[Metric]:
    return [parse_metric(name) for name in (board.track.rank_by, board.track.tie_breaker)]


@lru_cache(maxsize=16)
def _places(board: Board, split: str, metric: Metric) -> list[int]:
    """Rows of anybody's scores on an exam, group by group and target by target, the mean last."""
    targets = (*board.track.target_names, MEAN)
    scores = board.entries[0].scores
    return [scores.place((f"{metric}@{target}", split, group)) for group in scores.groups(split) for target in targets]


def _weights(board: Board, split: str) -> bytes:
    return _pools(board, split).weights(board.settings.resamples, board.settings.seed).astype(np.uint8).tobytes()


def _pools(board: Board, split: str) -> Influence:
    """One of the influences on an exam: their pools are the same for all scores and submissions."""
    return board.entries[0].scores.influence(_places(board, split, _metrics(board)[0])[0])


def _influences(board: Board, entry: Entry, split: str, metric: Metric) -> bytes:
    rows = [entry.scores.influence(place).values for place in _places(board, split, metric)]
    return np.array(rows, dtype="<f4").tobytes()


def _scores(board: Board, entry: Entry) -> bytes:
    values = entry.rows.get_column("value")
    cells = {
        split: [[values[place] for place in _places(board, split, metric)] for metric in _metrics(board)]
        for split in entry.scores.splits
    }
    return msgspec.json.encode({"cells": cells, "curves": _curves(entry)}, order="deterministic")


def _curves(entry: Entry) -> dict[str, dict[str, list[float]]]:
    """Share of the designs, in percent, whose error is at most that of the grid: by exam and target."""
    found: dict[str, dict[str, list[float]]] = {}
    for (split, target), rows in entry.curves.cdf.group_by("split", "target", maintain_order=True):
        found.setdefault(str(split), {})[str(target)] = rows.get_column("share").round(4).to_list()
    return found
