"""The start of a submission: a card to fill in, its schema for editors, and the predictions."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from wa_bench.data.predictions import Predictions
from wa_bench.errors import Fault, SubmissionError
from wa_bench.files import replacing, write_text
from wa_bench.submissions.card import CARD_FILE, SCHEMA_FILE, SLUG_PATTERN, schema_text, template
from wa_bench.submissions.folder import PREDICTIONS_FILES
from wa_bench.tracks.track import track


def start(
    folder: str | os.PathLike[str], track_name: str, predictions: str | os.PathLike[str] | None = None
) -> list[Path]:
    """Write what a submission starts with, and return the files written.

    Args:
        folder: the submission; its name becomes the slug.
        track_name: the track to submit to.
        predictions: a file of predictions to copy into the folder, as it is, once it is found to be good.

    Raises:
        UnknownNameError: no such track.
        SubmissionError: files are there already, or the folder's name cannot be a slug; nothing is written then.
        PredictionsError: the predictions have faults; nothing is written then.
    """
    folder = Path(folder)
    judge = track(track_name)
    slug = folder.resolve().name
    faults = [
        Fault(str(folder / name), "nothing yet", "a file", "choose another folder, or edit what is there")
        for name in (CARD_FILE, SCHEMA_FILE, *PREDICTIONS_FILES)
        if os.path.lexists(folder / name)
    ]
    if not re.match(SLUG_PATTERN, slug):
        expected = "a name of 2 to 40 small letters, digits and hyphens, such as my-surrogate"
        faults.append(Fault(str(folder), expected, ascii(slug)))
    if faults:
        raise SubmissionError(*faults)
    written = []
    if predictions is not None:
        source = Path(predictions)
        Predictions.read(source, judge.target_names)
        written.append(folder / f"predictions{source.suffix}")
        with replacing(written[-1]) as partial:
            shutil.copyfile(source, partial)
    for name, text in ((CARD_FILE, template(slug, track_name)), (SCHEMA_FILE, schema_text())):
        write_text(folder / name, text)
        written.append(folder / name)
    return written
