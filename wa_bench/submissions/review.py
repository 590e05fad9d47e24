"""The review of a proposed change to the board: one submission, good in itself, with true scores, and nothing else.

The proposal is data. Nothing of it is run, and no link in it is followed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from wa_bench.errors import Fault, FaultyInputError, SubmissionError, shown
from wa_bench.submissions.card import CARD_FILE, SLUG_PATTERN, read_card
from wa_bench.submissions.folder import FILES, Submission, check, verify_scores
from wa_bench.submissions.names import imitations
from wa_bench.tracks.track import available

BOARD = "leaderboard/submissions"
_MOST_CHANGES = len(FILES)


@dataclass(frozen=True)
class Review:
    """A verdict: good if there are no faults."""

    folder: str | None
    faults: tuple[Fault, ...]
    submission: Submission | None = None

    @property
    def good(self) -> bool:
        """Whether a maintainer may merge it."""
        return not self.faults

    def lines(self) -> list[str]:
        """The verdict as text for people."""
        where = self.folder or "the proposal"
        if self.submission is None and not self.faults:
            return [f"GOOD: no file of {BOARD}/ is touched"]
        if self.submission is None:
            return [f"REFUSED: {where}, {len(self.faults)} faults", *(f"- {fault}" for fault in self.faults)]
        report = self.submission.report
        rows = self.submission.predictions.frame().height
        metric = report.track.rank_by
        scores = [f"- mean {metric} on {split}: {report.shown(f'{metric}@mean', split)}" for split in report.splits]
        verdict = f"GOOD: {where}, {rows:,} predictions, stored scores are true"
        return [verdict, *scores, *(f"- note: {note}" for note in self.submission.notes)]

    def summary(self) -> str:
        """The verdict as HTML in which all text of the proposal is only text."""
        title, *rest = self.lines()
        return f"<h3>{escape(title)}</h3>\n<pre>{escape(chr(10).join(rest))}</pre>\n"


def review(
    changed: bytes,
    root: str | os.PathLike[str],
    source: str | None = None,
    base: str | os.PathLike[str] | None = None,
) -> Review:
    """Judge a proposal. One that touches no submission is none of ours, and good.

    Args:
        changed: paths of all changed files relative to ``root``, each ended by a NUL, as ``git diff --name-only -z``
            prints them; deleted files too.
        root: the proposed state of the repository.
        source: where the track's records are, if not in the usual places.
        base: the state before: a submission that is there already may be changed by its authors only, and controls
            by maintainers only.
    """
    root = Path(root)
    folder = None
    if changed and not any(name.startswith(os.fsencode(BOARD)) for name in changed.split(b"\0")):
        return Review(None, ())
    try:
        track, slug = _only_folder(changed)
        folder = f"{BOARD}/{track}/{slug}"
        _require_plain_path(root, folder)
        submission = check(root / folder, source)
        if submission.card.track != track:
            place = f"{folder}/{CARD_FILE}, field track"
            raise SubmissionError(Fault(place, f"{track!r}, the folder it lies in", shown(submission.card.track)))
        faults = _imitations(root, track, submission)
        if base is not None:
            faults += _ownership(Path(base) / folder, submission)
        if faults:
            raise SubmissionError(*faults)
        verify_scores(submission)
    except FaultyInputError as error:
        return Review(folder, error.faults)
    return Review(folder, (), submission)


def _only_folder(changed: bytes) -> tuple[str, str]:
    """Track and name of the one submission that a proposal touches.

    Raises:
        SubmissionError: it touches anything else, or nothing.
    """
    names = [os.fsdecode(name) for name in changed.split(b"\0") if name]
    expected = f"only files of one folder {BOARD}/<track>/<name>/"
    if not names:
        raise SubmissionError(Fault("the proposal", expected, "no changed file"))
    faults, folders = [], set()
    for name in names[: _MOST_CHANGES + 1]:
        head, _, file = name.rpartition("/")
        top, _, slug = head.rpartition("/")
        board, _, track = top.rpartition("/")
        if board != BOARD or file not in FILES or track not in available() or not re.match(SLUG_PATTERN, slug):
            faults.append(Fault("the proposal", expected, shown(name, 120)))
        folders.add((track, slug))
    if len(names) > _MOST_CHANGES:
        faults.append(Fault("the proposal", f"at most {_MOST_CHANGES} changed files", f"{len(names):,}"))
    if not faults and len(folders) > 1:
        found = ", ".join("/".join(folder) for folder in sorted(folders))
        faults.append(Fault("the proposal", "one submission", found, "propose each by itself"))
    if faults:
        raise SubmissionError(*faults)
    return folders.pop()


def _require_plain_path(root: Path, folder: str) -> None:
    """Refuse a path that a link leads astray, and a submission that was taken away."""
    path = root
    for part in folder.split("/"):
        path /= part
        if path.is_symlink() or not path.is_dir():
            found = "a link" if path.is_symlink() else "none"
            raise SubmissionError(Fault(folder, "a folder with a submission", found, "maintainers remove submissions"))


def _imitations(root: Path, track: str, submission: Submission) -> list[Fault]:
    """Faults of a name that looks like that of another submission of the track."""
    names = {}
    for other in sorted((root / BOARD / track).iterdir()):
        if other.name != submission.card.slug and (other / CARD_FILE).is_file():
            names[other.name] = read_card(other / CARD_FILE).name
    return imitations({**names, f"{CARD_FILE}, field name": submission.card.name})


def _ownership(before: Path, submission: Submission) -> list[Fault]:
    """Faults of a proposal that takes over a submission or makes a control, which takes no rank."""
    card = submission.card
    try:
        old = read_card(before / CARD_FILE) if (before / CARD_FILE).is_file() else None
    except SubmissionError as error:
        return list(error.faults)
    faults = []
    if old is not None and old.authors != card.authors:
        expected = f"{shown(old.authors)}, as on the board"
        faults.append(Fault(f"{CARD_FILE}, field authors", expected, shown(card.authors), "ask a maintainer"))
    if card.kind == "control" and (old is None or old.kind != "control"):
        faults.append(Fault(f"{CARD_FILE}, field kind", "surrogate", "control", "maintainers add controls"))
    return faults
