"""A submission folder: card and predictions in, scores beside them.

<slug>/card.yaml            who, how, from what
<slug>/predictions.parquet  or predictions.csv, or predictions.zip as the authors' own benchmark takes it
<slug>/scores.json          written by score(), never by hand
<slug>/README.md, card.schema.json  for people and editors; not looked at
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wa_bench.data.dataset import Dataset, load
from wa_bench.data.limits import LARGEST_README, LARGEST_SCORES, LARGEST_YAML, MOST_BYTES
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, PredictionsError, SubmissionError, UnknownNameError, shown
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Report, scores_text
from wa_bench.files import sha256_of, write_text
from wa_bench.submissions.card import CARD_FILE, SCHEMA_FILE, Card, read_card, write_card
from wa_bench.submissions.scores import SCORES_FILE, verify
from wa_bench.tracks.track import track

PREDICTIONS_FILES = ("predictions.parquet", "predictions.csv", "predictions.zip")
FILES = {
    CARD_FILE: LARGEST_YAML,
    **dict.fromkeys(PREDICTIONS_FILES, MOST_BYTES),
    SCORES_FILE: LARGEST_SCORES,
    SCHEMA_FILE: LARGEST_YAML,
    "README.md": LARGEST_README,
}
"""What a folder may hold, and the bytes that each may have."""


@dataclass(frozen=True)
class Submission:
    """A checked submission."""

    folder: Path
    card: Card
    predictions: Predictions
    predictions_file: Path
    exam: Dataset

    @cached_property
    def report(self) -> Report:
        """Its scores, computed now."""
        return evaluate(self.predictions, self.exam)

    @cached_property
    def notes(self) -> list[str]:
        """What is worth knowing of the predictions though it is no fault."""
        return self.predictions.notes(self.exam)

    def scores(self) -> dict[str, Any]:
        """What ``scores.json`` holds."""
        return {
            "submission": self.card.slug,
            "predictions_sha256": sha256_of(self.predictions_file),
            **self.report.to_dict(),
        }


def create(folder: str | os.PathLike[str], card: Card, predictions: Predictions) -> None:
    """Write a submission folder that is ready to be scored."""
    folder = Path(folder)
    write_card(folder / CARD_FILE, card)
    predictions.write(folder / PREDICTIONS_FILES[0])


def check(folder: str | os.PathLike[str], source: str | None = None, exam: Dataset | None = None) -> Submission:
    """The submission in ``folder``, if it can be scored.

    Args:
        folder: the submission.
        source: where the track's records are, if not in the usual places.
        exam: the designs to score, if they are at hand.

    Raises:
        SubmissionError: all faults of folder, card and predictions at once; also if the records to score against are
            absent.
    """
    folder = Path(folder)
    card, file, faults = _parts(folder)
    predictions = None
    if card is not None:
        try:
            judge = track(card.track)
            if exam is None or exam.track != judge:
                exam = load(card.track, judge.exam_splits, source)
            if file is not None:
                predictions = _predictions(file, exam)
        except UnknownNameError as error:
            faults.append(Fault(f"{CARD_FILE}, field track", "a known track", str(error)))
        except (DataError, PredictionsError) as error:
            faults += error.faults
    if faults or card is None or file is None or predictions is None or exam is None:
        raise SubmissionError(*faults)
    return Submission(folder, card, predictions, file, exam)


def identify(folder: Path) -> tuple[Card, Path]:
    """Card and predictions file of a submission, without a look into the predictions.

    Raises:
        SubmissionError: all faults of folder and card at once.
    """
    card, file, faults = _parts(folder)
    if faults or card is None or file is None:
        raise SubmissionError(*faults)
    return card, file


def score(folder: str | os.PathLike[str], source: str | None = None, exam: Dataset | None = None) -> Report:
    """Check a submission and write its ``scores.json``; arguments as of ``check``.

    Raises:
        SubmissionError: it cannot be scored; nothing is written then.
    """
    submission = check(folder, source, exam)
    write_text(submission.folder / SCORES_FILE, scores_text(submission.scores()))
    return submission.report


def verify_scores(submission: Submission) -> None:
    """Compare the stored scores of a submission with scores computed now.

    Raises:
        DataError: they are missing, damaged or differ: all differences, and the command that makes them anew.
    """
    file = submission.folder / SCORES_FILE
    verify(file, submission.scores, f"run: wa-bench submit score {submission.folder}")


def _parts(folder: Path) -> tuple[Card | None, Path | None, list[Fault]]:
    """Card and predictions file, as far as they are there, and the faults of folder and card."""
    present, faults = _entries(folder)
    card = None
    if CARD_FILE in present:
        try:
            card = read_card(folder / CARD_FILE)
        except SubmissionError as error:
            faults += error.faults
    elif not any(fault.place == str(folder / CARD_FILE) for fault in faults):
        faults.append(Fault(str(folder), f"a card named {CARD_FILE}", "none", f"run: wa-bench submit init {folder}"))
    if card is not None and card.slug != folder.resolve().name:
        expected = f"the folder's name {shown(folder.resolve().name)}"
        faults.append(Fault(f"{CARD_FILE}, field slug", expected, shown(card.slug)))
    files = [folder / name for name in PREDICTIONS_FILES if name in present]
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        faults.append(Fault(str(folder), f"one of {', '.join(PREDICTIONS_FILES)}", found))
    return card, files[0] if len(files) == 1 else None, faults


def _entries(folder: Path) -> tuple[set[str], list[Fault]]:
    """Names of the plain files that a submission may hold, and a fault for each other entry."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return set(), [Fault(str(folder), "a submission folder", "none")]
    present, faults = set(), []
    for entry in entries:
        place = str(folder / entry.name) if entry.name in FILES else f"{folder}, entry {shown(entry.name)}"
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            kind = "a link" if entry.is_symlink() else "a folder" if entry.is_dir() else "a device or pipe"
            faults.append(Fault(place, "plain files only", kind, "take it away"))
        elif entry.name not in FILES:
            faults.append(Fault(place, f"only {', '.join(FILES)}", "another file", "take it away"))
        elif (size := entry.stat(follow_symlinks=False).st_size) > FILES[entry.name]:
            faults.append(Fault(place, f"at most {FILES[entry.name]:,} bytes", f"{size:,} bytes"))
        else:
            present.add(entry.name)
    return present, faults


def _predictions(file: Path, exam: Dataset) -> Predictions:
    """Predictions of the designs to score.

    Raises:
        PredictionsError: all faults of the file at once.
    """
    predictions = Predictions.read(file, exam.track.target_names)
    predictions.check_ids(exam.sample_ids())
    if predictions.frame().is_empty():
        raise PredictionsError(Fault(file.name, "at least one prediction", "none"))
    if predictions.must_be_complete and (faults := predictions.left_out_faults(exam)):
        raise PredictionsError(*faults)
    return predictions
