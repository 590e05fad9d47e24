"""The picture that links to a board are shown with: its best submissions and their intervals."""

from __future__ import annotations

import io
from itertools import islice
from typing import Any

from wa_bench.errors import needs_extra
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board, ranked
from wa_bench.leaderboard.versions import ranks

WIDTH, HEIGHT = 1200, 630
"""Pixels, as Open Graph asks for."""
_MOST = 8
_LONGEST = 34
_INK, _SOFT, _ACCENT, _PAPER = "#1b1f24", "#5b6470", "#1f6feb", "#ffffff"


def preview(board: Board) -> bytes:
    """A PNG; equal boards give equal bytes.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    with needs_extra("plots"):
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    track = board.track
    with rc_context({"font.family": "DejaVu Sans", "font.size": 15}):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=_PAPER)
        figure.text(0.05, 0.88, track.title, fontsize=34, fontweight="bold", color=_INK)
        caption = f"mean {track.rank_by} on {track.exams[0].split}, {board.settings.level:.0%} intervals"
        figure.text(0.05, 0.815, caption if board.entries else track.question, color=_SOFT, fontsize=17)
        figure.text(0.05, 0.045, f"wa-bench · truth: {track.truth}"[:110], color=_SOFT, fontsize=12)
        best = list(islice(ranked(board.entries), _MOST))
        if best:
            axes = figure.add_axes((0.42, 0.13, 0.44, 0.62))
            for place, entry in enumerate(best):
                row = entry.scores.row(board.ranking[0])
                if row["low"] is not None:
                    axes.plot([row["low"], row["high"]], [place, place], color=_ACCENT, alpha=0.35, linewidth=6)
                axes.plot(row["value"], place, "o", color=_ACCENT, markersize=9)
                height = 0.75 - 0.62 * (place + 0.5) / len(best)
                name = entry.card.name if len(entry.card.name) <= _LONGEST else entry.card.name[: _LONGEST - 1] + "…"
                plain: dict[str, Any] = {"va": "center", "color": _INK, "parse_math": False}
                figure.text(0.05, height, ranks(entry), **plain)
                figure.text(0.11, height, name, **plain)
                figure.text(0.88, height, number(row["value"]), **plain)
            axes.set_ylim(len(best) - 0.5, -0.5)
            axes.set_yticks([])
            axes.tick_params(colors=_SOFT, labelsize=11)
            axes.spines[["top", "left", "right"]].set_visible(False)
            axes.spines["bottom"].set_color(_SOFT)
            axes.patch.set_alpha(0)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
