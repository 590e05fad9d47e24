from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.leaderboard.ranking import rank
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import Submission


@pytest.fixture
def submitted(oracle: pl.DataFrame, exam: wb.Dataset):
    """A submission that answers the truth times a factor."""

    def make(slug: str, factor: float, kind: str = "surrogate", rows: int | None = None) -> Submission:
        card = Card(
            name=slug,
            slug=slug,
            track="opensynth",
            kind=kind,
            authors=["Ada"],
            licence="MIT",
            method="x",
            training_data="none",
            labels="none",
        )
        frame = oracle.head(rows or oracle.height).with_columns(pl.exclude("sample_id") * factor)
        return Submission(Path(slug), card, wb.Predictions(frame, exam.track.target_names), Path(slug), exam)

    return make


def order(*submissions: Submission) -> list[tuple[int | None, str]]:
    return [(entry.rank, entry.card.slug) for entry in rank(submissions)]


def test_higher_mean_comes_first_and_controls_stand_in_line_without_a_rank(submitted) -> None:
    lines = order(submitted("far", 2.0), submitted("oracle", 1.0, "control"), submitted("near", 1.1))
    assert lines == [(None, "oracle"), (1, "near"), (2, "far")]


def test_equal_scores_share_a_rank_and_the_next_counts_them_all(submitted) -> None:
    assert order(submitted("b", 1.1), submitted("a", 1.1), submitted("c", 1.8)) == [(1, "a"), (1, "b"), (3, "c")]
    ties = [(entry.rank, entry.worst, entry.tie_group) for entry in rank([submitted("b", 1.1), submitted("a", 1.1)])]
    assert ties == [(1, 2, 1), (1, 2, 1)]


def test_leaving_designs_out_costs_the_rank(submitted) -> None:
    assert order(submitted("picky", 1.0, rows=20), submitted("whole", 3.0)) == [(1, "whole"), (None, "picky")]
