"""The track ``hls4ml``: cost of hls4ml designs under Vivado and Vitis, the wa-hls4ml benchmark."""

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

_DENSE_FAMILIES = ("2_20", "2layer", "3layer", "latency", "resource")

TRACK = Track(
    name="hls4ml",
    title="hls4ml on FPGA (Vivado)",
    question="Given a network and its hls4ml settings: which resources, latency and initiation interval?",
    datasets=("wa-hls4ml",),
    truth="post-synthesis resources (Vivado), cycles from HLS C-synthesis",
    targets=TARGETS,
    splits=("train", "val", "test", "exemplar"),
    exams=(
        Exam(
            "test",
            (
                ALL,
                *(Group(name, "group", name) for name in ("dense", "conv1d", "conv2d")),
                *(Group(name, "family", name) for name in _DENSE_FAMILIES),
            ),
            alike=ARCHITECTURE,
            sampled=OTHER_NETWORKS,
        ),
        EXEMPLAR_EXAM,
    ),
    metrics=METRICS,
    rank_by=RANK_BY,
    tie_breaker=TIE_BREAKER,
    content=CONTENT,
    other_truths=(
        hls_estimate(
            "resources that HLS C-synthesis estimated (BRAM in blocks of 18 kbit), cycles from HLS C-synthesis"
        ),
    ),
)
