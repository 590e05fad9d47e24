"""The track ``energy``: energy per unit of work of inference, on models and devices that train never sees."""

from __future__ import annotations

from wa_bench.tracks.track import ALL, Exam, Group, Target, Track

_ON_HELD_OUT_DEVICES = (
    "image-classification",
    "image-text-to-text",
    "text-generation",
    "text-to-image",
    "text-to-video",
    "video-text-to-text",
)
_ON_SEEN_DEVICES = (
    "fill-mask",
    "image-to-text",
    "object-detection",
    "question-answering",
    "summarization",
    "text-classification",
    "token-classification",
)

TRACK = Track(
    name="energy",
    title="Energy of inference",
    question="Given a model, its settings and a device: how many joules does a token, image, video or query take?",
    datasets=("co2-inference", "imagenet-energy-efficiency", "ml-energy-v3"),
    truth="counters of the devices (NVML, RAPL): of GPUs; of processor and memory where they were measured",
    targets=(
        Target(
            "energy_per_unit_j",
            "Energy",
            "J per unit of work",
            "energy of the measured parts per token, image, video or query; idle devices that were measured are inside",
        ),
    ),
    splits=("train", "val", "test", "device"),
    exams=(
        Exam(
            "test",
            (ALL, *(Group(name, "group", name) for name in sorted(_ON_SEEN_DEVICES + _ON_HELD_OUT_DEVICES))),
            alike=("family",),
            sampled="other families of models",
        ),
        Exam(
            "device",
            (ALL, *(Group(name, "group", name) for name in _ON_HELD_OUT_DEVICES)),
            alike=("family",),
            sampled="other families of models on these devices",
        ),
    ),
    metrics=("SMAPE(eps=0)", "R2", "RMSE"),
    rank_by="SMAPE(eps=0)",
    tie_breaker="R2",
    content=("family", "task", "input_set", "device", "devices", "framework", "precision", "batch_size", "steps"),
)
