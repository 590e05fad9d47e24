from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError
from wa_bench.evaluation.axess import axess_scores


def test_scores_by_the_authors_keys_agree_with_their_formulas_on_genuine_records(mirror: Path) -> None:
    exam = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    truth = exam.truth()
    targets = exam.track.target_names
    guess = truth.select("sample_id", *(pl.col(name) * 1.25 + 3 for name in targets))
    scores = axess_scores(wb.evaluate(wb.Predictions(guess, targets), exam))
    assert len(scores) == 2 * (2 + 12)
    keys = dict(zip(targets, ("bram", "dsp", "ff", "lut", "cycles", "ii"), strict=True))
    for split in ("test", "exemplar"):
        y, p = (frame.filter(truth["split"] == split).select(targets).to_numpy() for frame in (truth, guess))
        r2 = 1 - np.square(y - p).sum(axis=0) / np.square(y - y.mean(axis=0)).sum(axis=0)
        smape = 200 * np.mean(np.abs(y - p) / (np.abs(y) + np.abs(p) + 1), axis=0)
        for place, key in enumerate(keys.values()):
            assert scores[f"{split}_r2_{key}"] == pytest.approx(r2[place])
            assert scores[f"{split}_smape_{key}"] == pytest.approx(smape[place])
        assert scores[f"{split}_mean_r2"] == pytest.approx(r2.mean())
        assert scores[f"{split}_mean_smape"] == pytest.approx(smape.mean())
    assert json.dumps(scores, allow_nan=False)


def test_what_that_benchmark_refuses_has_no_scores_there(mirror: Path) -> None:
    exam = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    truth = exam.truth().select("sample_id", *exam.track.target_names)
    fewer = wb.evaluate(wb.Predictions(truth.head(5), exam.track.target_names), exam)
    with pytest.raises(DataError, match="report, split test: expected predictions of all"):
        axess_scores(fewer)


def test_scores_of_other_records_or_another_truth_are_not_passed_off_as_theirs(
    oracle: pl.DataFrame, exam: wb.Dataset, mirror: Path
) -> None:
    ours = wb.evaluate(wb.Predictions(oracle, exam.track.target_names), exam)
    place = mirror / "wa-hls4ml-excerpt"
    estimates = wb.load("hls4ml", ["test", "exemplar"], source=place, truth="hls-estimate")
    truth = estimates.truth().select("sample_id", *exam.track.target_names)
    for report in (ours, wb.evaluate(wb.Predictions(truth, exam.track.target_names), estimates)):
        with pytest.raises(
            DataError, match="expected test and exemplar records of track hls4ml, against its own truth"
        ):
            axess_scores(report)
