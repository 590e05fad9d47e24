"""The pictures that links to pages are shown with: a board by its best submissions, a submission by its scores."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from wa_bench.errors import needs_extra
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import MEAN, number
from wa_bench.leaderboard.board import Board, Entry, Site, ranked
from wa_bench.leaderboard.pages import Page, scales
from wa_bench.leaderboard.versions import ranks

WIDTH, HEIGHT = 1200, 630
"""Pixels, as Open Graph asks for."""
_LEFT, _RIGHT = 60, WIDTH - 60
_MOST = 8
_INK, _SOFT, _ACCENT, _LIGHT, _GRID, _PAPER = "#15191e", "#535c66", "#0b5fa5", "#9dbfdb", "#dfe3e8", "#ffffff"
_SHADE = (11, 111, 194)
_SHARES = (0.0, 0.06, 0.11, 0.17, 0.23, 0.27, 0.33, 0.40)
"""How much of the colour a shade has, as on the pages."""


def pages(board: Board, site: Site) -> Iterator[Page]:
    """``<track>/preview.png``, and ``preview.png`` beside the files of each submission."""
    shown = BoardShown.of(board)
    yield Page(f"{board.track.name}/preview.png", partial(board_preview, shown), repr(shown))
    of = len(ranked(board.entries))
    for entry in board.entries:
        path = f"{board.track.name}/{place_of(entry)}"
        yield Page(path, partial(_submission, board, entry), f"{entry.state} of {of}")


def _submission(board: Board, entry: Entry) -> bytes:
    return submission_preview(SubmissionShown.of(board, entry))


def place_of(entry: Entry) -> str:
    """Where the picture of a submission stands below the track's folder."""
    return f"submissions/{entry.slug}/preview.png"


class _Line(NamedTuple):
    rank: str
    name: str
    value: str
    bar: scales.Bar | None


class BoardShown(NamedTuple):
    """All that the picture of a board shows; ``ticks`` are places on the axis of the bars, 100 wide, and labels."""

    title: str
    caption: str
    truth: str
    ticks: tuple[tuple[float, str], ...]
    best: tuple[_Line, ...]

    @classmethod
    def of(cls, board: Board) -> Self:
        """What is shown of a board."""
        track, metric = board.track, parse_metric(board.track.rank_by)
        best = ranked(board.entries)[:_MOST]
        if not best:
            return cls(track.title, track.question, track.truth, (), ())
        rows = [entry.scores.row(board.ranking[0]) for entry in best]
        scored = [np.array([row[name] for row in rows], dtype=np.float64) for name in ("value", "low", "high")]
        axis = scales.axis(metric, *scored)
        return cls(
            track.title,
            f"mean {metric.title} on {track.exams[0].split}, {board.settings.level:.0%} intervals",
            track.truth,
            tuple(axis.ticks) if axis else (),
            tuple(
                _Line(ranks(entry), entry.card.name, number(row["value"]), bar)
                for entry, row, bar in zip(best, rows, axis.bars(*scored) if axis else [None] * len(best), strict=True)
            ),
        )


class _Exam(NamedTuple):
    """``cells`` are score and shade by target."""

    split: str
    mean: str
    interval: str
    cells: tuple[tuple[str, int], ...]


class SubmissionShown(NamedTuple):
    """All that the picture of a submission shows."""

    name: str
    about: str
    standing: str
    metric: str
    truth: str
    targets: tuple[str, ...]
    exams: tuple[_Exam, ...]

    @classmethod
    def of(cls, board: Board, entry: Entry) -> Self:
        """What is shown of a submission."""
        track, metric = board.track, parse_metric(board.track.rank_by)
        exams = []
        for split in entry.scores.splits:
            whole = entry.scores.row((f"{metric}@{MEAN}", split))
            values = [entry.scores.row((f"{metric}@{name}", split))["value"] for name in track.target_names]
            cells = [(number(value), scales.shade_of(metric, value) or 0) for value in values]
            interval = "" if whole["low"] is None else f"[{number(whole['low'])}, {number(whole['high'])}]"
            exams.append(_Exam(split, number(whole["value"]), interval, tuple(cells)))
        if entry.is_control:
            standing = "a control, without a rank"
        elif entry.rank is None:
            standing = "no rank: it leaves designs out"
        else:
            standing = f"rank {ranks(entry)} of {len(ranked(board.entries))}"
        return cls(
            entry.card.name,
            f"{track.title} · {entry.card.family}",
            standing,
            metric.title,
            track.truth,
            tuple(target.label for target in track.targets),
            tuple(exams),
        )


def board_preview(shown: BoardShown) -> bytes:
    """A PNG; equal contents give equal bytes.

    Raises:
        MissingToolError: Pillow or matplotlib, whose typeface is used, are not installed.
    """
    canvas = _Canvas()
    canvas.text(_LEFT, 92, shown.title, 44, bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 136, shown.caption, 24, _SOFT, room=_RIGHT - _LEFT)
    first, last, top, height = 650, _RIGHT - 130, 186, 45
    for at, label in shown.ticks:
        x = first + (last - first) * at / 100
        canvas.box(x, top - 8, x + 1, top + height * len(shown.best), _GRID)
        canvas.text(x, top - 16, label, 18, _SOFT, anchor="ms")
    for place, line in enumerate(shown.best):
        middle = top + height * place + height / 2
        canvas.text(_LEFT, middle + 8, line.rank, 22, _SOFT)
        canvas.text(_LEFT + 82, middle + 8, line.name, 22, room=first - _LEFT - 110)
        canvas.text(_RIGHT, middle + 8, line.value, 22, bold=True, anchor="rs")
        if line.bar is not None:
            value, low, high = (first + (last - first) * min(max(at, 0), 100) / 100 for at in line.bar)
            canvas.box(low, middle - 4, high, middle + 4, _LIGHT)
            canvas.box(value - 3, middle - 11, value + 3, middle + 11, _ACCENT)
    canvas.foot(shown.truth)
    return canvas.png()


def submission_preview(shown: SubmissionShown) -> bytes:
    """A PNG; equal contents give equal bytes.

    Raises:
        MissingToolError: Pillow or matplotlib, whose typeface is used, are not installed.
    """
    canvas = _Canvas()
    canvas.text(_LEFT, 88, shown.about, 24, _SOFT, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 156, shown.name, 52, bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 206, shown.standing, 28, _ACCENT, bold=True, room=_RIGHT - _LEFT)
    first, top, height = 490, 290, 124
    width = (_RIGHT - first) / max(len(shown.targets), 1)
    canvas.text(_LEFT, top - 16, f"mean {shown.metric}", 20, _SOFT)
    for column, target in enumerate(shown.targets):
        canvas.text(first + width * (column + 0.5), top - 16, target, 20, _SOFT, anchor="ms", room=width - 8)
    for row, exam in enumerate(shown.exams[:2]):
        y = top + height * row
        canvas.box(_LEFT, y, _RIGHT, y + 1, _GRID)
        canvas.text(_LEFT, y + 68, exam.mean, 48, bold=True)
        canvas.text(_LEFT + 175, y + 46, exam.split, 24, room=first - _LEFT - 190)
        canvas.text(_LEFT + 175, y + 78, exam.interval, 20, _SOFT, room=first - _LEFT - 190)
        for column, (value, shade) in enumerate(exam.cells):
            x = first + width * column
            canvas.box(x + 2, y + 14, x + width - 2, y + height - 14, _shaded(shade))
            canvas.text(x + width / 2, y + 70, value, 24, anchor="ms", room=width - 12)
    canvas.foot(shown.truth)
    return canvas.png()


def _shaded(shade: int) -> tuple[int, ...]:
    share = _SHARES[shade]
    return tuple(round(255 + share * (colour - 255)) for colour in _SHADE)


class _Canvas:
    """A picture to be drawn on, places in pixels."""

    def __init__(self) -> None:
        with needs_extra("plots"):
            from PIL import Image, ImageDraw

        self._picture = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
        self._draw = ImageDraw.Draw(self._picture)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str | tuple[int, ...]) -> None:
        """A filled rectangle."""
        self._draw.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), fill=colour)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: str = _INK,
        *,
        bold: bool = False,
        anchor: str = "ls",
        room: float | None = None,
    ) -> None:
        """A line of text on the baseline ``y``; what is wider than ``room`` is cut."""
        font = _font(size, bold)
        if room is not None and font.getlength(text) > room:
            while text and font.getlength(f"{text}…") > room:
                text = text[:-1]
            text = f"{text.rstrip()}…"
        self._draw.text((round(x), round(y)), text, fill=colour, font=font, anchor=anchor)

    def foot(self, truth: str) -> None:
        """What all pictures say below."""
        self.text(_LEFT, HEIGHT - 34, f"wa-bench · truth: {truth}", 18, _SOFT, room=_RIGHT - _LEFT)

    def png(self) -> bytes:
        """The picture as a file."""
        file = io.BytesIO()
        self._picture.save(file, "PNG")
        return file.getvalue()


@cache
def _font(size: int, bold: bool) -> Any:
    """DejaVu Sans, which comes with matplotlib and has the letters of all names that a card may have."""
    with needs_extra("plots"):
        import matplotlib as mpl
        from PIL import ImageFont

    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)
