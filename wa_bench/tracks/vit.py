"""The track ``vit``: cost of vision transformers, and of what they compete with, on GPUs and CPUs."""

from __future__ import annotations

from wa_bench.records.holdout import SPLITS
from wa_bench.tracks.fpga import ERRORS, RANK_BY, TIE_BREAKER
from wa_bench.tracks.track import ALL, Exam, Group, Target, Track

_ATTENTION = tuple(Group(name, "group", name) for name in ("isotropic", "hierarchical", "other"))

TRACK = Track(
    name="vit",
    title="Vision transformers (GPU and CPU)",
    question="Given an image model, its settings and a device: which throughput and step time?",
    datasets=("timm", "wtf-benchmark"),
    truth="published measurements: timm benchmark tables, WTF benchmark",
    targets=(
        Target("throughput", "Throughput", "images/s", "images a second at the given batch size"),
        Target("step_time_ms", "Step", "ms", "mean time of one batch"),
    ),
    splits=SPLITS,
    exams=(
        Exam(
            "test",
            (ALL, *_ATTENTION, Group("gpu", "device_kind", "gpu"), Group("cpu", "device_kind", "cpu")),
            alike=("network",),
            sampled="other networks of these families",
        ),
        Exam(
            "device",
            (
                ALL,
                *_ATTENTION,
                *(Group(name, "device", name) for name in ("rtx4090", "i7_12700h")),
                Group("new_families", "family_split", "test"),
            ),
            alike=("network",),
            sampled="other networks on these devices",
        ),
    ),
    metrics=ERRORS,
    rank_by=RANK_BY,
    tie_breaker=TIE_BREAKER,
    content=("network", "image_size", "device", "phase", "precision", "memory_layout", "torch_version", "compiled"),
)
