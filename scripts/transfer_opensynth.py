"""Does a surrogate trained on Yosys records order genuine Vivado designs rightly?

    WA_BENCH_MIRROR=folder python scripts/transfer_opensynth.py [SAVED ...]

Trains on opensynth (or loads folders of surrogates that were trained on it), predicts every genuine wa-hls4ml design of
the mirror that has post-synthesis truth, and prints Spearman's rank correlation by target. The scales of the two
toolchains differ, so no other score would mean anything. ``analytic`` knows the rules of either tool, and ``trees``
corrects it: only surrogates without these rules show what records of another toolchain teach.
"""

from __future__ import annotations

import os
import sys
from math import isnan
from pathlib import Path

import polars as pl

import wa_bench as wb

SETS = {
    "records": ("wa-hls4ml-excerpt", ["test", "exemplar"]),
    "2-layer rows": ("wa-hls4ml-rows/2layer.csv", ["test"]),
    "3-layer rows": ("wa-hls4ml-rows/3layer.csv", ["test"]),
}
TARGETS = [target.name for target in wb.track("hls4ml").targets]


def correlations(model: wb.surrogates.Estimator, genuine: wb.Dataset) -> list[float | None]:
    """Spearman's correlation by target; null where there is no variance."""
    predicted = model.predict(genuine).frame()
    truth = genuine.frame().select("sample_id", *TARGETS).collect()
    joined = truth.join(predicted, on="sample_id", suffix="_predicted")
    measured = (joined.select(name, f"{name}_predicted").drop_nulls() for name in TARGETS)
    return [pair.select(pl.corr(*pair.columns, method="spearman")).item() for pair in measured]


def main() -> None:
    mirror = os.environ.get("WA_BENCH_MIRROR")
    if mirror is None:
        sys.exit("error: expected the folder of the genuine records in WA_BENCH_MIRROR, found nothing")
    train = wb.load("opensynth", "train")
    models = {name: wb.surrogate(name).fit(train) for name in ("nearest", "analytic", "trees")}
    models |= {model.name: model for model in map(wb.surrogates.Estimator.load, sys.argv[1:])}
    print(f"{'genuine designs':<18}{'surrogate':<18}" + "".join(f"{name:>14}" for name in TARGETS))
    for title, (folder, splits) in SETS.items():
        genuine = wb.load("hls4ml", splits, str(Path(mirror) / folder))
        count = genuine.frame().select(pl.len()).collect().item()
        for name, model in models.items():
            found = correlations(model, genuine)
            shown = ("-" if value is None or isnan(value) else f"{value:.3f}" for value in found)
            print(f"{f'{count} {title}':<18}{name:<18}" + "".join(f"{value:>14}" for value in shown))


if __name__ == "__main__":
    main()
