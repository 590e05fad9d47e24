from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.data.dataset import _likeness
from wa_bench.errors import DataError, PredictionsError, UnknownNameError
from wa_bench.evaluation.metrics import RMSE
from wa_bench.evaluation.report import Settings


def scored(frame: pl.DataFrame, exam: wb.Dataset) -> wb.Report:
    return wb.evaluate(wb.Predictions(frame, exam.track.target_names), exam)


def test_the_truth_scores_full_marks_in_every_group(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle, exam)
    perfect = {"R2": 1.0, "Spearman": 1.0, "Within(percent=10)": 100.0, "FitAccuracy(part=xc7z020)": 100.0}
    for row in report.rows.filter(pl.col("value").is_not_null()).iter_rows(named=True):
        assert row["value"] == pytest.approx(perfect.get(row["metric"], 0.0), abs=1e-12)
        assert row["low"] is row["high"] is None
        assert row["undefined"].startswith("no interval: all clusters score alike") or row["clusters"] < 16
    assert report.mean("R2") == report.mean("R2", "exemplar") == 1
    assert report.coverage() == 1


def test_undefined_values_are_null_with_their_reason_and_only_those(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    rows = scored(oracle.with_columns(pl.col(exam.track.target_names) * 1.1 + 1), exam).rows
    complete = rows["value"].is_not_null() & rows["low"].is_not_null() & rows["high"].is_not_null()
    assert (complete == rows["undefined"].is_null()).all()
    few = exam.select(pl.col("sample_id").is_in(exam.sample_ids()[:9].implode()))
    rows_of_few = scored(oracle.join(few.frame().select("sample_id").collect(), on="sample_id", how="semi"), few).rows
    undefined = rows_of_few.filter(pl.col("value").is_not_null(), group="all", split="test")["undefined"]
    assert undefined.str.contains("no interval from 9 independent clusters").all()
    assert len(undefined) > 0
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
    with pytest.raises(UnknownNameError, match="unknown metric 'R3'"):
        report["R3@lut"]
    with pytest.raises(
        UnknownNameError, match="expected one of: all, branched, conv1d, conv2d, distributed, latency, resource"
    ):
        report["R2@lut", "test", "Jet"]


def test_order_and_seed_leave_values_and_the_same_seed_leaves_intervals(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    wrong = wb.Predictions(
        oracle.with_columns(pl.col("lut") * pl.Series([place % 7 for place in range(oracle.height)])),
        exam.track.target_names,
    )
    first, again, other = (wb.evaluate(wrong, exam, Settings(resamples=200, seed=seed)).rows for seed in (1, 1, 2))
    assert first.equals(again)
    assert first["value"].equals(other["value"])
    assert not first["low"].equals(other["low"])


def test_without_resamples_there_are_values_and_no_intervals(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = wb.evaluate(wb.Predictions(oracle, exam.track.target_names), exam, Settings(resamples=0))
    assert report["R2@lut"] == 1
    assert report.rows["low"].null_count() == report.rows.height
    assert "interval" not in str(report)


def test_the_mean_over_targets_has_an_interval_and_leaves_out_what_cannot_be_averaged(
    oracle: pl.DataFrame, exam: wb.Dataset
) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 1.3, pl.col("ff") * 0.8), exam)
    row = report.row("R2@mean")
    assert row["value"] == pytest.approx(sum(report[f"R2@{name}"] for name in exam.track.target_names) / 6)
    assert row["low"] < row["value"] < row["high"] < 1
    assert report.mean("R2") == row["value"]
    for metric in ("RMSE", "Bias"):
        with pytest.raises(UnknownNameError, match="unknown target in this report 'mean'"):
            report.mean(metric)


def test_networks_are_clusters_whatever_their_settings(exam: wb.Dataset) -> None:
    frame = exam.exam().join(exam.frame().select("sample_id", "model_name").collect(), on="sample_id")
    test = frame.filter(split="test")
    assert test["cluster"].n_unique() <= test.height
    assert sorted(test["cluster"].unique()) == list(range(test["cluster"].n_unique()))
    exemplar = frame.filter(split="exemplar")
    assert exemplar.group_by("group").agg(pl.col("stratum").n_unique())["stratum"].to_list() == [1] * 7
    assert exemplar["stratum"].n_unique() == 7


def test_designs_that_differ_in_settings_only_share_a_cluster(exam: wb.Dataset) -> None:
    train = wb.load("opensynth", "train").frame()
    one = train.filter(pl.col("strategy") == "resource").head(1).collect()
    again = one.with_columns(sample_id=pl.lit("again"), reuse_factor=pl.lit(999, pl.Int64), part=pl.lit("other"))
    other = train.filter(pl.col("strategy") == "resource").slice(5, 1).collect()
    frame = pl.concat([one, again, other], how="vertical_relaxed").with_columns(split=pl.lit("test"))
    alike = frame.select(_likeness(exam.track.exams[0].alike)).to_series()
    assert alike[0] == alike[1] != alike[2]


@pytest.mark.parametrize("wrong", [{"resamples": 7}, {"resamples": -1}, {"seed": -1}, {"level": 1.5}, {"level": 0.0}])
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=f"settings, {next(iter(wrong))}: expected"):
        Settings(**wrong)


def test_a_key_may_leave_out_parameters_that_have_their_defaults(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 1.5), exam)
    assert report["SMAPE@lut"] == report["SMAPE(eps=1.0)@lut"] == report["SMAPE(eps=1)@lut"] > 0


def test_the_worst_group_is_named(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    jets = exam.frame().filter(pl.col("group") == "Jet").select("sample_id").collect().to_series()
    wrong = oracle.with_columns(
        pl.when(pl.col("sample_id").is_in(jets.implode())).then(0).otherwise(pl.col("ff")).alias("ff")
    )
    name, value = scored(wrong, exam).worst_group("exemplar")
    assert name == "Jet"
    assert value < 1


def test_a_report_reads_as_the_papers_tables_and_as_csv(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 1.5), exam)
    table = report.published("exemplar")
    assert table.columns[:4] == ["group", "answered", "R2@bram", "R2@dsp"]
    assert len(table.columns) == 2 + 18
    assert table["group"].to_list() == ["all", "Anomaly", "AutoMLP", "BiPC", "Cookie", "Jet", "Particle", "Quarks"]
    assert table.filter(group="Jet")["RMSE@lut"].item() == report["RMSE@lut", "exemplar", "Jet"]
    markdown = report.to_markdown()
    assert "| group | designs | BRAM | DSP | FF | LUT | Cycles | II | mean |" in markdown
    assert report.shown("R2@mean") in markdown
    assert pl.read_csv(report.to_csv().encode(), infer_schema_length=None).height == report.rows.height


def test_errors_of_single_designs_average_to_the_scores(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 1.5), exam)
    errors = report.errors().filter(split="test")
    assert errors["lut_smape"].mean() == pytest.approx(report["SMAPE(eps=1)@lut"])
    assert errors["lut_percent_error"].median() == pytest.approx(report["RPE(q=0.5)@lut"])
