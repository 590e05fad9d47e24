"""Whether the judge's intervals and ties hold what they promise, on simulated benchmarks whose truth is known.

Networks have several designs each; truth and errors of a network's designs go together, as they do in synthesis
results. Each benchmark is drawn anew, scored with the evaluator's own code, and compared with the value that the
metrics have on very many networks.

    python scripts/simulate_judge.py                          coverage of 95 % intervals, clustered and not
    python scripts/simulate_judge.py --spread 1.0             the same with a heavier tail of large designs
    python scripts/simulate_judge.py ties                     how often equals are parted, and unequals are
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import polars as pl

from wa_bench.evaluation.comparison import compare
from wa_bench.evaluation.evaluator import score_exam
from wa_bench.evaluation.metrics import Floats, parse_metric
from wa_bench.evaluation.report import Report, Settings, prediction_column
from wa_bench.tracks.track import ALL, Exam, Target, Track

METRICS = ("R2", "SMAPE(eps=1)", "RMSE", "RPE(q=0.5)", "APE(q=0.75)", "Within(percent=10)", "Bias", "RMSLE", "Spearman")
EXAM = Exam("test", (ALL,))
TRACK = Track(
    name="simulated",
    title="Simulated",
    question="",
    datasets=(),
    truth="drawn",
    targets=(Target("lut", "LUT", "LUTs", ""), Target("ff", "FF", "flip-flops", "")),
    splits=("test",),
    exams=(EXAM,),
    metrics=METRICS,
    rank_by="R2",
    tie_breaker="SMAPE(eps=1)",
)


Error = float | tuple[float, float, float]
"""Of a surrogate, on most networks; then the share of networks on which it fails, and its error there."""
FAILS_RARELY: Error = (0.03, 0.1, 0.6)
AS_BAD = 0.24
"""Has the R2 of ``FAILS_RARELY`` on very many networks whose sizes are spread by 0.6."""


def benchmark(
    networks: int, spread: float, errors: Sequence[Error], rng: np.random.Generator
) -> tuple[pl.DataFrame, Floats]:
    """Truth of the designs of ``networks``, and predictions (surrogates, targets, designs) with errors of these sizes.

    Sizes of designs are lognormal with ``spread`` over networks and 0.4 within; so are errors, 0.1 within a network.
    """

    def of_networks(error: Error) -> Floats:
        if not isinstance(error, tuple):
            return rng.normal(0, error, networks)
        usual, share, where_it_fails = error
        return rng.normal(0, np.where(rng.random(networks) < share, where_it_fails, usual))

    cluster = np.repeat(np.arange(networks), rng.integers(1, 9, networks))
    size = rng.normal(7, spread, networks)[cluster]
    columns, predictions = {}, []
    for target in TRACK.target_names:
        truth = np.round(np.exp(size + rng.normal(0, 0.4, len(cluster))))
        shared = rng.normal(0, 0.15, networks)[cluster]
        columns[target] = truth
        predictions.append(
            [
                truth * np.exp(shared + of_networks(error)[cluster] + rng.normal(0, 0.1, len(cluster)))
                for error in errors
            ]
        )
    about = {"sample_id": np.arange(len(cluster)).astype(str), "split": "test", "cluster": cluster, "stratum": 0}
    return pl.DataFrame({**about, **columns}), np.array(predictions).swapaxes(0, 1)


def report(truth: pl.DataFrame, prediction: Floats, settings: Settings) -> Report:
    """Score one surrogate's predictions (targets, designs)."""
    answers = [
        pl.Series(prediction_column(name), row) for name, row in zip(TRACK.target_names, prediction, strict=True)
    ]
    samples = truth.with_columns(answers)
    rows, influences = score_exam(samples, TRACK, EXAM, settings)
    return Report(TRACK, rows, samples, "", settings, influences)


def coverage(networks: int, spread: float, repeats: int, resamples: int, *, clustered: bool = True) -> dict[str, float]:
    """Share of the benchmarks in which the interval of ``metric@lut`` holds the true value, by metric."""
    rng = np.random.default_rng(0)
    truth, predictions = benchmark(100_000, spread, [0.35], rng)
    everything = truth.get_column("lut").to_numpy(), predictions[0, 0]
    true = {metric: parse_metric(metric).score(*everything) for metric in METRICS}
    held = dict.fromkeys(METRICS, 0)
    for repeat in range(repeats):
        truth, predictions = benchmark(networks, spread, [0.35], rng)
        if not clustered:
            truth = truth.with_columns(cluster=pl.int_range(pl.len()))
        scored = report(truth, predictions[0], Settings(resamples, seed=repeat))
        for metric in METRICS:
            row = scored.row(f"{metric}@lut")
            held[metric] += row["low"] <= true[metric] <= row["high"]
    return {metric: count / repeats for metric, count in held.items()}


def separations(
    networks: int, spread: float, repeats: int, resamples: int, errors: Sequence[Error]
) -> tuple[float, float, float]:
    """Share of the benchmarks with a verdict between equals, with equals in two tie groups, and with any two groups."""
    rng = np.random.default_rng(0)
    true = [AS_BAD if error == FAILS_RARELY else error for error in errors]
    equal = np.array([[one == two for two in true] for one in true])
    counts = np.zeros(3)
    for repeat in range(repeats):
        truth, predictions = benchmark(networks, spread, errors, rng)
        reports = [report(truth, prediction, Settings(resamples, seed=repeat)) for prediction in predictions]
        found = compare(reports)
        groups = found.tie_groups()
        parted = len(set(zip(true, groups, strict=True))) > len(set(true))
        counts += [bool((found.better & equal).any()), parted, len(set(groups)) > 1]
    verdicts, parted, any_parted = counts / repeats
    return float(verdicts), float(parted), float(any_parted)


def main() -> None:
    """Print the asked table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["coverage", "ties"], default="coverage")
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--spread", type=float, default=0.6)
    parser.add_argument("--repeats", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    common = (options.networks, options.spread, options.repeats, options.resamples)
    print(f"{options.repeats} benchmarks of {options.networks} networks, sizes spread by {options.spread}")
    if options.what == "ties":
        boards: list[list[Error]] = [
            *([0.3, 0.3], [0.3] * 8, [0.3] * 3 + [0.6] * 3, [0.3, 0.4], [0.3, 0.6], [0.03, 0.6]),
            *([(0.02, 0.02, 0.5), 0.4], [FAILS_RARELY, AS_BAD]),
        ]
        for errors in boards:
            verdicts, parted, found = separations(*common, errors)
            print(
                f"errors {errors}: verdict between equals {verdicts:.1%}, parted {parted:.1%}; any parted {found:.1%}"
            )
        return
    clustered, plain = coverage(*common), coverage(*common, clustered=False)
    for metric in METRICS:
        print(f"{metric:20} clustered {clustered[metric]:.1%}   not clustered {plain[metric]:.1%}")


if __name__ == "__main__":
    main()
