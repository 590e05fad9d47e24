"""What the FPGA tracks share: the six targets and the metrics of the wa-hls4ml benchmark (arXiv:2511.05615)."""

from __future__ import annotations

from wa_bench.tracks.track import ALL, Exam, Group, Target, Truth

TARGETS = (
    Target("bram", "BRAM", "36 kbit blocks", "block RAM after synthesis; an 18 kbit block counts one half"),
    Target("dsp", "DSP", "blocks", "DSP blocks after synthesis"),
    Target("ff", "FF", "flip-flops", "flip-flops after synthesis"),
    Target("lut", "LUT", "LUTs", "look-up tables after synthesis"),
    Target("cycles_max", "Cycles", "clock cycles", "latency of one inference, largest"),
    Target("interval_max", "II", "clock cycles", "initiation interval: cycles between two inputs, largest"),
)

ERRORS = (
    "R2",
    "SMAPE(eps=1)",
    "RMSE",
    "RPE(q=0.25)",
    "RPE(q=0.5)",
    "RPE(q=0.75)",
    "APE(q=0.75)",
    "Within(percent=10)",
    "Bias",
    "RMSLE",
    "Spearman",
)
"""Metrics of a prediction's error, whatever is predicted."""

METRICS = (*ERRORS, "FitAccuracy(part=xc7z020)")
RANK_BY = "R2"
TIE_BREAKER = "SMAPE(eps=1)"
CONTENT = (
    "part",
    "clock_ns",
    "tool",
    "tool_version",
    "hls4ml_version",
    "strategy",
    "io_type",
    "reuse_factor",
    "precision",
    "layers",
)
"""What makes two designs the same: network, settings, tools."""

ARCHITECTURE = (
    "layers.kind",
    "layers.inputs",
    "layers.in_shape",
    "layers.out_shape",
    "layers.kernel",
    "layers.strides",
    "layers.padding",
    "layers.pool",
    "layers.use_bias",
    "layers.activation",
)
"""What makes two networks the same, whatever their settings."""

OTHER_NETWORKS = "other networks of these families"

EXEMPLAR_EXAM = Exam(
    "exemplar",
    (
        ALL,
        *(
            Group(model, "group", model)
            for model in ("Anomaly", "AutoMLP", "BiPC", "Cookie", "Jet", "Particle", "Quarks")
        ),
    ),
    alike=("group", "precision", "reuse_factor", "strategy", "io_type"),
    strata="group",
    sampled="other settings of these seven networks, not other networks",
)
"""The exemplar split, as a whole and model by model."""


def hls_estimate(description: str) -> Truth:
    """What C-synthesis, or its counterpart, estimated before logic synthesis; cycles and intervals are the same."""
    columns = tuple(name if "_" in name else f"hls_estimate.{name}" for name in (target.name for target in TARGETS))
    return Truth("hls-estimate", description, columns)
