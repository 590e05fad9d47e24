"""The board of a track: which surrogate to use, and whether the difference is real.

Beside the page stand the scores on each group of designs, in ``<track>/groups/``, and against each other truth of the
track, in ``<track>/truths/``: loaded when somebody asks for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.leaderboard.board import Board, Entry, Site, ranked
from wa_bench.leaderboard.pages import Page, render, scales
from wa_bench.leaderboard.pages.embedded import embedded
from wa_bench.leaderboard.pages.reported import published
from wa_bench.leaderboard.pages.score_table import score_table
from wa_bench.leaderboard.versions import ranks


def pages(board: Board, site: Site) -> Iterator[Page]:
    """``<track>/index.html``, and the scores of each group and against each other truth."""
    path = f"{board.track.name}/index.html"
    yield Page(path, partial(_page, board, path, site), board.state)
    if board.entries:
        for split, groups in score_table(board).groups.items():
            for group in groups:
                path = f"{board.track.name}/groups/{split}.{group}.json"
                yield Page(path, partial(_group, board, split, group), board.state)
        for truth in board.track.other_truths:
            yield Page(f"{board.track.name}/truths/{truth.name}.json", partial(_truth, board, truth.name), board.state)


def _group(board: Board, split: str, group: str) -> bytes:
    return msgspec.json.encode(score_table(board).of_group(split, group))


def _truth(board: Board, truth: str) -> bytes:
    return msgspec.json.encode(score_table(board).of_truth(truth))


def _page(board: Board, path: str, site: Site) -> str:
    track = board.track
    metric = parse_metric(track.rank_by)
    values: dict[str, Any] = {
        "board": board,
        "nav": "board",
        "metric": metric,
        "judged": track.judged(metric.title),
        "about": scales.explained(metric),
        "limits": [f"{abs(limit):g}" for limit in scales.limits(metric) or ()],
        "published": (tables := published(board)),
        "reported_groups": _groups(tables),
        "options": [(str(each), scales.option(each)) for each in board.metrics],
        "lines": [],
    }
    if board.entries:
        values |= _scored(board)
    return render("board.html.j2", path, site, **values)


def _scored(board: Board) -> dict[str, Any]:
    table = score_table(board)
    track, metric = board.track, parse_metric(board.track.rank_by)
    splits = board.entries[0].scores.splits
    columns = [table.columns(metric, split) for split in splits]
    groups = [list(table.groups[split]) for split in splits]
    exams = {exam.split: exam for exam in track.exams}
    lines: list[dict[str, Any]] = []
    tie_group: int | None = None
    for place, entry in enumerate(board.entries):
        scored = []
        for exam, names in zip(columns, groups, strict=True):
            worst = exam.worst[place] if exam.worst else None
            scored.append(
                {
                    "mean": scales.as_text(exam.mean[place]),
                    "interval": _interval(exam.low[place], exam.high[place]),
                    "bar": exam.bars[place],
                    "ticks": exam.axis.ticks if exam.axis else [],
                    "cells": [
                        (scales.as_text(cells[place]), _shade(metric, cells[place], most))
                        for cells, most in zip(exam.cells, exam.most, strict=True)
                    ],
                    "worst": None if worst is None else (names[worst[0]], scales.as_text(worst[1])),
                }
            )
        starts = entry.tie_group is not None and entry.tie_group != tie_group
        tie_group = entry.tie_group or tie_group
        lines.append(
            {
                "entry": entry,
                "card": entry.card,
                "rank": rank_text(entry),
                "starts_group": starts and place > 0,
                "exams": scored,
                "coverage": min(entry.scores.coverage(split) or 0 for split in splits),
                "open": [name for name in ("code", "weights", "paper") if getattr(entry.card, name)],
                "time": scales.quantity(entry.card.seconds_per_design, "s"),
                "energy": scales.quantity(entry.card.joules_per_design, "J"),
                "parameters": scales.count(entry.card.parameters),
            }
        )
    families = Counter(entry.card.family for entry in board.entries)
    return {
        "lines": lines,
        "unbeaten": (best := [entry for entry in board.entries if entry.rank == 1]),
        "quickest": _quickest(best),
        "quantity": scales.quantity,
        "competing": len(ranked(board.entries)),
        "exams": [
            {
                "split": split,
                "designs": board.designs[split],
                "ticks": column.axis.ticks if column.axis else [],
                "sampled": exams[split].sampled,
                "groups": table.groups[split],
            }
            for split, column in zip(splits, columns, strict=True)
        ],
        "families": sorted(families.items(), key=lambda item: (-item[1], item[0])),
        "opened": [what for what in ("code", "weights") if any(what in line["open"] for line in lines)],
        "partial": any(line["coverage"] < 1 for line in lines),
        "controls": [entry for entry in board.entries if entry.is_control],
        "data": embedded(
            {
                "track": track.name,
                "rank_by": track.rank_by,
                "exams": splits,
                "targets": track.target_names,
                "groups": groups,
            }
        ),
        "metrics": embedded(table.to_dict()),
    }


def _groups(tables: list[dict[str, Any]]) -> list[str]:
    """The groups that others reported on, in their order."""
    lines = (line for table in tables for kind in table["kinds"] for block in kind["blocks"] for line in block["lines"])
    return list(dict.fromkeys(line["group"] for line in lines))


def _quickest(entries: list[Entry]) -> Entry | None:
    """The one of some that takes the least time by its card; None where there is nothing to choose."""
    timed = [(seconds, entry) for entry in entries if (seconds := entry.card.seconds_per_design) is not None]
    return min(timed, key=lambda each: each[0])[1] if len(timed) > 1 else None


def _shade(metric: Metric, seen: scales.Shown, most: tuple[float, ...]) -> int | None:
    value = scales.as_number(seen)
    return None if value is None else scales.shade(metric.badness(value), most)


def _interval(low: scales.Shown, high: scales.Shown) -> str:
    return "" if low is None else f"[{scales.as_text(low)}, {scales.as_text(high)}]"


def rank_text(entry: Entry) -> str | None:
    """The rank, or the range of ranks that it may have; None for controls and where designs are left out."""
    return None if entry.rank is None else ranks(entry)
