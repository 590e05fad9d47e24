"""Intervals, ties and differences keep their promises on benchmarks whose truth is known."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError
from wa_bench.evaluation.comparison import Comparison, compare, differences
from wa_bench.evaluation.report import Settings

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "simulate_judge.py"))


def test_intervals_cover_the_truth_where_unclustered_ones_do_not() -> None:
    common = {"networks": 200, "spread": 0.4, "repeats": 500, "resamples": 300}
    clustered = SIMULATION["coverage"](**common)
    for metric, share in clustered.items():
        assert 0.92 <= share <= 0.98, metric
    unclustered = SIMULATION["coverage"](**{**common, "repeats": 100}, clustered=False)
    assert max(unclustered.values()) < 0.9


@pytest.mark.parametrize(
    ("networks", "spread", "errors"), [(200, 0.4, [0.3, 0.3]), (15, 0.4, [0.3] * 6), (60, 0.6, [0.3] * 6)]
)
def test_equals_get_a_verdict_on_at_most_one_board_of_twenty(networks: int, spread: float, errors: list[float]) -> None:
    verdicts, parted, _ = SIMULATION["separations"](networks, spread, 150, 200, errors)
    assert max(verdicts, parted) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_unequals_are_found() -> None:
    verdicts, _, found = SIMULATION["separations"](200, 0.4, 40, 200, [0.3, 0.3, 0.9, 0.9])
    assert verdicts <= 0.05
    assert found >= 0.75


def test_a_score_that_hangs_on_few_networks_parts_from_one_that_is_far_worse() -> None:
    _, _, found = SIMULATION["separations"](200, 0.6, 40, 200, [(0.02, 0.02, 0.5), 0.4])
    assert found >= 0.75


def test_one_wild_submission_does_not_hide_the_difference_of_others(reports: dict[str, wb.Report]) -> None:
    near, far = reports["near"], reports["far"]
    table = near.samples.select(
        "sample_id", *(pl.col(f"{name}_predicted").alias(name) for name in near.track.target_names)
    )
    table[0, "lut"] = 1e9
    wild = wb.evaluate(wb.Predictions(table, near.track.target_names), wb.load("opensynth", ["test", "exemplar"]))
    alone, beside = compare([near, far]), compare([near, far, wild])
    assert alone.better[0, 1]
    assert beside.better[0, 1]


def test_where_there_is_no_interval_there_is_no_verdict(reports: dict[str, wb.Report]) -> None:
    table = differences(reports)
    rows = reports["near"].rows
    unknown = rows.filter(
        pl.col("undefined").str.contains("independent clusters|hangs on|undefined for every|does not vary")
    )
    keys = ["split", "group", "target", "metric"]
    assert unknown.height > 0
    assert set(table.join(unknown, on=keys, how="semi")["verdict"]) == {"cannot tell"}


@pytest.fixture
def reports(oracle: pl.DataFrame, exam: wb.Dataset) -> dict[str, wb.Report]:
    rng = np.random.default_rng(0)

    def report(size: float) -> wb.Report:
        noise = pl.DataFrame({name: rng.lognormal(0, size, oracle.height) for name in exam.track.target_names})
        frame = oracle.with_columns(oracle.select(exam.track.target_names) * noise)
        return wb.evaluate(wb.Predictions(frame, exam.track.target_names), exam)

    return {"near": report(0.05), "near too": report(0.05), "far": report(0.8)}


def test_a_report_ties_with_itself_and_parts_from_a_far_one(reports: dict[str, wb.Report]) -> None:
    near, far = reports["near"], reports["far"]
    found = compare([far, near, near])
    assert found.tie_groups() == [1, 0, 0]
    assert found.rank_ranges() == [(3, 3), (1, 2), (1, 2)]


def test_differences_say_who_is_better_and_agree_with_their_intervals(reports: dict[str, wb.Report]) -> None:
    table = differences(reports)
    assert table.height == 3 * reports["near"].rows.height
    row = table.row(
        by_predicate=(pl.col("a") == "near")
        & (pl.col("b") == "far")
        & (pl.col("group") == "all")
        & (pl.col("metric") == "SMAPE(eps=1)")
        & (pl.col("target") == "lut")
        & (pl.col("split") == "test"),
        named=True,
    )
    assert row["verdict"] == "better"
    assert row["low"] <= row["difference"] <= row["high"] < 0
    assert row["difference"] == reports["near"]["SMAPE(eps=1)@lut"] - reports["far"]["SMAPE(eps=1)@lut"]
    known = table.drop_nulls(["low", "high"]).filter(pl.col("difference") != 0)
    decided = (known["low"] > 0) | (known["high"] < 0)
    assert (decided == (known["verdict"] != "cannot tell")).all()
    assert set(table.filter(a="near", b="near too", metric="R2", target="mean", group="all")["verdict"]) == {
        "cannot tell"
    }


def test_the_one_who_is_better_by_bias_is_nearer_to_zero(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    def report(factor: float) -> wb.Report:
        frame = oracle.with_columns(pl.col("lut") * factor)
        return wb.evaluate(wb.Predictions(frame, exam.track.target_names), exam)

    assert compare([report(0.9), report(1.4)], "Bias@lut").better[0, 1]
    assert compare([report(0.5), report(1.1)], "Bias@lut").better[1, 0]
    even = differences({"low": report(0.95), "high": report(1.05)})
    row = even.filter(split="test", group="all", target="lut", metric="Bias").row(0, named=True)
    assert row["difference"] == pytest.approx(0, abs=1e-9)
    assert row["verdict"] == "cannot tell"


def test_reports_on_other_resamples_or_truth_are_not_compared(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    predictions = wb.Predictions(oracle, exam.track.target_names)
    one, two = (wb.evaluate(predictions, exam, Settings(50, seed=seed)) for seed in (0, 1))
    with pytest.raises(DataError, match="reports to compare, settings: expected"):
        compare([one, two])
    other = wb.evaluate(predictions, wb.load("opensynth", ["test", "exemplar"], truth="hls-estimate"), Settings(50))
    with pytest.raises(DataError, match="reports to compare, fingerprint: expected"):
        compare([one, other])


def test_reports_on_other_designs_are_not_compared(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    whole, fewer = (wb.evaluate(wb.Predictions(some, exam.track.target_names), exam) for some in (oracle, oracle[5:]))
    with pytest.raises(DataError, match="expected answers for the same designs"):
        compare([whole, fewer])
    with pytest.raises(DataError, match="expected at least one, found none"):
        compare([])


def test_too_few_clusters_part_nothing(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    few = exam.select(pl.col("sample_id").is_in(exam.sample_ids()[:9].implode()))
    answers = oracle.join(few.frame().select("sample_id").collect(), on="sample_id", how="semi")
    near, far = (
        wb.evaluate(wb.Predictions(answers.with_columns(pl.col("lut") * factor), exam.track.target_names), few)
        for factor in (1.01, 3.0)
    )
    assert not compare([near, far], "SMAPE@lut").better.any()


def test_groups_part_only_where_all_above_are_better_than_all_below() -> None:
    better = np.zeros((3, 3), dtype=bool)
    better[0, 2] = True
    badness, nothing = np.array([1.0, 2.0, 3.0]), np.zeros((3, 3))
    chain = Comparison(-badness, badness, better, nothing, nothing)
    assert chain.tie_groups() == [0, 0, 0]
    assert chain.rank_ranges() == [(1, 2), (1, 3), (2, 3)]
    better[1, 2] = True
    assert chain.tie_groups() == [0, 0, 1]
