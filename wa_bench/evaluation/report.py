"""A report: every metric of a set of predictions, by split, group and target."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from wa_bench.errors import UnknownNameError
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.tracks.track import Track

if TYPE_CHECKING:
    from rich.table import Table


def prediction_column(target: str) -> str:
    """Column of a target's prediction in ``Report.samples``; the truth stands under the target's name."""
    return f"{target}_predicted"


class Report:
    """Scores of one set of predictions.

    ``rows`` has one row a split, group, target and metric (columns of ``SCHEMA``; ``value`` is null where the
    metric is undefined and ``undefined`` then says why). ``samples`` has one row a design with truth: sample_id,
    split, the group columns, each target's truth and prediction.
    """

    SCHEMA: ClassVar[dict[str, pl.DataType]] = {
        "split": pl.String(),
        "group": pl.String(),
        "target": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "undefined": pl.String(),
        "designs": pl.Int64(),
        "answered": pl.Int64(),
    }

    def __init__(self, track: Track, rows: pl.DataFrame, samples: pl.DataFrame, fingerprint: str) -> None:
        self.track = track
        self.rows = rows
        self.samples = samples
        self.fingerprint = fingerprint

    def __getitem__(self, key: str | tuple[str, ...]) -> float | None:
        """``report["R2@lut"]``, ``report["R2@lut", "exemplar"]`` or ``report["R2@lut", "exemplar", "Jet"]``.

        The split defaults to the first one scored, the group to ``all``. None where the metric is undefined.

        Raises:
            UnknownNameError: no such metric, target, split or group in this report.
        """
        name, split, group = (*((key,) if isinstance(key, str) else key), None, None)[:3]
        metric, _, target = str(name).partition("@")
        row = self._select(metric=metric, split=split or self.splits[0], group=group or "all", target=target)
        value: float | None = row.item(0, "value")
        return value

    def mean(self, metric: str, split: str | None = None, group: str = "all") -> float | None:
        """Mean of a metric over the targets where it is defined; None where it is defined for none.

        Of use for metrics in plain numbers or percent; one in the targets' own units has no meaningful mean.
        """
        rows = self._select(metric=metric, split=split or self.splits[0], group=group)
        mean = rows.get_column("value").mean()
        return None if mean is None else float(mean)  # type: ignore[arg-type]

    def coverage(self, split: str | None = None, group: str = "all") -> float | None:
        """Share of the designs with truth that have a prediction; None where no design has truth."""
        rows = self._select(split=split or self.splits[0], group=group)
        designs, answered = rows.item(0, "designs"), rows.item(0, "answered")
        return answered / designs if designs else None

    @property
    def splits(self) -> list[str]:
        """The splits scored, in the track's order."""
        return self.rows.get_column("split").unique(maintain_order=True).to_list()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the samples, as plain values."""
        return {
            "track": self.track.name,
            "truth": self.track.truth,
            "truth_fingerprint": self.fingerprint,
            "wa_bench": version("wa-bench"),
            "scores": self.rows.to_dicts(),
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return scores_text(self.to_dict())

    def table(self, split: str) -> Table:
        """One split as a rich table: a line a group and metric, a column a target."""
        from rich import box
        from rich.table import Table

        table = Table(title=f"{self.track.title}: {split}", caption=f"truth: {self.track.truth}", box=box.SIMPLE_HEAD)
        for heading in ("group", "metric"):
            table.add_column(heading, no_wrap=True)
        for heading in (*(target.label for target in self.track.targets), "mean", "answered"):
            table.add_column(heading, justify="right", no_wrap=True)
        chosen = self.rows.filter(pl.col("split") == split)
        for (group, metric), cells in chosen.group_by(["group", "metric"], maintain_order=True):
            values = cells.get_column("value").to_list()
            table.add_row(
                str(group),
                str(metric),
                *(number(value) for value in values),
                "" if parse_metric(str(metric)).unit == "target" else number(self.mean(str(metric), split, str(group))),
                f"{cells.item(0, 'answered')}/{cells.item(0, 'designs')}",
            )
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120)
        with console.capture() as capture:
            for split in self.splits:
                console.print(self.table(split))
        return capture.get()

    def _select(self, **wanted: str) -> pl.DataFrame:
        rows = self.rows
        for column, value in wanted.items():
            narrowed = rows.filter(pl.col(column) == value)
            if narrowed.is_empty():
                raise UnknownNameError(f"{column} in this report", value, rows.get_column(column).unique().to_list())
            rows = narrowed
        return rows


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
