"""Fit the constants of the surrogate ``analytic`` that do not follow from rules.

    python scripts/fit_analytic.py                  factors of opensynth's FF and LUT, from its train split
    python scripts/fit_analytic.py --rows FOLDER    bits of hls4ml's dataflow layers, from 2layer.csv and 3layer.csv

Prints the constants of ``wa_bench/surrogates/opensynth_rules.py`` and ``hls4ml_rules.py`` (see there), and the error on
what they were fitted to; of opensynth also on its val split. Exam splits take no part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import nnls

import wa_bench as wb
from wa_bench.surrogates import features
from wa_bench.surrogates.opensynth_rules import depth_terms, ff_terms, lut_terms

ALLOWANCE = 50
"""Resources that count as small change: errors are taken relative to the truth and this many."""
RESOURCE_TERMS = {"ff": ff_terms(), "lut": lut_terms()}
"""Of the rules of opensynth, by column of the record."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="folder with 2layer.csv and 3layer.csv of the older tabular export")
    rows = parser.parse_args().rows
    if rows is not None:
        fit_rows(rows)
    else:
        fit_opensynth()


def fit_opensynth() -> None:
    train, val = (wb.load("opensynth", split).frame().collect() for split in ("train", "val"))
    for target, terms in RESOURCE_TERMS.items():
        factors = fit(sums(train, terms), train[target])
        print(f"{target}: {factors}")
        for name, frame in (("train", train), ("val", val)):
            report(name, sums(frame, terms), frame[target], factors)
    print(f"levels of adder graphs: {fit_depth(train)}")


def fit_depth(train: pl.DataFrame) -> dict[str, float]:
    """Factors of the levels of adder graphs: their designs' cycles are one a layer and the levels."""
    graphs = train.filter(pl.col("strategy") == "distributed_arithmetic")
    terms = sums(
        graphs, {name: pl.when(pl.col("n_in") > 0).then(term).otherwise(0) for name, term in depth_terms().items()}
    )
    levels = (graphs["cycles_max"] - terms["constant"]).to_numpy()
    factors, *_ = np.linalg.lstsq(terms.to_numpy() / levels[:, None], np.ones(len(levels)))
    return dict(zip(terms.columns, factors.round(2).tolist(), strict=True))


def fit_rows(folder: Path) -> None:
    for target in ("ff", "lut"):
        frames = [wb.load("hls4ml", "test", source=folder / f"{n}layer.csv").frame().collect() for n in (2, 3)]
        frame = pl.concat(frames)
        last = pl.col("position") == pl.col("position").max().over("row")
        terms = {
            "inputs": pl.col("n_in") * pl.col("input_bits"),
            "outputs": pl.col("n_out") * pl.col("output_bits"),
            "queues": pl.when(last).then(0).otherwise(pl.col("n_out") * pl.col("output_bits")),
        }
        if target == "lut":
            terms["products"] = (
                pl.col("multipliers") * pl.col("bit_operations") / pl.col("macs") * (1 - pl.col("dsp_ready"))
            )
            terms["weights"] = pl.col("memory_bits")
        table = sums(frame, terms)
        factors = fit(table, frame[target])
        print(f"{target} a bit: {factors}")
        report("rows", table, frame[target], factors)


def sums(frame: pl.DataFrame, terms: dict[str, pl.Expr]) -> pl.DataFrame:
    """Terms of all layers of a design."""
    table = features.layers(frame).with_columns(term.alias(f"term {name}") for name, term in terms.items())
    of_design = table.group_by("row").agg(pl.col(f"term {name}").sum().alias(name) for name in terms)
    return features.by_design(of_design, frame.height)


def fit(terms: pl.DataFrame, truth: pl.Series) -> dict[str, float]:
    y = truth.to_numpy().astype(float)
    weight = 1 / (y + ALLOWANCE)
    x = terms.to_numpy() * weight[:, None]
    scale = np.maximum(x.max(axis=0), 1e-12)
    factors, _ = nnls(x / scale, y * weight)
    return dict(zip(terms.columns, (factors / scale).round(3).tolist(), strict=True))


def report(name: str, terms: pl.DataFrame, truth: pl.Series, factors: dict[str, float]) -> None:
    y = truth.to_numpy().astype(float)
    error = np.abs(terms.to_numpy() @ np.array(list(factors.values())) - y) / (y + 1)
    print(f"  {name}: relative error, median {np.median(error):.3f}, 90th percentile {np.quantile(error, 0.9):.3f}")


if __name__ == "__main__":
    main()
