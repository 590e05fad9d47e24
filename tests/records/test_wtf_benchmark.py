from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.vit import FIGURES, VitRun
from wa_bench.records.wtf_benchmark import read

RUN: dict[str, Any] = {
    "model": "ViT-S/16",
    "device": "NVIDIA A100-SXM4-80GB",
    "run_date": "02.03.2023 12:17:34",
    "imsize": 224,
    "eval_amp": False,
    "local_batch_size": 512,
    "world_size": 4,
    "number of parameters": 22_000_000,
    "macs": 4_600_000_000,
    "flops": 4_700_000_000,
    "throughput_value": 2000.0,
    "throughput_batch_size": 1000,
    "inference_memory_@1": 100,
    "inference_memory_@32": 200,
    "inference_memory_@64": 300,
    "inference_memory_@128": 400,
    "peak_memory_single": 500,
    "peak_memory_total": 2000,
    "final_time_sum": 3600.5,
    "top_val_acc1": 0.75,
    "top_val_acc5": 0.9375,
    "epoch_data": {"1": {"loss": 7.0}},
}


def read_runs(folder: Path, runs: object) -> pl.DataFrame:
    file = folder / "data.json"
    file.write_text(json.dumps(runs))
    return read({file.name: file})


@pytest.fixture(scope="module")
def runs(mirror: Path) -> pl.DataFrame:
    """All real runs."""
    return read({"data.json": mirror / "wtf-benchmark" / "data.json"})


def test_an_object_becomes_a_run_in_our_units(tmp_path: Path) -> None:
    (run,) = to_records(read_runs(tmp_path, [RUN]), VitRun)
    assert run == VitRun(
        sample_id="wtf-benchmark/2023-03-02T12:17:34/ViT-S/16/224",
        split="train",
        family="vit",
        group="isotropic",
        family_split="train",
        network="ViT-S/16",
        source="wtf-benchmark",
        file="data.json",
        row=0,
        model="ViT-S/16",
        architecture="ViT-S/16",
        device="a100_sxm4_80gb",
        device_kind="gpu",
        phase="infer",
        precision="fp32",
        image_size=224,
        batch_size=1000,
        train_batch_size=512,
        train_devices=4,
        macs_convention="torchprofile",
        params=22_000_000,
        macs=4_600_000_000,
        operations=4_700_000_000,
        throughput=2000.0,
        step_time_ms=500.0,
        memory_b1_bytes=100,
        memory_b32_bytes=200,
        memory_b64_bytes=300,
        memory_b128_bytes=400,
        train_memory_bytes=500,
        train_time_s=3600.5,
        top1=75.0,
        top5=93.75,
    )


def test_a_failed_throughput_is_null_with_its_batch_size(tmp_path: Path) -> None:
    (run,) = to_records(read_runs(tmp_path, [RUN | {"throughput_value": -1, "throughput_batch_size": -1}]), VitRun)
    assert (run.throughput, run.step_time_ms, run.batch_size) == (None, None, None)
    assert run.memory_b1_bytes == 100


def test_missing_figures_are_null(tmp_path: Path) -> None:
    (run,) = to_records(
        read_runs(tmp_path, [{name: RUN[name] for name in ("model", "device", "run_date", "imsize")}]), VitRun
    )
    assert [getattr(run, name) for name in FIGURES] == [None] * len(FIGURES)
    assert (run.precision, run.macs_convention, run.batch_size) == (None, None, None)


def test_every_fault_is_named_with_record_and_field(tmp_path: Path) -> None:
    bad = [RUN | {"macs": "many"}, RUN | {"top_val_acc1": 75.0}, RUN | {"run_date": "yesterday"}, {"model": "ViT-S/16"}]
    with pytest.raises(RecordError) as caught:
        read_runs(tmp_path, [*bad, RUN, RUN])
    *misfits, again = [(fault.place, fault.expected, fault.found) for fault in caught.value.faults]
    assert [re.sub(r"byte [\d,]+", "byte", place) for place, _, _ in misfits] == [
        "data.json, record 0, byte field macs",
        "data.json, record 1, byte field top_val_acc1",
        "data.json, record 2, byte field run_date",
        "data.json, record 3, byte",
    ]
    assert [found for _, _, found in misfits][:2] == ["str 'many'", "float 75.0"]
    assert again == ("data.json", "each run once", "wtf-benchmark/2023-03-02T12:17:34/ViT-S/16/224 more than once")


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"old\.json: expected the name data\.json"):
        read({"old.json": tmp_path / "old.json"})


def test_nothing_gives_an_empty_table(tmp_path: Path) -> None:
    assert to_frame([], VitRun).equals(read_runs(tmp_path, []))


@pytest.mark.parametrize(
    ("date", "model", "size", "params", "macs", "throughput", "batch", "mebibytes", "top1"),
    [
        ("2023-03-16T07:40:28", "ViT-B/16", 224, 86_585_320, 17.576830224, 1614.0441789461097, 2048, 1955, 84.80),
        ("2023-02-15T21:37:44", "ViT-S/16", 224, 22_059_496, 4.60704756, 3582.3861977708857, 2048, 1264, 82.54),
        ("2023-03-16T14:27:04", "ViT-Ti/16", 224, 5_721_832, 1.2569337, 8312.300653990955, 8192, 405, 74.27),
        ("2023-04-28T19:45:04", "ViT-Ti/16", 384, 5_794_792, 4.69963338, 1903.2945462622256, 1024, 553, 77.62),
        (
            "2023-04-12T07:57:39",
            "tome_vit_small_r8_patch16",
            224,
            22_059_496,
            3.426446024,
            4214.665147425511,
            2048,
            730,
            82.11,
        ),
        (
            "2023-03-28T08:06:36",
            "dynamic_vit_small_patch16",
            224,
            22_774_414,
            4.04473741,
            4238.7315501727,
            2340,
            740,
            81.09,
        ),
        (
            "2023-03-02T12:17:34",
            "swin_tiny_patch4_window7",
            224,
            28_288_354,
            4.497980931,
            1921.7282365999597,
            1024,
            1304,
            82.91,
        ),
        ("2023-03-11T10:00:16", "resnet50", 224, 25_557_032, 4.100300288, 3135.037017002508, 1360, 921, 77.90),
        (
            "2023-04-12T18:37:05",
            "efficientformerv2_s0",
            382,
            3_429_336,
            1.295956208,
            726.0231056897006,
            1024,
            636,
            74.43,
        ),
        ("2023-04-29T06:29:20", "routing_vit_small_patch16", 384, 22_186_984, 12.433971072, None, None, 533, 72.30),
    ],
)
def test_ten_runs_checked_by_hand(
    runs: pl.DataFrame,
    date: str,
    model: str,
    size: int,
    params: int,
    macs: float,
    throughput: float | None,
    batch: int | None,
    mebibytes: int,
    top1: float,
) -> None:
    run = runs.row(by_predicate=pl.col("sample_id") == f"wtf-benchmark/{date}/{model}/{size}", named=True)
    assert (run["params"], run["macs"]) == (params, round(macs * 1e9))
    assert (run["throughput"], run["batch_size"]) == (throughput, batch)
    assert run["memory_b1_bytes"] >> 20 == mebibytes
    assert run["top1"] == pytest.approx(top1, abs=0.006)


def test_real_runs_are_all_there(runs: pl.DataFrame) -> None:
    assert (runs.height, runs["architecture"].n_unique(), runs["sample_id"].n_unique()) == (90, 35, 90)
    assert runs.columns == arrow_schema(VitRun).names
    assert runs["throughput"].null_count() == runs["step_time_ms"].null_count() == 2
    assert set(runs["device"]) == {"a100_sxm4_40gb", "a100_sxm4_80gb"}
    assert runs["top1"].is_between(70, 86).all()


def test_no_family_or_network_is_on_both_sides(runs: pl.DataFrame) -> None:
    for column in ("family", "network", "architecture"):
        assert runs.group_by(column).agg(pl.col("split").n_unique())["split"].max() == 1
    assert dict(runs.group_by("split").len().iter_rows()) == {"train": 59, "val": 5, "test": 26}


def test_every_figure_says_how_it_came_about(runs: pl.DataFrame) -> None:
    given_figures = [name for name in FIGURES if runs[name].null_count() < runs.height]
    assert sorted(entry("wtf-benchmark").provenance) == sorted(given_figures)
    assert set(entry("wtf-benchmark").provenance.values()) <= {"measured", "estimated", "computed", "reported"}
