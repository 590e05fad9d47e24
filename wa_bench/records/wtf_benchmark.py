"""The runs of the WTF benchmark (Which Transformer to Favor): efficient vision transformers, one recipe, A100 GPUs.

Each object of ``data.json`` is a fine-tuning run with its figures. Known traps: a throughput of -1 is a measurement
that failed; the batch size of the throughput is the best of those tried; accuracies are fractions, here percent;
``macs`` are torchprofile's, ``flops`` (here ``operations``) fvcore's with softmax, norms and element-wise operations,
one per multiply-add; training time is summed over the GPUs; memory includes a batch of ``train_batch_size`` images that
was left on the GPU; EViT's counts equal a plain ViT's, as upstream has them.

Upstream measured with autocast off. PyTorch's version, memory layout and compilation are not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.json_array import Misfit, misfit_fault, read_array
from wa_bench.records.schema import LARGEST_COUNT
from wa_bench.records.vit import complete, device_name

COUNTED = "torchprofile"

_FILE = "data.json"
_FAILED = -1

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(gt=0, le=LARGEST_COUNT)]
_Time = Annotated[float, msgspec.Meta(gt=0, le=LARGEST_COUNT)]
_Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Date = Annotated[str, msgspec.Meta(pattern=r"^\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d$")]


class _Run(msgspec.Struct):
    model: _Name
    device: _Name
    run_date: _Date
    imsize: _Count
    eval_amp: bool | None = None
    local_batch_size: _Count | None = None
    world_size: _Count | None = None
    params: _Count | None = msgspec.field(default=None, name="number of parameters")
    macs: _Count | None = None
    flops: _Count | None = None
    throughput_value: Annotated[float, msgspec.Meta(ge=_FAILED, le=LARGEST_COUNT)] = _FAILED
    throughput_batch_size: Annotated[int, msgspec.Meta(ge=_FAILED, le=LARGEST_COUNT)] = _FAILED
    memory_1: _Count | None = msgspec.field(default=None, name="inference_memory_@1")
    memory_32: _Count | None = msgspec.field(default=None, name="inference_memory_@32")
    memory_64: _Count | None = msgspec.field(default=None, name="inference_memory_@64")
    memory_128: _Count | None = msgspec.field(default=None, name="inference_memory_@128")
    peak_memory_single: _Count | None = None
    final_time_sum: _Time | None = None
    top_val_acc1: _Fraction | None = None
    top_val_acc5: _Fraction | None = None


def read(files: Mapping[str, Path]) -> pl.DataFrame:
    """The runs, in upstream's order, as columns of ``VitRun``.

    Args:
        files: where ``data.json`` is, by that name.

    Raises:
        RecordError: all faults at once: another file's name, fields that do not fit, runs that occur twice.
    """
    if wrong := sorted(files.keys() - {_FILE}):
        raise RecordError(*(Fault(name, f"the name {_FILE}", "another name") for name in wrong))
    faults: list[Fault] = []
    runs = [run for path in files.values() for run in _decode(path, faults)]
    table = complete(pl.DataFrame([_row(index, run) for index, run in enumerate(runs)], infer_schema_length=None))
    twice = table.get_column("sample_id").filter(table.get_column("sample_id").is_duplicated()).unique().sort()
    faults += [Fault(_FILE, "each run once", f"{name} more than once") for name in twice]
    if faults:
        raise RecordError(*faults)
    return table


def _decode(path: Path, faults: list[Fault]) -> list[_Run]:
    """The objects of the file that fit; what is wrong with the others is added to ``faults``."""

    def report(misfit: Misfit) -> None:
        faults.append(misfit_fault(_FILE, misfit))

    with path.open("rb") as stream:
        return [run for chunk in read_array(stream, _Run, _FILE, on_misfit=report) for run in chunk.records]


def _row(index: int, run: _Run) -> dict[str, Any]:
    """A run by the names of ``VitRun``, less what ``complete`` adds."""
    day, month, year, time = re.split(r"[. ]", run.run_date)
    measured = run.throughput_value > 0 < run.throughput_batch_size
    return {
        "sample_id": f"wtf-benchmark/{year}-{month}-{day}T{time}/{run.model}/{run.imsize}",
        "source": "wtf-benchmark",
        "file": _FILE,
        "row": index,
        "model": run.model,
        "architecture": run.model,
        "device": device_name(run.device),
        "device_kind": "gpu",
        "phase": "infer",
        "precision": None if run.eval_amp is None else "amp" if run.eval_amp else "fp32",
        "image_size": run.imsize,
        "batch_size": run.throughput_batch_size if measured else None,
        "train_batch_size": run.local_batch_size,
        "train_devices": run.world_size,
        "macs_convention": None if run.macs is None else COUNTED,
        "params": run.params,
        "macs": run.macs,
        "operations": run.flops,
        "throughput": run.throughput_value if measured else None,
        "step_time_ms": 1000 * run.throughput_batch_size / run.throughput_value if measured else None,
        "memory_b1_bytes": run.memory_1,
        "memory_b32_bytes": run.memory_32,
        "memory_b64_bytes": run.memory_64,
        "memory_b128_bytes": run.memory_128,
        "train_memory_bytes": run.peak_memory_single,
        "train_time_s": run.final_time_sum,
        "top1": None if run.top_val_acc1 is None else 100 * run.top_val_acc1,
        "top5": None if run.top_val_acc5 is None else 100 * run.top_val_acc5,
    }
