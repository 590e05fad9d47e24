"""Promises of scripts/make_replica.py: a replica of wa-hls4ml that has its layout and size and none of its data."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.records.reuse import closest_valid_reuse_factor

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_replica.py"
RECORDS = 7000

PUBLISHED_MB = dict(
    zip(
        ("2_20", "2layer", "3layer", "latency", "resource", "conv1d", "conv2d"),
        (104, 195, 1900, 291, 219, 329, 443),
        strict=True,
    )
)
"""Sizes of the files of train/ as the Hub lists them."""


def run(out: Path, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(out), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(out: Path, *options: object) -> dict[str, bytes]:
    done = run(out, *options)
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.*"))}


@pytest.fixture(scope="session")
def replica() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_replica", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_replica"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("replica")
    written(out, "--records", RECORDS, "--processes", 2)
    return out


@pytest.fixture(scope="session")
def records(folder: Path, replica: ModuleType) -> dict[str, list[dict[str, Any]]]:
    """The raw records by family."""
    found = defaultdict(list)
    for (_, family), path in replica.FILES.items():
        found[family] += json.loads((folder / path).read_text())
    return found


@pytest.fixture(scope="session")
def frame(folder: Path) -> pl.DataFrame:
    return wb.load("hls4ml", ["train", "val", "test", "exemplar"], source=folder).frame().collect()


def test_every_record_decodes_in_the_hubs_layout(
    frame: pl.DataFrame, records: dict[str, list[dict[str, Any]]], replica: ModuleType
) -> None:
    plan = replica.Plan(0, RECORDS)
    counts = {(split, family): count for split, family, count in frame.group_by("split", "family").len().iter_rows()}
    assert counts == {key: plan.count(*key) for key in replica.FILES}
    assert len(frame) == sum(map(len, records.values()))
    exemplars = set(frame.filter(family="exemplar").get_column("group"))
    assert exemplars == {"Anomaly", "AutoMLP", "BiPC", "Cookie", "Jet", "Particle", "Quarks"}


def test_families_are_found_from_the_content(folder: Path, replica: ModuleType, tmp_path: Path) -> None:
    for (split, family), path in replica.FILES.items():
        unnamed = tmp_path / f"{split}-{family}.json"
        unnamed.symlink_to(folder / path)
        found = wb.load("hls4ml", split, source=unnamed).frame().select("family").collect().to_series()
        assert set(found) == {family}


def test_ids_are_unique_and_everything_is_named_a_replica(
    frame: pl.DataFrame, records: dict[str, list[dict[str, Any]]], folder: Path
) -> None:
    assert frame.get_column("sample_id").is_unique().all()
    meta = [record["meta_data"] for family in records.values() for record in family]
    assert all("replica" in told["model_name"] and "replica" in told["artifacts_file"] for told in meta)
    assert "synthetic replica" in (folder / "README.txt").read_text()


def test_reuse_factors_are_the_closest_valid_ones(records: dict[str, list[dict[str, Any]]]) -> None:
    for record in (record for family in records.values() for record in family):
        requested = record["hls_config"]["Model"]["ReuseFactor"]
        for layer in record["model_config"]:
            expected = requested
            if units := layer.get("neurons") or layer.get("filters"):
                inputs = (layer["parameters"] - layer["use_bias"] * units) // units
                expected = closest_valid_reuse_factor(inputs, units, requested)
            assert layer["reuse_factor"] == expected


def test_every_kind_of_layer_occurs(frame: pl.DataFrame) -> None:
    kinds = frame.select("family", pl.col("layers").list.eval(pl.element().struct.field("kind"))).explode("layers")
    by_family = {family: set(group.get_column("layers")) for (family,), group in kinds.group_by("family")}
    assert by_family["2_20"] == {
        *("input", "dense", "activation", "dropout", "batch_normalization", "add", "concatenate")
    }
    assert by_family["conv1d"] >= {"conv1d", "average_pooling1d", "max_pooling1d", "flatten", "dense"}
    assert by_family["2layer"] == by_family["3layer"] == {"dense"}
    bipc = frame.filter(group="BiPC").get_column("layers")[0]
    assert sum(layer["kind"] == "add" for layer in bipc) == 5


def test_the_bytes_depend_on_the_seed_and_not_on_the_processes(tmp_path: Path) -> None:
    one = written(tmp_path / "one", "--records", 600, "--processes", 1)
    assert written(tmp_path / "two", "--records", 600, "--processes", 2) == one
    assert len(one) == 23
    other = written(tmp_path / "other", "--records", 600, "--seed", 1, "--only", "test/2_20", "exemplar/exemplar")
    assert set(other) == {"README.txt", "test/test_2_20_merged.json", "exemplar/exemplar_models.json"}
    assert all(other[name] != one[name] for name in other)


def test_text_is_what_json_writes(folder: Path, replica: ModuleType, tmp_path: Path) -> None:
    minified = written(tmp_path, "--records", RECORDS, "--indent", "none", "--only", "test/2_20", "exemplar/exemplar")
    for name, indent in (("test/test_2_20_merged.json", 4), ("exemplar/exemplar_models.json", 2)):
        text = (folder / name).read_text()
        found = json.loads(text)
        assert text == json.dumps(found, indent=indent)
        assert minified[name].decode() == json.dumps(found, separators=(",", ":"))


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("[]")
    done = run(tmp_path, "--records", 22)
    assert done.returncode == 2
    assert "expected a new or empty folder or a replica of this seed and size" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train.json"]


def test_counts_and_sizes_are_the_published_ones(replica: ModuleType) -> None:
    plan = replica.Plan(0, replica.TOTAL)
    totals = {split: sum(families.values()) for split, families in replica.FULL.items()}
    assert totals == {"train": 478_216, "val": 102_472, "test": 102_484, "exemplar": 887}
    assert sum(plan.count(split, family) for split, family in replica.FILES) == replica.TOTAL == 684_059
    for family, published in PUBLISHED_MB.items():
        parts = [replica.block(plan, "train", family, start, 4) for start in range(0, 1024, replica.BLOCK)]
        size = sum(len(text) for _, text in parts) / sum(count for count, _ in parts) * plan.count("train", family)
        assert size / 1e6 == pytest.approx(published, rel=0.06), family


def test_truth_is_missing_as_often_as_in_the_genuine_records(replica: ModuleType) -> None:
    plan = replica.Plan(0, replica.TOTAL)
    without = sum(replica.RECIPES[family].unmeasured * count for family, count in replica.FULL["test"].items())
    assert without / 102_484 == pytest.approx(0.093, abs=0.001)
    records = [replica.record(plan, "test", "conv1d", index) for index in range(1000)]
    assert sum(bool(record["resource_report"]) for record in records) == pytest.approx(425, abs=50)
    assert any(record["hls_resource_report"] and not record["resource_report"] for record in records)
    exemplars = [replica.record(plan, "exemplar", "exemplar", index) for index in range(887)]
    (lost,) = (record for record in exemplars if not record["resource_report"])
    assert "Particle" in lost["meta_data"]["model_name"]


def test_one_design_in_a_thousand_of_the_exams_is_one_of_train(replica: ModuleType) -> None:
    plan = replica.Plan(0, 20_000)
    points = {
        split: [replica.point(plan, split, "3layer", index) for index in range(plan.count(split, "3layer"))]
        for split in ("train", "val", "test")
    }
    assert len(set(points["train"])) == len(points["train"])
    for split in ("val", "test"):
        shared = [index for index, point in enumerate(points[split]) if point in set(points["train"])]
        assert shared == [500, 1500]
        exam = replica.record(plan, split, "3layer", 500)
        train = replica.record(plan, "train", "3layer", points["train"].index(points[split][500]))
        assert exam["model_config"] == train["model_config"]
        assert exam["hls_config"] == train["hls_config"]
        assert exam["meta_data"]["uuid"] != train["meta_data"]["uuid"]


Signature = tuple[tuple[str, str], ...]


def form(value: Any, key: str, path: str) -> str:
    """Type of a JSON value; with the elements of a list and the spelling of numbers in reports and of precisions."""
    if isinstance(value, list):
        return "objects" if value and isinstance(value[0], dict) else f"[{','.join(form(v, '', '') for v in value)}]"
    if not isinstance(value, str):
        return type(value).__name__
    if path.endswith("_report") and key != "bram":
        return re.sub(r"\d+", "0", value)
    return re.sub(r"\d+", "0", value) if "recision" in path + key else "str"


def signatures(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Signature]]:
    """Keys in order with the forms of their values, for each object in a record; layers by class or role."""
    items = list(value.items())
    if path.endswith("LayerName"):
        items = [(re.sub(r"_\d+b?", "", name), entry) for name, entry in items]
    else:
        yield path, tuple((key, form(item, key, path)) for key, item in items)
    for key, item in items:
        if isinstance(item, dict):
            yield from signatures(item, f"{path}/{key}")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            for element in item:
                yield from signatures(element, f"{path}/{key}/{element.get('class_name', '')}")


def layout(records: list[dict[str, Any]]) -> dict[str, set[Signature]]:
    found: dict[str, set[Signature]] = defaultdict(set)
    for record in records:
        for path, signature in signatures(record):
            found[path].add(signature)
    return found


@pytest.mark.parametrize("family", [*PUBLISHED_MB, "exemplar"])
def test_layout_is_that_of_the_genuine_records(
    mirror: Path, records: dict[str, list[dict[str, Any]]], replica: ModuleType, family: str
) -> None:
    split = "exemplar" if family == "exemplar" else "test"
    path = mirror / "wa-hls4ml-excerpt" / replica.FILES[split, family]
    genuine, made = layout(json.loads(path.read_text())), layout(records[family])
    assert set(genuine) <= set(made)
    for place, expected in genuine.items():
        assert expected <= made[place], place
        may_be_empty = {()} if place.endswith("_report") else set()
        assert made[place] <= expected | may_be_empty, place
