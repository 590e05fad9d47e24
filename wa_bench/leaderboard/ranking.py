"""The order of a board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import Report
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import Submission


@dataclass(frozen=True)
class Entry:
    """A line of the board. ``rank`` is None for controls and for submissions that leave designs out."""

    rank: int | None
    submission: Submission

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

    The track's tie-breaker orders equal means. Equal scores share a rank. Submissions that leave out designs come
    last, whatever their score on the rest.
    """

    def key(submission: Submission) -> tuple[bool, float, float]:
        track = submission.report.track
        badness = [_badness(submission.report, metric) for metric in (track.rank_by, track.tie_breaker)]
        return (not _complete(submission.report), badness[0], badness[1])

    entries: list[Entry] = []
    ranked: list[tuple[bool, float, float]] = []
    for submission in sorted(submissions, key=lambda s: (key(s), s.card.slug)):
        if submission.card.kind == "control" or not _complete(submission.report):
            entries.append(Entry(None, submission))
            continue
        ranked.append(key(submission))
        entries.append(Entry(ranked.index(ranked[-1]) + 1, submission))
    return entries


def _badness(report: Report, metric: str) -> float:
    """A mean that is smaller the better it is; infinite where undefined."""
    mean = report.mean(metric)
    if mean is None:
        return math.inf
    return {"higher": -mean, "lower": mean, "zero": abs(mean)}[parse_metric(metric).better]


def _complete(report: Report) -> bool:
    return all(report.coverage(split) in (None, 1.0) for split in report.splits)
