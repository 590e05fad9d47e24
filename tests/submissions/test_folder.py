from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError, SubmissionError
from wa_bench.submissions.folder import check, score, verify_scores


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
    with pytest.raises(DataError, match=r"R2@bram of all on test, value: expected 0\.98\d+, found 0\.99999"):
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
    with pytest.raises(SubmissionError, match=r"predictions\.zip, found predictions\.parquet, predictions\.csv"):
        check(folder)
    (folder / "predictions.csv").unlink()
    (folder / "predictions.parquet").unlink()
    with pytest.raises(SubmissionError, match=r"predictions\.zip, found none"):
        check(folder)


def test_what_is_worth_knowing_is_noted_and_nothing_is_altered(folder: Path, exam: wb.Dataset) -> None:
    assert check(folder).notes == []
    frame = pl.read_parquet(folder / "predictions.parquet").sort("sample_id")
    frame = frame[1:].with_columns(bram=pl.when(pl.int_range(pl.len()) < 2).then(-0.25).otherwise("bram"))
    frame.write_parquet(folder / "predictions.parquet")
    submission = check(folder)
    scored = exam.truth().filter(split="test").height
    assert submission.notes == [
        "predictions.parquet, column bram: 2 below zero, kept as they are (-0.25 for 'opensynth-0000007')",
        f"predictions.parquet, split test: {scored - 1} of the {scored} designs that are scored have predictions, "
        "so no rank; left out: 'opensynth-0000003'",
    ]
    assert submission.predictions.frame().equals(frame)


def test_readme_and_schema_may_lie_beside_the_card(folder: Path) -> None:
    (folder / "README.md").write_text("# Mine")
    (folder / "card.schema.json").write_text("{}")
    check(folder)


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="nowhere: expected a submission folder, found none"):
        check(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SubmissionError, match=r"expected a card named card\.yaml, found none; run: wa-bench submit init"
    ):
        check(tmp_path / "empty")
