"""Versions of a board: what was scored on what, and the boards of earlier versions, frozen.

Scores are comparable where truth, records and evaluator are the same; a change of one of them makes a new version.
``freeze`` writes a small file, ``<folder>/<track>/v<number>.json``, from which the board can always be shown, whatever
becomes of the submissions and of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from wa_bench.errors import DataError, Fault, shown
from wa_bench.evaluation.report import EVALUATOR, MEAN, PUBLISHED
from wa_bench.files import write_text
from wa_bench.tracks.track import ALL, Track

if TYPE_CHECKING:
    from wa_bench.leaderboard.board import Board, Entry

LARGEST = 16 << 20
"""Bytes of a frozen board at most."""

Bounded = tuple[float | None, float | None, float | None]
"""A score and the ends of its interval."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a frozen board.

    ``coverage`` is by split, ``scores`` by split, metric, and target or ``mean``, over all designs of the split.
    """

    slug: str
    name: str
    kind: str
    family: str
    authors: list[str]
    licence: str
    labels: str
    rank: int | None
    worst: int | None
    tie_group: int | None
    coverage: dict[str, float | None]
    scores: dict[str, dict[str, dict[str, Bounded]]]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen board. ``note`` says in the maintainers' words what was new; ``designs`` is their number by split."""

    track: str
    number: int
    frozen: date
    note: str
    truth: str
    fingerprint: str
    evaluator: int
    designs: dict[str, int]
    targets: list[str]
    metrics: list[str]
    lines: list[Line]


class Version(msgspec.Struct, frozen=True):
    """What a board is scored on: scores of different versions are not comparable."""

    number: int
    fingerprint: str | None
    truth: str
    evaluator: int
    frozen: bool

    @classmethod
    def of(cls, track: Track, fingerprint: str | None, snapshots: Sequence[Snapshot]) -> Self:
        """The version of a board, beside those that are frozen."""
        for snapshot in reversed(snapshots):
            if (snapshot.fingerprint, snapshot.truth, snapshot.evaluator) == (fingerprint, track.truth, EVALUATOR):
                return cls(snapshot.number, fingerprint, track.truth, EVALUATOR, frozen=True)
        number = 1 + max((snapshot.number for snapshot in snapshots), default=0)
        return cls(number, fingerprint, track.truth, EVALUATOR, frozen=False)


class Change(msgspec.Struct, frozen=True):
    """What is different between two versions: in words, and whose ranks moved."""

    reasons: list[str]
    added: list[str]
    removed: list[str]
    moved: list[tuple[str, str, str]]
    """Name, rank before, rank after."""


def snapshots(folder: Path, track: Track) -> tuple[Snapshot, ...]:
    """The frozen boards of a track, oldest first.

    Raises:
        DataError: all faults at once: a file that is no frozen board, or not the one that its name says.
    """
    found, faults = [], []
    for path in sorted((folder / track.name).glob("*")):
        if path.stat().st_size > LARGEST:
            faults.append(Fault(str(path), f"at most {LARGEST:,} bytes", f"{path.stat().st_size:,} bytes"))
            continue
        try:
            snapshot = msgspec.json.decode(path.read_bytes(), type=Snapshot)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), "a board that 'leaderboard freeze' wrote", shown(str(error), 200)))
            continue
        if (snapshot.track, f"v{snapshot.number}.json") != (track.name, path.name):
            found_there = f"v{snapshot.number} of {shown(snapshot.track)}"
            faults.append(Fault(str(path), f"version {path.stem} of {track.name}", found_there))
        found.append(snapshot)
    if faults:
        raise DataError(*faults)
    return tuple(sorted(found, key=lambda each: each.number))


def freeze(board: Board, folder: Path, note: str, day: date) -> Path:
    """Write the board as it is, as its version, and return the file. The last version may be frozen anew.

    Raises:
        DataError: nothing is ranked there, or a later version is frozen already.
    """
    if board.fingerprint is None:
        raise DataError(Fault(f"board {board.track.name}", "at least one submission", "none"))
    number = board.version.number
    if any(snapshot.number > number for snapshot in board.snapshots):
        raise DataError(Fault(f"board {board.track.name}", "a version after all frozen ones", f"version {number}"))
    snapshot = frozen(board, number, note, day)
    path = folder / board.track.name / f"v{number}.json"
    text = msgspec.json.format(msgspec.json.encode(snapshot), indent=1).decode()
    write_text(path, text + "\n")
    return path


def frozen(board: Board, number: int, note: str, day: date) -> Snapshot:
    """The board as values."""
    track = board.track
    return Snapshot(
        track=track.name,
        number=number,
        frozen=day,
        note=note,
        truth=track.truth,
        fingerprint=board.fingerprint or "",
        evaluator=board.evaluator,
        designs=board.designs,
        targets=list(track.target_names),
        metrics=shown_metrics(track),
        lines=[line_of(entry, track) for entry in board.entries],
    )


def shown_metrics(track: Track) -> list[str]:
    """The metrics that a frozen board keeps: those that rank and those of the published tables."""
    return [name for name in track.metrics if name in {track.rank_by, track.tie_breaker, *PUBLISHED}]


@cache
def line_of(entry: Entry, track: Track) -> Line:
    """An entry as values."""
    card, scores = entry.card, entry.scores
    bounds = scores.rows.select("value", "low", "high").rows()
    return Line(
        slug=card.slug,
        name=card.name,
        kind=card.kind,
        family=card.family,
        authors=card.authors,
        licence=card.licence,
        labels=card.labels,
        rank=entry.rank,
        worst=entry.worst,
        tie_group=entry.tie_group,
        coverage={split: scores.coverage(split) for split in scores.splits},
        scores={
            split: {
                metric: {
                    target: bounds[place]
                    for target in (*track.target_names, MEAN)
                    if (place := scores.cells.get((split, ALL.name, target, metric))) is not None
                }
                for metric in shown_metrics(track)
            }
            for split in scores.splits
        },
    )


def change(before: Snapshot, after: Snapshot) -> Change:
    """What the later of two boards has differently."""
    reasons = []
    if before.truth != after.truth:
        reasons.append(f"another truth: {after.truth}, before {before.truth}")
    if before.fingerprint != after.fingerprint:
        counts = [
            f"{count:,} of {split}, before {before.designs.get(split, 0):,}" for split, count in after.designs.items()
        ]
        reasons.append(f"other records: designs {'; '.join(counts)}")
    if before.evaluator != after.evaluator:
        reasons.append(f"evaluator {after.evaluator}, before {before.evaluator}")
    earlier = {line.slug: line for line in before.lines}
    later = {line.slug: line for line in after.lines}
    moved = [
        (line.name, ranks(earlier[slug]), ranks(line))
        for slug, line in later.items()
        if slug in earlier and ranks(earlier[slug]) != ranks(line)
    ]
    return Change(
        reasons,
        [line.name for slug, line in later.items() if slug not in earlier],
        [line.name for slug, line in earlier.items() if slug not in later],
        moved,
    )


def ranks(line: Line | Entry) -> str:
    """The rank, or the range of ranks that it may have; a dash for none."""
    if line.rank is None:
        return "–"
    return str(line.rank) if line.rank == line.worst else f"{line.rank}–{line.worst}"
