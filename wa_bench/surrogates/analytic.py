"""Counts and cycles from the rules of the tools, without training.

The rules stand in :mod:`~wa_bench.surrogates.hls4ml_rules` and, for records of this project's own generator, in
:mod:`~wa_bench.surrogates.opensynth_rules`; here they are summed to designs. :func:`exactness` says which figures of
which designs are exact, and which are estimates:

=============== ==================================== ===================================
figures         hls4ml                               opensynth
=============== ==================================== ===================================
cycles          exact for 2layer and 3layer designs  exact but for distributed arithmetic
interval        exact for 2layer and 3layer designs  exact
DSP             exact for 2layer and 3layer designs  exact
BRAM, FF, LUT   estimated                            estimated
=============== ==================================== ===================================

Estimated is also everything of a design with a layer of a kind that is not known, which adds nothing, and of an
opensynth design with a layer that its generator does not build.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from wa_bench.surrogates import features
from wa_bench.surrogates.estimator import Estimator

TARGETS = ("bram", "dsp", "ff", "lut", "cycles_min", "cycles_max", "interval_max")
"""Figures that are estimated, by the names of the record's columns."""
_RULE_OF = {"dsp": "dsp", "cycles_min": "cycles", "cycles_max": "cycles", "interval_max": "interval"}
"""The rule that a figure comes from; those of the others are never exact."""


def estimate(frame: pl.DataFrame, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """Estimates for designs in the record schema: :data:`TARGETS`.

    One row a design, in order. A design without any dense or convolution layer gets what its other layers cost.

    Args:
        frame: designs in the record schema.
        table: what :func:`features.layers` makes of it, if at hand.
    """
    table = features.layers(frame) if table is None else table
    resources = table.group_by("row").agg(pl.col("bram", "dsp", "ff", "lut").sum())
    schedules = features.by_toolchain(table, lambda rules, part: rules.schedules(part))
    return features.by_design(resources.join(schedules, on="row"), frame.height).select(TARGETS)


def exactness(frame: pl.DataFrame, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """For each design and each of :data:`TARGETS`, ``exact`` or ``estimated``; and what is not known.

    Column ``unknown`` lists the kinds of layers that no rule covers.

    Args:
        frame: designs in the record schema.
        table: what :func:`features.layers` makes of it, if at hand.
    """
    table = features.layers(frame) if table is None else table

    def judged(rules: features.Rules, part: pl.DataFrame) -> pl.DataFrame:
        some = (pl.col("role") == "product").any()
        exact = rules.exact()
        return part.group_by("row").agg(
            *((exact[rule].all() & some).alias(target) for target, rule in _RULE_OF.items()),
            pl.col("kind").filter(pl.col("role") == "unknown").unique(maintain_order=True).alias("unknown"),
        )

    rows = pl.DataFrame({"row": pl.int_range(frame.height, dtype=pl.Int64, eager=True)})
    found = rows.join(features.by_toolchain(table, judged), on="row", how="left", maintain_order="left")
    verdict = {target: pl.col(target) if target in _RULE_OF else pl.lit(value=False) for target in TARGETS}
    return found.select(
        *(
            pl.when(is_exact).then(pl.lit("exact")).otherwise(pl.lit("estimated")).alias(target)
            for target, is_exact in verdict.items()
        ),
        pl.col("unknown").fill_null([]),
    )


@dataclass
class Analytic(Estimator):
    """The rules of hls4ml and of opensynth as a surrogate: see the modules of rules."""

    name = "analytic"
    title = "Analytic (the tools' rules)"
    family = "analytic"
    method = (
        "Closed-form counts and cycles from the tools' own rules, hls4ml's and those of the generator of these "
        "designs: reuse factors, multipliers, memory words, tables, pipelines. Nothing is trained; constants that no "
        "rule gives were read off once: of LUTs, flip-flops and depth of adder graphs by a fit to opensynth's "
        "train split, of hls4ml's LUTs, flip-flops, block RAM and cycles off public rows and single public records."
    )
    owes = (
        "constants only: LUTs, flip-flops, depth of adder graphs of opensynth, its train split; LUTs, flip-flops, "
        "block RAM and cycles of hls4ml, public rows and single public records (test, exemplar)"
    )
    needs_training = False

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        return estimate(frame).select(targets).get_columns()
