"""The track ``opensynth``: the same question on designs that this project synthesized with open tools."""

from __future__ import annotations

from wa_bench.tracks.fpga import (
    ARCHITECTURE,
    CONTENT,
    EXEMPLAR_EXAM,
    METRICS,
    OTHER_NETWORKS,
    RANK_BY,
    TARGETS,
    TIE_BREAKER,
    hls_estimate,
)
from wa_bench.tracks.track import ALL, Exam, Group, Track

_FAMILIES = ("latency", "resource", "distributed", "branched", "conv1d", "conv2d")

TRACK = Track(
    name="opensynth",
    title="Open synthesis (Yosys)",
    question="Given a network and hls4ml-like settings: which resources, latency and initiation interval?",
    datasets=("opensynth",),
    truth="post-synthesis estimate of Yosys for UltraScale+, cycles simulated; no place and route",
    targets=TARGETS,
    splits=("train", "val", "test", "exemplar"),
    exams=(
        Exam(
            "test",
            (ALL, *(Group(name, "family", name) for name in _FAMILIES)),
            alike=ARCHITECTURE,
            sampled=OTHER_NETWORKS,
        ),
        EXEMPLAR_EXAM,
    ),
    metrics=METRICS,
    rank_by=RANK_BY,
    tie_breaker=TIE_BREAKER,
    content=CONTENT,
    other_truths=(hls_estimate("resources estimated before technology mapping, cycles simulated"),),
)
