"""Scores as the wa-hls4ml authors' own benchmark writes them (AXESS on Codabench), to move between the two.

It ranks by the mean of R2 over the six targets on the test split, ties broken by the mean of SMAPE, and scores only
predictions that leave no design out. Its definitions of R2, SMAPE and RMSE are ours.
Source: github.com/ben-hawks/axess-benchmark, codabench/bundle_src/pages/evaluation.md and scoring.py.
"""

from __future__ import annotations

from wa_bench.errors import DataError, Fault
from wa_bench.evaluation.report import Report
from wa_bench.tracks.track import track

_METRICS = {"r2": "R2", "smape": "SMAPE(eps=1)"}
_TARGETS = {"bram": "bram", "dsp": "dsp", "ff": "ff", "lut": "lut", "cycles_max": "cycles", "interval_max": "ii"}


def axess_scores(report: Report) -> dict[str, float | None]:
    """What that benchmark's ``scores.json`` would hold: ``test_mean_r2``, ``test_r2_bram``, ... by its keys.

    Raises:
        DataError: designs are left out, which it refuses to score; or other records, splits or truth were scored.
    """
    faults = []
    if report.track != track("hls4ml") or report.splits != ["test", "exemplar"]:
        expected = "test and exemplar records of track hls4ml, against its own truth"
        found = f"{', '.join(report.splits)} of track {report.track.name}, against: {report.track.truth}"
        faults.append(Fault("report", expected, found))
    for split in report.splits:
        row = report.rows.filter(split=split, group="all").row(0, named=True)
        if row["answered"] < row["designs"]:
            expected = f"predictions of all {row['designs']:,} designs"
            faults.append(Fault(f"report, split {split}", expected, f"{row['answered']:,}"))
    if faults:
        raise DataError(*faults)
    scores: dict[str, float | None] = {}
    for split in report.splits:
        for key, metric in _METRICS.items():
            scores[f"{split}_mean_{key}"] = report.mean(metric, split)
        for target, name in _TARGETS.items():
            for key, metric in _METRICS.items():
                scores[f"{split}_{key}_{name}"] = report[f"{metric}@{target}", split]
    return scores
