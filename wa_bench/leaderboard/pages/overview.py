"""The first page of the site: one card a track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.leaderboard.board import Board, Site, ranked
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.board import rank_text

_LEADERS = 3


def pages(boards: Sequence[Board], site: Site) -> Iterator[Page]:
    """``index.html``."""
    yield Page("index.html", lambda: _overview(boards, site), "".join(board.state for board in boards))


def _overview(boards: Sequence[Board], site: Site) -> str:
    cards = sorted((_card(board) for board in boards), key=lambda card: not card["lines"])
    return render("overview.html.j2", "index.html", site, cards=cards, example=cards[0]["track"] if cards else None)


def _card(board: Board) -> dict[str, Any]:
    track = board.track
    leaders = ranked(board.entries)[:_LEADERS]
    lines = []
    for entry in leaders:
        rows = [entry.scores.row((board.ranking[0], split)) for split in entry.scores.splits]
        lines.append({"entry": entry, "rank": rank_text(entry), "means": [row["value"] for row in rows]})
    return {
        "track": track,
        "metric": parse_metric(track.rank_by),
        "splits": board.entries[0].scores.splits if board.entries else track.exam_splits,
        "lines": lines,
        "submissions": sum(not entry.is_control for entry in board.entries),
        "designs": sum(board.designs.values()) if board.entries else None,
        "reported": board.reported,
    }
