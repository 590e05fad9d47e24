from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.data.catalogue import catalogue
from wa_bench.errors import DataError, UnknownNameError
from wa_bench.records.columns import arrow_schema
from wa_bench.records.schema import Design


def test_every_track_names_a_dataset_of_the_catalogue() -> None:
    assert {name for track in wb.tracks.available().values() for name in track.datasets} <= set(catalogue())


def test_the_embedded_track_needs_no_network_and_has_the_schema_s_columns() -> None:
    frame = wb.load("opensynth", "train").frame()
    assert frame.collect_schema().names() == arrow_schema(Design).names


def test_splits_hold_what_their_name_says() -> None:
    for split in wb.track("opensynth").splits:
        assert wb.load("opensynth", split).frame().select("split").collect()["split"].unique().to_list() == [split]


def test_stream_and_frame_hold_the_same_designs(exam: wb.Dataset) -> None:
    assert [design.sample_id for design in exam.stream()] == exam.frame().collect()["sample_id"].to_list()


def test_families_narrow_frame_and_stream(exam: wb.Dataset) -> None:
    narrow = exam.families("latency")
    assert narrow.frame().collect()["family"].unique().to_list() == ["latency"]
    assert {design.family for design in narrow.stream()} == {"latency"}


def test_fingerprint_follows_the_truth_and_not_the_order(raw: dict[str, Any], tmp_path: Path) -> None:
    def fingerprint(*records: dict[str, Any]) -> str:
        file = tmp_path / "records.json"
        file.write_text(json.dumps(records))
        return wb.load("hls4ml", "test", source=file).fingerprint()

    other = {**raw, "meta_data": {**raw["meta_data"], "uuid": "other"}}
    changed = {**other, "resource_report": {**raw["resource_report"], "lut": "901"}}
    assert fingerprint(raw, other) == fingerprint(other, raw)
    assert fingerprint(raw, other) != fingerprint(raw, changed)


def test_designs_without_truth_are_not_scored(raw: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([{**raw, "resource_report": {}}]))
    dataset = wb.load("hls4ml", "test", source=tmp_path / "r.json")
    assert dataset.frame().collect().height == 1
    assert dataset.truth().height == 0


def test_designs_that_share_an_id_share_an_answer_and_are_scored_each(raw: dict[str, Any], tmp_path: Path) -> None:
    other = {**raw, "target_part": "xc7z020clg484-1", "resource_report": {**raw["resource_report"], "lut": "5"}}
    (tmp_path / "r.json").write_text(json.dumps([raw, other]))
    dataset = wb.load("hls4ml", "test", source=tmp_path / "r.json")
    assert dataset.truth()["lut"].to_list() == [900, 5]
    predictions = wb.surrogate("analytic").predict(dataset)
    assert predictions.frame().height == 1
    assert wb.evaluate(predictions, dataset).coverage() == 1


def test_a_split_asked_for_twice_counts_once() -> None:
    assert wb.load("opensynth", ["test", "test"]).splits == ("test",)


def test_a_track_reads_only_records_of_its_dataset(raw: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([raw]))
    with pytest.raises(DataError, match=r"expected a \.parquet file, .* found a \.json file"):
        wb.load("opensynth", "test", source=tmp_path / "r.json")
    foreign = wb.load("hls4ml", "test", source=tmp_path / "r.json").frame().collect()
    foreign.write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match="expected records of opensynth, found records of wa-hls4ml"):
        wb.load("opensynth", "test", source=tmp_path / "r.parquet").frame()
    foreign.drop("layers").write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match="expected the columns of"):
        list(wb.load("opensynth", "test", source=tmp_path / "r.parquet").stream())
    (tmp_path / "r.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(DataError, match="expected a readable Parquet file"):
        wb.load("opensynth", "test", source=tmp_path / "r.parquet").frame()


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("damaged")
    assert "hls4ml" in repr(wb.load("hls4ml", "test", source=tmp_path / "r.json"))


def test_absent_records_are_an_error_that_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WA_BENCH_MIRROR", raising=False)
    monkeypatch.setenv("WA_BENCH_OFFLINE", "1")
    dataset = wb.load("hls4ml", "test")
    with pytest.raises(DataError, match="hf download fastmachinelearning/wa-hls4ml"):
        dataset.frame()
    with pytest.raises(DataError, match=r"split val: expected files val/val_\*_merged.json, found none"):
        wb.load("hls4ml", ["val"], source=tmp_path)


def test_the_mirror_setting_is_used(raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "wa-hls4ml" / "val"
    folder.mkdir(parents=True)
    (folder / "val_2layer_merged.json").write_text(json.dumps([raw]))
    monkeypatch.setenv("WA_BENCH_MIRROR", str(tmp_path))
    (design,) = wb.load("hls4ml", "val").stream()
    assert (design.split, design.family, design.provenance.file) == ("val", "2layer", "val_2layer_merged.json")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown track 'hls5ml'; expected one of: energy, hls4ml, opensynth, vit"
    ):
        wb.load("hls5ml", "test")
    with pytest.raises(
        UnknownNameError, match=r"unknown split of track opensynth 'dev'; expected one of: exemplar, test"
    ):
        wb.load("opensynth", "dev")


def test_real_excerpt_loads_by_folder(mirror: Path) -> None:
    dataset = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    counts = dataset.frame().group_by("split").len().collect().sort("split")
    assert counts.rows() == [("exemplar", 4), ("test", 18)]
    assert dataset.truth().height == 20
    assert dataset.frame().select(pl.col("cycles_max").null_count()).collect().item() == 1
