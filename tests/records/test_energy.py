from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.data.catalogue import entry
from wa_bench.records import co2_inference, imagenet_energy, ml_energy
from wa_bench.records.columns import arrow_schema, columns
from wa_bench.records.energy import SEEN_DEVICES, EnergyRun, complete, network_name, with_rates
from wa_bench.tracks.energy import TRACK

RUN: dict[str, Any] = {
    "source": "s",
    "file": "f",
    "row": 0,
    "group": "text-generation",
    "device": "h100",
    "task": "t",
    "input_set": "i",
    "energy_per_unit_j": 1.0,
}
READERS = {
    "co2-inference": co2_inference.read,
    "imagenet-energy-efficiency": imagenet_energy.read,
    "ml-energy-v3": ml_energy.read,
}


def completed(*runs: dict[str, Any]) -> pl.DataFrame:
    rows = [{**RUN, "sample_id": f"{index:02}", "params": None, **run} for index, run in enumerate(runs)]
    return complete(pl.DataFrame(rows, infer_schema_length=None))


@pytest.mark.parametrize(
    ("model", "params", "network"),
    [
        ("microsoft/resnet-50", 23508032, "resnet50"),
        ("ResNet50", 25557032, "resnet50"),
        ("google/vit-base-patch16-224", None, "vit-base-patch16-224"),
        ("acme/Net_Small-FP8", None, "net-small"),
        ("acme/net-small-bf16", None, "net-small"),
        ("acme/net-small-int8-v2", None, "net-small-v2"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", 30_000_000_000, "qwen-30b"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", 235_000_000_000, "qwen-235b"),
        ("Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers", 1_600_000_000, "sana-1.6b"),
        ("123", 10_000_000, "-0.01b"),
    ],
)
def test_a_network_has_one_name_whoever_publishes_it_in_whatever_format(
    model: str, params: int | None, network: str
) -> None:
    assert network_name(model, params) == network


def test_models_of_one_network_are_held_out_together() -> None:
    runs = completed(
        {"model": "a/base", "params": 123456789},
        {"model": "b/tuned", "params": 123456789},
        {"model": "c/base", "params": 5},
        {"model": "talk-7b", "params": 7_000_000_000},
        {"model": "talk2-7b-fp8", "params": 7_000_000_000},
        {"model": "other-7b", "params": 7_000_000_000},
        {"model": "unknown"},
        {"model": "unknown-too"},
    )
    assert runs.get_column("family").to_list() == [
        *["base"] * 3,
        *["talk-7b"] * 2,
        "other-7b",
        "unknown",
        "unknown-too",
    ]


def test_devices_that_are_not_known_are_held_out_and_keep_the_family_s_split() -> None:
    runs = completed(*({"model": "net", "device": device} for device in (*sorted(SEEN_DEVICES), "b200", "tpu_v9")))
    assert runs.get_column("split").to_list()[-2:] == ["device", "device"]
    assert runs.filter(pl.col("device").is_in(SEEN_DEVICES)).get_column("split").n_unique() == 1
    assert runs.get_column("family_split").n_unique() == 1


@given(st.lists(st.tuples(st.floats(1, 1e9), st.none() | st.floats(1, 1e9), st.floats(1e-3, 1e6)), min_size=1))
def test_energy_power_and_throughput_agree_and_count_measured_parts_alone(
    runs: list[tuple[float, float | None, float]],
) -> None:
    frame = pl.DataFrame(
        runs, {"gpu_energy_j": pl.Float64, "cpu_energy_j": pl.Float64, "duration_s": pl.Float64}, orient="row"
    )
    rated = with_rates(frame.with_columns(units=100, batch_size=4))
    for (gpu, cpu, duration), row in zip(runs, rated.iter_rows(named=True), strict=True):
        assert row["measured_parts"] == ("gpu" if cpu is None else "gpu+cpu")
        assert row["energy_per_unit_j"] == pytest.approx((gpu + (cpu or 0)) / 100)
        assert row["mean_power_w"] == pytest.approx(row["energy_per_unit_j"] * row["throughput_per_s"])
        assert row["batch_latency_s"] == pytest.approx(4 * duration / 100)


def test_every_column_says_what_it_is_and_every_figure_its_unit() -> None:
    described = columns(EnergyRun)
    assert all(column.description for column in described)
    numbers = {column.name for column in described if str(column.type) in ("int64", "double")}
    assert numbers - {"row", "repeat"} == {column.name for column in described if column.unit}


@pytest.fixture(scope="module")
def real(mirror: Path) -> pl.DataFrame:
    return pl.concat(
        read({file.name: mirror / name / file.name for file in entry(name).files}) for name, read in READERS.items()
    )


def test_the_track_s_datasets_hold_6204_runs_with_ids_of_their_own(real: pl.DataFrame) -> None:
    assert tuple(READERS) == TRACK.datasets
    assert real.height == real.get_column("sample_id").n_unique() == 4170 + 176 + 1858
    assert set(real.get_column("source")) == set(READERS)
    assert real.get_column("energy_per_unit_j").is_between(1e-3, 1e7).all()


def test_train_sees_no_held_out_model_and_no_held_out_device(real: pl.DataFrame) -> None:
    seen = real.filter(pl.col("split") != "device")
    for column in ("family", "model"):
        assert seen.group_by(column).agg(pl.col("split").n_unique()).get_column("split").max() == 1
    exact = seen.filter(pl.col("params") % 10_000_000 != 0)
    assert exact.group_by("params").agg(pl.col("split").n_unique()).get_column("split").max() == 1
    assert set(seen.get_column("device")) == SEEN_DEVICES
    assert set(real.filter(split="device").get_column("device")) == {"b200", "quadro_rtx_5000"}


def test_every_kind_of_work_is_learned_and_examined(real: pl.DataFrame) -> None:
    kinds = real.filter(pl.col("split") != "device").group_by("source", "group").agg(pl.col("split").unique())
    assert kinds.height == 16
    for split in ("train", "test"):
        assert kinds.get_column("split").list.contains(split).all()


def test_the_exams_groups_are_those_of_the_real_runs(real: pl.DataFrame) -> None:
    for exam in TRACK.exams:
        groups = set(real.filter(split=exam.split).get_column("group"))
        assert groups == {group.value for group in exam.groups if group.value}


def test_repeats_tell_runs_of_one_configuration_apart(real: pl.DataFrame) -> None:
    told = ["source", "model", "task", "input_set", "device", "framework", "precision", "batch_size", "width", "repeat"]
    parallel = ["devices", "tensor_parallel", "expert_parallel", "data_parallel", "ulysses_degree", "ring_degree"]
    assert not real.select(told + parallel).is_duplicated().any()


def test_an_empty_table_has_the_columns_in_order() -> None:
    assert completed({"model": "net"}).clear().to_arrow().schema.names == arrow_schema(EnergyRun).names
