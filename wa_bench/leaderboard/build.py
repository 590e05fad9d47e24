"""The static site, from a folder of submissions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wa_bench.errors import DataError, Fault, FaultyInputError
from wa_bench.files import write_text
from wa_bench.leaderboard import pages
from wa_bench.leaderboard.ranking import Entry, rank
from wa_bench.submissions.card import CARD_FILE
from wa_bench.submissions.folder import Submission, check, verify_scores
from wa_bench.submissions.names import imitations
from wa_bench.tracks.track import Track, available

_MARKER = ".wa-bench-site"


def boards(folder: str | os.PathLike[str], source: str | None = None) -> list[tuple[Track, list[Entry]]]:
    """The ranked submissions of every track that has some, from ``<folder>/<track>/<slug>/``.

    Raises:
        DataError: all faults at once: no submission is there, one cannot be scored or lies in the wrong place, stored
            scores are missing or wrong, two submissions of a track have names that look alike or equal predictions.
    """
    known = available()
    folder = Path(folder)
    faults = []
    folders: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*/")):
        if path.parent.name not in known:
            faults.append(Fault(str(path), f"a folder of a track ({', '.join(known)})", path.parent.name))
        elif not (path / CARD_FILE).is_file():
            faults.append(Fault(str(path), f"a submission with {CARD_FILE}", "none"))
        else:
            folders.setdefault(path.parent.name, []).append(path)
    if not folders and not faults:
        faults.append(Fault(str(folder), "submissions as <track>/<name>/card.yaml", "none"))
    if faults:
        raise DataError(*faults)
    submissions: dict[str, list[Submission]] = {name: [] for name in folders}
    for name, paths in folders.items():
        for path in paths:
            try:
                submissions[name].append(_submission(path, source))
            except FaultyInputError as error:
                faults += error.faults
    for found in submissions.values():
        faults += imitations({str(submission.folder): submission.card.name for submission in found})
        faults += _copies(found)
    if faults:
        raise DataError(*faults)
    return [(known[name], rank(found)) for name, found in submissions.items()]


def _copies(submissions: list[Submission]) -> list[Fault]:
    """Equal predictions under another name would push others down the board."""
    first: dict[str, Submission] = {}
    faults = []
    for each in submissions:
        other = first.setdefault(each.predictions.content(), each)
        if other is not each:
            faults.append(Fault(str(each.predictions_file), "predictions of its own", f"those of {other.card.slug}"))
    return faults


def _submission(path: Path, source: str | None) -> Submission:
    submission = check(path, source)
    if submission.card.track != path.parent.name:
        place = f"{path / CARD_FILE}, field track"
        raise DataError(Fault(place, f"{path.parent.name!r}, the folder it lies in", repr(submission.card.track)))
    verify_scores(submission)
    return submission


def build(boards: list[tuple[Track, list[Entry]]], site: str | os.PathLike[str]) -> Path:
    """Write the site and return its ``index.html``; an earlier site stays until the new one is whole.

    Raises:
        DataError: ``site`` is a file, or a folder with something else in it.
    """
    site = Path(site).resolve()
    if site.exists() and not site.is_dir():
        raise DataError(Fault(str(site), "a folder", "a file", "choose another place"))
    if site.exists() and not (site / _MARKER).is_file() and any(site.iterdir()):
        raise DataError(Fault(str(site), "an empty folder or an earlier site", "other files", "choose another folder"))
    fresh, earlier = (site.with_name(f".{site.name}.{os.getpid()}.{state}") for state in ("partial", "earlier"))
    try:
        write_text(fresh / _MARKER, "")
        write_text(fresh / "index.html", pages.index(boards))
        for track, entries in boards:
            for entry in entries:
                write_text(fresh / track.name / f"{entry.card.slug}.html", pages.submission(entry))
        if site.exists():
            site.rename(earlier)
        fresh.rename(site)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(earlier, ignore_errors=True)
    return site / "index.html"
