"""Features with physics: what hls4ml's rules say of each layer, as columns.

Definitions serve every surrogate: the analytic formulas sum them, trees read their aggregates.

Per-layer columns of :func:`layers`:

``n_in``, ``n_out``
    inputs and outputs of the matrix product: dense width, or kernel volume times channels and filters.
``reuse``
    valid reuse factor: products that share one multiplier.
``multipliers``
    ``n_in * n_out / reuse``: multipliers that work in parallel.
``weight_bits``, ``input_bits``
    widths of the two operands; the input's is the result width of the nearest layer before that computes,
    the model's default where that is ``auto``.
``accumulator_bits``
    ``weight_bits + input_bits + ceil(log2(n_in + 1))``: holds the sum without overflow.
``positions``
    input positions that a convolution slides over, padding included; 1 for dense layers.
"""

from __future__ import annotations

import polars as pl

_WEIGHTED = ("dense", "conv1d", "conv2d")
_PASSING = "pooling|flatten|dropout|reshape|permute"
"""Layers that hand on the width of what they read, unless the record says otherwise."""
_UNKNOWN_BITS = 16


def layers(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a layer with a matrix product, in order; ``row`` is the design's row in ``frame``."""
    last_in = pl.col("in_shape").list.last()
    unpadded = pl.col("in_shape").list.head(pl.col("in_shape").list.len() - 1)
    outputs = pl.col("out_shape").list.head(pl.col("out_shape").list.len() - 1)
    padded = (outputs - 1) * pl.col("strides") + pl.col("kernel")
    spatial = pl.when(pl.col("padding") == "same").then(padded).otherwise(unpadded)
    return (
        frame.lazy()
        .select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
            "strategy",
            pl.col("precision").struct.field("width").alias("default_bits"),
            "layers",
        )
        .explode("layers")
        .select("row", "strategy", "default_bits", pl.col("layers").struct.unnest())
        .with_columns(
            pl.when(pl.col("kind").str.contains(_PASSING) & pl.col("result").is_null())
            .then(None)
            .otherwise(pl.coalesce(pl.col("result").struct.field("width"), "default_bits", pl.lit(_UNKNOWN_BITS)))
            .alias("output_bits"),
        )
        .with_columns(
            pl.coalesce(
                pl.col("output_bits").forward_fill().shift(1).over("row"), "default_bits", pl.lit(_UNKNOWN_BITS)
            ).alias("input_bits"),
        )
        .filter(pl.col("kind").is_in(_WEIGHTED))
        .with_columns(
            (last_in * _product(pl.col("kernel")).fill_null(1)).alias("n_in"),
            pl.col("units").alias("n_out"),
            pl.col("reuse_factor").alias("reuse"),
            pl.coalesce(pl.col("weight").struct.field("width"), "default_bits", pl.lit(_UNKNOWN_BITS)).alias(
                "weight_bits"
            ),
            pl.when(pl.col("kind") == "dense").then(1).otherwise(_product(spatial)).alias("positions"),
        )
        .select(
            "row",
            "strategy",
            "kind",
            "n_in",
            "n_out",
            "reuse",
            "weight_bits",
            "input_bits",
            "positions",
            (pl.col("n_in") * pl.col("n_out") / pl.col("reuse")).alias("multipliers"),
            (pl.col("weight_bits") + pl.col("input_bits") + (pl.col("n_in") + 1).log(2).ceil().cast(pl.Int64)).alias(
                "accumulator_bits"
            ),
        )
        .collect()
    )


def designs(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a design, in order, all numbers: sums, extremes and logarithms of the layer columns.

    ``bit_operations`` is ``n_in * n_out * weight_bits * input_bits``, summed; ``memory_bits`` the weights' bits.
    """
    macs = pl.col("n_in") * pl.col("n_out")
    per_design = (
        layers(frame)
        .group_by("row")
        .agg(
            pl.len().cast(pl.Float64).alias("depth"),
            (pl.col("strategy") == "latency").first().cast(pl.Float64).alias("latency_strategy"),
            (pl.col("strategy") == "distributed_arithmetic").first().cast(pl.Float64).alias("distributed_arithmetic"),
            pl.col("weight_bits").mean(),
            pl.col("input_bits").mean(),
            pl.col("input_bits").max().alias("input_bits_max"),
            pl.col("accumulator_bits").mean(),
            pl.col("n_in").first().log1p().alias("first_in"),
            pl.col("n_out").last().log1p().alias("last_out"),
            pl.col("n_in", "n_out").max().log1p().name.suffix("_max"),
            pl.col("n_in", "n_out").sum().log1p().name.suffix("_sum"),
            pl.col("reuse").max().log1p().alias("reuse_max"),
            pl.col("reuse").min().log1p().alias("reuse_min"),
            pl.col("reuse").sum().log1p().alias("reuse_sum"),
            pl.col("multipliers").sum().log1p(),
            pl.col("multipliers").max().log1p().alias("multipliers_max"),
            macs.sum().log1p().alias("macs"),
            (macs * pl.col("weight_bits") * pl.col("input_bits")).sum().log1p().alias("bit_operations"),
            (macs * pl.col("weight_bits")).sum().log1p().alias("memory_bits"),
            pl.col("positions").max().log1p(),
        )
    )
    return by_design(per_design, frame.height)


def by_design(aggregates: pl.DataFrame, count: int) -> pl.DataFrame:
    """One row for each of ``count`` designs, in order, from aggregates by ``row``; zeros where there is none."""
    rows = pl.DataFrame({"row": pl.int_range(count, dtype=pl.Int64, eager=True)})
    joined = rows.join(aggregates, on="row", how="left", maintain_order="left").drop("row")
    return joined.select(pl.all().cast(pl.Float64).fill_null(0.0))


def _product(sizes: pl.Expr) -> pl.Expr:
    """Product of a list of sizes; null where the list is."""
    return sizes.list.eval(pl.element().product()).list.first()
