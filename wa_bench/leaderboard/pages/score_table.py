"""The scores of a board as columns: for each metric and exam, one value an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wa_bench.evaluation.metrics import Floats, Metric
from wa_bench.evaluation.report import DESIGN, MEAN
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.pages import scales

Shown = float | int | str | None


@dataclass(frozen=True)
class ExamColumns:
    """One metric on one exam; each list has one item an entry, as it is shown (``scales.shown``).

    ``mean`` is over the targets, or the value of a metric of whole designs; ``cells`` are by target. ``worst`` is the
    worst group, its number among those of the exam and its value. ``bars`` are where means and intervals stand on
    ``axis``. ``most`` are the limits of the shades, by target.
    """

    mean: list[Shown]
    low: list[Shown]
    high: list[Shown]
    cells: list[list[Shown]]
    worst: list[tuple[int, Shown] | None] | None
    axis: scales.Axis | None
    bars: list[tuple[float, float, float] | None]
    most: list[tuple[float, ...]]


class ScoreTable:
    """The scores of a board's entries. All entries have the same rows, so that a score is one place in them."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._first = board.entries[0].scores
        self._values, self._lows, self._highs = (
            np.column_stack([entry.rows.get_column(name).to_numpy() for entry in board.entries]).astype(np.float64)
            for name in ("value", "low", "high")
        )
        ranked = np.array([entry.rank is not None for entry in board.entries])
        surrogates = np.array([not entry.is_control for entry in board.entries])
        self._judged = next((some for some in (ranked, surrogates) if some.any()), np.ones(len(ranked), dtype=bool))

    def whole(self, metric: Metric) -> str | None:
        """What stands in the column of the whole: the mean over targets, or the value over designs; or nothing."""
        return MEAN if metric.averages else DESIGN if metric.joint else None

    def columns(self, metric: Metric, split: str) -> ExamColumns:
        """Everything that the board shows of a metric on an exam."""
        nothing = np.full(len(self._board.entries), np.nan)
        whole = self.whole(metric)
        mean, low, high = (
            (values[self._place(metric, whole, split)] if whole else nothing)
            for values in (self._values, self._lows, self._highs)
        )
        axis = scales.axis(metric, *(values[self._judged] for values in (mean, low, high))) if whole else None
        targets = () if metric.joint else self._board.track.target_names
        cells = [self._values[self._place(metric, target, split)] for target in targets]
        most = scales.limits(metric)
        return ExamColumns(
            _shown(mean),
            _shown(low),
            _shown(high),
            [_shown(values) for values in cells],
            self._worst(metric, whole, split) if whole else None,
            axis,
            [axis and axis.bar(*map(float, ends)) for ends in zip(mean, low, high, strict=True)],
            [most or scales.column_limits(_badness(metric, values[self._judged])) for values in cells],
        )

    def to_dict(self) -> dict[str, Any]:
        """All metrics and exams, as the board's script reads them."""
        return {str(metric): self._metric(metric) for metric in self._board.metrics}

    def _metric(self, metric: Metric) -> dict[str, Any]:
        exams = [self.columns(metric, split) for split in self._first.splits]
        most = scales.limits(metric)
        return {
            "better": metric.better,
            "unit": metric.unit,
            "whole": self.whole(metric),
            "about": scales.explained(metric),
            "limits": most,
            "column_limits": None if most else [[list(map(_finite, limits)) for limits in exam.most] for exam in exams],
            "exams": [
                {name: getattr(exam, name) for name in ("mean", "low", "high", "cells", "worst", "bars")}
                | {"ticks": exam.axis.ticks if exam.axis else []}
                for exam in exams
            ],
        }

    def groups(self, split: str) -> list[str]:
        """The groups of an exam, without that of all."""
        (exam,) = (exam for exam in self._board.track.exams if exam.split == split)
        return [group.name for group in exam.groups if group.column]

    def _worst(self, metric: Metric, whole: str, split: str) -> list[tuple[int, Shown] | None]:
        groups = self.groups(split)
        if not groups:
            return [None] * len(self._board.entries)
        values = np.array([self._values[self._place(metric, whole, split, group)] for group in groups])
        badness = np.where(np.isnan(values), -np.inf, _badness(metric, values))
        worst = badness.argmax(axis=0)
        return [
            None if np.isnan(values[group, entry]) else (int(group), scales.shown(float(values[group, entry])))
            for entry, group in enumerate(worst)
        ]

    def _place(self, metric: Metric, target: str | None, split: str, group: str = "all") -> int:
        return self._first.place((f"{metric}@{target}", split, group))


def _badness(metric: Metric, values: Floats) -> Floats:
    return -values if metric.better == "higher" else values if metric.better == "lower" else np.abs(values)


def _shown(values: Sequence[float] | Floats) -> list[Shown]:
    return [scales.shown(float(value)) for value in values]


def _finite(value: float) -> float:
    return max(min(float(f"{value:.6g}"), 1e300), -1e300)
