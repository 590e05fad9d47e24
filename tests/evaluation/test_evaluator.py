from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import PredictionsError, UnknownNameError
from wa_bench.evaluation import figures
from wa_bench.evaluation.metrics import RMSE


def scored(frame: pl.DataFrame, exam: wb.Dataset) -> wb.Report:
    return wb.evaluate(wb.Predictions(frame, exam.track.target_names), exam)


def test_the_truth_scores_full_marks_in_every_group(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle, exam)
    perfect = {"R2": 1.0, "SMAPE(eps=1)": 0.0, "RMSE": 0.0, "RPE(q=0.25)": 0.0, "RPE(q=0.5)": 0.0, "RPE(q=0.75)": 0.0}
    for row in report.rows.filter(pl.col("value").is_not_null()).iter_rows(named=True):
        assert row["value"] == perfect[row["metric"]]
    assert report.mean("R2") == report.mean("R2", "exemplar") == 1
    assert report.coverage() == 1


def test_undefined_values_are_null_with_their_reason_and_only_those(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    rows = scored(oracle, exam).rows
    assert (rows["value"].is_null() == rows["undefined"].is_not_null()).all()
    latency_interval = rows.filter(group="latency", target="interval_max", metric="R2")
    assert latency_interval["undefined"].to_list() == ["the truth does not vary"]


def test_missing_predictions_lower_the_coverage_and_enter_no_metric(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    test_ids = exam.truth().filter(split="test")["sample_id"]
    left_out = test_ids[:3].to_list()
    report = scored(oracle.filter(~pl.col("sample_id").is_in(left_out)), exam)
    assert report.coverage() == (len(test_ids) - 3) / len(test_ids)
    assert report.coverage("exemplar") == 1
    assert report["R2@lut"] == 1


def test_no_prediction_at_all_is_undefined_and_not_zero(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.clear(), exam)
    assert report.rows["value"].null_count() == report.rows.height
    assert report["R2@lut"] is None
    assert report.coverage() == 0


def test_order_of_rows_does_not_matter(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    shifted = oracle.with_columns(pl.col("lut") * 1.5)
    assert scored(shifted, exam).rows.equals(scored(shifted.reverse(), exam).rows)


def test_groups_are_scored_on_their_own_designs(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    wrong = oracle.with_columns(pl.col("lut") + 100)
    report = scored(wrong, exam)
    jets = exam.frame().filter(pl.col("group") == "Jet").collect()
    row = report.rows.filter(split="exemplar", group="Jet", target="lut", metric="RMSE").row(0, named=True)
    truth = jets["lut"].to_numpy().astype(float)
    assert row["designs"] == jets.height
    assert row["value"] == pytest.approx(RMSE().score(truth, truth + 100)) == 100
    assert report["RMSE@ff", "exemplar", "Jet"] == 0


def test_predictions_of_other_designs_are_refused(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    with pytest.raises(PredictionsError, match="unknown: 'nobody'"):
        scored(oracle.with_columns(sample_id=pl.lit("nobody")).head(1), exam)


def test_a_split_that_is_no_exam_is_refused(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    with pytest.raises(UnknownNameError, match="exam split of track opensynth 'train'; expected one of"):
        wb.evaluate(wb.Predictions(oracle.clear(), exam.track.target_names), wb.load("opensynth", "train"))


def test_predictions_of_other_targets_are_refused(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    fewer = wb.Predictions(oracle.select("sample_id", "lut"), ["lut"])
    with pytest.raises(PredictionsError, match="expected the targets bram, dsp"):
        wb.evaluate(fewer, exam)


def test_a_report_prints_and_turns_into_json_without_nan(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle, exam)
    stored: dict[str, Any] = json.loads(report.to_json())
    assert stored["track"] == "opensynth"
    assert stored["truth_fingerprint"] == exam.fingerprint()
    assert len(stored["scores"]) == report.rows.height
    assert "undefined" in str(report)


def test_unknown_cells_list_the_known_ones(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle, exam)
    with pytest.raises(UnknownNameError, match="unknown metric in this report 'R3'"):
        report["R3@lut"]
    with pytest.raises(
        UnknownNameError, match="expected one of: all, branched, conv1d, conv2d, distributed, latency, resource"
    ):
        report["R2@lut", "test", "Jet"]


@pytest.mark.parametrize("draw", [figures.parity, figures.percent_error])
def test_figures_show_every_target_and_are_the_same_twice(draw: Any, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 2), exam)
    svg = draw(report)
    assert svg.startswith("<svg")
    for target in exam.track.targets:
        assert target.label in svg
    assert draw(report) == svg


def test_figures_of_an_empty_report_can_be_drawn(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.clear(), exam)
    assert figures.parity(report).startswith("<svg")
    assert figures.percent_error(report).startswith("<svg")
