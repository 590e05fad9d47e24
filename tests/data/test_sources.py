"""Where records are looked for: a mirror by folder or URL, the Hub, the catalogue's files."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from hub.server import Hub

import wa_bench as wb
from wa_bench.data.catalogue import catalogue, entry
from wa_bench.errors import DataError

REPO = "fastmachinelearning/wa-hls4ml"


@pytest.fixture
def upstream(raw: dict[str, Any], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A Hub that holds a few records of our own under the dataset's name, and no mirror."""
    files = {"README.md": b"a card"}
    for split in ("train", "val", "test"):
        for family in entry("wa-hls4ml").families:
            record = {**raw, "meta_data": {**raw["meta_data"], "uuid": f"{split}-{family}"}}
            files[f"{split}/{split}_{family}_merged.json"] = json.dumps([record]).encode()
    hub.commit(REPO, files)
    monkeypatch.delenv("WA_BENCH_MIRROR", raising=False)
    monkeypatch.setenv("WA_BENCH_CACHE", str(tmp_path / "cache"))
    return hub


def test_without_a_local_copy_records_come_from_the_hub(upstream: Hub) -> None:
    dataset = wb.load("hls4ml", "test")
    streamed = [design.sample_id for design in dataset.stream()]
    assert streamed == [f"test-{family}" for family in entry("wa-hls4ml").families]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frame = dataset.frame().collect()
    assert frame["sample_id"].to_list() == streamed
    assert "expected 102,484 as published, found 7 records in split test" in str(told[0].message)
    (revision,) = {design["revision"] for design in frame["provenance"]}
    assert revision is not None
    assert not upstream.asked("train/train_3layer_merged.json")


def test_once_converted_no_network_is_needed(upstream: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(action="ignore"):
        first = wb.load("hls4ml", "val").frame().collect()
        monkeypatch.setenv("WA_BENCH_OFFLINE", "1")
        assert wb.load("hls4ml", "val").frame().collect().equals(first)
    with pytest.raises(DataError, match=r"hf download .* --repo-type dataset"):
        wb.load("hls4ml", "test").frame()


def test_a_mirror_may_be_a_url(upstream: Hub, raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for family in entry("wa-hls4ml").families:
        upstream.place(f"data/wa-hls4ml/test/test_{family}_merged.json", json.dumps([raw]).encode())
    monkeypatch.setenv("WA_BENCH_MIRROR", upstream.place("data/x", b"").removesuffix("/x"))
    dataset = wb.load("hls4ml", "test")
    assert [design.family for design in dataset.stream()] == entry("wa-hls4ml").families
    assert dataset.frame().collect()["family"].to_list() == entry("wa-hls4ml").families


def test_two_mirrors_are_two_sources(upstream: Hub, raw: dict[str, Any]) -> None:
    for name in ("a", "b"):
        raw["meta_data"]["uuid"] = name
        for family in entry("wa-hls4ml").families:
            url = upstream.place(f"{name}/test/test_{family}_merged.json", json.dumps([raw]).encode())
        dataset = wb.load("hls4ml", "test", source=url.rsplit("/", 2)[0])
        assert set(dataset.frame().collect()["sample_id"]) == {name}


def test_a_mirror_that_is_not_there_is_no_reason_to_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WA_BENCH_MIRROR", str(tmp_path / "typo"))
    with pytest.raises(DataError, match=r"WA_BENCH_MIRROR=.*typo: expected a folder or a URL, found nothing"):
        wb.load("hls4ml", "test")


def test_a_file_of_another_split_is_refused(raw: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "train_2layer_merged.json"
    path.write_text(json.dumps([raw]))
    with pytest.raises(DataError, match="expected records of split test, found a file of split train"):
        wb.load("hls4ml", "test", source=path)


def test_the_config_that_mixes_the_splits_is_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="what learns from it has seen the exam"):
        wb.load("hls4ml", "train", config="model-type")
    with pytest.raises(DataError, match=r"the configuration model-type \(conv1d\)"):
        wb.load("hls4ml", "conv1d")


@pytest.mark.parametrize(
    "name", ["timm", "wtf-benchmark", "co2-inference", "imagenet-energy-efficiency", "ml-energy-v3"]
)
def test_a_changed_byte_is_refused_with_both_hashes(name: str, mirror: Path, tmp_path: Path) -> None:
    (track,) = [track for track in wb.tracks.available().values() if name in track.datasets]
    shutil.copytree(mirror / name, tmp_path / name, copy_function=shutil.copyfile)
    file = entry(name).files[0]
    path = tmp_path / name / file.name
    path.parent.chmod(0o755)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        wb.load(track.name, "train", source=tmp_path / name)
    (fault,) = caught.value.faults
    assert fault.expected == f"SHA-256 {file.sha256}"
    assert fault.found.startswith("SHA-256 ")
    assert file.sha256 not in fault.found


def test_without_mirror_and_network_the_error_says_where_the_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_BENCH_MIRROR", raising=False)
    monkeypatch.setenv("WA_BENCH_OFFLINE", "1")
    for track in ("vit", "energy"):
        with pytest.raises(DataError) as caught:
            wb.load(track, "train")
        told = str(caught.value)
        assert "https://" in told
        assert "WA_BENCH_MIRROR" in told


def test_every_dataset_says_how_it_is_read() -> None:
    from wa_bench.data.locate import _FORMATS

    assert {known.format for known in catalogue().values()} == set(_FORMATS)


def test_a_multi_dataset_track_reads_those_of_its_datasets_that_a_folder_holds(mirror: Path) -> None:
    both = wb.load("vit", "train", source=mirror).frame().collect()
    assert set(both["source"]) == {"timm", "wtf-benchmark"}
    one = wb.load("vit", "train", source=mirror / "wtf-benchmark").frame().collect()
    assert set(one["source"]) == {"wtf-benchmark"}
    with pytest.raises(DataError, match="expected one of the datasets timm, wtf-benchmark"):
        wb.load("vit", "train", source=mirror / "co2-inference")
