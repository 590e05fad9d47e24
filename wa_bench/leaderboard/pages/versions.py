"""Versions of a board: what each was scored on, what changed from one to the next, and the frozen boards themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import MEAN
from wa_bench.leaderboard.board import Board, Site
from wa_bench.leaderboard.pages import Page, render, scales
from wa_bench.leaderboard.versions import Snapshot, change, frozen, ranks


def pages(board: Board, site: Site) -> Iterator[Page]:
    """The list of versions, and a page for each that is frozen."""
    path = f"{board.track.name}/versions.html"
    yield Page(path, partial(_list, board, site, path), board.state)
    for snapshot in board.snapshots:
        path = f"{board.track.name}/v{snapshot.number}/index.html"
        yield Page(path, partial(_frozen, board, site, path, snapshot), board.state)


def _list(board: Board, site: Site, path: str) -> str:
    known = [*board.snapshots]
    if board.fingerprint is not None and not board.version.frozen:
        known.append(frozen(board, board.version.number, "", date.min))
    versions = [
        {
            "snapshot": snapshot,
            "change": change(known[place - 1], snapshot) if place else None,
            "is_frozen": snapshot in board.snapshots,
        }
        for place, snapshot in enumerate(known)
    ]
    since = change(known[-1], frozen(board, known[-1].number, "", date.min)) if known and board.version.frozen else None
    return render(
        "versions.html.j2", path, site, board=board, nav="versions", versions=versions[::-1], since=since, ranks=ranks
    )


def _frozen(board: Board, site: Site, path: str, snapshot: Snapshot) -> str:
    tables = [
        {
            "metric": (metric := parse_metric(name)),
            "range": scales.bounds(metric),
            "lines": [
                (line, {split: line.scores[split][name] for split in snapshot.designs}) for line in snapshot.lines
            ],
        }
        for name in snapshot.metrics
    ]
    return render(
        "frozen.html.j2",
        path,
        site,
        board=board,
        nav="versions",
        snapshot=snapshot,
        tables=tables,
        ranks=ranks,
        mean=MEAN,
        labels={target.name: target.label for target in board.track.targets},
    )
