"""A submission folder: card and predictions in, scores beside them.

<slug>/card.yaml            who, how, from what
<slug>/predictions.parquet  or predictions.csv
<slug>/scores.json          written by score(), never by hand
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wa_bench.data.dataset import Dataset, load
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, PredictionsError, SubmissionError, UnknownNameError
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Report
from wa_bench.files import sha256_of, write_text
from wa_bench.submissions.card import CARD_FILE, Card, read_card, write_card
from wa_bench.tracks.track import track

SCORES_FILE = "scores.json"
_PREDICTIONS_FILES = ("predictions.parquet", "predictions.csv")


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
    predictions.write(folder / _PREDICTIONS_FILES[0])


def check(folder: str | os.PathLike[str], source: str | None = None) -> Submission:
    """The submission in ``folder``, if it can be scored.

    Args:
        folder: the submission.
        source: where the track's records are, if not in the usual places.

    Raises:
        SubmissionError: all faults of card and predictions at once.
        DataError: the records to score against are not there.
    """
    folder = Path(folder)
    faults: list[Fault] = []
    card = predictions = None
    try:
        card = read_card(folder / CARD_FILE)
    except SubmissionError as error:
        faults += error.faults
    if card is not None and card.slug != folder.resolve().name:
        expected = f"the folder's name {folder.resolve().name!r}"
        faults.append(Fault(f"{CARD_FILE}, field slug", expected, repr(card.slug)))
    present = [folder / name for name in _PREDICTIONS_FILES if (folder / name).is_file()]
    if len(present) != 1:
        found = ", ".join(path.name for path in present) or "neither"
        faults.append(Fault(str(folder), f"one of {' and '.join(_PREDICTIONS_FILES)}", found))
    exam = None
    if card is not None:
        try:
            judge = track(card.track)
            exam = load(card.track, judge.exam_splits, source)
            if len(present) == 1:
                predictions = Predictions.read(present[0], judge.target_names)
                predictions.check_ids(exam.frame().select("sample_id").collect().get_column("sample_id"))
        except UnknownNameError as error:
            faults.append(Fault(f"{CARD_FILE}, field track", "a known track", str(error)))
        except PredictionsError as error:
            faults += error.faults
    if faults or card is None or predictions is None or exam is None:
        raise SubmissionError(*faults)
    return Submission(folder, card, predictions, present[0], exam)


def score(folder: str | os.PathLike[str], source: str | None = None) -> Report:
    """Check a submission and write its ``scores.json``.

    Raises:
        SubmissionError: it cannot be scored; nothing is written then.
    """
    submission = check(folder, source)
    write_text(submission.folder / SCORES_FILE, json.dumps(submission.scores(), indent=1, allow_nan=False) + "\n")
    return submission.report


def read_scores(submission: Submission) -> dict[str, Any]:
    """The stored scores of a submission, if they are those of its predictions and of the present truth.

    Raises:
        DataError: they are missing or stale; names the command that makes them.
    """
    file = submission.folder / SCORES_FILE
    remedy = f"run: wa-bench submit score {submission.folder}"
    if not file.is_file():
        raise DataError(Fault(str(file), "scores", "nothing", remedy))
    stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for name, expected in (
        ("predictions_sha256", sha256_of(submission.predictions_file)),
        ("truth_fingerprint", submission.exam.fingerprint()),
    ):
        if stored.get(name) != expected:
            raise DataError(Fault(f"{file}, {name}", expected, str(stored.get(name)), remedy))
    return stored
