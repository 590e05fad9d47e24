"""Counts and cycle formulas from hls4ml's semantics, without training.

Exact for fully connected designs of hls4ml's resource strategy with io_parallel and no activations (the 2layer
and 3layer families; checked on genuine rows): with valid reuse factors r_i of n layers,

    cycles_min = sum(r_i) + 2 n - 1        cycles_max = sum(r_i) + 3 n - 1
    interval   = max(r_i)                  dsp        = sum(n_in * n_out / r_i), none below 8 weight bits

Everything else is an estimate. LUT and FF count the bits of multipliers, accumulators, operand selection and
registers; BRAM packs a ROM of r_i words into 18 kbit blocks. A streamed convolution repeats its reuse factor at every
input position, padding included, and its cycles hide those of the layers around it (genuine records take up to 5 %
more). The latency strategy is taken as fully unrolled, one input a cycle, at any reuse factor: real designs share
multipliers at higher factors, with intervals of tens of cycles, and their LUT and FF lie well below the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from wa_bench.surrogates import features
from wa_bench.surrogates.estimator import Estimator

RESOURCE_DSP_BITS = 8
"""Narrowest weight that a shared multiplier takes to a DSP block."""
LATENCY_DSP_BITS = 10
"""The same for products with a constant; an assumption, the tools decide case by case."""
_BLOCK_BITS = 18 * 1024
_BLOCK_WIDTH = 36


def estimate(frame: pl.DataFrame) -> pl.DataFrame:
    """Estimates for designs in the record schema: ``bram dsp ff lut cycles_min cycles_max interval_max``.

    One row a design, in order. A design without any dense or convolution layer gets zeros.
    """
    resource = pl.col("strategy") == "resource"
    shared = resource & (pl.col("reuse") > 1)
    macs = pl.col("n_in") * pl.col("n_out")
    product_bits = pl.col("weight_bits") + pl.col("input_bits")
    threshold = pl.when(resource).then(RESOURCE_DSP_BITS).otherwise(LATENCY_DSP_BITS)
    in_dsp = pl.col("weight_bits") >= threshold
    per_output = (pl.col("n_in") / pl.col("reuse")).clip(lower_bound=1)
    tree_depth = (pl.col("n_in") + 1).log(2).ceil()
    is_conv = pl.col("kind") != "dense"

    rom_width = pl.col("multipliers") * pl.col("weight_bits")
    bits_a_block = (_BLOCK_BITS / pl.col("reuse")).clip(upper_bound=_BLOCK_WIDTH).floor().clip(lower_bound=1)
    steps = pl.when(resource).then(pl.col("reuse")).otherwise(1)
    # A product with a constant of w bits takes about w / 3 additions (canonical signed digits).
    soft_product = pl.when(resource).then(pl.col("weight_bits")).otherwise(pl.col("weight_bits") / 3)
    soft_bits = pl.when(in_dsp).then(0.0).otherwise(soft_product * product_bits)
    selection = pl.when(shared).then(per_output * pl.col("input_bits") * pl.col("reuse") / 4).otherwise(0.0)
    parallel = pl.when(resource).then(pl.col("multipliers")).otherwise(macs)

    per_layer = features.layers(frame).with_columns(
        pl.when(in_dsp).then(parallel).otherwise(0.0).alias("dsp"),
        pl.when(shared).then((rom_width / bits_a_block).ceil() / 2).otherwise(0.0).alias("bram"),
        (
            parallel * (soft_bits + pl.col("accumulator_bits")) + selection + pl.col("n_out") * pl.col("input_bits")
        ).alias("lut"),
        (
            pl.col("n_in") * pl.col("input_bits")
            + 2 * parallel * product_bits
            + pl.col("n_out") * (pl.col("accumulator_bits") + pl.col("input_bits"))
        ).alias("ff"),
        pl.when(is_conv)
        .then(pl.col("positions") * steps)
        .when(resource)
        .then(steps)
        .otherwise(tree_depth)
        .alias("cycles"),
        pl.when(is_conv).then(pl.col("positions") * steps).otherwise(steps).alias("interval"),
        is_conv.alias("conv"),
    )
    dense_cycles = pl.col("cycles").sum()
    has_conv = pl.col("conv").any()
    per_design = per_layer.group_by("row").agg(
        pl.col("bram", "dsp", "ff", "lut").sum(),
        pl.when(has_conv).then(pl.col("cycles").max()).otherwise(dense_cycles + 2 * pl.len() - 1).alias("cycles_min"),
        pl.when(has_conv).then(pl.col("cycles").max()).otherwise(dense_cycles + 3 * pl.len() - 1).alias("cycles_max"),
        pl.col("interval").max().alias("interval_max"),
    )
    return features.by_design(per_design, frame.height)


@dataclass
class Analytic(Estimator):
    """hls4ml's own arithmetic as a surrogate: see the module's formulas."""

    name = "analytic"
    title = "Analytic (hls4ml's rules)"
    needs_training = False

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        return estimate(frame).select(targets).get_columns()
