from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.metrics import relative_percent_error
from wa_bench.evaluation.report import Report
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.curves import GRID, _binned, curves, worst_designs


@pytest.fixture(scope="module")
def report(board: Board) -> Report:
    return evaluate(board.entries[0].predictions(), board.exam)


def test_the_share_within_an_error_counts_the_designs(board: Board, report: Report) -> None:
    cdf = board.entries[0].curves.cdf
    for (split, target), rows in cdf.group_by(["split", "target"]):
        samples = report.samples.filter(pl.col("split") == split)
        errors = np.abs(relative_percent_error(samples[target].to_numpy(), samples[f"{target}_predicted"].to_numpy()))
        counted = [100 * np.mean(errors <= limit) for limit in GRID]
        np.testing.assert_allclose(rows.sort("error")["share"], counted)


def test_boxes_hold_the_quartiles_of_the_scores(board: Board) -> None:
    entry = board.entries[0]
    for box in entry.curves.boxes.iter_rows(named=True):
        for quantile, metric in (("q25", "RPE(q=0.25)"), ("q50", "RPE(q=0.5)"), ("q75", "RPE(q=0.75)")):
            assert box[quantile] == pytest.approx(entry.scores[f"{metric}@{box['target']}", box["split"], box["group"]])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e3)), min_size=1, max_size=200))
def test_every_design_is_in_one_bin_and_zeros_are_in_their_own(pairs: list[tuple[float, float]]) -> None:
    values, errors = np.array(pairs).T
    lines = _binned(errors, values)
    assert sum(line[-1] for line in lines) == len(pairs)
    assert len(lines) <= 13
    places = [line[0] for line in lines]
    assert places == sorted(places)
    if (values == 0).any():
        assert lines[0][0] == 0
        assert lines[0][-1] == np.count_nonzero(values == 0)
    for _, lower, median, upper, _ in lines:
        assert lower <= median <= upper


def test_curves_by_reuse_factor_hold_every_design(board: Board) -> None:
    by_reuse = board.entries[0].curves.by_reuse
    assert by_reuse["designs"].sum() == board.entries[0].curves.by_size["designs"].sum()


def test_the_worst_designs_are_those_with_the_largest_error(board: Board, report: Report) -> None:
    errors = report.errors()
    names = [f"{name}_smape" for name in board.track.target_names]
    expected = errors.with_columns(error=pl.mean_horizontal(names))
    for split in report.splits:
        found = worst_designs(errors, board.track).filter(pl.col("split") == split)
        assert found.height == 10
        largest = expected.filter(pl.col("split") == split)["error"].sort(descending=True)[:10]
        assert found["error"].to_list() == pytest.approx(largest.to_list())


def test_each_worst_design_shows_its_record_truth_and_prediction(board: Board, exam: wb.Dataset) -> None:
    entry = board.entries[0]
    records = {record["sample_id"]: record for record in exam.frame().collect().iter_rows(named=True)}
    answers = {row["sample_id"]: row for row in entry.predictions().frame().iter_rows(named=True)}
    for design in board.worst_designs(entry):
        assert design["layers"] == records[design["sample_id"]]["layers"]
        assert design["truth"] == {name: records[design["sample_id"]][name] for name in board.track.target_names}
        assert design["predicted"] == {name: answers[design["sample_id"]][name] for name in board.track.target_names}


def test_tracks_without_percent_errors_have_no_curves(report: Report) -> None:
    track = replace(report.track, metrics=("R2",))
    assert all(table.is_empty() for table in curves(report.samples, track, None))
