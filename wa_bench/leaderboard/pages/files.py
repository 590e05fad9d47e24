"""Files of each submission: card, scores, predictions as they are, scores as CSV, parity plots."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.pages import Page


def pages(board: Board, site: Site) -> Iterator[Page]:
    """What a submission's page links to for download, and its parity plots."""
    for entry in board.entries:
        for file in entry.downloads(site):
            yield Page(f"{board.track.name}/{file.path}", file.origin, entry.state)
        folder = f"{board.track.name}/submissions/{entry.slug}"
        yield Page(f"{folder}/scores.csv", entry.rows.write_csv, entry.digest.key)
        yield Page(f"{folder}/parity.svg", partial(_parity, entry), entry.digest.key)


def _parity(entry: Entry) -> str:
    return entry.parity.text
