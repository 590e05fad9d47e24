"""A report: every metric of a set of predictions, by split, group and target."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from wa_bench.errors import DataError, Fault, UnknownNameError
from wa_bench.evaluation.influence import Influence
from wa_bench.evaluation.metrics import APE, RPE, SMAPE, parse_cell, parse_metric, relative_percent_error
from wa_bench.tracks.track import ALL, Track

if TYPE_CHECKING:
    from rich.table import Table


EVALUATOR = 2
"""Version of metrics and intervals: scores of another one are not comparable and are to be made again."""
PUBLISHED = ("R2", "SMAPE(eps=1)", "RMSE")
"""The metrics of the wa-hls4ml paper's tables, in their order."""
MEAN = "mean"
"""In place of a target: the mean of a metric over the targets for which it is defined."""
DESIGN = "design"
"""In place of a target: the value of a metric that looks at several targets of a design together."""


Influences = Sequence[Influence] | Mapping[int, Influence]
"""Influence on the score of each row, or of some."""

FEWEST_RESAMPLES, MOST_RESAMPLES = 40, 100_000


@dataclass(frozen=True)
class Settings:
    """How intervals are made: number of resamples (none for no intervals), seed, share to be covered.

    Raises:
        DataError: they make no sense.
    """

    resamples: int = 1000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        faults = []
        if self.resamples and not FEWEST_RESAMPLES <= self.resamples <= MOST_RESAMPLES:
            expected = f"none, or from {FEWEST_RESAMPLES} to {MOST_RESAMPLES:,}"
            faults.append(Fault("settings, resamples", expected, str(self.resamples)))
        if self.seed < 0:
            faults.append(Fault("settings, seed", "a number from zero", str(self.seed)))
        if not 0.5 <= self.level <= 0.999:
            faults.append(Fault("settings, level", "a share from 0.5 to 0.999", str(self.level)))
        if faults:
            raise DataError(*faults)


def prediction_column(target: str) -> str:
    """Column of a target's prediction in ``Report.samples``; the truth stands under the target's name."""
    return f"{target}_predicted"


class Scores:
    """Every metric of one set of predictions, without the predictions: what boards and comparisons are made from.

    ``rows`` has one row a split, group, target and metric (columns of ``SCHEMA``); the target ``mean`` is the mean over
    the targets, ``design`` stands for metrics that look at several of them together. ``value`` is null where the metric
    is undefined, ``low`` and ``high`` where there is no interval, and ``undefined`` then says why. ``clusters`` is the
    number of independent clusters among the designs answered. Reports of one track and its splits have equal rows but
    for the numbers.
    """

    SCHEMA: ClassVar[dict[str, pl.DataType]] = {
        "split": pl.String(),
        "group": pl.String(),
        "target": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "undefined": pl.String(),
        "designs": pl.Int64(),
        "answered": pl.Int64(),
        "clusters": pl.Int64(),
    }

    def __init__(
        self,
        track: Track,
        rows: pl.DataFrame,
        fingerprint: str,
        settings: Settings,
        influences: Influences,
        answers: str,
    ) -> None:
        self.track = track
        self.rows = rows
        self.fingerprint = fingerprint
        self.settings = settings
        self.answers = answers
        """Hash that is equal where the same designs were answered."""
        self._influences = influences

    def __getitem__(self, key: str | tuple[str, ...]) -> float | None:
        """``scores["R2@lut"]``, ``scores["R2@lut", "exemplar"]`` or ``scores["R2@lut", "exemplar", "Jet"]``.

        The split defaults to the first one scored, the group to ``all``. None where the metric is undefined.

        Raises:
            UnknownNameError: no such metric, target, split or group in these scores.
        """
        value: float | None = self.rows["value"][self.place(key)]
        return value

    def row(self, key: str | tuple[str, ...]) -> dict[str, Any]:
        """The row that ``scores[key]`` takes its value from, with interval and counts."""
        return self.rows.row(self.place(key), named=True)

    def influence(self, place: int) -> Influence:
        """By how much each part of the exam moves the score in row ``place``."""
        return self._influences[place]

    def place(self, key: str | tuple[str, ...]) -> int:
        """Where the row of ``scores[key]`` stands: the same in all reports of a track and its splits."""
        name, split, group = (*((key,) if isinstance(key, str) else key), None, None)[:3]
        target, metric = _names(str(name))
        wanted = split or self.splits[0], group or ALL.name
        place = self.cells.get((*wanted, target, metric))
        if place is None:
            raise self._unknown(*wanted, metric, target)
        return place

    def mean(self, metric: str, split: str | None = None, group: str = "all") -> float | None:
        """Mean of a metric over the targets where it is defined; None where it is defined for none.

        Raises:
            UnknownNameError: no such metric, split or group, or the metric has no mean.
        """
        return self[f"{metric}@{MEAN}", split or self.splits[0], group]

    def worst_group(self, split: str | None = None) -> tuple[str, float] | None:
        """The group with the worst mean of the ranking metric, and that; None where no group has one."""
        metric = parse_metric(self.track.rank_by)
        split = split or self.splits[0]
        means = {
            group: self.mean(self.track.rank_by, split, group) for group in self.groups(split) if group != ALL.name
        }
        known = {group: mean for group, mean in means.items() if mean is not None}
        if not known:
            return None
        return max(known.items(), key=lambda each: metric.badness(each[1]))

    def coverage(self, split: str | None = None, group: str = "all") -> float | None:
        """Share of the designs with truth that have a prediction; None where no design has truth."""
        row = self.row((f"{self.track.rank_by}@{MEAN}", split or self.splits[0], group))
        return row["answered"] / row["designs"] if row["designs"] else None

    @cached_property
    def splits(self) -> list[str]:
        """The splits scored, in the track's order."""
        return self.rows.get_column("split").unique(maintain_order=True).to_list()

    def groups(self, split: str) -> list[str]:
        """The groups of a split, in the track's order."""
        return list(dict.fromkeys(group for found, group, *_ in self.cells if found == split))

    @cached_property
    def cells(self) -> dict[tuple[str, str, str, str], int]:
        """Split, group, target and metric of each row, to its place."""
        split, group, target, metric = (self.rows[name].to_list() for name in ("split", "group", "target", "metric"))
        return {cell: place for place, cell in enumerate(zip(split, group, target, metric, strict=True))}

    def _unknown(self, *wanted: str) -> UnknownNameError:
        """What of split, group, metric and target is not there."""
        rows = self.rows
        for column, value in zip(("split", "group", "metric", "target"), wanted, strict=False):
            narrowed = rows.filter(pl.col(column) == value)
            if narrowed.is_empty():
                return UnknownNameError(f"{column} in this report", value, rows.get_column(column).unique().to_list())
            rows = narrowed
        raise AssertionError(wanted)


@lru_cache(maxsize=1024)
def _names(cell: str) -> tuple[str, str]:
    """Target and metric of ``R2@lut``, as rows name them."""
    metric, target = parse_cell(cell)
    return target, str(metric)


class Report(Scores):
    """Scores of one set of predictions, with the predictions.

    ``samples`` has one row a design with truth: sample_id, split, the group columns, each target's truth and
    prediction.
    """

    def __init__(
        self,
        track: Track,
        rows: pl.DataFrame,
        samples: pl.DataFrame,
        fingerprint: str,
        settings: Settings,
        influences: Influences,
    ) -> None:
        predicted = [pl.col(prediction_column(name)).is_not_null() for name in track.target_names]
        answered = samples.select(pl.all_horizontal(predicted)).to_series().to_numpy()
        answers = sha256(np.packbits(answered).tobytes()).hexdigest()
        super().__init__(track, rows, fingerprint, settings, influences, answers)
        self.samples = samples

    def errors(self) -> pl.DataFrame:
        """Errors of each design: its columns in ``samples``, and the terms of the track's metrics.

        ``<target>_smape`` is what SMAPE averages (0 to 200), ``<target>_percent_error`` what RPE orders (signed), where
        the track has such metrics; null without a prediction.
        """
        added = []
        for name in self.track.target_names:
            truth = self.samples.get_column(name).to_numpy()
            prediction = self.samples.get_column(prediction_column(name)).fill_null(np.nan).to_numpy()
            for metric in map(parse_metric, self.track.metrics):
                if isinstance(metric, SMAPE):
                    added.append(pl.Series(f"{name}_smape", metric.terms(truth, prediction)[:, 0]))
            if self._has_percent_errors:
                added.append(pl.Series(f"{name}_percent_error", relative_percent_error(truth, prediction)))
        return self.samples.with_columns(column.fill_nan(None) for column in added)

    @property
    def _has_percent_errors(self) -> bool:
        """Whether the percent error, which adds one to the truth, suits the track's counts."""
        return any(isinstance(parse_metric(name), APE | RPE) for name in self.track.metrics)

    def figures(self) -> dict[str, str]:
        """Figures as SVG text: ``parity``, and of counts ``percent_error``, ``error_cdf``, ``error_against_size``.

        Raises:
            MissingToolError: matplotlib is not installed.
        """
        from wa_bench.evaluation import figures
        from wa_bench.evaluation.parity import parity

        of_percent_errors = (figures.percent_error, figures.error_cdf, figures.error_against_size)
        drawn = (parity, *(of_percent_errors if self._has_percent_errors else ()))
        return {draw.__name__: draw(self) for draw in drawn}

    def to_dict(self) -> dict[str, Any]:
        """Everything but the samples, as plain values."""
        return {
            "track": self.track.name,
            "truth": self.track.truth,
            "truth_fingerprint": self.fingerprint,
            "wa_bench": version("wa-bench"),
            "evaluator": EVALUATOR,
            "settings": asdict(self.settings),
            "scores": self.rows.to_dicts(),
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return scores_text(self.to_dict())

    def to_csv(self) -> str:
        """``rows`` as CSV text."""
        return self.rows.write_csv()

    def published(self, split: str | None = None) -> pl.DataFrame:
        """One split in the layout of the paper's tables: a row a group, a column ``R2@bram`` a metric and target."""
        metrics = [name for name in self.track.metrics if name in PUBLISHED]
        rows = self.rows.filter(
            pl.col("split") == (split or self.splits[0]), pl.col("metric").is_in(metrics), pl.col("target") != MEAN
        )
        named = rows.with_columns(cell=pl.col("metric") + "@" + pl.col("target"))
        return named.pivot("cell", index=["group", "answered"], values="value", maintain_order=True)

    def to_markdown(self) -> str:
        """All splits in the layout of the paper's tables, as Markdown."""
        headings = [f"{target.label}" for target in self.track.targets]
        text = [f"Truth: {self.track.truth}."]
        for split in self.splits:
            for metric in [name for name in self.track.metrics if name in PUBLISHED]:
                mean = [MEAN] if parse_metric(metric).averages else []
                text += ["", f"**{metric}** on {split}", "", _line(["group", "designs", *headings, *mean])]
                text.append(_line(["---", *["---:"] * (len(headings) + len(mean) + 1)]))
                for row in self.published(split).iter_rows(named=True):
                    cells = [number(row[f"{metric}@{name}"]) for name in self.track.target_names]
                    text.append(
                        _line(
                            [
                                row["group"],
                                f"{row['answered']:,}",
                                *cells,
                                *(self.shown(f"{metric}@{name}", split, row["group"]) for name in mean),
                            ]
                        )
                    )
        return "\n".join(text) + "\n"

    def shown(self, *key: str) -> str:
        """A value with its interval, as text: ``0.958 [0.931, 0.972]``."""
        row = self.row(key)
        interval = "" if row["low"] is None else f" [{number(row['low'])}, {number(row['high'])}]"
        return number(row["value"]) + interval

    def table(self, split: str) -> Table:
        """One split as a rich table: a line a metric for all designs and for each group those of the paper's tables."""
        from rich import box
        from rich.table import Table

        (exam,) = (exam for exam in self.track.exams if exam.split == split)
        caption = f"truth: {self.track.truth}"
        if self.settings.resamples:
            caption += f"\n[{self.settings.level:.0%} intervals allow for {exam.sampled}]".replace("[", "\\[")
        table = Table(title=f"{self.track.title}: {split}", caption=caption, box=box.SIMPLE_HEAD)
        for heading in ("group", "metric"):
            table.add_column(heading, no_wrap=True)
        for heading in (*(target.label for target in self.track.targets), "mean / design", "answered"):
            table.add_column(heading, justify="right", no_wrap=True)
        chosen = self.rows.filter(
            pl.col("split") == split,
            (pl.col("group") == "all") | pl.col("metric").is_in([*PUBLISHED, self.track.rank_by]),
        )
        for (group, metric), cells in chosen.group_by(["group", "metric"], maintain_order=True):
            values = dict(cells.select("target", "value").iter_rows())
            whole = next((name for name in (MEAN, DESIGN) if name in values), None)
            table.add_row(
                str(group),
                str(metric),
                *(number(values[name]) if name in values else "" for name in self.track.target_names),
                self.shown(f"{metric}@{whole}", split, str(group)).replace("[", "\\[") if whole else "",
                f"{cells.item(0, 'answered')}/{cells.item(0, 'designs')}",
            )
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=140)
        with console.capture() as capture:
            for split in self.splits:
                console.print(self.table(split))
        return capture.get()


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def scores_text(scores: dict[str, Any]) -> str:
    """Scores as JSON text, one row a line, so that changes can be read."""
    head = {name: value for name, value in scores.items() if name != "scores"}
    rows = ",\n".join("  " + json.dumps(row, allow_nan=False) for row in scores["scores"])
    return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "scores": [\n{rows}\n ]\n}}\n'


def number(value: float | None) -> str:
    """A score for people: fewer decimals the larger it is, ``undefined`` for None."""
    if value is None:
        return "undefined"
    value = 0.0 if abs(value) < 0.0005 else value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
