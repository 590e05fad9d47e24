"""A submission folder: card and predictions in, scores beside them.

<slug>/card.yaml            who, how, from what
<slug>/predictions.parquet  or predictions.csv
<slug>/scores.json          written by score(), never by hand
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from wa_bench.data.dataset import Dataset, load
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError, Fault, PredictionsError, SubmissionError, UnknownNameError
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Report, scores_text
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
        SubmissionError: all faults of card and predictions at once; also if the records to score against are absent.
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
                predictions.check_ids(exam.sample_ids())
                if predictions.frame().is_empty():
                    faults.append(Fault(present[0].name, "at least one prediction", "none"))
        except UnknownNameError as error:
            faults.append(Fault(f"{CARD_FILE}, field track", "a known track", str(error)))
        except (DataError, PredictionsError) as error:
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
    write_text(submission.folder / SCORES_FILE, scores_text(submission.scores()))
    return submission.report


def verify_scores(submission: Submission) -> None:
    """Compare the stored scores of a submission with scores computed now.

    Raises:
        DataError: they are missing, damaged or differ; names the command that makes them.
    """
    file = submission.folder / SCORES_FILE
    remedy = f"run: wa-bench submit score {submission.folder}"
    if not file.is_file():
        raise DataError(Fault(str(file), "scores", "nothing", remedy))
    try:
        stored = msgspec.json.decode(file.read_bytes(), type=_Scores)
    except msgspec.MsgspecError as error:
        raise DataError(Fault(str(file), "scores as wa-bench writes them", str(error), remedy)) from None
    computed = msgspec.convert(submission.scores(), _Scores)
    for name in ("submission", "track", "predictions_sha256", "truth_fingerprint"):
        if getattr(stored, name) != getattr(computed, name):
            place = f"{file}, {name}"
            raise DataError(Fault(place, repr(getattr(computed, name)), repr(getattr(stored, name)), remedy))
    if len(stored.scores) != len(computed.scores):
        raise DataError(Fault(str(file), f"{len(computed.scores)} scores", str(len(stored.scores)), remedy))
    for theirs, ours in zip(stored.scores, computed.scores, strict=True):
        if not theirs.agrees(ours):
            raise DataError(Fault(f"{file}, {ours.place()}", repr(ours.value), repr(theirs.value), remedy))


class _Score(msgspec.Struct, frozen=True):
    """A row of ``Report.rows`` as stored."""

    split: str
    group: str
    target: str
    metric: str
    value: float | None
    designs: int
    answered: int

    def place(self) -> str:
        return f"{self.metric}@{self.target} of {self.group} on {self.split}"

    def agrees(self, other: _Score) -> bool:
        """Whether both say the same, but for rounding in the last digits (other machine, other library)."""
        if self.value is None or other.value is None:
            return self == other
        close = math.isclose(self.value, other.value, rel_tol=1e-9, abs_tol=1e-9)
        return close and msgspec.structs.replace(self, value=other.value) == other


class _Scores(msgspec.Struct, frozen=True):
    """What ``scores.json`` holds, as far as it is compared."""

    submission: str
    track: str
    predictions_sha256: str
    truth_fingerprint: str
    scores: list[_Score]
