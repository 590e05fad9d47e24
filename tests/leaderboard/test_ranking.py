from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from wa_bench.evaluation.comparison import compare
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.gather import boards
from wa_bench.leaderboard.ranking import Kept, rank


def order(folder: Path) -> list[tuple[int | None, str]]:
    (board,) = boards(folder)
    return [(entry.rank, entry.slug) for entry in board.entries]


def test_higher_mean_comes_first_and_controls_stand_in_line_without_a_rank(submit, tmp_path: Path) -> None:
    for slug, factor, kind in (("far", 2.0, "surrogate"), ("oracle", 1.0, "control"), ("near", 1.1, "surrogate")):
        submit(slug, factor, kind)
    assert order(tmp_path / "submissions") == [(None, "oracle"), (1, "near"), (2, "far")]


def test_leaving_designs_out_costs_the_rank(submit, tmp_path: Path) -> None:
    submit("picky", 1.0, rows=20)
    submit("whole", 3.0)
    assert order(tmp_path / "submissions") == [(1, "whole"), (None, "picky")]


def test_equal_scores_share_a_rank_and_the_next_counts_them_all(submit, tmp_path: Path) -> None:
    # One is off by as much below the truth as the other is above it.
    for slug, factor in (("low", 0.875), ("high", 1.125), ("far", 1.8)):
        submit(slug, factor)
    (board,) = boards(tmp_path / "submissions")
    assert [(entry.rank, entry.worst, entry.tie_group) for entry in board.entries] == [(1, 2, 1), (1, 2, 1), (3, 3, 2)]
    assert {entry.slug for entry in board.entries[:2]} == {"low", "high"}


def test_ranks_are_those_of_the_paired_test_on_whole_reports(board: Board) -> None:
    reports = [evaluate(entry.predictions(), board.exam) for entry in board.entries]
    comparison = compare(reports)
    assert [(entry.rank, entry.worst) for entry in board.entries] == comparison.rank_ranges()
    assert [entry.tie_group for entry in board.entries] == [group + 1 for group in comparison.tie_groups()]


def test_what_was_found_of_pairs_before_changes_no_rank(board: Board, tmp_path: Path) -> None:
    fresh = compare([entry.scores for entry in board.entries])
    memory = Kept(tmp_path)
    rank(board.entries[:3], memory)
    for _ in range(2):
        found = compare([entry.scores for entry in board.entries], memory=memory)
        np.testing.assert_array_equal(found.margin, fresh.margin)
        np.testing.assert_array_equal(found.better, fresh.better)


def test_only_pairs_that_are_new_are_tested_again(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wa_bench.evaluation import comparison

    scores = [entry.scores for entry in board.entries]
    compare(scores, memory=Kept(tmp_path))
    tested = []
    spread = comparison.spread
    monkeypatch.setattr(comparison, "spread", lambda apart, *rest: (tested.append(len(apart)), spread(apart, *rest))[1])
    compare(scores, memory=Kept(tmp_path))
    assert tested == []
    shutil.rmtree(tmp_path)
    compare(scores, memory=Kept(tmp_path))
    assert sum(tested) == 6
