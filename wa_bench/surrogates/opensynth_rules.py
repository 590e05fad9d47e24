"""What the generator of opensynth builds, layer by layer, and what Yosys makes of it.

Cycles, intervals and DSP blocks are the generator's own schedule and structure (``wa_bench/opensynth``), restated as
column expressions because a surrogate reads records only; a test draws networks and holds both to the same numbers.
They are exact but for the depth of an adder graph (distributed arithmetic), which depends on the weights.

Flip-flops and LUTs are sums of terms that follow the structure (:func:`ff_terms`, :func:`lut_terms`, in bits), each
with a fitted factor. The factors are those of ``python scripts/fit_analytic.py``: non-negative least squares of the
relative error on opensynth's train split, never on an exam split. Block RAM follows the shapes of the memories.
"""

from __future__ import annotations

import polars as pl

from wa_bench.surrogates.hardware import blocks, log2_ceil

DSP_BITS = 8
"""Narrowest weight whose shared multiplier goes to a DSP block."""
_INDEX_BITS = 10
"""Tables have at most 1024 entries; those of so many stand in block RAM, one for each value."""
_EXPONENTIAL_BITS = 8
"""Narrowest entry of a table of exponentials."""
_DEPTH = (-2.39, 1.73, 1.29)
"""Levels of an adder graph: constant, a doubling of the inputs, a doubling of the weights' width (fitted)."""
_FF = {
    "words": 1.04,
    "products": 0.937,
    "tree": 1.136,
    "control": 1.352,
    "engine": 4.266,
    "constant_products": 0.897,
    "constant_tree": 0.964,
    "constant_words": 0.888,
    "adders": 0.883,
    "delays": 0.207,
    "line": 0.283,
    "flatten": 0.999,
    "pool": 2.845,
    "counters": 11.722,
    "lookup": 0.994,
    "softmax": 6.354,
    "exponential": 1.42,
    "merge": 1.91,
}
"""Registers a bit of :func:`ff_terms` (fitted)."""
_LUT = {
    "select": 0.481,
    "products": 1.124,
    "tree": 0.96,
    "accumulators": 0.552,
    "quantizers": 2.073,
    "outputs": 0.973,
    "control": 2.128,
    "constant_products": 0.576,
    "constant_tree": 0.919,
    "constant_quantizers": 2.141,
    "adders": 0.72,
    "delays": 0.131,
    "adder_quantizers": 0.148,
    "line": 0.213,
    "pool": 0.868,
    "flatten": 27.598,
    "lookup": 0.739,
    "index": 0.22,
    "softmax": 6.451,
    "exponential": 0.086,
    "add": 1.787,
    "merge": 0.444,
}
"""LUTs a bit of :func:`lut_terms` (fitted)."""
_AXES = ("rows", "columns")


def costs(table: pl.DataFrame) -> pl.DataFrame:
    """The layer table with what each layer costs: ``dsp_ready`` and the columns of ``features.COSTS``."""
    shared = _is_product() & (pl.col("strategy") == "resource")
    return (
        table.lazy()
        .with_columns((shared & (pl.col("weight_bits") >= DSP_BITS)).cast(pl.Int64).alias("dsp_ready"))
        .with_columns(
            _cycles().cast(pl.Float64).alias("cycles"),
            pl.when(shared).then(pl.col("reuse")).otherwise(1).cast(pl.Float64).alias("interval"),
            (pl.col("multipliers") * pl.col("dsp_ready") + pl.col("exponentials")).alias("dsp"),
            _bram().alias("bram"),
            pl.sum_horizontal(_FF[name] * term for name, term in ff_terms().items()).alias("ff"),
            pl.sum_horizontal(_LUT[name] * term for name, term in lut_terms().items()).alias("lut"),
        )
        .collect()
    )


def schedules(table: pl.DataFrame) -> pl.DataFrame:
    """One row a design: ``row cycles_min cycles_max interval_max`` (clock cycles).

    A window answers when its last pixel has come in. Pixels come as fast as the slowest convolution takes windows, and
    a new input comes when all pixels of the one before have.
    """
    sliding = pl.col("streamed") & (pl.col("kind").str.starts_with("conv") | (pl.col("role") == "pooling"))
    pixels = (
        table.lazy()
        .filter(sliding)
        .with_columns(
            *(pl.col(f"stride_{axis}").cum_prod().over("row").alias(f"step_{axis}") for axis in _AXES),
            *(pl.col(f"in_{axis}").first().over("row").alias(f"size_{axis}") for axis in _AXES),
        )
        .with_columns(*(_first_and_span(axis) for axis in _AXES))
        .unnest("of_rows", "of_columns")
        .with_columns(_gap().alias("gap"), _last_pixel().alias("last"))
        .group_by("row")
        .agg(
            pl.col("last").last(),
            (pl.col("interval") / pl.col("gap")).ceil().filter(_is_product()).max().alias("pace"),
            (pl.col("size_rows") * pl.col("size_columns")).first().alias("pixels"),
        )
    )
    whole = pl.col("interval").filter(~sliding).max()
    cycles = pl.col("cycles") + pl.col("last") * pl.col("pace")
    return (
        table.lazy()
        .group_by("row")
        .agg(pl.col("cycles").sum(), whole.alias("whole"))
        .join(pixels, on="row", how="left")
        .with_columns(pl.col("last").fill_null(0), pl.col("whole", "pace", "pixels").fill_null(1))
        .select(
            "row",
            cycles.alias("cycles_min"),
            cycles.alias("cycles_max"),
            pl.max_horizontal(pl.col("pixels") * pl.col("pace"), "whole").alias("interval_max"),
        )
        .collect()
    )


def exact() -> dict[str, pl.Expr]:
    """For a layer, whether its rule is exact, by column; a design is where all of its layers are."""
    known = (pl.col("role") != "unknown") & pl.col("chained") & pl.col("typed")
    graph = _is_product() & (pl.col("strategy") == "distributed_arithmetic")
    return {"dsp": known, "cycles": known & ~graph, "interval": known}


def _is_product() -> pl.Expr:
    return pl.col("n_in") > 0


def _lane() -> pl.Expr:
    """Multipliers that feed one accumulator in the resource strategy."""
    return (pl.col("n_in") // pl.col("reuse").clip(lower_bound=1)).clip(lower_bound=1)


def _cycles() -> pl.Expr:
    """Cycles from the last value that a layer needs to its result."""
    constant, inputs, width = _DEPTH
    levels = log2_ceil(pl.col("n_in"))
    depth = constant + inputs * pl.col("n_in").clip(lower_bound=1).log(2) + width * pl.col("weight_bits").log(2)
    product = (
        pl.when(pl.col("strategy") == "resource")
        .then(pl.col("reuse") + 4 + log2_ceil(_lane()))
        .when(pl.col("strategy") == "latency")
        .then(2 + levels)
        .otherwise(1 + pl.max_horizontal(depth.round(), levels))
    )
    return (
        pl.when(_is_product())
        .then(product + (pl.col("kind") != "dense").cast(pl.Int64))
        .when(pl.col("exponentials") > 0)
        .then(5 + 2 * log2_ceil(pl.col("exponentials")))
        .when(pl.col("role") == "pooling")
        .then(2)
        .when((pl.col("lookups") > 0) | pl.col("role").is_in(["merge", "routing"]))
        .then(1)
        .otherwise(0)
    )


def _first_and_span(axis: str) -> pl.Expr:
    """For a layer the pixel that completes its first window, and from there to that of the last, along one axis."""
    before = pl.col(f"step_{axis}") // pl.col(f"stride_{axis}")
    first = ((pl.col(f"kernel_{axis}") - 1) * before).cum_sum().over("row")
    span = (pl.col(f"out_{axis}") - 1) * pl.col(f"step_{axis}")
    return pl.struct(first.alias(f"first_{axis}"), span.alias(f"span_{axis}")).alias(f"of_{axis}")


def _gap() -> pl.Expr:
    """Fewest pixels between two windows: in a row, from row to row, from input to input."""
    size = pl.col("size_columns")
    return pl.min_horizontal(
        pl.when(pl.col("out_columns") > 1).then("step_columns"),
        pl.when(pl.col("out_rows") > 1).then(pl.col("step_rows") * size - pl.col("span_columns")),
        (pl.col("size_rows") - pl.col("span_rows")) * size - pl.col("span_columns"),
    )


def _last_pixel() -> pl.Expr:
    """Index of the pixel that completes the last window."""
    row, column = ((pl.col(f"first_{axis}") + pl.col(f"span_{axis}")) for axis in _AXES)
    return row * pl.col("size_columns") + column


def _bram() -> pl.Expr:
    """Weights of shared multipliers, tables of many entries, and a softmax's table of inverses.

    Yosys drops bits of the words that are the same in all of them: ``2^(1 - words)`` of random ones.
    """
    varying = 1 - 2.0 ** (1 - pl.col("reuse").cast(pl.Float64))
    shared = (pl.col("strategy") == "resource") & (pl.col("reuse") > 1)
    weights = pl.when(shared).then(blocks(pl.col("reuse"), pl.col("word_bits") * varying)).otherwise(0.0)
    deep = pl.when(pl.col("input_bits") >= _INDEX_BITS).then(pl.col("lookups") + pl.col("exponentials")).otherwise(0)
    return (weights + deep + (pl.col("exponentials") > 0)) / 2


def ff_terms() -> dict[str, pl.Expr]:
    """Bits of registers by what they are for, of one layer."""
    bits, product = pl.col("input_bits"), pl.col("weight_bits") + pl.col("input_bits")
    n_in, n_out, lanes = pl.col("n_in"), pl.col("n_out"), _lanes()
    resource, latency, adders = _strategies()
    streamed, exponentials = pl.col("streamed"), pl.col("exponentials")
    return {
        "words": _of(resource, (n_in + n_out + _lane()) * bits + lanes * pl.col("accumulator_bits")),
        "products": _of(resource, pl.col("multipliers") * product),
        "tree": _of(resource, lanes * (_lane() - 1) * (product + 1.5)),
        "control": _of(resource, log2_ceil(pl.col("reuse")) + (log2_ceil(_lane()) + 3) * (1 + log2_ceil(_slots()))),
        "engine": _of(resource, pl.lit(1)),
        "constant_products": _of(latency, n_in * _distinct() * product),
        "constant_tree": _of(latency, _terms_added() * (product + 1.5)),
        "constant_words": _of(latency, n_out * bits + log2_ceil(n_in) + 2),
        "adders": _of(adders, _shared_adders() * (bits + 3)),
        "delays": _of(adders, (n_in + n_out) * bits * log2_ceil(n_in)),
        "line": _of(streamed, pl.col("line_bits") + pl.col("window_bits")),
        "flatten": _of(streamed & (pl.col("kind") == "flatten"), pl.col("values_out") * bits),
        "pool": _of(pl.col("role") == "pooling", pl.col("channels") * bits),
        "counters": _of(streamed & ((pl.col("role") == "pooling") | _is_product()), pl.lit(1)),
        "lookup": _of(bits < _INDEX_BITS, pl.col("lookups") * bits),
        "softmax": _of(bits > 0, exponentials * bits),
        "exponential": _of(bits < _INDEX_BITS, exponentials * (pl.max_horizontal(bits, _EXPONENTIAL_BITS) + 1)),
        "merge": _of(pl.col("role") == "merge", pl.col("values_out") * bits),
    }


def lut_terms() -> dict[str, pl.Expr]:
    """Bits of logic by what it is for, of one layer."""
    bits, weight, product = pl.col("input_bits"), pl.col("weight_bits"), pl.col("weight_bits") + pl.col("input_bits")
    n_in, n_out, lanes = pl.col("n_in"), pl.col("n_out"), _lanes()
    resource, latency, adders = _strategies()
    exponentials = pl.col("exponentials")
    entries = 2.0 ** pl.min_horizontal(bits, _INDEX_BITS).cast(pl.Float64)
    soft = pl.col("multipliers") * (1 - pl.col("dsp_ready"))
    return {
        "select": _of(resource & (pl.col("reuse") > 1), n_in * bits),
        "products": _of(resource, soft * (weight - 1) * product),
        "tree": _of(resource, lanes * (_lane() - 1) * (product + 1.5)),
        "accumulators": _of(resource, lanes * pl.col("accumulator_bits")),
        "quantizers": _of(resource, lanes * bits),
        "outputs": _of(resource, n_out),
        "control": _of(resource, log2_ceil(pl.col("reuse"))),
        "constant_products": _of(latency, n_in * _distinct() * product * (weight / 3 - 1).clip(lower_bound=0.05)),
        "constant_tree": _of(latency, _terms_added() * (product + 1.5)),
        "constant_quantizers": _of(latency, n_out * bits),
        "adders": _of(adders, _shared_adders() * (bits + 3)),
        "delays": _of(adders, (n_in + n_out) * bits * log2_ceil(n_in)),
        "adder_quantizers": _of(adders, n_out * pl.col("accumulator_bits")),
        "line": _of(pl.col("streamed"), pl.col("line_bits")),
        "pool": _of(pl.col("role") == "pooling", pl.col("channels") * bits * pl.col("window")),
        "flatten": _of(pl.col("streamed") & (pl.col("kind") == "flatten"), pl.lit(1)),
        "lookup": _of(bits < _INDEX_BITS, pl.col("lookups") * entries * bits / 64),
        "index": _of(bits > 0, pl.col("lookups") * bits),
        "softmax": _of(bits > 0, exponentials * bits),
        "exponential": _of(bits < _INDEX_BITS, exponentials * entries * (bits + 1) / 64),
        "add": _of(pl.col("kind") == "add", pl.col("values_out") * bits),
        "merge": _of(pl.col("role") == "merge", pl.col("values_out") * bits),
    }


def _of(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(value).otherwise(0).cast(pl.Float64)


def _strategies() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    names = ("resource", "latency", "distributed_arithmetic")
    resource, latency, adders = (_is_product() & (pl.col("strategy") == name) for name in names)
    return resource, latency, adders


def _slots() -> pl.Expr:
    """Outputs that share one accumulator."""
    return (pl.col("reuse") // pl.col("n_in").clip(lower_bound=1)).clip(lower_bound=1)


def _lanes() -> pl.Expr:
    return pl.col("n_out") / _slots()


def _weights() -> pl.Expr:
    """Different weights of this width."""
    return 2.0 ** pl.col("weight_bits").cast(pl.Float64)


def _distinct() -> pl.Expr:
    """Different weights that are not zero among those of one input, if they are random."""
    return (_weights() - 1) * (1 - (1 - 1 / _weights()) ** pl.col("n_out").cast(pl.Float64))


def _terms_added() -> pl.Expr:
    """Additions of an adder tree a neuron, without the products with zero."""
    return pl.col("n_out") * (pl.col("n_in") * (1 - 1 / _weights()) - 1).clip(lower_bound=0)


def _shared_adders() -> pl.Expr:
    """Additions of a graph before outputs share any: a third of the weights' bits, as in signed digits."""
    return pl.col("memory_bits") / 3 * (1 - 1 / _weights())
