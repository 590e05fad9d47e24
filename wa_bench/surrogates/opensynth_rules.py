"""What the generator of opensynth builds, layer by layer, and what Yosys makes of it.

Cycles, intervals and DSP blocks are the generator's own schedule and structure (``wa_bench/opensynth``), restated as
column expressions because a surrogate reads records only; a test draws networks and holds both to the same numbers.
They are exact but for the depth of an adder graph (distributed arithmetic), which depends on the weights, and for
layers that the generator does not build.

Flip-flops and LUTs are sums of terms that follow the structure (:func:`ff_terms`, :func:`lut_terms`, in bits), each
with a fitted factor. The factors are those of ``python scripts/fit_analytic.py``: non-negative least squares of the
relative error on opensynth's train split, never on an exam split. Block RAM follows the shapes of the memories.
"""

from __future__ import annotations

import polars as pl

from wa_bench.surrogates.hardware import blocks, log2_ceil
from wa_bench.surrogates.paths import longest

DSP_BITS = 8
"""Narrowest weight whose shared multiplier goes to a DSP block."""
_INDEX_BITS = 10
"""Tables have at most 1024 entries; those of so many stand in block RAM, one for each value."""
_EXPONENTIAL_BITS = 8
"""Narrowest entry of a table of exponentials."""
DEPTH_FACTORS = {"constant": -2.11, "inputs": 1.68, "width": 1.2}
"""Levels of an adder graph: constant, a doubling of the inputs, a doubling of the weights' width (fitted)."""
FF_FACTORS = {
    "words": 1.038,
    "products": 0.931,
    "tree": 1.146,
    "control": 1.27,
    "engine": 6.733,
    "constant_products": 0.881,
    "constant_tree": 0.971,
    "constant_words": 0.983,
    "adders": 0.881,
    "delays": 0.204,
    "line": 0.252,
    "flatten": 1.013,
    "pool": 2.803,
    "counters": 11.41,
    "lookup": 0.975,
    "softmax": 6.567,
    "exponential": 2.094,
    "merge": 1.928,
}
"""Registers a bit of :func:`ff_terms` (fitted)."""
LUT_FACTORS = {
    "select": 0.48,
    "products": 1.127,
    "tree": 0.96,
    "accumulators": 0.62,
    "quantizers": 1.907,
    "outputs": 0.916,
    "control": 2.272,
    "constant_products": 0.572,
    "constant_tree": 0.92,
    "constant_quantizers": 2.283,
    "adders": 0.706,
    "delays": 0.139,
    "adder_quantizers": 0.193,
    "line": 0.248,
    "pool": 0.868,
    "flatten": 24.873,
    "lookup": 0.8,
    "index": 0.134,
    "softmax": 6.736,
    "exponential": 0.194,
    "add": 1.851,
    "merge": 0.387,
}
"""LUTs a bit of :func:`lut_terms` (fitted)."""
_BUILT = ("input", "dense", "conv1d", "conv2d", "flatten", "dropout", "add", "concatenate")
_FUNCTIONS = ("linear", "relu", "tanh", "sigmoid", "softmax")
"""Kinds of layers that the generator builds, beside pooling, and functions; or that are nothing to build."""
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
            pl.sum_horizontal(FF_FACTORS[name] * term for name, term in ff_terms().items()).alias("ff"),
            pl.sum_horizontal(LUT_FACTORS[name] * term for name, term in lut_terms().items()).alias("lut"),
        )
        .collect()
    )


def schedules(table: pl.DataFrame) -> pl.DataFrame:
    """One row a design: ``row cycles_min cycles_max interval_max`` (clock cycles).

    A layer answers after the slowest of those that it reads. A window answers when its last pixel has come in. Pixels
    come as fast as the slowest convolution takes windows, and a new input comes when all pixels of the one before have.
    """
    sliding = pl.col("streamed") & (pl.col("kind").str.starts_with("conv") | (pl.col("role") == "pooling"))
    steps = longest(table, **{f"step_{axis}": _of(sliding, pl.col(f"stride_{axis}").log(2)) for axis in _AXES})
    table = table.hstack(steps.select((2.0 ** pl.all()).round().name.keep()))
    firsts = {f"first_{axis}": _of(sliding, _before_the_last(axis)) for axis in _AXES}
    table = table.hstack(longest(table, arrival=pl.col("cycles"), **firsts))
    pixels = (
        table.lazy()
        .filter(sliding)
        .with_columns(pl.col(f"in_{axis}").first().over("row").alias(f"size_{axis}") for axis in _AXES)
        .with_columns(((pl.col(f"out_{axis}") - 1) * pl.col(f"step_{axis}")).alias(f"span_{axis}") for axis in _AXES)
        .with_columns(_gap().alias("gap"), _last_pixel().alias("last"))
        .group_by("row")
        .agg(
            pl.col("last").last(),
            (pl.col("interval") / pl.col("gap")).ceil().filter(_is_product()).max().alias("pace"),
            (pl.col("size_rows") * pl.col("size_columns")).first().alias("pixels"),
        )
    )
    whole = pl.col("interval").filter(~sliding).max()
    cycles = pl.col("arrival") + pl.col("last") * pl.col("pace")
    return (
        table.lazy()
        .group_by("row")
        .agg(pl.col("arrival").max(), whole.alias("whole"))
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
    """For a layer, whether its rule is exact, by column; a design is where all of its layers are.

    So for layers that the generator builds, without padding; normalization only where it folds into a product.
    """
    pooling = pl.col("kind").str.contains("^(max|average)_pooling[12]d$")
    folded = (pl.col("kind") == "batch_normalization") & (pl.col("role") == "routing")
    function = pl.col("function").is_in(_FUNCTIONS).fill_null(value=False)
    built = pl.col("kind").is_in(_BUILT) | pooling | folded | function
    known = built & (pl.col("padded") == 0) & pl.col("chained") & pl.col("typed")
    graph = _is_product() & (pl.col("strategy") == "distributed_arithmetic")
    return {"dsp": known, "cycles": known & ~graph, "interval": known}


def _is_product() -> pl.Expr:
    return pl.col("n_in") > 0


def _lane() -> pl.Expr:
    """Multipliers that feed one accumulator in the resource strategy."""
    return (pl.col("n_in") // pl.col("reuse").clip(lower_bound=1)).clip(lower_bound=1)


def _cycles() -> pl.Expr:
    """Cycles from the last value that a layer needs to its result."""
    levels = log2_ceil(pl.col("n_in"))
    depth = pl.sum_horizontal(DEPTH_FACTORS[name] * term for name, term in depth_terms().items())
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
        .when((pl.col("lookups") > 0) | (pl.col("role") == "merge") | (pl.col("kind") == "flatten"))
        .then(1)
        .otherwise(0)
    )


def depth_terms() -> dict[str, pl.Expr]:
    """What the levels of the adder graph of a layer follow."""
    return {
        "constant": pl.lit(1.0),
        "inputs": pl.col("n_in").clip(lower_bound=1).log(2),
        "width": pl.col("weight_bits").log(2),
    }


def _before_the_last(axis: str) -> pl.Expr:
    """Pixels of the input that lie between the first and the last of a window, along one axis."""
    return (pl.col(f"kernel_{axis}") - 1) * (pl.col(f"step_{axis}") // pl.col(f"stride_{axis}"))


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
