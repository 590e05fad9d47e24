"""The scores of a board as columns: for each metric and exam, one value an entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import polars as pl

from wa_bench.evaluation.metrics import Floats, Metric
from wa_bench.evaluation.report import DESIGN, MEAN
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.pages import scales


@dataclass(frozen=True)
class ExamColumns:
    """One metric on one exam, or a group of it; each list has one item an entry, as shown (``scales.shown``).

    ``mean`` is over the targets, or the value of a metric of whole designs; ``cells`` are by target. ``worst`` is the
    worst group, its number among those of the exam and its value. ``bars`` are where means and intervals stand on
    ``axis``. ``most`` are the limits of the shades, by target.
    """

    mean: list[scales.Shown]
    low: list[scales.Shown]
    high: list[scales.Shown]
    cells: list[list[scales.Shown]]
    worst: list[tuple[int, scales.Shown] | None] | None
    axis: scales.Axis | None
    bars: list[scales.Bar | None]
    most: list[tuple[float, ...]]


@lru_cache(maxsize=1)
def score_table(board: Board) -> ScoreTable:
    """The table of a board, made once for all of its pages."""
    return ScoreTable(board)


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

    @cached_property
    def groups(self) -> dict[str, dict[str, int]]:
        """By exam its groups, without that of all, and how many designs they have."""
        rows = self._first.rows.filter(pl.col("group") != "all").group_by("split", "group", maintain_order=True)
        found: dict[str, dict[str, int]] = {split: {} for split in self._first.splits}
        for split, group, designs in rows.agg(pl.col("designs").first()).iter_rows():
            found[split][group] = designs
        return found

    def whole(self, metric: Metric) -> str | None:
        """What stands in the column of the whole: the mean over targets, or the value over designs; or nothing."""
        return MEAN if metric.averages else DESIGN if metric.joint else None

    def columns(self, metric: Metric, split: str, group: str = "all") -> ExamColumns:
        """Everything that the board shows of a metric on an exam, or on a group of its designs."""
        whole = self.whole(metric)
        nothing = np.full(len(self._board.entries), np.nan)
        mean, low, high = (
            (values[self._place(metric, whole, split, group)] if whole else nothing)
            for values in (self._values, self._lows, self._highs)
        )
        cells = [self._values[self._place(metric, target, split, group)] for target in self._targets(metric)]
        worst = self._worst(metric, whole, split) if whole and group == "all" else None
        return self._columns(metric, (mean, low, high), cells, worst)

    def _columns(
        self,
        metric: Metric,
        whole: tuple[Floats, Floats, Floats],
        cells: list[Floats],
        worst: list[tuple[int, scales.Shown] | None] | None = None,
    ) -> ExamColumns:
        """From mean, low and high, and the values of each target, (entries,) each."""
        axis = scales.axis(metric, *(values[self._judged] for values in whole)) if self.whole(metric) else None
        most = scales.limits(metric)
        mean, low, high = map(scales.all_shown, whole)
        return ExamColumns(
            mean,
            low,
            high,
            list(map(scales.all_shown, cells)),
            worst,
            axis,
            axis.bars(*whole) if axis else [None] * len(mean),
            [most or scales.column_limits(_badness(metric, values[self._judged])) for values in cells],
        )

    def _targets(self, metric: Metric) -> tuple[str, ...]:
        return () if metric.joint else self._board.track.target_names

    def to_dict(self) -> dict[str, Any]:
        """All metrics and exams, as the board's script reads them."""
        return {
            str(metric): {
                "better": metric.better,
                "unit": metric.unit,
                "whole": self.whole(metric),
                "about": scales.explained(metric),
                "limits": scales.limits(metric),
                "exams": [self._exam(metric, split) for split in self._first.splits],
            }
            for metric in self._board.metrics
        }

    def of_group(self, split: str, group: str) -> dict[str, Any]:
        """All metrics on a group of the designs of an exam, as the board's script reads them."""
        return {str(metric): self._exam(metric, split, group) for metric in self._board.metrics}

    def of_truth(self, truth: str) -> dict[str, list[dict[str, Any]]]:
        """By metric that ranks its exams, scored against another truth of the track, as the board's script reads them.

        There are no intervals; a metric without a mean has its targets alone.
        """
        nothing = np.full(len(self._board.entries), np.nan)
        tables = [entry.digest.judged_otherwise for entry in self._board.entries]
        values = np.column_stack([table.get_column("value").to_numpy() for table in tables])
        asked = tables[0].select(pl.col("truth") == truth).to_series().to_numpy()
        keys = tables[0].select("metric", "split", "target").filter(asked).rows()
        found = dict(zip(keys, values[asked], strict=True))
        return {
            str(metric): [
                _as_read(
                    metric,
                    self._columns(
                        metric,
                        (found.get((str(metric), split, self.whole(metric)), nothing), nothing, nothing),
                        [found[str(metric), split, target] for target in self._targets(metric)],
                    ),
                )
                for split in self._first.splits
            ]
            for metric in self._board.metrics
            if any(key[0] == str(metric) for key in keys)
        }

    def _exam(self, metric: Metric, split: str, group: str = "all") -> dict[str, Any]:
        return _as_read(metric, self.columns(metric, split, group))

    def _worst(self, metric: Metric, whole: str, split: str) -> list[tuple[int, scales.Shown] | None]:
        groups = self.groups[split]
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


def _as_read(metric: Metric, exam: ExamColumns) -> dict[str, Any]:
    """As the board's script reads them."""
    limits = None if scales.limits(metric) else [list(map(_finite, most)) for most in exam.most]
    shown = {name: getattr(exam, name) for name in ("mean", "low", "high", "cells", "worst", "bars")}
    return shown | {"ticks": exam.axis.ticks if exam.axis else [], "limits": limits}


def _badness(metric: Metric, values: Floats) -> Floats:
    return -values if metric.better == "higher" else values if metric.better == "lower" else np.abs(values)


def _finite(value: float) -> float:
    return max(min(float(f"{value:.6g}"), 1e300), -1e300)
