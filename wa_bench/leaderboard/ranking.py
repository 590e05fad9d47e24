"""The order of a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wa_bench.evaluation.report import Report
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import Submission

_TIE_BREAKER = "SMAPE(eps=1)"


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
    """Best first: by the mean of the track's ranking metric over the targets on the first exam split, then SMAPE.

    Equal scores share a rank. Submissions that leave out designs come last, whatever their score on the rest.
    """

    def key(submission: Submission) -> tuple[bool, float, float]:
        report = submission.report
        mean = report.mean(report.track.rank_by)
        error = report.mean(_TIE_BREAKER)
        return (
            not _complete(report),
            float("inf") if mean is None else -mean,
            float("inf") if error is None else error,
        )

    entries: list[Entry] = []
    ranked: list[tuple[bool, float, float]] = []
    for submission in sorted(submissions, key=lambda s: (key(s), s.card.slug)):
        if submission.card.kind == "control" or not _complete(submission.report):
            entries.append(Entry(None, submission))
            continue
        ranked.append(key(submission))
        entries.append(Entry(ranked.index(ranked[-1]) + 1, submission))
    return entries


def _complete(report: Report) -> bool:
    return all(report.coverage(split) in (None, 1.0) for split in report.splits)
