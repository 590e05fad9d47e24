"""Predictions in the form of the dataset authors' own benchmark."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hostile import zips

import wa_bench as wb
from wa_bench.data import axess
from wa_bench.errors import PredictionsError, SubmissionError
from wa_bench.submissions.card import Card, write_card
from wa_bench.submissions.folder import check, score, verify_scores
from wa_bench.submissions.pack import pack

TARGETS = wb.track("hls4ml").target_names
HEADER = "sample_id,BRAM,DSP,FF,LUT,cycles_max,interval_max"


def written(path: Path, test: list[str], exemplar: list[str], folder: str = "", header: str = HEADER) -> Path:
    def text(rows: list[str]) -> bytes:
        return "\n".join((header, *rows, "")).encode()

    files = ((f"{folder}predictions_test.csv", text(test)), (f"{folder}predictions_exemplar.csv", text(exemplar)))
    path.write_bytes(zips.packed(*files))
    return path


@pytest.mark.parametrize("folder", ["", "submission/"])
def test_both_files_are_read_at_the_root_or_in_a_folder(folder: str, tmp_path: Path) -> None:
    path = written(tmp_path / "p.zip", ["a,0.5,1,2,3,4,5"], ["b,1,1,2,3,4,1e3"], folder)
    assert wb.Predictions.read(path, TARGETS).frame().rows() == [
        ("a", 0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
        ("b", 1.0, 1.0, 2.0, 3.0, 4.0, 1000.0),
    ]


def test_other_columns_and_what_a_mac_adds_are_left_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "p.zip", ["7,a,1,1,1,1,1,1"], ["8,b,1,1,1,1,1,1"], header=f",{HEADER}")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._predictions_test.csv", b"\0")
        archive.writestr(".DS_Store", b"\0")
    assert wb.Predictions.read(path, TARGETS).frame()["sample_id"].to_list() == ["a", "b"]


def test_rows_in_both_files_count_once_if_they_agree(tmp_path: Path) -> None:
    rows = ["a,1,1,1,1,1,1", "b,1,1,1,1,1,1"]
    assert wb.Predictions.read(written(tmp_path / "p.zip", rows, rows), TARGETS).frame().height == 2
    with pytest.raises(PredictionsError, match=r"p\.zip, column sample_id: expected each id once, .*'b' in rows 2, 3"):
        wb.Predictions.read(written(tmp_path / "p.zip", rows, ["b,2,1,1,1,1,1"]), TARGETS)


def test_all_faults_of_both_files_come_at_once(tmp_path: Path) -> None:
    test = f"{HEADER}\na,1,1,1,1,1,1\na,1,1,1,1,1,1\n".encode()
    files = (("predictions_test.csv", test), ("predictions_exemplar.csv", b"sample_id,LUT\n"))
    (tmp_path / "p.zip").write_bytes(zips.packed(*files))
    with pytest.raises(PredictionsError) as caught:
        wb.Predictions.read(tmp_path / "p.zip", TARGETS)
    assert [fault.place for fault in caught.value.faults] == [
        "p.zip, predictions_test.csv, column sample_id",
        "p.zip, predictions_exemplar.csv",
    ]


def test_other_targets_have_no_such_form(tmp_path: Path) -> None:
    path = written(tmp_path / "p.zip", [], [])
    with pytest.raises(
        PredictionsError, match=r"expected predictions of throughput, step_time_ms as \.parquet or \.csv"
    ):
        wb.Predictions.read(path, ("throughput", "step_time_ms"))


def rows_of(frame: pl.DataFrame) -> str:
    """Truth times 1.1 in the authors' columns."""
    scaled = frame.select("sample_id", *(pl.col(name) * 1.1 for name in axess.COLUMNS)).rename(axess.COLUMNS)
    return scaled.write_csv()


@pytest.fixture
def genuine(mirror: Path) -> wb.Dataset:
    """The excerpt of the real exam."""
    return wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")


@pytest.fixture
def folder(genuine: wb.Dataset, tmp_path: Path) -> Path:
    """A submission of a zip such as goes to Codabench, with rows that are not scored there."""
    truth = genuine.truth()
    without_truth = set(genuine.sample_ids()) - set(truth["sample_id"])
    assert len(without_truth) == 2
    files = {split: rows_of(truth.filter(split=split)) for split in axess.SPLITS}
    files["test"] += "".join(f"{sample},1,1,1,1,1,1\n" for sample in sorted(without_truth))
    files["test"] += "of-no-design,1,1,1,1,1,1\nunfinished,1,,nan,1,1,1\n"
    path = tmp_path / "their-form"
    path.mkdir()
    (path / "predictions.zip").write_bytes(
        zips.packed(*((f"predictions_{split}.csv", text.encode()) for split, text in files.items()))
    )
    about = {"authors": ["Ada"], "licence": "MIT", "method": "x", "training_data": "none", "labels": "none"}
    write_card(path / "card.yaml", Card(name="Their form", slug="their-form", track="hls4ml", **about))
    return path


def test_a_submission_in_their_form_checks_scores_and_verifies(folder: Path, mirror: Path) -> None:
    source = str(mirror / "wa-hls4ml-excerpt")
    submission = check(folder, source)
    assert submission.notes == [
        "predictions.zip: rows of ids that are not scored, ignored: 1",
        "predictions.zip: rows without a finite number for each target, ignored: 1",
    ]
    report = score(folder, source)
    assert report.coverage("test") == report.coverage("exemplar") == 1.0
    verify_scores(check(folder, source))


def test_their_form_scores_as_ours_does(folder: Path, genuine: wb.Dataset) -> None:
    theirs = wb.Predictions.read(folder / "predictions.zip", TARGETS)
    truth = genuine.truth()
    ours = wb.Predictions(truth.select("sample_id", *(pl.col(name) * 1.1 for name in TARGETS)), TARGETS)
    assert wb.evaluate(theirs, genuine).rows.equals(wb.evaluate(ours, genuine).rows)


@pytest.mark.parametrize("spoiled", ["gone,", "{sample},inf,", "{sample},,", "{sample},=cmd(),"])
def test_every_scored_design_needs_a_finite_number(
    spoiled: str, folder: Path, genuine: wb.Dataset, mirror: Path
) -> None:
    sample = genuine.truth().filter(split="exemplar")["sample_id"][0]
    with zipfile.ZipFile(folder / "predictions.zip") as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    text, changes = re.subn(rf"{sample},[^,]*,", spoiled.format(sample=sample), files["predictions_exemplar.csv"])
    assert changes == 1
    files["predictions_exemplar.csv"] = text if "gone" not in spoiled else text.replace("gone,", "gone,1,")
    (folder / "predictions.zip").write_bytes(zips.packed(*((name, text.encode()) for name, text in files.items())))
    with pytest.raises(SubmissionError, match=rf"split exemplar: expected finite .* found none for 1: '{sample}'"):
        check(folder, str(mirror / "wa-hls4ml-excerpt"))


def test_what_is_packed_for_them_holds_exactly_the_scored_designs(
    folder: Path, genuine: wb.Dataset, mirror: Path, tmp_path: Path
) -> None:
    pack(check(folder, str(mirror / "wa-hls4ml-excerpt")), tmp_path / "out.zip", "axess")
    truth = genuine.truth()
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for split in axess.SPLITS:
            table = pl.read_csv(io.BytesIO(archive.read(f"predictions_{split}.csv")))
            assert table["sample_id"].to_list() == truth.filter(split=split)["sample_id"].to_list()
            assert ",".join(table.columns) == HEADER


def test_the_command_line_evaluates_their_zip_and_one_of_their_files(folder: Path, mirror: Path) -> None:
    def evaluate(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [
            str(Path(sys.executable).with_name("wa-bench")),
            "evaluate",
            str(file),
            "--track",
            "hls4ml",
            *options,
        ]
        source = ["--source", str(mirror / "wa-hls4ml-excerpt")]
        return subprocess.run([*command, *source], capture_output=True, text=True, check=False)

    shown = evaluate(folder / "predictions.zip")
    assert shown.returncode == 0, shown.stderr
    assert "note: predictions.zip: rows of ids that are not scored, ignored: 1" in shown.stderr
    with zipfile.ZipFile(folder / "predictions.zip") as archive:
        (folder / "one.csv").write_bytes(archive.read("predictions_exemplar.csv"))
    shown = evaluate(folder / "one.csv", "--split", "exemplar")
    assert shown.returncode == 0, shown.stderr
