from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.energy import FIGURES, EnergyRun
from wa_bench.records.ml_energy import read

MODEL = {"weight_precision": "bfloat16", "total_params_billions": 30.0, "activated_params_billions": 3.0}
LANGUAGE: dict[str, Any] = {
    **MODEL,
    "model_id": "Acme/Talk3-30B-A3B",
    "architecture": "MoE",
    "gpu_model": "H100",
    "num_gpus": 2,
    "tensor_parallel": 1,
    "expert_parallel": 2,
    "data_parallel": 0,
    "max_num_seqs": 8,
    "max_num_batched_tokens": None,
    "avg_batch_size": 7.5,
    "avg_output_len": 100.0,
    "avg_power_watts": 500.0,
    "energy_per_token_joules": 2.0,
    "energy_per_request_joules": 200.0,
    "output_throughput_tokens_per_sec": 250.0,
    "median_itl_ms": 20.0,
    "p90_itl_ms": 25.0,
    "p95_itl_ms": 30.0,
    "p99_itl_ms": 40.0,
}
DIFFUSION: dict[str, Any] = {
    **MODEL,
    "model_id": "Acme/Paint-30B",
    "gpu_model": "B200",
    "num_gpus": 4,
    "ulysses_degree": 2,
    "ring_degree": 2,
    "batch_size": 2,
    "batch_latency_s": 1.0,
    "avg_power_watts": 1000.0,
    "energy_per_image_joules": 500.0,
    "throughput_images_per_sec": 2.0,
    "image_height": 1024,
    "image_width": 512,
    "inference_steps": 20,
}


def loaded(folder: Path, **documents: Any) -> pl.DataFrame:
    files = {}
    for name, document in documents.items():
        path = folder / f"{name}.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        files[f"public/data/tasks/{name}.json"] = path
    return read(files)


def task(name: str, *configurations: Any, **more: Any) -> dict[str, Any]:
    return {"task": name, "task_display_name": name.title(), "configurations": list(configurations), **more}


def test_a_language_configuration_is_a_row_of_joules_per_token(tmp_path: Path) -> None:
    (run,) = loaded(tmp_path, gpqa=task("gpqa", LANGUAGE)).iter_rows(named=True)
    assert run["sample_id"] == "ml-energy-v3/gpqa/Acme/Talk3-30B-A3B/2xh100/bf16-tp1-ep2-dp1-batch8/run0"
    assert (run["group"], run["work_unit"], run["framework"]) == ("text-generation", "token", "vllm")
    assert (run["energy_per_unit_j"], run["energy_per_request_j"], run["tokens_per_request"]) == (2.0, 200.0, 100.0)
    assert (run["gpu_energy_j"], run["units"], run["duration_s"]) == (None, None, None)
    assert (run["measured_parts"], run["devices"], run["devices_idle"]) == ("gpu", 2, 0)
    assert (run["params"], run["active_params"], run["architecture"]) == (30_000_000_000, 3_000_000_000, "MoE")
    assert (run["batch_size"], run["mean_batch_size"]) == (8, 7.5)
    assert (run["itl_p50_s"], run["itl_p90_s"], run["itl_p95_s"], run["itl_p99_s"]) == (0.02, 0.025, 0.03, 0.04)
    assert (run["tensor_parallel"], run["expert_parallel"], run["data_parallel"]) == (1, 2, 1)


def test_a_diffusion_configuration_is_a_row_of_joules_per_image(tmp_path: Path) -> None:
    (run,) = loaded(tmp_path, t=task("text-to-image", DIFFUSION, architecture="diffusion")).iter_rows(named=True)
    assert run["sample_id"].endswith("/4xb200/bf16-ulysses2-ring2-batch2-width512-height1024-steps20/run0")
    assert (run["group"], run["work_unit"], run["framework"]) == ("text-to-image", "image", "xdit")
    assert (run["energy_per_unit_j"], run["throughput_per_s"], run["batch_latency_s"]) == (500.0, 2.0, 1.0)
    assert (run["width"], run["height"], run["steps"], run["split"]) == (512, 1024, 20, "device")


def test_a_model_s_own_file_reads_as_its_task_s(tmp_path: Path) -> None:
    nested = {name: value for name, value in LANGUAGE.items() if name not in MODEL and "parallel" not in name}
    del nested["model_id"], nested["architecture"]
    nested["parallelization"] = {"tensor_parallel": 1, "expert_parallel": 2, "data_parallel": 1, "notes": ""}
    own = {**MODEL, "model_id": "Acme/Talk3-30B-A3B", "architecture": "MoE", "output_length_distribution": {"bins": []}}
    assert loaded(tmp_path, gpqa=task("gpqa", nested, **own)).equals(loaded(tmp_path, gpqa=task("gpqa", LANGUAGE)))


def test_a_configuration_that_occurs_twice_is_run_twice(tmp_path: Path) -> None:
    runs = loaded(tmp_path, gpqa=task("gpqa", LANGUAGE, {**LANGUAGE, "energy_per_token_joules": 3.0}))
    assert runs.select("repeat", "energy_per_unit_j").rows() == [(0, 2.0), (1, 3.0)]


def test_a_task_that_is_not_known_is_told_by_its_unit_of_work(tmp_path: Path) -> None:
    video = {**DIFFUSION, "energy_per_video_joules": 9.0, "throughput_videos_per_sec": 1.0}
    del video["energy_per_image_joules"]
    runs = loaded(tmp_path, a=task("riddles", LANGUAGE), b=task("audio-chat", LANGUAGE), c=task("cartoons", video))
    assert runs.select("group", "modality").rows() == [
        ("audio-text-to-text", "audio and text to text"),
        ("text-to-video", "text to video"),
        ("text-generation", "text to text"),
    ]


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    without = {name: value for name, value in LANGUAGE.items() if name != "gpu_model"}
    configurations = [
        without,
        {**LANGUAGE, "energy_per_token_joules": -1.0},
        {**LANGUAGE, "num_gpus": "two"},
        {**LANGUAGE, "energy_per_token_joules": None},
        {**LANGUAGE, "energy_per_image_joules": 1.0},
        {**LANGUAGE, "output_throughput_tokens_per_sec": None},
        7,
    ]
    with pytest.raises(RecordError) as caught:
        loaded(tmp_path, a=task("gpqa", *configurations), b=b"{", c={"task": "gpqa"}, d=[1])
    at = "public/data/tasks/a.json, configuration"
    energies = "one of the fields energy_per_token_joules, energy_per_image_joules, energy_per_video_joules"
    found = [(fault.place, fault.expected, fault.found) for fault in caught.value.faults]
    assert found[:7] == [
        (f"{at} 0", "the field gpu_model", "none"),
        (f"{at} 1, field energy_per_token_joules", "number > 0.0", "-1.0"),
        (f"{at} 2, field num_gpus", "int", "str"),
        (f"{at} 3", energies, "none"),
        (f"{at} 4", energies, "token and image"),
        (f"{at} 5", "the field output_throughput_tokens_per_sec", "none"),
        (f"{at} 6", "a JSON object", "int"),
    ]
    assert [place for place, _, _ in found[7:]] == [f"public/data/tasks/{name}.json" for name in "bcd"]


def test_files_without_configurations_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"tasks/gpqa\.json: expected configurations, found none"):
        loaded(tmp_path, gpqa=task("gpqa"))


@pytest.fixture(scope="module")
def folder(mirror: Path) -> Path:
    return mirror / "ml-energy-v3"


@pytest.fixture(scope="module")
def real(folder: Path) -> pl.DataFrame:
    return read({file.name: folder / file.name for file in entry("ml-energy-v3").files})


def test_the_real_tables_give_1858_configurations(real: pl.DataFrame) -> None:
    units = real.group_by("task", "work_unit").len().sort("task")
    assert units.rows() == [
        ("gpqa", "token", 187),
        ("image-chat", "token", 173),
        ("lm-arena-chat", "token", 328),
        ("sourcegraph-fim", "token", 50),
        ("text-to-image", "image", 638),
        ("text-to-video", "video", 382),
        ("video-chat", "token", 100),
    ]
    counts = real.group_by("split", "device").agg(pl.len(), pl.col("family").n_unique()).sort("split")
    assert counts.rows() == [
        ("device", "b200", 970, 28),
        ("test", "h100", 176, 4),
        ("train", "h100", 647, 22),
        ("val", "h100", 65, 2),
    ]
    assert real.filter(pl.col("repeat") > 0).height == 3


def test_the_real_files_of_models_tell_the_same(folder: Path, real: pl.DataFrame) -> None:
    models = {path.name: path for path in sorted((folder / "public" / "data" / "models").iterdir())}
    assert read(models).drop("file", "row").equals(real.drop("file", "row"))


@pytest.mark.parametrize("file", ["text-to-video", "video-chat"])
def test_splits_do_not_depend_on_what_else_is_read(folder: Path, real: pl.DataFrame, file: str) -> None:
    name = f"public/data/tasks/{file}.json"
    assert read({name: folder / name}).equals(real.filter(file=name))


def test_energies_agree_with_power_throughput_and_lengths(real: pl.DataFrame) -> None:
    per_request = pl.col("energy_per_unit_j") * pl.col("tokens_per_request") / pl.col("energy_per_request_j")
    power = pl.col("energy_per_unit_j") * pl.col("throughput_per_s") / pl.col("mean_power_w")
    latency = pl.col("batch_size") / pl.col("throughput_per_s") / pl.col("batch_latency_s")
    off = real.select(
        (ratio - 1).abs().max().alias(name) for name, ratio in zip("rpl", (per_request, power, latency), strict=True)
    )
    assert off.max_horizontal().item() < 1e-9


# Task, index in its file, model, devices, batch size, J a unit, W, units a second.
HAND_CHECKED = [
    ("gpqa", 0, "Qwen/Qwen3-14B", "1 b200", 8, 1.36626343, 319.788310, 234.060505),
    ("gpqa", 186, "openai/gpt-oss-20b", "1 h100", 2048, 0.0449438684, 607.128819, 13508.6017),
    ("image-chat", 100, "Qwen/Qwen3-VL-32B-Instruct", "1 b200", 128, 0.303973666, 494.067455, 1625.36269),
    ("lm-arena-chat", 0, "Qwen/Qwen3-14B", "1 b200", 8, 0.699309187, 759.946792, 1086.71072),
    ("lm-arena-chat", 200, "meta-llama/Llama-3.1-405B-Instruct-FP8", "4 b200", 256, 1.35449446, 3898.31736, 2878.06077),
    ("sourcegraph-fim", 30, "Qwen/Qwen3-Coder-480B-A35B-Instruct", "8 b200", 512, 1.70324536, 6539.00452, 3839.14418),
    (
        "text-to-image",
        0,
        "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers",
        "1 b200",
        1,
        341.982375,
        530.543441,
        1.55137656,
    ),
    ("text-to-image", 500, "stabilityai/stable-diffusion-3.5-large", "1 h100", 2, 4305.89737, 683.916684, 0.158832556),
    ("text-to-video", 381, "zai-org/CogVideoX1.5-5B", "8 h100", 16, 399174.538, 3921.97048, 0.00982520203),
    ("video-chat", 50, "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", "4 b200", 256, 0.904021679, 2541.79980, 2811.65802),
]


@pytest.mark.parametrize(("name", "index", "model", "devices", "batch", "energy", "power", "rate"), HAND_CHECKED)
def test_hand_checked_rows(
    real: pl.DataFrame,
    name: str,
    index: int,
    model: str,
    devices: str,
    batch: int,
    energy: float,
    power: float,
    rate: float,
) -> None:
    (row,) = real.filter(file=f"public/data/tasks/{name}.json", row=index).iter_rows(named=True)
    assert (row["model"], f"{row['devices']} {row['device']}", row["batch_size"]) == (model, devices, batch)
    figures = (row["energy_per_unit_j"], row["mean_power_w"], row["throughput_per_s"])
    assert figures == pytest.approx((energy, power, rate), rel=1e-8)


def test_every_figure_has_a_provenance_and_every_row_is_a_record(real: pl.DataFrame) -> None:
    told = {name for name in FIGURES if real.get_column(name).count()}
    assert told == set(entry("ml-energy-v3").provenance)
    assert real.to_arrow().schema.names == arrow_schema(EnergyRun).names
    assert to_frame(to_records(real, EnergyRun), EnergyRun).equals(real)
