r"""Checking and scoring a submission at full size: CPU seconds and memory, and the bootstrap against a plain loop.

    python scripts/make_replica.py OUT --only test/2_20 test/2layer test/3layer test/latency test/resource \\
        test/conv1d test/conv2d exemplar/exemplar
    python scripts/bench_score.py OUT

``check`` and ``score`` are the commands as users run them, start of Python included, on predictions for all test and
exemplar records of the replica (converted before; the truth is read from that store). The bootstrap and its plain loop
run in one process on the same designs, weights and metrics; the loop takes a few resamples, its time for all of them
is projected, and every value is compared. ``--scale`` repeats the designs under other names for larger exams.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

import wa_bench as wb
from wa_bench.evaluation.evaluator import score_exam
from wa_bench.evaluation.metrics import Floats, Metric, QuantileMetric, SumMetric, parse_metric
from wa_bench.evaluation.report import Settings, prediction_column
from wa_bench.evaluation.resampling import Resamples, Sample
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import create

SHOWN = ("R2", "SMAPE(eps=1)", "RMSE", "RPE(q=0.25)", "RPE(q=0.5)", "RPE(q=0.75)")
LOOPED = 3
"""Resamples that the plain loop takes."""


def guesses(truth: pl.DataFrame, targets: tuple[str, ...]) -> pl.DataFrame:
    """Predictions off by a factor of the network and one of the design."""
    rng = np.random.default_rng(0)
    factor = rng.lognormal(0, 0.3, truth.get_column("cluster").max() + 1)[truth.get_column("cluster").to_numpy()]  # type: ignore[operator]
    columns = [pl.col(name) * pl.Series(factor * rng.lognormal(0, 0.1, truth.height)) for name in targets]
    return truth.select("sample_id", *columns)


def command(*arguments: str) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a command of ours."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = """import sys; from wa_bench.cli import main
try: main()
finally: print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, int(done.stderr.split()[-1]) / 1024


def plain(metrics: list[Metric], truth: Floats, prediction: Floats, rows: list[np.ndarray]) -> Floats:
    """Metrics (resamples, metrics, targets) of rows drawn for each resample, one by one."""
    return np.array(
        [
            [[metric.score(truth[drawn, k], prediction[drawn, k]) for k in range(truth.shape[1])] for metric in metrics]
            for drawn in rows
        ]
    )


def fast(metrics: list[Metric], truth: Floats, prediction: Floats, sample: Sample) -> Floats:
    """The same by the package: (resamples, metrics, targets)."""
    pairs = [(truth[:, k], prediction[:, k]) for k in range(truth.shape[1])]
    sums = [metric for metric in metrics if isinstance(metric, SumMetric)]
    qs = [metric.q for metric in metrics if isinstance(metric, QuantileMetric)]
    _, draws, _ = sample.sum_metrics(sums, pairs)
    kind = next(type(metric) for metric in metrics if isinstance(metric, QuantileMetric))
    quantiles = np.array([drawn for _, drawn in sample.quantiles([(kind.errors(*pair), qs) for pair in pairs])])
    return np.concatenate([draws, quantiles], axis=1).transpose(2, 1, 0)


def bootstrap(exam: pl.DataFrame, targets: tuple[str, ...], resamples: int) -> dict[str, float]:
    """Ratio of the plain loop to the package, on the largest split and all its groups at once."""
    truth, prediction = (exam.select(names).to_numpy() for names in (targets, [prediction_column(n) for n in targets]))
    clusters = exam.get_column("cluster").to_numpy()
    metrics = [parse_metric(name) for name in SHOWN]
    start = time.process_time()
    drawn = Resamples(clusters, np.zeros_like(clusters), resamples, 0)
    found = fast(metrics, truth, prediction, drawn.of(np.arange(len(clusters))))
    ours = time.process_time() - start
    rows = [np.repeat(np.arange(len(clusters)), weights[drawn.clusters]) for weights in drawn.weights.T[:LOOPED]]
    start = time.process_time()
    looped = plain(metrics, truth, prediction, rows)
    theirs = (time.process_time() - start) / LOOPED * resamples
    apart = np.abs(found[:LOOPED] - looped) / np.maximum(1, np.abs(looped))
    return {"package_s": ours, "plain_loop_s": theirs, "ratio": theirs / ours, "largest_difference": float(apart.max())}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replica", type=Path)
    parser.add_argument("--scale", type=int, default=7, help="how many times larger the second exam is")
    options = parser.parse_args()
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", POLARS_MAX_THREADS="1")
    data = wb.load("hls4ml", ["test", "exemplar"], source=options.replica)
    truth, targets, track = data.exam(), data.track.target_names, data.track
    figures: dict[str, object] = {"wa_bench": version("wa-bench"), "designs": truth.height}
    figures["clusters"] = dict(truth.group_by("split").agg(pl.col("cluster").n_unique()).iter_rows())
    every = (
        data.frame().select("sample_id", *targets).collect().with_columns(pl.col(targets).cast(pl.Float64).fill_null(1))
    )
    guessed = every.update(guesses(truth, targets), on="sample_id")
    figures["predictions"] = guessed.height
    with tempfile.TemporaryDirectory() as folder:
        card = Card(
            name="Bench",
            slug="bench",
            track="hls4ml",
            authors=["Nobody"],
            licence="CC0-1.0",
            method="Noise.",
            training_data="none",
            labels="none",
        )
        create(Path(folder) / "bench", card, wb.Predictions(guessed, targets))
        for name in ("check", "score"):
            command("submit", name, f"{folder}/bench", "--source", str(options.replica))
            runs = [command("submit", name, f"{folder}/bench", "--source", str(options.replica)) for _ in range(3)]
            figures[name] = {"cpu_s": sorted(cpu for cpu, _ in runs), "peak_mb": max(mb for _, mb in runs)}
        large = pl.concat([guessed.with_columns(pl.col("sample_id") + f"-{k}") for k in range(options.scale)])
        wb.Predictions(large, targets).write(f"{folder}/large.parquet")
        start = time.process_time()
        wb.Predictions.read(f"{folder}/large.parquet", targets).check_ids(large.get_column("sample_id"))
        figures["check_large"] = {"predictions": large.height, "cpu_s": time.process_time() - start}
    answers = guessed.rename({name: prediction_column(name) for name in targets})
    samples = truth.join(answers, on="sample_id", how="left", maintain_order="left")
    test = samples.filter(split="test")
    step = test.get_column("cluster").max() + 1  # type: ignore[operator]
    large = pl.concat([test.with_columns(pl.col("cluster") + k * step) for k in range(options.scale)])
    with threadpool_limits(1):
        start = time.process_time()
        score_exam(large, track, track.exams[0], Settings())
        figures["score_large"] = {"designs": large.height, "cpu_s": time.process_time() - start}
        figures["bootstrap"] = bootstrap(test, targets, 1000)
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
