"""What the board says of which surrogate to use."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from wa_bench.leaderboard.board import Board, Site
from wa_bench.leaderboard.pages import board as board_page


def answer(board: Board, ranks: list[tuple[int, int] | None], seconds: list[float | None]) -> str:
    """The sentence of a board whose entries have these ranks (from, to) and state these times."""
    entries = [
        replace(
            entry,
            card=msgspec.structs.replace(entry.card, name=f"model {place}", seconds_per_design=time),
            rank=rank and rank[0],
            worst=rank and rank[1],
        )
        for place, (entry, rank, time) in enumerate(zip(board.entries, ranks, seconds, strict=True))
    ]
    (page, *_) = board_page.pages(replace(board, entries=tuple(entries)), Site("site", "1"))
    assert callable(page.content)
    found = re.search(r'<p class="answer">(.*?)</p>', str(page.content()), re.DOTALL)
    if found is None:
        return ""
    question, said = " ".join(re.sub(r"<[^>]+>", "", found[1]).split()).split("? ", 1)
    assert question == "Which one"
    return said


@pytest.mark.parametrize(
    ("ranks", "seconds", "said"),
    [
        (
            [(1, 1), (2, 4), (2, 4), (2, 4)],
            [None] * 4,
            "model 0: on test, the paired test finds it better than all 3 others.",
        ),
        (
            [(1, 2), (2, 4), (2, 4), (2, 4)],
            [None] * 4,
            "On test, no other comes out better than model 0; the paired test finds it better than 2 of the 3 others.",
        ),
        (
            [(1, 2), (1, 2), (3, 3), None],
            [2e-3, 5e-5, 1e-9, 1e-9],
            "On test, these 2 are beaten by no other, and the paired test cannot tell which of them is best: "
            "model 0, model 1. By what their cards state, the quickest is model 1, 50 µs a design.",
        ),
        (
            [(1, 3), (1, 3), (1, 3), None],
            [None, 1e-3, None, None],
            "On test, these 3 are beaten by no other, and the paired test cannot tell which of them is best: "
            "model 0, model 1, model 2.",
        ),
        (
            [(1, 1), (2, 2), None, None],
            [None] * 4,
            "model 0: on test, the paired test finds it better than the other one.",
        ),
        ([(1, 1), None, None, None], [None] * 4, ""),
    ],
)
def test_the_board_says_which_surrogate_to_use_and_whether_the_test_can_tell(
    board: Board, ranks: list[tuple[int, int] | None], seconds: list[float | None], said: str
) -> None:
    assert answer(board, ranks, seconds) == said
