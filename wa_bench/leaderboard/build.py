"""The static site, from a folder of submissions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wa_bench.errors import DataError, Fault
from wa_bench.files import write_text
from wa_bench.leaderboard import pages
from wa_bench.leaderboard.ranking import Entry, rank
from wa_bench.submissions.folder import check, read_scores
from wa_bench.tracks.track import Track, available

_MARKER = ".wa-bench-site"


def boards(folder: str | os.PathLike[str], source: str | None = None) -> list[tuple[Track, list[Entry]]]:
    """The ranked submissions of every track that has some, from ``<folder>/<track>/<slug>/``.

    Raises:
        SubmissionError: a submission that cannot be scored.
        DataError: scores that are missing or stale.
    """
    found = []
    for name, track in available().items():
        folders = sorted(path.parent for path in (Path(folder) / name).glob("*/card.yaml"))
        submissions = [check(path, source) for path in folders]
        for submission in submissions:
            read_scores(submission)
        if submissions:
            found.append((track, rank(submissions)))
    return found


def build(boards: list[tuple[Track, list[Entry]]], site: str | os.PathLike[str]) -> Path:
    """Write the site and return its ``index.html``; the folder is replaced as a whole.

    Raises:
        DataError: ``site`` is a folder with something else in it.
    """
    site = Path(site)
    if site.exists() and not (site / _MARKER).is_file() and any(site.iterdir()):
        raise DataError(Fault(str(site), "an empty folder or an earlier site", "other files", "choose another folder"))
    fresh = site.with_name(f".{site.name}.{os.getpid()}.partial")
    try:
        write_text(fresh / _MARKER, "")
        write_text(fresh / "index.html", pages.index(boards))
        for track, entries in boards:
            for entry in entries:
                write_text(fresh / track.name / f"{entry.card.slug}.html", pages.submission(entry))
        shutil.rmtree(site, ignore_errors=True)
        fresh.rename(site)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return site / "index.html"
