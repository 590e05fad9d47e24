"""The measurements of imagenet-energy-efficiency (Fischer et al.): image classifiers over the ImageNet validation set.

The archive holds a JSON record a run. GPUs were sampled through NVML, processor and memory through RAPL, five times a
second. Known traps:

- Records of training, ``train_*.json``, are left out.
- Several GPUs share the images: each adds to the batch, and energy sums all of them. ``batch_size`` of a record is
  that of one GPU.
- The last incomplete batch was dropped: 49,984 of the 50,000 images with batches of 32, 49,920 with 256. Accuracies
  tell it, being whole numbers of images of just these totals; in records before March 2022 they are of 50,000.
- RAPL tells package 0 and its memory, and nothing on the AMD host. What was not measured is told by -1, or not at all.
- "FLOPs" are multiply-adds. Of ONNX models they are parameter counts, and TensorFlow's of MobileNetV3 lack
  most layers: counts below two multiply-adds a parameter are left out.
- Accuracies of ``onnx_tensorflow`` are means of the running accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.archive import members
from wa_bench.records.energy import complete, convert, with_rates
from wa_bench.records.vit import device_name

FOLDER = "results"
"""Folder of the archive that is read."""

_IMAGES = 50_000
_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e15)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=10**15)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Mean(msgspec.Struct):
    mean: float
    max: float


class _Gpu(msgspec.Struct):
    total_power_draw: _Positive
    temperature: _Mean
    utilization: _Mean = msgspec.field(name="util.gpu")


class _Rapl(msgspec.Struct):
    total_power_draw: float
    total_duration: _Positive
    dram: _Mean | None = msgspec.field(name="package-0.dram", default=None)


class _Metrics(msgspec.Struct):
    accuracy: _Share
    top_5_accuracy: _Share


class _Model(msgspec.Struct):
    params: _Count
    fsize: _Count
    flops: Annotated[float, msgspec.Meta(ge=0, le=1e18)] | None = None


class _Results(msgspec.Struct):
    metrics: _Metrics
    model: _Model


class _Validation(msgspec.Struct):
    """Monitors were called by what they read before they were called by what reads it."""

    results: _Results
    duration: _Positive
    monitoring_pynvml: dict[str, Any] | None = None
    monitoring_gpu: dict[str, Any] | None = None
    monitoring_pyrapl: dict[str, Any] | None = None
    monitoring_rapl: dict[str, Any] | None = None


class _Config(msgspec.Struct):
    model: _Name
    backend: _Name
    n_batches: int
    batch_size: _Count
    timestamp: Annotated[str, msgspec.Meta(pattern=r"^\d{4}(_\d\d){5}$")]


class _NamedGpu(msgspec.Struct):
    name: _Name = msgspec.field(name="Name")


class _Platform(msgspec.Struct):
    system: str = msgspec.field(name="System")
    host: str = msgspec.field(name="Node Name")
    release: str = msgspec.field(name="Release")
    cpu: _Name = msgspec.field(name="Processor")
    gpus: dict[str, _NamedGpu] = msgspec.field(name="GPU", default_factory=dict)


class _Record(msgspec.Struct):
    directory_name: _Name
    config: _Config
    execution_platform: _Platform
    validation: _Validation


def read(files: Mapping[str, Path]) -> pl.DataFrame:
    """The inference runs in upstream's archive as columns of ``EnergyRun``.

    Args:
        files: where the archive is, by its upstream name.

    Raises:
        RecordError: all faults at once, the first of each record: text that is no JSON, missing or wrong fields, runs
            without a measured part.
    """
    faults: list[Fault] = []
    rows: list[dict[str, Any]] = []
    for _, path in sorted(files.items()):
        for name, text in members(path, FOLDER).items():
            if not name.endswith(".json") or Path(name).name.startswith("train_"):
                continue
            try:
                rows.append(_row(name, convert(msgspec.json.decode(text), _Record, name)))
            except RecordError as error:
                faults += error.faults
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                faults.append(Fault(name, "a JSON object", f"text that is none ({error})"))
    if not rows and not faults:
        faults.append(Fault(f"{FOLDER}/", "records of inference", "none"))
    if faults:
        raise RecordError(*faults)
    runs = pl.DataFrame(rows, infer_schema_length=None).sort("measured_at", "sample_id")
    same = ("model", "framework", "device", "devices", "units")
    return complete(with_rates(runs.with_columns(repeat=pl.int_range(pl.len()).over(same))))


def _row(file: str, record: _Record) -> dict[str, Any]:
    validation, config, platform = record.validation, record.config, record.execution_platform
    nvml = validation.monitoring_pynvml or validation.monitoring_gpu or {}
    gpus = [convert(gpu, _Gpu, f"{file}, GPU {key}") for key, gpu in nvml.items() if key != "total"]
    rapl = _rapl(file, validation.monitoring_pyrapl or validation.monitoring_rapl or {})
    if not gpus and rapl["cpu_energy_j"] is None:
        raise RecordError(Fault(f"{file}, field validation", "energy by NVML or RAPL", "neither"))
    if len(gpus) != len(platform.gpus):
        found = f"{len(gpus)} measured and {len(platform.gpus)} named"
        raise RecordError(Fault(f"{file}, field execution_platform.GPU", "the GPUs that were measured", found))
    batch_size = config.batch_size * max(1, len(gpus))
    model = validation.results.model
    return {
        "sample_id": f"imagenet-energy-efficiency/{record.directory_name}",
        "source": "imagenet-energy-efficiency",
        "file": file,
        "row": 0,
        "model": config.model,
        "group": "image-classification",
        "task": "classification",
        "input_set": "imagenet",
        "measured_at": _time(config.timestamp),
        "device": _device(platform),
        "device_kind": "gpu" if gpus else "cpu",
        "devices": len(gpus) or 1,
        "devices_idle": sum(gpu.utilization.max == 0 for gpu in gpus),
        "cpu": platform.cpu,
        "host": platform.host,
        "platform": f"{platform.system} {platform.release}",
        "framework": config.backend,
        "precision": "fp32",
        "batch_size": batch_size,
        "phase": "validation",
        "work_unit": "image",
        "units": _images(validation.results.metrics, config.n_batches, batch_size),
        "params": model.params,
        "macs": model.flops if model.flops is not None and model.flops >= 2 * model.params else None,
        "file_bytes": model.fsize,
        "gpu_energy_j": sum(gpu.total_power_draw for gpu in gpus) if gpus else None,
        **rapl,
        "duration_s": validation.duration,
        "gpu_utilization": _mean([gpu.utilization.mean for gpu in gpus]),
        "gpu_temperature_mean_c": _mean([gpu.temperature.mean for gpu in gpus]),
        "gpu_temperature_max_c": max((gpu.temperature.max for gpu in gpus), default=None),
        "top1": 100 * validation.results.metrics.accuracy,
        "top5": 100 * validation.results.metrics.top_5_accuracy,
    }


def _rapl(file: str, monitored: dict[str, Any]) -> dict[str, float | None]:
    """Energy of processor package and memory; null where not measured."""
    if "0" not in monitored:
        return {"cpu_energy_j": None, "dram_energy_j": None}
    package = convert(monitored["0"], _Rapl, f"{file}, RAPL")
    if package.total_power_draw <= 0:
        return {"cpu_energy_j": None, "dram_energy_j": None}
    dram = None if package.dram is None else package.dram.mean * package.total_duration
    return {"cpu_energy_j": package.total_power_draw, "dram_energy_j": dram}


def _images(metrics: _Metrics, batches: int, batch_size: int) -> int:
    """Images that the run went through."""
    hits = (_IMAGES * metrics.accuracy, _IMAGES * metrics.top_5_accuracy)
    whole = all(abs(hit - round(hit)) < 0.003 for hit in hits)
    images = _IMAGES if whole else _IMAGES - _IMAGES % batch_size
    return images if batches < 0 else min(images, batches * batch_size)


def _device(platform: _Platform) -> str:
    gpus = {gpu.name for gpu in platform.gpus.values()}
    return "+".join(sorted(map(device_name, gpus))) or device_name(
        re.sub(r"\(R\)|\(TM\)|CPU|@.*", "", platform.cpu).strip()
    )


def _time(timestamp: str) -> str:
    """``2022_03_03_17_16_59`` as ISO 8601."""
    year, month, day, *time = timestamp.split("_")
    return f"{year}-{month}-{day}T{':'.join(time)}"


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
