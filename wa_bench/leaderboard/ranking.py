"""The order of a board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wa_bench.evaluation.comparison import compare
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import Report
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import Submission


@dataclass(frozen=True)
class Entry:
    """A line of the board.

    ``rank`` is that of its tie group: one more than the number of submissions in the groups above. ``best`` and
    ``worst`` are the ranks that it may truly have. All are None for controls and for submissions that leave designs
    out.
    """

    submission: Submission
    rank: int | None = None
    best: int | None = None
    worst: int | None = None

    @property
    def card(self) -> Card:
        """The submission's card."""
        return self.submission.card

    @property
    def report(self) -> Report:
        """The submission's scores."""
        return self.submission.report


def rank(submissions: Sequence[Submission]) -> list[Entry]:
    """Best first: by the mean of the track's ranking metric over the targets on the first exam split.

    Submissions that the corrected paired test cannot part share a rank (``Comparison.tie_groups``); within a tie group
    the mean orders them, and equal means the track's tie-breaker. Controls stand in line without a rank. Submissions
    that leave out designs come last, whatever their score on the rest.
    """

    def key(submission: Submission) -> tuple[bool, float, float, str]:
        track = submission.report.track
        badness = [_badness(submission.report, metric) for metric in (track.rank_by, track.tie_breaker)]
        return (not _complete(submission.report), badness[0], badness[1], submission.card.slug)

    ordered = sorted(submissions, key=key)
    ranked = [each for each in ordered if each.card.kind != "control" and _complete(each.report)]
    entries = {each.card.slug: Entry(each) for each in ordered}
    if ranked:
        comparison = compare([each.report for each in ranked])
        groups = comparison.tie_groups()
        for each, group, (best, worst) in zip(ranked, groups, comparison.rank_ranges(), strict=True):
            entries[each.card.slug] = Entry(each, groups.index(group) + 1, best, worst)
    return [entries[each.card.slug] for each in ordered]


def _badness(report: Report, metric: str) -> float:
    """A mean that is smaller the better it is; infinite where undefined."""
    mean = report.mean(metric)
    if mean is None:
        return math.inf
    return {"higher": -mean, "lower": mean, "zero": abs(mean)}[parse_metric(metric).better]


def _complete(report: Report) -> bool:
    return all(report.coverage(split) in (None, 1.0) for split in report.splits)
