"""Figures that others published, for the board: apart from those computed here, by the truth they were scored on."""

from __future__ import annotations

from typing import Any

import polars as pl

from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.pages import scales
from wa_bench.submissions.reported import Reported

TRUTHS = {
    "post-synthesis": "post-synthesis figures, the truth of this board",
    "hls-estimate": "HLS estimates: another truth than this board's",
    "other": "another truth, see the note",
}
"""What each kind of truth is called."""


def published(board: Board) -> list[dict[str, Any]]:
    """One table an exam that somebody reported on: its split, and by kind of truth the blocks.

    A block is one result and metric; its lines are the groups: numbers as printed with their shade, by target, None
    where it has none on this truth.
    """
    tables = []
    for split in board.track.exam_splits:
        kinds = [
            {"kind": kind, "title": title, "blocks": blocks}
            for kind, title in TRUTHS.items()
            if (blocks := [block for result in board.reported for block in _blocks(board, result, split, kind)])
        ]
        if kinds:
            tables.append({"split": split, "kinds": kinds})
    return tables


def _blocks(board: Board, result: Reported, split: str, kind: str) -> list[dict[str, Any]]:
    rows = result.scored_on(kind).filter(pl.col("split") == split)
    rank_by = type(parse_metric(board.track.rank_by)).__name__
    blocks = []
    for (metric,), of_metric in rows.group_by(["metric"], maintain_order=True):
        parsed = parse_metric(str(metric))
        family = type(parsed).__name__
        decimals = max(map(_decimals, of_metric["value"].drop_nulls()), default=0)
        lines = []
        for (group,), cells in of_metric.group_by(["group"], maintain_order=True):
            values = dict(cells.select("target", "value").iter_rows())
            shown = [_cell(values.get(name), parsed, decimals) for name in board.track.target_names]
            lines.append({"group": group, "designs": cells.item(0, "designs"), "cells": shown})
        block = {"result": result, "metric": metric, "family": family, "default": family == rank_by, "lines": lines}
        blocks.append(block)
    return blocks


def _cell(value: float | None, metric: Metric, decimals: int) -> tuple[str, int | None] | None:
    if value is None:
        return None
    return printed(value, decimals), scales.shade_of(metric, value)


def printed(value: float, decimals: int) -> str:
    """A figure as it was printed: with the decimals of its column of the paper, its thousands apart."""
    return f"{value:,.{decimals}f}"


def _decimals(value: float) -> int:
    return len(f"{value:.12g}".partition(".")[2])
