"""Which differences between submissions are real: paired, on the same resamples, corrected for their number.

A difference is made on the pair's scale (``wa_bench.evaluation.pair_scale``) from the influences of the same clusters
on both scores, so that what makes a cluster easy or hard for all cancels out. Each pair has a yardstick: the number of
standard errors that the difference of a resample, by what the resample itself states, rarely exceeds (bootstrap-t): in
one case of twenty, and by Bonferroni's rule as much more rarely as there are pairs, so that the chance of any false
verdict among them is 1 - level. Among ten pairs and more no yardstick is shorter than the median of all, as chance
makes some too short. A pair that hangs on one network has none and no verdict; it does not spoil the others.

``scripts/simulate_judge.py ties`` measures the false verdicts and those that are found. It also finds where the promise
fails, on R2: where a few designs make up most of the squared error (60 networks, sizes spread by 1.0), one board of ten
among equals has a false verdict, though no false tie groups; and between two equals of whom one errs on few networks
only, and much, one verdict of five is false, for the one whose failures the exam met too rarely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from wa_bench.errors import DataError, Fault
from wa_bench.evaluation.influence import Influence
from wa_bench.evaluation.intervals import normal_quantile
from wa_bench.evaluation.metrics import Floats, parse_metric
from wa_bench.evaluation.pair_scale import PairScale
from wa_bench.evaluation.report import MEAN, Scores
from wa_bench.evaluation.resampling import spread

LEVEL = 0.95
"""One minus the chance of any false verdict."""
_FEWEST_BEYOND = 5
"""Resamples that must lie beyond a quantile for it to be read off; farther out the normal distribution goes on."""
FEWEST_TO_LEARN_FROM = 10
"""Pairs, of which one odd submission is in less than half."""
_MOST_RESAMPLES = 20_000
_MOST_CELLS = 20_000_000
_CELLS_AT_ONCE = 4_000_000
"""Pairs times resamples."""


@dataclass(frozen=True)
class Comparison:
    """Reports compared in pairs by one metric.

    Attributes:
        values: (n,) the value of each report, NaN where undefined; without its sign where zero is good.
        badness: (n,) the same, turned so that smaller is better; infinite where undefined.
        better: (n, n) whether the row is better than the column, by the test at its level.
        gain: (n, n) how much better, on the scale of the test; NaN where one cannot tell at all.
        margin: (n, n) what a gain must exceed; infinite where one cannot tell.
    """

    values: Floats
    badness: Floats
    better: NDArray[np.bool_]
    gain: Floats
    margin: Floats

    def tie_groups(self) -> list[int]:
        """The tie group of each report, numbered from zero, best first.

        Reports part only where all above are better than all below: members of one group cannot be told apart, if
        only by way of others between them.
        """
        order = np.argsort(self.badness, kind="stable")
        groups = np.zeros(len(order), dtype=np.int64)
        for place in range(1, len(order)):
            above, below = order[:place], order[place:]
            groups[order[place]] = groups[order[place - 1]] + bool(self.better[np.ix_(above, below)].all())
        return groups.tolist()

    def difference(self, one: int, two: int) -> tuple[float | None, float | None]:
        """``one`` minus ``two``, and how far the interval reaches on either side; None where undefined.

        The interval is made on the scale of the test and carried back in proportion: it holds zero where one cannot
        tell.
        """
        difference = self.values[one] - self.values[two]
        gain, margin = self.gain[one, two], self.margin[one, two]
        if not np.isfinite(difference):
            return None, None
        if not (np.isfinite(gain) and np.isfinite(margin) and gain):
            return float(difference), None
        return float(difference), float(abs(margin * difference / gain))

    def verdict(self, one: int, two: int) -> str:
        """Whether ``one`` is better than ``two``, worse, or one cannot tell."""
        return "better" if self.better[one, two] else "worse" if self.better[two, one] else "cannot tell"

    def rank_ranges(self) -> list[tuple[int, int]]:
        """Best and worst rank, from one, that each report may have: by how many are better, and how many worse."""
        best = 1 + self.better.sum(axis=0)
        worst = len(self.badness) - self.better.sum(axis=1)
        return list(zip(best.tolist(), worst.tolist(), strict=True))


class Memory(Protocol):
    """What was found out about pairs before, by the name of each of them: most of the work of a large board."""

    def recall(self, test: str, names: Sequence[str]) -> Floats:
        """(n, n) what is known of each pair in a test; NaN where nothing is."""

    def keep(self, test: str, names: Sequence[str], found: Floats) -> None:
        """Remember (n, n) what was found of each pair."""


def compare(
    reports: Sequence[Scores],
    key: str | tuple[str, ...] | None = None,
    level: float = LEVEL,
    memory: Memory | None = None,
) -> Comparison:
    """Compare reports in pairs.

    Args:
        reports: of one track, truth and settings, and of the same designs.
        key: what to compare them by, as ``report[key]``; by default what the track ranks by.
        level: one minus the chance of any false verdict.
        memory: of pairs that were compared before.

    Raises:
        DataError: the reports were not scored on the same resamples of the same designs.
        UnknownNameError: no such metric, target, split or group.
    """
    _require_comparable(reports)
    return _Judge(reports, level, memory).compare(reports[0].place(key or f"{reports[0].track.rank_by}@{MEAN}"))


def differences(reports: Mapping[str, Scores], level: float = LEVEL) -> pl.DataFrame:
    """Every pair of reports, by name, on every metric, target and group of their rows.

    Columns: split, group, target, metric, a, b, difference (a minus b; of the absolute values where zero is good), low,
    high, verdict (a is better, worse, or one cannot tell). Pairs are corrected for their number within a row, not over
    the rows.

    Raises:
        DataError: the reports were not scored on the same resamples of the same designs.
    """
    names, scored = list(reports), list(reports.values())
    _require_comparable(scored)
    judge = _Judge(scored, level)
    rows = []
    for place, cell in enumerate(scored[0].rows.iter_rows(named=True)):
        found = judge.compare(place)
        for one, two in combinations(range(len(names)), 2):
            difference, reach = found.difference(one, two)
            bounds = (None, None) if difference is None or reach is None else (difference - reach, difference + reach)
            rows.append(
                {
                    **{name: cell[name] for name in ("split", "group", "target", "metric")},
                    "a": names[one],
                    "b": names[two],
                    "difference": difference,
                    "low": bounds[0],
                    "high": bounds[1],
                    "verdict": found.verdict(one, two),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def yardstick(pairs: int, resamples: int, level: float = LEVEL) -> tuple[float, float]:
    """Which quantile of the resamples is read off for each of some pairs, and how many times that the yardstick is."""
    wanted = 1 - (1 - level) / pairs
    had = min(wanted, 1 - _FEWEST_BEYOND / resamples)
    return had, normal_quantile(wanted) / normal_quantile(had)


class _Pairs(NamedTuple):
    """Pairs ``one`` and ``two`` (pairs,) of scores, by influences ``moved`` (n, pools) and factors (pairs,) on them."""

    moved: Floats
    one: NDArray[np.intp]
    two: NDArray[np.intp]
    factor_of_one: Floats
    factor_of_two: Floats

    def apart(self, some: slice) -> Floats:
        """(some pairs, pools) by how much each pool moves the difference."""
        one = self.moved[self.one[some]] * self.factor_of_one[some, None]
        return one - self.moved[self.two[some]] * self.factor_of_two[some, None]


class _Judge:
    """Compares reports by one row after the other, on resamples that are drawn once for each exam."""

    def __init__(self, reports: Sequence[Scores], level: float, memory: Memory | None = None) -> None:
        self._reports = reports
        self._level = level
        self._memory = memory
        self._weights: dict[str, Floats] = {}

    def compare(self, place: int) -> Comparison:
        """Compare by the score in row ``place``."""
        rows = [report.rows.row(place, named=True) for report in self._reports]
        influences = [report.influence(place) for report in self._reports]
        metric = parse_metric(rows[0]["metric"])
        values = np.array([np.nan if row["value"] is None else row["value"] for row in rows])
        moved = np.array([influence.values for influence in influences])
        if metric.better == "zero":
            values, moved = np.abs(values), moved * np.where(values < 0, -1, 1)[:, None]
        badness = np.where(np.isnan(values), np.inf, values * (-1 if metric.better == "higher" else 1))
        one, two = np.triu_indices(len(values), 1)
        worse = np.where(badness[one] > badness[two], one, two)
        scale = PairScale(metric, values)
        gain = np.zeros((len(values), len(values)))
        gain[one, two] = scale.badness(two, worse) - scale.badness(one, worse)
        gain[two, one] = -gain[one, two]
        pairs = _Pairs(moved, one, two, scale.factor(one, worse), scale.factor(two, worse))
        margin = self._margins(pairs, values, influences[0], (rows[0]["split"], str(metric)))
        return Comparison(values, badness, gain > margin, gain, margin)

    def _margins(self, pairs: _Pairs, values: Floats, exam: Influence, what: tuple[str, str]) -> Floats:
        """(n, n) what each gain must exceed, by influences on values (n,), of an exam's split and metric."""
        count = len(values)
        margins = np.full((count, count), np.inf)
        np.fill_diagonal(margins, 0)
        if not self._reports[0].settings.resamples or count < 2:
            return margins
        one, two = pairs.one, pairs.two
        resamples = self._resamples(len(one))
        had, longer = yardstick(len(one), resamples, self._level)
        test = _hash(exam.strata.tobytes(), repr((what, resamples, had, self._reports[0].settings.seed)).encode())
        scores = zip(values, pairs.moved, strict=True)
        names = [_hash(value.tobytes(), moved.tobytes()) for value, moved in scores] if self._memory else []
        known = np.full((count, count), np.nan) if self._memory is None else self._memory.recall(test, names)
        errors, distances = np.empty(len(one)), known[one, two]
        at_once = max(1, _CELLS_AT_ONCE // resamples)
        for start in range(0, len(one), at_once):
            some = slice(start, start + at_once)
            apart = pairs.apart(some)
            errors[some] = np.sqrt(np.square(apart).sum(axis=1))
            if (new := np.isnan(distances[some])).any():
                distances[some][new] = self._distances(apart[new], exam, what[0], resamples, had)
        if self._memory is not None:
            known[one, two] = known[two, one] = distances
            self._memory.keep(test, names, known)
        yardsticks = distances * longer
        alike = errors == 0
        if np.count_nonzero(~alike) >= FEWEST_TO_LEARN_FROM:
            yardsticks = np.maximum(yardsticks, np.quantile(yardsticks[~alike], 0.5, method="inverted_cdf"))
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.nan_to_num(np.where(alike, 0, errors * yardsticks), nan=np.inf, posinf=np.inf)
        margins[one, two] = margins[two, one] = found
        return margins

    def _distances(self, apart: Floats, exam: Influence, split: str, resamples: int, had: float) -> Floats:
        """(pairs,) distance, in its own standard errors, that the share ``had`` of resamples keeps within."""
        if split not in self._weights:
            self._weights[split] = exam.weights(resamples, self._reports[0].settings.seed)
        weights = self._weights[split]
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(apart @ weights) / spread(apart, weights, exam.strata)
        distance = np.where(np.isnan(distance), np.inf, distance)
        return np.asarray(np.quantile(distance, had, axis=1, method="inverted_cdf"))

    def _resamples(self, pairs: int) -> int:
        """As many as the correction for the pairs asks for, within bounds."""
        asked = min(int(_FEWEST_BEYOND * pairs / (1 - self._level)), _MOST_RESAMPLES, _MOST_CELLS // pairs)
        return max(self._reports[0].settings.resamples, asked)


def _hash(*parts: bytes) -> str:
    return sha256(b"".join(parts)).hexdigest()


def _require_comparable(reports: Sequence[Scores]) -> None:
    if not reports:
        raise DataError(Fault("reports to compare", "at least one", "none"))
    first = reports[0]
    for report in reports[1:]:
        for what in ("fingerprint", "settings"):
            ours, theirs = getattr(first, what), getattr(report, what)
            if ours != theirs:
                remedy = "score them against the same records, with the same settings"
                raise DataError(Fault(f"reports to compare, {what}", repr(ours), repr(theirs), remedy))
        if report.answers != first.answers:
            found = f"{_answered(report)} designs answered, and {_answered(first)}"
            remedy = "score them on the designs that all of them answer"
            raise DataError(Fault("reports to compare", "answers for the same designs", found, remedy))


def _answered(scores: Scores) -> str:
    rows = [scores.row((f"{scores.track.rank_by}@{MEAN}", split)) for split in scores.splits]
    return " + ".join(f"{row['answered']:,}" for row in rows)
