"""The picture that links to a board are shown with: its best submissions and their intervals."""

from __future__ import annotations

import io
from typing import Any, NamedTuple, Self

from wa_bench.errors import needs_extra
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board, ranked
from wa_bench.leaderboard.versions import ranks

WIDTH, HEIGHT = 1200, 630
"""Pixels, as Open Graph asks for."""
_MOST = 8
_LONGEST = 34
_INK, _SOFT, _ACCENT, _PAPER = "#1b1f24", "#5b6470", "#1f6feb", "#ffffff"


class _Line(NamedTuple):
    rank: str
    name: str
    value: float | None
    interval: tuple[float, float] | None


class Shown(NamedTuple):
    """All that the picture shows."""

    title: str
    caption: str
    truth: str
    best: tuple[_Line, ...]

    @classmethod
    def of(cls, board: Board) -> Self:
        """What is shown of a board."""
        track = board.track
        caption = f"mean {track.rank_by} on {track.exams[0].split}, {board.settings.level:.0%} intervals"
        best = []
        for entry in ranked(board.entries)[:_MOST]:
            row = entry.scores.row(board.ranking[0])
            interval = None if row["low"] is None else (row["low"], row["high"])
            best.append(_Line(ranks(entry), entry.card.name, row["value"], interval))
        return cls(track.title, caption if board.entries else track.question, track.truth, tuple(best))


def preview(shown: Shown) -> bytes:
    """A PNG; equal contents give equal bytes.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    with needs_extra("plots"):
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    with rc_context({"font.family": "DejaVu Sans", "font.size": 15}):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=_PAPER)
        figure.text(0.05, 0.88, shown.title, fontsize=34, fontweight="bold", color=_INK)
        figure.text(0.05, 0.815, shown.caption, color=_SOFT, fontsize=17)
        figure.text(0.05, 0.045, f"wa-bench · truth: {shown.truth}"[:110], color=_SOFT, fontsize=12)
        if shown.best:
            axes = figure.add_axes((0.42, 0.13, 0.44, 0.62))
            for place, line in enumerate(shown.best):
                if line.interval is not None:
                    axes.plot(line.interval, [place, place], color=_ACCENT, alpha=0.35, linewidth=6)
                if line.value is not None:
                    axes.plot(line.value, place, "o", color=_ACCENT, markersize=9)
                height = 0.75 - 0.62 * (place + 0.5) / len(shown.best)
                name = line.name if len(line.name) <= _LONGEST else line.name[: _LONGEST - 1] + "…"
                plain: dict[str, Any] = {"va": "center", "color": _INK, "parse_math": False}
                figure.text(0.05, height, line.rank, **plain)
                figure.text(0.11, height, name, **plain)
                figure.text(0.88, height, number(line.value), **plain)
            axes.set_ylim(len(shown.best) - 0.5, -0.5)
            axes.set_yticks([])
            axes.tick_params(colors=_SOFT, labelsize=11)
            axes.spines[["top", "left", "right"]].set_visible(False)
            axes.spines["bottom"].set_color(_SOFT)
            axes.patch.set_alpha(0)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
