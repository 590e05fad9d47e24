"""The configurations of the ML.ENERGY benchmark, version 3: energy of language and diffusion models on H100 and B200.

Upstream hands out one JSON object a task, or one a model and task; both are read. Energy is that of the GPUs alone,
by their counters, in steady state; upstream tells it per token put out, image or video, and nothing of totals. Known
traps:

- Energy per request is energy per token times the mean number of tokens of a request; power is energy per token times
  throughput. Both are computed, not measured.
- ``max_num_seqs`` is the largest batch that was allowed; the mean one is told apart.
- Some configurations occur twice, in settings that are not told. They are runs of one configuration here.
- A degree of parallelism that is not used is told as 0 or as 1.
- Parameter counts are rounded, to a tenth of a billion at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.columns import to_frame
from wa_bench.records.energy import complete, convert
from wa_bench.records.vit import device_name

_ENERGIES = {unit: f"energy_per_{unit}_joules" for unit in ("token", "image", "video")}
_THROUGHPUTS = {
    "token": "output_throughput_tokens_per_sec",
    "image": "throughput_images_per_sec",
    "video": "throughput_videos_per_sec",
}
_GROUPS = {
    "audio-chat": "audio-text-to-text",
    "image-chat": "image-text-to-text",
    "image-to-video": "image-to-video",
    "text-to-image": "text-to-image",
    "text-to-video": "text-to-video",
    "video-chat": "video-text-to-text",
}
_GROUPS_BY_UNIT = {"token": "text-generation", "image": "text-to-image", "video": "text-to-video"}
"""Kinds of work by task, of other tasks by the unit of work."""
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_PARALLEL = ("tensor_parallel", "expert_parallel", "data_parallel", "ulysses_degree", "ring_degree")
_SETTINGS = {
    "precision": "",
    "tensor_parallel": "tp",
    "expert_parallel": "ep",
    "data_parallel": "dp",
    "ulysses_degree": "ulysses",
    "ring_degree": "ring",
    "batch_size": "batch",
    "width": "width",
    "height": "height",
    "frames": "frames",
    "frame_rate": "fps",
    "steps": "steps",
}
"""What tells configurations of a model on a device apart, as spelled in a sample's id."""

_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e15)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_Degree = Annotated[int, msgspec.Meta(ge=0, le=10**6)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Configuration(msgspec.Struct):
    """A configuration together with what its file says of all of them."""

    task: _Name
    model_id: _Name
    gpu_model: _Name
    num_gpus: _Count
    weight_precision: _Name
    total_params_billions: _Positive
    activated_params_billions: _Positive
    avg_power_watts: _Positive
    architecture: str | None = None
    tensor_parallel: _Degree | None = None
    expert_parallel: _Degree | None = None
    data_parallel: _Degree | None = None
    ulysses_degree: _Degree | None = None
    ring_degree: _Degree | None = None
    max_num_seqs: _Count | None = None
    batch_size: _Count | None = None
    avg_batch_size: _Positive | None = None
    avg_output_len: _Positive | None = None
    energy_per_token_joules: _Positive | None = None
    energy_per_image_joules: _Positive | None = None
    energy_per_video_joules: _Positive | None = None
    energy_per_request_joules: _Positive | None = None
    output_throughput_tokens_per_sec: _Positive | None = None
    throughput_images_per_sec: _Positive | None = None
    throughput_videos_per_sec: _Positive | None = None
    batch_latency_s: _Positive | None = None
    median_itl_ms: _Positive | None = None
    p90_itl_ms: _Positive | None = None
    p95_itl_ms: _Positive | None = None
    p99_itl_ms: _Positive | None = None
    image_width: _Count | None = None
    image_height: _Count | None = None
    video_width: _Count | None = None
    video_height: _Count | None = None
    num_frames: _Count | None = None
    fps: _Positive | None = None
    inference_steps: _Count | None = None

    def __post_init__(self) -> None:
        """Every configuration tells energy of one unit of work, and throughput of the same."""
        units = [unit for unit in _ENERGIES if getattr(self, _ENERGIES[unit]) is not None]
        if len(units) != 1:
            raise ValueError(
                f"Expected one of the fields {', '.join(_ENERGIES.values())}, got {' and '.join(units) or 'none'}"
            )
        if getattr(self, _THROUGHPUTS[units[0]]) is None:
            raise ValueError(f"Expected the field {_THROUGHPUTS[units[0]]}, got none")


def read(files: Mapping[str, Path]) -> pl.DataFrame:
    """The configurations in upstream's files as columns of ``EnergyRun``.

    Args:
        files: where each file is, by its upstream name.

    Raises:
        RecordError: all faults at once, the first of each configuration: text that is no JSON, missing or wrong
            fields, energy of no unit of work or of several.
    """
    faults: list[Fault] = []
    found: list[tuple[str, int, _Configuration]] = []
    for name, path in sorted(files.items()):
        for index, raw in _configurations(name, path, faults):
            try:
                found.append((name, index, convert(raw, _Configuration, f"{name}, configuration {index}")))
            except RecordError as error:
                faults += error.faults
    if not found and not faults:
        faults.append(Fault(", ".join(sorted(files)), "configurations", "none"))
    if faults:
        raise RecordError(*faults)
    names, rows, configurations = zip(*found, strict=True)
    raw_runs = to_frame(configurations, _Configuration)
    return complete(_runs(raw_runs.with_columns(file=pl.Series(names), row=pl.Series(rows))))


def _configurations(name: str, path: Path, faults: list[Fault]) -> Iterator[tuple[int, Any]]:
    """Each configuration of a file, with the settings that the file holds outside of it."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        faults.append(Fault(name, "a JSON object", f"{type(error).__name__}: {error}"))
        return
    configurations = document.get("configurations") if isinstance(document, dict) else None
    if not isinstance(configurations, list):
        faults.append(Fault(name, "a JSON object with a list of configurations", "none"))
        return
    for index, raw in enumerate(configurations):
        if isinstance(raw, dict):
            parallel = raw.get("parallelization")
            yield index, {**document, **(parallel if isinstance(parallel, dict) else {}), **raw}
        else:
            faults.append(Fault(f"{name}, configuration {index}", "a JSON object", type(raw).__name__))


def _runs(raw: pl.DataFrame) -> pl.DataFrame:
    """Upstream's fields under the names and in the units of ``EnergyRun``."""
    unit = pl.coalesce(pl.when(pl.col(energy).is_not_null()).then(pl.lit(unit)) for unit, energy in _ENERGIES.items())
    group = pl.col("task").replace_strict(_GROUPS, default=None, return_dtype=pl.String)
    diffusion = pl.when(pl.col("inference_steps").is_not_null()).then(pl.lit("diffusion"))
    runs = raw.with_columns(
        pl.col(_PARALLEL).clip(1),
        work_unit=unit,
        group=pl.coalesce(group, unit.replace(_GROUPS_BY_UNIT)),
        energy_per_unit_j=pl.coalesce(_ENERGIES.values()),
        throughput_per_s=pl.coalesce(_THROUGHPUTS.values()),
        source=pl.lit("ml-energy-v3"),
        model="model_id",
        architecture=pl.coalesce(diffusion, "architecture"),
        input_set="task",
        device=pl.col("gpu_model").map_elements(device_name, pl.String),
        device_kind=pl.lit("gpu"),
        devices="num_gpus",
        devices_idle=0,
        measured_parts=pl.lit("gpu"),
        framework=pl.when(unit == "token").then(pl.lit("vllm")).otherwise(pl.lit("xdit")),
        precision=pl.col("weight_precision").replace(_PRECISIONS),
        batch_size=pl.coalesce("batch_size", "max_num_seqs"),
        phase=pl.lit("steady state"),
        width=pl.coalesce("image_width", "video_width"),
        height=pl.coalesce("image_height", "video_height"),
        frames="num_frames",
        frame_rate="fps",
        steps="inference_steps",
        params=(pl.col("total_params_billions") * 1e9).round(),
        active_params=(pl.col("activated_params_billions") * 1e9).round(),
        tokens_per_request="avg_output_len",
        mean_batch_size="avg_batch_size",
        energy_per_request_j="energy_per_request_joules",
        mean_power_w="avg_power_watts",
        itl_p50_s=pl.col("median_itl_ms") / 1e3,
        itl_p90_s=pl.col("p90_itl_ms") / 1e3,
        itl_p95_s=pl.col("p95_itl_ms") / 1e3,
        itl_p99_s=pl.col("p99_itl_ms") / 1e3,
    )
    settings = (pl.format(f"{label}{{}}", name) for name, label in _SETTINGS.items())
    place = pl.format("ml-energy-v3/{}/{}/{}x{}", "task", "model", "devices", "device")
    runs = runs.with_columns(
        configuration=pl.concat_str(place, pl.concat_str(settings, separator="-", ignore_nulls=True), separator="/")
    )
    repeat = pl.int_range(pl.len()).over("configuration")
    return runs.with_columns(repeat=repeat, sample_id=pl.format("{}/run{}", "configuration", repeat))
