"""A submission as one zip file: written from a folder, and read as if it were one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import polars as pl

from wa_bench.data import axess
from wa_bench.data.tables import ID
from wa_bench.data.zip_archive import BROKEN, EPOCH, PERMISSIONS, ZipArchive, opened
from wa_bench.errors import Fault, PredictionsError, SubmissionError, UnknownNameError, shown
from wa_bench.files import replacing
from wa_bench.submissions.card import CARD_FILE
from wa_bench.submissions.folder import FILES, Submission, verify_scores
from wa_bench.submissions.scores import SCORES_FILE

Format = Literal["wa-bench", "axess"]
FORMATS: tuple[str, ...] = get_args(Format)
_BLOCK = 1 << 20


def pack(submission: Submission, out: str | os.PathLike[str], form: str = "wa-bench") -> None:
    """Write a checked submission as a zip, whole or not at all; equal submissions give equal bytes.

    Args:
        submission: what to pack.
        out: the zip file.
        form: "wa-bench" for card, predictions and stored scores in a folder of the submission's name; "axess" for the
            two CSV files of the authors' own benchmark, with exactly the designs that are scored there.

    Raises:
        DataError: "wa-bench" and the stored scores are missing or not those of the predictions.
        SubmissionError: "axess" and the track has other targets or splits, or a scored design has no prediction.
        UnknownNameError: no such form.
    """
    out = Path(out)
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    if form == "axess":
        axess.write(out, _scored(submission))
        return
    verify_scores(submission)
    with replacing(out) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name in (CARD_FILE, submission.predictions_file.name, SCORES_FILE):
            member = zipfile.ZipInfo(f"{submission.card.slug}/{name}", EPOCH)
            member.external_attr = PERMISSIONS
            with (submission.folder / name).open("rb") as source, archive.open(member, "w") as target:
                while block := source.read(_BLOCK):
                    target.write(block)


@contextmanager
def unpacked(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A submission as a folder, also if it is a zip; what is unpacked is temporary.

    Raises:
        SubmissionError: all faults of the archive at once.
    """
    path = Path(path)
    if path.suffix != ".zip" or path.is_dir():
        yield path
        return
    if not path.is_file():
        raise SubmissionError(Fault(str(path), "a submission", "nothing"))
    with TemporaryDirectory(prefix="wa-bench-") as temporary:
        try:
            with opened(path, FILES) as archive:
                folder = Path(temporary) / (archive.folder or path.stem)
                folder.mkdir()
                for name in archive.members:
                    _extract(archive, name, folder / name, path.name)
        except PredictionsError as error:
            raise SubmissionError(*error.faults) from None
        yield folder


def _extract(archive: ZipArchive, name: str, target: Path, place: str) -> None:
    if (size := archive.members[name].file_size) > FILES[name]:
        raise SubmissionError(Fault(f"{place}, {name}", f"at most {FILES[name]:,} bytes", f"{size:,} bytes"))
    try:
        with archive.open(name) as source, target.open("wb") as file:
            while block := source.read(_BLOCK):
                file.write(block)
    except BROKEN as error:
        raise SubmissionError(Fault(f"{place}, {name}", "a whole file", shown(str(error)))) from None


def _scored(submission: Submission) -> dict[str, pl.DataFrame]:
    """For each split the predictions of all designs that have every target, in their order."""
    place, exam = submission.predictions_file.name, submission.exam
    try:
        axess.require_its_targets(exam.track.target_names, place)
    except PredictionsError as error:
        raise SubmissionError(*error.faults) from None
    if exam.splits != axess.SPLITS:
        found = f"the splits {', '.join(exam.splits)} of track {exam.track.name}"
        raise SubmissionError(Fault(place, f"predictions of the splits {', '.join(axess.SPLITS)}", found))
    if faults := submission.predictions.left_out_faults(exam):
        raise SubmissionError(*faults)
    scored = exam.truth().select(ID, "split")
    rows = scored.join(submission.predictions.frame(), on=ID, how="left", maintain_order="left")
    return {split: rows.filter(pl.col("split") == split) for split in axess.SPLITS}
