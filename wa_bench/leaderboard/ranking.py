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

    ``rank`` is one more than the number of submissions that the paired test finds better, ``worst`` the number of
    those that it does not find worse: the submission may truly have any rank between. ``tie_group`` numbers the groups
    that it cannot part. All are None for controls and for submissions that leave designs out.
    """

    submission: Submission
    rank: int | None = None
    worst: int | None = None
    tie_group: int | None = None

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

    The track's tie-breaker orders equal means. Ranks follow from the paired test, corrected for the number of pairs, so
    that submissions which it cannot tell apart share one. Controls stand in line without a rank. Submissions
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
        for each, group, ranks in zip(ranked, comparison.tie_groups(), comparison.rank_ranges(), strict=True):
            entries[each.card.slug] = Entry(each, *ranks, group + 1)
    return [entries[each.card.slug] for each in ordered]


def _badness(report: Report, metric: str) -> float:
    """A mean that is smaller the better it is; infinite where undefined."""
    mean = report.mean(metric)
    return math.inf if mean is None else parse_metric(metric).badness(mean)


def _complete(report: Report) -> bool:
    return all(report.coverage(split) in (None, 1.0) for split in report.splits)
