from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

import wa_bench as wb
from wa_bench.errors import PredictionsError, SubmissionError, UnknownNameError
from wa_bench.submissions.card import read_card
from wa_bench.submissions.folder import check
from wa_bench.submissions.start import start

ANSWERS = {
    "name": "Mine",
    "authors": ["Ada"],
    "licence": "MIT",
    "method": "Thought hard.",
    "training_data": "none",
    "labels": "none",
}


@pytest.fixture
def predictions(tmp_path: Path, oracle: pl.DataFrame, exam: wb.Dataset) -> Path:
    wb.Predictions(oracle, exam.track.target_names).write(tmp_path / "p.csv")
    return tmp_path / "p.csv"


def test_a_card_that_is_filled_in_makes_a_submission(tmp_path: Path, predictions: Path) -> None:
    written = start(tmp_path / "mine", "opensynth", predictions)
    assert [path.name for path in written] == ["predictions.csv", "card.yaml", "card.schema.json"]
    assert (tmp_path / "mine" / "predictions.csv").read_bytes() == predictions.read_bytes()
    text = (tmp_path / "mine" / "card.yaml").read_text()
    for field, answer in ANSWERS.items():
        line = f"{field}:\n  -\n" if field == "authors" else f"\n{field}:\n"
        assert line in text
        text = text.replace(line, f"\n{yaml.safe_dump({field: answer})}")
    (tmp_path / "mine" / "card.yaml").write_text(text)
    submission = check(tmp_path / "mine")
    assert (submission.card.slug, submission.card.track, submission.card.family) == ("mine", "opensynth", "other")


def test_a_card_that_is_not_filled_in_says_what_lacks(tmp_path: Path) -> None:
    start(tmp_path / "mine", "opensynth")
    with pytest.raises(SubmissionError) as caught:
        read_card(tmp_path / "mine" / "card.yaml")
    assert {fault.place.removeprefix("card.yaml, field ") for fault in caught.value.faults} == set(ANSWERS)


def test_every_recommended_field_waits_behind_a_comment_sign(tmp_path: Path) -> None:
    start(tmp_path / "mine", "opensynth")
    card = (tmp_path / "mine" / "card.yaml").read_text()
    assert card.startswith("# yaml-language-server: $schema=card.schema.json\n")
    for name in ("code", "weights", "paper", "parameters", "hardware", "seconds_per_design", "joules_per_design"):
        assert f"\n# {name}:\n" in card


@pytest.mark.parametrize("name", ["card.yaml", "card.schema.json", "predictions.parquet"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("years of work")
    with pytest.raises(SubmissionError, match=f"{name}: expected nothing yet, found a file"):
        start(tmp_path / "mine", "opensynth")
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["years of work"]


def test_no_folder_is_begun_with_a_bad_name_track_or_predictions(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sample_id\n")
    with pytest.raises(SubmissionError, match="expected a name of 2 to 40 small letters"):
        start(tmp_path / "My Model", "opensynth")
    with pytest.raises(UnknownNameError, match="unknown track 'chess'"):
        start(tmp_path / "mine", "chess")
    with pytest.raises(PredictionsError, match="found no column bram"):
        start(tmp_path / "mine", "opensynth", tmp_path / "p.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
