from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError, SubmissionError
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import check, create, score, verify_scores


@pytest.fixture
def folder(tmp_path: Path, oracle: pl.DataFrame, exam: wb.Dataset) -> Path:
    """A submission without fault."""
    card = Card(
        name="Ten percent more",
        slug="ten-more",
        track="opensynth",
        authors=["Ada"],
        licence="MIT",
        method="Truth plus ten percent.",
        training_data="none",
        labels="none",
    )
    more = oracle.with_columns(pl.exclude("sample_id") * 1.1)
    create(tmp_path / "ten-more", card, wb.Predictions(more, exam.track.target_names))
    return tmp_path / "ten-more"


def test_scores_hold_hashes_version_and_every_cell(folder: Path, exam: wb.Dataset) -> None:
    report = score(folder)
    stored = json.loads((folder / "scores.json").read_text())
    assert stored["submission"] == "ten-more"
    assert len(stored["predictions_sha256"]) == 64
    assert stored["truth_fingerprint"] == exam.fingerprint()
    assert stored["wa_bench"] == wb.__version__
    assert stored["scores"] == report.rows.to_dicts()


def test_scoring_twice_gives_the_same_bytes(folder: Path) -> None:
    score(folder)
    first = (folder / "scores.json").read_bytes()
    score(folder)
    assert (folder / "scores.json").read_bytes() == first


def test_scores_of_other_predictions_are_stale(folder: Path, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    with pytest.raises(DataError, match=r"scores\.json: expected scores, found nothing; run: wa-bench submit score"):
        verify_scores(check(folder))
    score(folder)
    verify_scores(check(folder))
    wb.Predictions(oracle, exam.track.target_names).write(folder / "predictions.parquet")
    with pytest.raises(DataError, match="predictions_sha256"):
        verify_scores(check(folder))


def test_a_score_written_by_hand_is_found(folder: Path) -> None:
    score(folder)
    stored = json.loads((folder / "scores.json").read_text())
    stored["scores"][0]["value"] = 0.99999
    (folder / "scores.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match=r"R2@bram of all on test: expected 0\.98\d+, found 0\.99999"):
        verify_scores(check(folder))
    stored["submission"] = "other"
    (folder / "scores.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match="submission: expected 'ten-more', found 'other'"):
        verify_scores(check(folder))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"scores": NaN}', b"\xff"])
def test_damaged_scores_are_an_error_that_says_how_to_make_them_again(content: bytes, folder: Path) -> None:
    (folder / "scores.json").write_bytes(content)
    with pytest.raises(DataError, match=r"scores\.json: expected scores as .*run: wa-bench submit score"):
        verify_scores(check(folder))


def test_faults_of_card_and_predictions_come_together_and_nothing_is_written(folder: Path) -> None:
    (folder / "card.yaml").write_text((folder / "card.yaml").read_text().replace("ten-more", "other"))
    frame = pl.read_parquet(folder / "predictions.parquet")
    frame.with_columns(lut=pl.lit(float("nan")), sample_id=pl.lit("x")).write_parquet(folder / "predictions.parquet")
    with pytest.raises(SubmissionError) as caught:
        score(folder)
    assert [fault.place for fault in caught.value.faults] == [
        "card.yaml, field slug",
        "predictions.parquet, column sample_id",
        "predictions.parquet, column lut",
    ]
    assert not (folder / "scores.json").exists()


def test_unknown_ids_and_tracks_are_faults(folder: Path) -> None:
    frame = pl.read_parquet(folder / "predictions.parquet")
    extra = frame.head(1).with_columns(sample_id=pl.lit("nobody"))
    pl.concat([frame, extra]).write_parquet(folder / "predictions.parquet")
    with pytest.raises(SubmissionError, match="1 unknown: 'nobody'"):
        check(folder)
    (folder / "card.yaml").write_text((folder / "card.yaml").read_text().replace("opensynth", "closed"))
    with pytest.raises(SubmissionError, match="field track: expected a known track"):
        check(folder)


def test_one_predictions_file_and_no_more(folder: Path) -> None:
    (folder / "predictions.csv").write_text("sample_id\n")
    with pytest.raises(SubmissionError, match=r"expected one of predictions\.parquet and predictions\.csv, found"):
        check(folder)
    (folder / "predictions.csv").unlink()
    (folder / "predictions.parquet").unlink()
    with pytest.raises(SubmissionError, match="found neither"):
        check(folder)
