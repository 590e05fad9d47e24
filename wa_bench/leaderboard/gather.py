"""Submissions to boards: digests made where they lack, in some processes, and the entries ranked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import polars as pl

from wa_bench.data.cache import cache_folder
from wa_bench.data.dataset import Dataset, load
from wa_bench.data.held import HeldExam
from wa_bench.errors import DataError, Fault, FaultyInputError
from wa_bench.leaderboard.board import Board, Entry
from wa_bench.leaderboard.curves import reuse_factors
from wa_bench.leaderboard.digest import Digest, key_of, make
from wa_bench.leaderboard.hashes import Hashes
from wa_bench.leaderboard.ranking import Kept, rank
from wa_bench.leaderboard.versions import snapshots
from wa_bench.submissions.card import CARD_FILE, Card
from wa_bench.submissions.folder import identify
from wa_bench.submissions.names import imitations
from wa_bench.submissions.reported import Reported, reported
from wa_bench.submissions.scores import SCORES_FILE
from wa_bench.tracks.track import Track, available


class Sources(NamedTuple):
    """Where everything is: submissions as ``<track>/<slug>/``, published results, frozen boards, records by track."""

    submissions: Path
    published: Path | None = None
    frozen: Path | None = None
    records: Mapping[str, str] = {}


class Work(NamedTuple):
    """How digests are made: in how many processes, and whether all stored scores are computed anew.

    Without ``verify`` only the ranking metric and the tie-breaker are, on which ranks rest.
    """

    processes: int = 1
    verify: bool = False


def boards(
    folder: str | os.PathLike[str] | Sources, records: Mapping[str, str] | None = None, work: Work | None = None
) -> list[Board]:
    """The board of every track that has submissions or published results.

    Args:
        folder: holds submissions as ``<track>/<slug>/``; or all sources.
        records: track to where its records are, if not in the usual places.
        work: how to work.

    Raises:
        DataError: all faults at once: no submission is there, one cannot be scored or lies in the wrong place, stored
            scores are missing or wrong, two submissions of a track have names that look alike or equal predictions.
    """
    sources = folder if isinstance(folder, Sources) else Sources(Path(folder), records=records or {})
    known = available()
    faults = []
    folders: dict[str, list[Path]] = {}
    for path in sorted(sources.submissions.glob("*/*/")):
        if path.parent.name not in known:
            faults.append(Fault(str(path), f"a folder of a track ({', '.join(known)})", path.parent.name))
        elif not (path / CARD_FILE).is_file():
            faults.append(Fault(str(path), f"a submission with {CARD_FILE}", "none"))
        else:
            folders.setdefault(path.parent.name, []).append(path)
    if not folders and not faults:
        faults.append(Fault(str(sources.submissions), "submissions as <track>/<name>/card.yaml", "none"))
    if faults:
        raise DataError(*faults)
    results = [] if sources.published is None else reported(sources.published)
    found = []
    for name, track in known.items():
        published = tuple(result for result in results if result.track == name)
        if name in folders or published:
            try:
                found.append(_board(track, folders.get(name, []), published, sources, work or Work()))
            except FaultyInputError as error:
                faults += error.faults
    if faults:
        raise DataError(*faults)
    return found


def _board(track: Track, folders: list[Path], published: tuple[Reported, ...], sources: Sources, work: Work) -> Board:
    frozen = snapshots(sources.frozen, track) if sources.frozen is not None else ()
    if not folders:
        return Board(track, (), published, snapshots=frozen)
    faults: list[Fault] = []
    identified = {}
    for path in folders:
        try:
            identified[path] = _identified(path)
        except FaultyInputError as error:
            faults += error.faults
    if not identified:
        raise DataError(*faults)
    records = sources.records.get(track.name)
    scored = load(track.name, track.exam_splits, records)
    exam = HeldExam(scored)
    with Hashes(cache_folder() / "site" / "hashes" / f"{track.name}.json") as hashes:
        digests = {
            path: Digest(cache_folder() / "site" / "digests" / key_of(file, path / SCORES_FILE, exam, hashes.of))
            for path, (_, file) in identified.items()
        }
    faults += _made(digests, exam, records, work)
    if faults:
        raise DataError(*faults)
    entries = [Entry(path, card, digests[path], exam) for path, (card, _) in identified.items()]
    faults += imitations({str(entry.folder): entry.card.name for entry in entries})
    faults += _copies(entries)
    if faults:
        raise DataError(*faults)
    everything: Dataset = scored
    with suppress(DataError):  # a source may hold no other splits
        everything = load(track.name, track.splits, records)
    ordered = rank(entries, Kept(cache_folder() / "site" / "pairs"))
    return Board(track, tuple(ordered), published, exam, everything, frozen)


def _identified(path: Path) -> tuple[Card, Path]:
    card, file = identify(path)
    if card.track != path.parent.name:
        place = f"{path / CARD_FILE}, field track"
        raise DataError(Fault(place, f"{path.parent.name!r}, the folder it lies in", repr(card.track)))
    return card, file


def _copies(entries: Sequence[Entry]) -> Iterator[Fault]:
    """Equal predictions under another name would push others down the board."""
    first: dict[str, Entry] = {}
    for each in entries:
        other = first.setdefault(each.digest.about.content, each)
        if other is not each:
            yield Fault(str(each.predictions_file), "predictions of its own", f"those of {other.slug}")


def _made(digests: Mapping[Path, Digest], exam: HeldExam, records: str | None, work: Work) -> list[Fault]:
    """Make the digests that are not there, and return the faults of the submissions that have none."""
    waiting = [
        (path, digest.folder)
        for path, digest in digests.items()
        if not digest.is_there or (work.verify and not digest.about.verified)
    ]
    if len(waiting) < 2 or work.processes == 1:
        reuse = reuse_factors(exam) if waiting else None
        return [fault for path, place in waiting for fault in _faults_of(path, exam, reuse, place, work.verify)]
    context = get_context("spawn")
    with ProcessPoolExecutor(work.processes, context, _begin, (exam.track.name, records)) as pool:
        jobs = [pool.submit(_make_one, path, place, work.verify) for path, place in waiting]
        return list(_results(jobs))


def _results(jobs: Iterable[Future[list[Fault]]]) -> Iterator[Fault]:
    for job in jobs:
        yield from job.result()


def _faults_of(path: Path, exam: HeldExam, reuse: pl.DataFrame | None, place: Path, verify: bool) -> list[Fault]:
    try:
        make(path, exam, reuse, place, verify=verify)
    except FaultyInputError as error:
        return list(error.faults)
    return []


_exam: HeldExam
_reuse: pl.DataFrame | None


def _begin(track: str, records: str | None) -> None:
    """Read the exam, once a process."""
    global _exam, _reuse  # noqa: PLW0603
    _exam = HeldExam(load(track, available()[track].exam_splits, records))
    _reuse = reuse_factors(_exam)


def _make_one(path: Path, place: Path, verify: bool) -> list[Fault]:
    return _faults_of(path, _exam, _reuse, place, verify)
