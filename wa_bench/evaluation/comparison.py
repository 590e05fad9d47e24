"""Which differences between submissions are real: paired, on the same resamples, corrected for their number.

A difference is made on the metric's scale from the influences of the same clusters on both scores, so that what makes
a cluster easy or hard for all cancels out. All pairs are tested at once: the largest difference of any pair in a
resample, in standard errors that the resample states itself, says how large one must be to mean something (bootstrap-t
with the single-step max-t method of Westfall and Young, 1993; Romano and Wolf, 2005). The chance of any false
separation on a board is then 1 - level, whatever the number of submissions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from wa_bench.errors import DataError, Fault
from wa_bench.evaluation.intervals import FARTHEST, FEWEST_CLUSTERS
from wa_bench.evaluation.metrics import Floats, parse_metric
from wa_bench.evaluation.report import MEAN, Report
from wa_bench.evaluation.resampling import spread

_PAIRS_AT_ONCE = 4096


@dataclass(frozen=True)
class Comparison:
    """Reports compared in pairs by one metric.

    Attributes:
        values: (n,) the value of each report, NaN where undefined.
        badness: (n,) the same on the metric's scale, turned so that smaller is better; infinite where undefined.
        better: (n, n) whether the row is better than the column beyond doubt.
        gain: (n, n) how much smaller the row's badness is than the column's.
        margin: (n, n) what a gain must exceed to mean something.
    """

    values: Floats
    badness: Floats
    better: NDArray[np.bool_]
    gain: Floats
    margin: Floats

    def tie_groups(self) -> list[int]:
        """The tie group of each report, numbered from zero, best first.

        Reports part only where all above are better than all below beyond doubt: members of one group cannot be told
        apart, if only by way of others between them.
        """
        order = np.argsort(self.badness, kind="stable")
        groups = np.zeros(len(order), dtype=np.int64)
        for place in range(1, len(order)):
            above, below = order[:place], order[place:]
            groups[order[place]] = groups[order[place - 1]] + bool(self.better[np.ix_(above, below)].all())
        return groups.tolist()

    def difference(self, one: int, two: int) -> tuple[float | None, float | None]:
        """``one`` minus ``two``, and how far the interval reaches on either side; None where undefined."""
        difference = self.values[one] - self.values[two]
        gain, margin = self.gain[one, two], self.margin[one, two]
        if not np.isfinite(difference):
            return None, None
        if not (np.isfinite(gain) and np.isfinite(margin) and gain):
            return float(difference), None
        return float(difference), float(abs(margin * difference / gain))

    def rank_ranges(self) -> list[tuple[int, int]]:
        """Best and worst rank, from one, that each report may have: by how many are better, and how many worse."""
        best = 1 + self.better.sum(axis=0)
        worst = len(self.badness) - self.better.sum(axis=1)
        return list(zip(best.tolist(), worst.tolist(), strict=True))


def compare(reports: Sequence[Report], key: str | tuple[str, ...] | None = None, level: float = 0.95) -> Comparison:
    """Compare reports in pairs.

    Args:
        reports: of one track, truth and settings.
        key: what to compare them by, as ``report[key]``; by default what the track ranks by.
        level: one minus the chance of any false separation.

    Raises:
        DataError: the reports were not scored on the same resamples of the same truth.
        UnknownNameError: no such metric, target, split or group.
    """
    _require_comparable(reports)
    return _compared(reports, reports[0].place(key or f"{reports[0].track.rank_by}@{MEAN}"), level)


def differences(reports: dict[str, Report], level: float = 0.95) -> pl.DataFrame:
    """Every pair of reports, by name, on every metric, target and group of their rows.

    Columns: split, group, target, metric, a, b, difference (a minus b), low, high, verdict (a is better, worse, or
    one cannot tell). Pairs are corrected for their number within a row, not over the rows. The interval is made on
    the metric's scale and carried back in proportion, so that it holds zero where one cannot tell.

    Raises:
        DataError: the reports were not scored on the same resamples of the same truth.
    """
    names, scored = list(reports), list(reports.values())
    _require_comparable(scored)
    rows = []
    for place, cell in enumerate(scored[0].rows.iter_rows(named=True)):
        found = _compared(scored, place, level)
        for one, two in combinations(range(len(names)), 2):
            difference, reach = found.difference(one, two)
            rows.append(
                {
                    **{name: cell[name] for name in ("split", "group", "target", "metric")},
                    "a": names[one],
                    "b": names[two],
                    "difference": difference,
                    "low": None if difference is None or reach is None else difference - reach,
                    "high": None if difference is None or reach is None else difference + reach,
                    "verdict": "better"
                    if found.better[one, two]
                    else "worse"
                    if found.better[two, one]
                    else "cannot tell",
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def _compared(reports: Sequence[Report], place: int, level: float) -> Comparison:
    """Compare by the score in row ``place``."""
    rows = [report.rows.row(place, named=True) for report in reports]
    influences = [report.influence(place) for report in reports]
    metric = parse_metric(rows[0]["metric"])
    values = np.array([np.nan if row["value"] is None else row["value"] for row in rows])
    if metric.better == "zero":
        turn = np.sign(values)
    else:
        turn = np.full(len(values), 1.0 if (metric.better == "lower") == metric.scale.rising else -1.0)
    with np.errstate(all="ignore"):
        badness = np.where(np.isnan(values), np.inf, metric.scale.there(values) * turn)
        gain = badness[None, :] - badness[:, None]
    settings = reports[0].settings
    if settings.resamples and min(row["clusters"] for row in rows) >= FEWEST_CLUSTERS:
        moved = np.array([influence.values for influence in influences]) * np.nan_to_num(turn)[:, None]
        margin = _margins(moved, influences[0].weights(settings.resamples, settings.seed), level)
    else:
        margin = np.full_like(gain, np.inf)
    return Comparison(values, badness, (gain > 0) & ~(gain <= margin), gain, margin)


def _margins(influences: Floats, weights: Floats, level: float) -> Floats:
    """(n, n) what each gain must exceed, from influences (n, pools) and the weights (resamples, pools)."""
    count = len(influences)
    one, two = np.triu_indices(count, 1)
    errors, largest = np.zeros(len(one)), np.zeros(len(weights))
    drawn = weights.sum(axis=1, keepdims=True)
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        pairs = slice(start, start + _PAIRS_AT_ONCE)
        apart = (influences[one[pairs]] - influences[two[pairs]]).T
        errors[pairs] = np.sqrt(np.square(apart).sum(axis=0))
        moved = weights @ apart
        stated = spread(moved, weights @ np.square(apart), drawn)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(errors[pairs] > 0, np.abs(moved) / stated, 0.0)
        largest = np.fmax(largest, np.minimum(np.nan_to_num(distance, nan=np.inf), FARTHEST).max(axis=1, initial=0.0))
    reach = np.quantile(largest, level, method="inverted_cdf")
    margins = np.zeros((count, count))
    margins[one, two] = margins[two, one] = errors * reach
    return margins


def _require_comparable(reports: Sequence[Report]) -> None:
    first = reports[0]
    for report in reports[1:]:
        for what in ("fingerprint", "settings"):
            ours, theirs = getattr(first, what), getattr(report, what)
            if ours != theirs:
                remedy = "score them against the same records, with the same settings"
                raise DataError(Fault(f"reports to compare, {what}", repr(ours), repr(theirs), remedy))
