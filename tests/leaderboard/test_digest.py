from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Report
from wa_bench.leaderboard.board import Board, Entry


@pytest.fixture(scope="module")
def entry(board: Board) -> Entry:
    return board.entries[0]


@pytest.fixture(scope="module")
def report(board: Board, entry: Entry) -> Report:
    return evaluate(entry.predictions(), board.exam)


def test_a_digest_holds_the_scores_that_the_evaluator_gives(entry: Entry, report: Report) -> None:
    assert entry.rows.drop("value", "low", "high").equals(report.rows.drop("value", "low", "high"))
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(entry.rows[column].to_numpy(), report.rows[column].to_numpy(), rtol=1e-9)
    assert entry.scores.answers == report.answers
    assert entry.scores.fingerprint == report.fingerprint


def test_influences_are_kept_of_the_metrics_that_rank_and_of_no_other(entry: Entry, report: Report) -> None:
    track = report.track
    for place, (_, _, _, metric) in enumerate(report.cells):
        if metric in (track.rank_by, track.tie_breaker):
            np.testing.assert_array_equal(entry.influence(place).strata, report.influence(place).strata)
            np.testing.assert_allclose(entry.influence(place).values, report.influence(place).values, atol=1e-12)
        else:
            with pytest.raises(KeyError):
                entry.influence(place)


def test_small_exams_keep_each_design_with_its_errors(entry: Entry, report: Report) -> None:
    errors = report.errors()
    for split in report.splits:
        kept = entry.design_errors(split)
        whole = errors.filter(pl.col("split") == split)
        assert kept["sample_id"].to_list() == whole["sample_id"].to_list()
        np.testing.assert_allclose(kept["lut_smape"].to_numpy(), whole["lut_smape"].to_numpy(), rtol=1e-5, atol=1e-5)


def test_scores_against_another_truth_are_those_that_the_evaluator_gives(board: Board, entry: Entry) -> None:
    judged = evaluate(entry.predictions(), board.exam.judged_by("hls-estimate"))
    keys = ["split", "target", "metric"]
    metrics = [board.track.rank_by, board.track.tie_breaker]
    wanted = judged.rows.filter(pl.col("metric").is_in(metrics), group="all").select(*keys, "value").sort(keys)
    found = entry.digest.judged_otherwise.filter(truth="hls-estimate").select(*keys, "value").sort(keys)
    assert found.drop("value").equals(wanted.drop("value"))
    np.testing.assert_allclose(found["value"].to_numpy(), wanted["value"].to_numpy(), rtol=1e-9)


def test_the_parity_plots_are_a_file_of_their_own_for_light_and_dark(entry: Entry) -> None:
    picture = entry.parity
    assert (picture.width, picture.height) == (864, 518)
    assert "prefers-color-scheme: dark" in picture.text
    assert "currentColor" in picture.text


def test_a_digest_that_was_interrupted_is_made_again(board: Board, entry: Entry, tmp_path: Path) -> None:
    from wa_bench.leaderboard.digest import Digest, make

    place = tmp_path / entry.digest.key
    place.mkdir()
    assert not Digest(place).is_there
    make(entry.folder, board.exam, None, place, verify=False)
    assert Digest(place).is_there
    assert {path.name for path in tmp_path.iterdir()} == {entry.digest.key}
