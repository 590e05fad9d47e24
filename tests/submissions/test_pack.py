from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError, SubmissionError, UnknownNameError
from wa_bench.submissions.folder import check, score, verify_scores
from wa_bench.submissions.pack import pack, unpacked


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    score(folder)
    pack(check(folder), tmp_path / "out.zip")
    return tmp_path / "out.zip"


def test_a_packed_submission_is_the_submission(packed: Path, folder: Path) -> None:
    with unpacked(packed) as again:
        submission = check(again)
        verify_scores(submission)
        assert submission.card == check(folder).card
        assert submission.predictions.frame().equals(check(folder).predictions.frame())
    assert not again.exists()


def test_equal_submissions_give_equal_bytes_whenever_they_are_packed(
    packed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2e9)
    for path in folder.iterdir():
        path.touch()
    (folder / "README.md").write_text("not packed")
    pack(check(folder), packed.with_name("again.zip"))
    assert packed.with_name("again.zip").read_bytes() == packed.read_bytes()


def test_only_true_scores_are_packed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected scores, found nothing"):
        pack(check(folder), tmp_path / "out.zip")
    score(folder)
    stored = json.loads((folder / "scores.json").read_text())
    stored["scores"][0]["value"] = 1.0
    (folder / "scores.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match=r"R2@bram of all on test, value: expected 0\.98"):
        pack(check(folder), tmp_path / "out.zip")
    with pytest.raises(UnknownNameError, match="expected one of: axess, wa-bench"):
        pack(check(folder), tmp_path / "out.zip", "rar")
    assert not (tmp_path / "out.zip").exists()


def test_a_submission_s_folder_in_the_zip_bears_its_name(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(tmp_path / "flat.zip", "w") as flat:
        for name in archive.namelist():
            flat.writestr(name.removeprefix("ten-more/"), archive.read(name))
    with unpacked(tmp_path / "flat.zip") as again, pytest.raises(SubmissionError, match="the folder's name 'flat'"):
        check(again)
    (tmp_path / "flat.zip").rename(tmp_path / "ten-more.zip")
    with unpacked(tmp_path / "ten-more.zip") as again:
        check(again)


def test_the_authors_form_holds_what_is_scored_in_their_columns_and_order(
    folder: Path, tmp_path: Path, exam: wb.Dataset
) -> None:
    pack(check(folder), tmp_path / "out.zip", "axess")
    truth = exam.truth()
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["predictions_test.csv", "predictions_exemplar.csv"]
        for split in ("test", "exemplar"):
            table = pl.read_csv(io.BytesIO(archive.read(f"predictions_{split}.csv")))
            assert table.columns == ["sample_id", "BRAM", "DSP", "FF", "LUT", "cycles_max", "interval_max"]
            assert table["sample_id"].to_list() == truth.filter(split=split)["sample_id"].to_list()


def test_from_our_form_to_theirs_and_back_no_score_changes(folder: Path, tmp_path: Path) -> None:
    before = check(folder)
    pack(before, folder / "predictions.zip", "axess")
    (folder / "predictions.parquet").unlink()
    after = check(folder)
    assert after.report.rows.equals(before.report.rows)
    assert after.notes == []


def test_an_incomplete_submission_cannot_take_the_authors_form(folder: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(folder / "predictions.parquet")
    frame.filter(pl.col("sample_id") != "opensynth-0000003").write_parquet(folder / "predictions.parquet")
    message = (
        r"split test: expected finite numbers for each of the \d+ designs .* found none for 1: 'opensynth-0000003'"
    )
    with pytest.raises(SubmissionError, match=message):
        pack(check(folder), tmp_path / "out.zip", "axess")


def test_what_is_no_zip_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="expected a submission, found nothing"), unpacked(tmp_path / "x.zip"):
        pass
    (tmp_path / "x.zip").write_bytes(b"x" * 100)
    with pytest.raises(SubmissionError, match="expected a whole zip archive"), unpacked(tmp_path / "x.zip"):
        pass
