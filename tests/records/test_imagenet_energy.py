from __future__ import annotations

import copy
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records import imagenet_energy
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.energy import FIGURES, EnergyRun
from wa_bench.records.imagenet_energy import read

GPU = {
    "total_power_draw": 1000.0,
    "total_duration": 10.0,
    "temperature": {"min": 30, "max": 50, "mean": 40.0, "std": 1.0},
    "util.gpu": {"min": 0, "max": 90, "mean": 60.0, "std": 1.0},
}
RAPL = {
    "total_power_draw": 400.0,
    "total_duration": 10.0,
    "package-0": {"min": 1, "max": 90, "mean": 40.0, "std": 1.0},
    "package-0.dram": {"min": 1, "max": 9, "mean": 6.0, "std": 1.0},
}
RECORD: dict[str, Any] = {
    "directory_name": "infer_2022_03_03_17_16_59",
    "config": {
        "infer_model": "Net50",
        "backend": "pytorch",
        "n_batches": -1,
        "batch_size": 32,
        "model": "Net50",
        "timestamp": "2022_03_03_17_16_59",
    },
    "execution_platform": {
        "System": "Linux",
        "Node Name": "box",
        "Release": "5.4",
        "Processor": "Intel(R) Xeon(R) W-2155 CPU @ 3.30GHz",
        "GPU": {"0": {"Name": "Quadro RTX 5000", "Memory": 1.0}},
    },
    "validation": {
        "monitoring_pynvml": {"0": GPU, "total": {"total_power_draw": 1000.0}},
        "monitoring_pyrapl": {"0": RAPL, "total": {"total_power_draw": 400.0}},
        "results": {
            "metrics": {"loss": 1.0, "accuracy": 35728 / 49984, "top_5_accuracy": 45000 / 49984},
            "model": {"params": 1000, "fsize": 4000, "flops": 500000.0},
        },
        "duration": 10.0,
    },
}


@pytest.fixture
def record() -> dict[str, Any]:
    return copy.deepcopy(RECORD)


def loaded(folder: Path, *records: Any) -> pl.DataFrame:
    path = folder / "imagenet.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for index, record in enumerate(records):
            data = record if isinstance(record, bytes) else json.dumps(record).encode()
            member = tarfile.TarInfo(f"imagenet-energy-efficiency-0/results/infer_{index}.json")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        tar.addfile(tarfile.TarInfo("imagenet-energy-efficiency-0/results/train_0.json"))
    return read({path.name: path})


def test_all_measured_parts_add_up_over_the_images_that_were_classified(tmp_path: Path, record: dict[str, Any]) -> None:
    (run,) = loaded(tmp_path, record).iter_rows(named=True)
    assert run["sample_id"] == "imagenet-energy-efficiency/infer_2022_03_03_17_16_59"
    assert run["measured_at"] == "2022-03-03T17:16:59"
    assert (run["device"], run["device_kind"], run["devices"], run["split"]) == ("quadro_rtx_5000", "gpu", 1, "device")
    assert (run["gpu_energy_j"], run["cpu_energy_j"], run["dram_energy_j"]) == (1000.0, 400.0, 60.0)
    assert (run["measured_parts"], run["units"]) == ("gpu+cpu+dram", 49984)
    assert run["energy_per_unit_j"] == pytest.approx(1460 / 49984)
    assert (run["mean_power_w"], run["macs"]) == (146.0, 500000)
    assert run["top1"] == pytest.approx(100 * 35728 / 49984)
    assert (run["gpu_temperature_mean_c"], run["gpu_temperature_max_c"], run["gpu_utilization"]) == (40.0, 50.0, 60.0)


def test_gpus_share_the_images_and_one_that_is_never_busy_is_idle(tmp_path: Path, record: dict[str, Any]) -> None:
    idle = {**GPU, "util.gpu": {"min": 0, "max": 0, "mean": 0.0, "std": 0.0}}
    record["validation"]["monitoring_pynvml"] = {"0": GPU, "1": idle, "total": {}}
    record["validation"]["monitoring_pyrapl"] = None
    record["execution_platform"]["GPU"]["1"] = {"Name": "Quadro RTX 5000"}
    (run,) = loaded(tmp_path, record).iter_rows(named=True)
    assert (run["devices"], run["devices_idle"], run["batch_size"], run["units"]) == (2, 1, 64, 49984)
    assert (run["gpu_energy_j"], run["measured_parts"]) == (2000.0, "gpu")


@pytest.mark.parametrize("rapl", [{**RAPL, "total_power_draw": -1}, None])
def test_what_was_not_measured_is_null(tmp_path: Path, record: dict[str, Any], rapl: dict[str, Any] | None) -> None:
    record["validation"]["monitoring_pyrapl"] = None if rapl is None else {"0": rapl}
    (run,) = loaded(tmp_path, record).iter_rows(named=True)
    assert (run["cpu_energy_j"], run["dram_energy_j"], run["measured_parts"]) == (None, None, "gpu")


def test_without_gpu_the_processor_does_the_work(tmp_path: Path, record: dict[str, Any]) -> None:
    record["validation"]["monitoring_pynvml"] = None
    record["execution_platform"]["GPU"] = {}
    (run,) = loaded(tmp_path, record).iter_rows(named=True)
    assert (run["device"], run["device_kind"], run["measured_parts"]) == ("intel_xeon_w_2155", "cpu", "cpu+dram")
    assert (run["gpu_energy_j"], run["gpu_utilization"], run["devices"]) == (None, None, 1)


def test_counts_that_are_no_multiply_adds_are_left_out(tmp_path: Path, record: dict[str, Any]) -> None:
    record["validation"]["results"]["model"]["flops"] = 998
    assert loaded(tmp_path, record).get_column("macs").to_list() == [None]


def test_older_records_name_their_monitors_otherwise_and_were_over_all_images(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    validation = record["validation"]
    validation["monitoring_gpu"] = validation.pop("monitoring_pynvml")
    validation["monitoring_rapl"] = validation.pop("monitoring_pyrapl")
    validation["results"]["metrics"] = {"accuracy": 0.7149, "top_5_accuracy": 0.90456}
    del validation["results"]["model"]["flops"]
    (run,) = loaded(tmp_path, record).iter_rows(named=True)
    assert (run["units"], run["measured_parts"], run["macs"]) == (50_000, "gpu+cpu+dram", None)


@given(hits=st.tuples(st.integers(0, 49_920), st.integers(0, 49_920)), batches=st.integers(1, 100))
def test_images_are_counted_as_accuracies_tell(hits: tuple[int, int], batches: int) -> None:
    count = imagenet_energy._images
    metrics = imagenet_energy._Metrics(hits[0] / 49_920, hits[1] / 49_920)
    assert count(metrics, -1, 256) == 49_920 or {hit % 624 for hit in hits} <= {0, 1, 623}
    assert count(metrics, batches, 256) == 256 * batches
    assert count(imagenet_energy._Metrics(hits[0] / 50_000, hits[1] / 50_000), -1, 256) == 50_000


def test_all_faults_are_named_at_once(tmp_path: Path, record: dict[str, Any]) -> None:
    wrong, unmeasured, nameless = copy.deepcopy(record), copy.deepcopy(record), copy.deepcopy(record)
    wrong["config"]["batch_size"] = "many"
    del record["validation"]["results"]["metrics"]["accuracy"]
    unmeasured["validation"] |= {"monitoring_pynvml": None, "monitoring_pyrapl": None}
    nameless["execution_platform"]["GPU"] = {}
    power = copy.deepcopy(RECORD)
    power["validation"]["monitoring_pynvml"]["0"]["total_power_draw"] = -1
    with pytest.raises(RecordError) as caught:
        loaded(tmp_path, record, wrong, unmeasured, nameless, power, b"{'no': json}", [1])
    found = [(fault.place, fault.expected, fault.found) for fault in caught.value.faults]
    assert found[:6] == [
        ("results/infer_0.json, field validation.results.metrics", "the field accuracy", "none"),
        ("results/infer_1.json, field config.batch_size", "int", "str"),
        ("results/infer_2.json, field validation", "energy by NVML or RAPL", "neither"),
        ("results/infer_3.json, field execution_platform.GPU", "the GPUs that were measured", "1 measured and 0 named"),
        ("results/infer_4.json, GPU 0, field total_power_draw", "number > 0.0", "-1"),
        ("results/infer_5.json", "a JSON object", found[5][2]),
    ]
    assert found[6] == ("results/infer_6.json", "object", "array")


def test_one_run_twice_is_a_fault(tmp_path: Path, record: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="expected each run once, found imagenet-energy-efficiency/infer_2022"):
        loaded(tmp_path, record, record)


def test_an_archive_of_training_alone_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="expected records of inference, found none"):
        loaded(tmp_path)


@pytest.fixture(scope="module")
def real(mirror: Path) -> pl.DataFrame:
    (known,) = entry("imagenet-energy-efficiency").files
    return read({known.name: mirror / "imagenet-energy-efficiency" / known.name})


def test_the_real_archive_gives_176_runs_on_three_platforms(real: pl.DataFrame) -> None:
    platforms = real.group_by("device", "devices", "devices_idle", "batch_size", "units", "measured_parts").len()
    assert sorted(platforms.rows()) == [
        ("a100_sxm4_40gb", 8, 0, 256, 49920, "gpu", 48),
        ("intel_xeon_w_2155", 1, 0, 32, 49984, "cpu+dram", 80),
        ("quadro_rtx_5000", 1, 0, 32, 49984, "gpu+cpu+dram", 48),
    ]
    assert real.get_column("repeat").unique().to_list() == [0]
    counts = real.group_by("split").agg(pl.len(), pl.col("family").n_unique()).sort("split")
    assert counts.rows() == [("device", 48, 31), ("test", 10, 3), ("train", 100, 23), ("val", 18, 5)]


def test_accuracies_are_whole_numbers_of_the_counted_images(real: pl.DataFrame) -> None:
    told = real.filter(pl.col("framework") != "onnx_tensorflow")
    hits = told.select(pl.col("top1", "top5") / 100 * pl.col("units"))
    assert hits.select((pl.all() - pl.all().round()).abs().max()).max_horizontal().item() < 0.003


def test_multiply_adds_are_known_of_what_counts_them(real: pl.DataFrame) -> None:
    unknown = (
        real.filter(pl.col("macs").is_null())
        .group_by("framework")
        .agg(pl.col("model").unique().sort())
        .sort("framework")
    )
    assert unknown.get_column("framework").to_list() == ["onnx_pytorch", "onnx_tensorflow", "tensorflow"]
    assert unknown.get_column("model").to_list()[2] == ["MobileNetV3Large", "MobileNetV3Small"]


# Run, model, backend, duration in s, GPU energies in Ws summed, RAPL package in Ws, RAPL memory in W times s.
HAND_CHECKED = [
    ("03_17_16_59", "VGG16", "tensorflow", 58.51584601, 37442.035106, None, None),
    ("03_18_26_49", "MobileNetV3Large", "pytorch", 55.38564348, 5809.113778, 5826.388893, 8.638102943 * 55.668888807),
    (
        "03_21_33_47",
        "EfficientNetB4",
        "tensorflow",
        365.21421051,
        68563.103439,
        10631.809452,
        5.754974540 * 365.435284138,
    ),
    ("03_17_43_52", "VGG19", "pytorch", 149.76576376, 33028.483835, 10352.146350, 7.072490052 * 150.020730734),
    ("05_09_01_13", "ResNet101", "onnx_pytorch", 755.06545329, None, 105490.500878, 8.630153721 * 755.188220978),
    (
        "06_04_59_07",
        "EfficientNetB7",
        "tensorflow",
        36824.96633577,
        None,
        4437094.377149,
        9.145312454 * 36826.165590048,
    ),
    ("06_21_22_18", "MobileNetV3Large", "pytorch", 299.83672404, None, 31825.307077, 10.566785120 * 300.037091017),
    ("07_18_05_31", "InceptionV3", "pytorch", 1377.94042659, None, 176164.808600, 8.997071889 * 1378.006108046),
    ("07_20_09_32", "RegNetX400MF", "pytorch", 229.72539902, None, 26382.181485, 9.519828463 * 229.699028969),
    # Eight GPUs: 6358.68 + 5795.80 + 5426.06 + 5479.90 + 5672.09 + 5681.76 + 5789.91 + 5707.60
    ("01_15_01_05", "VGG16", "pytorch", 79.01226473, 45911.814354, None, None),
]


@pytest.mark.parametrize(("run", "model", "backend", "duration", "gpu", "cpu", "dram"), HAND_CHECKED)
def test_hand_checked_rows(
    real: pl.DataFrame, run: str, model: str, backend: str, duration: float, gpu: float, cpu: float, dram: float
) -> None:
    (row,) = real.filter(pl.col("sample_id").str.ends_with(f"_{run}")).iter_rows(named=True)
    assert (row["model"], row["framework"]) == (model, backend)
    assert row["duration_s"] == pytest.approx(duration, rel=1e-9)
    for part, energy in (("gpu", gpu), ("cpu", cpu), ("dram", dram)):
        assert row[f"{part}_energy_j"] == (None if energy is None else pytest.approx(energy, rel=1e-8))
    images = 49_920 if row["devices"] == 8 else 49_984
    assert row["energy_per_unit_j"] == pytest.approx(sum(filter(None, (gpu, cpu, dram))) / images, rel=1e-8)


def test_every_figure_has_a_provenance_and_every_row_is_a_record(real: pl.DataFrame) -> None:
    told = {name for name in FIGURES if real.get_column(name).count()}
    assert told == set(entry("imagenet-energy-efficiency").provenance)
    assert real.to_arrow().schema.names == arrow_schema(EnergyRun).names
    assert to_frame(to_records(real, EnergyRun), EnergyRun).equals(real)
