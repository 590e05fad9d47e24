"""Features with physics: what the rules of the tools say of each layer and each design, as columns.

One definition serves every surrogate: the analytic formulas and trees read aggregates a design, graphs and sequences
one row a layer. :func:`layers` makes the table once; :func:`designs` and :mod:`~wa_bench.surrogates.analytic` read it.
Everything is columns of polars: there is no Python a layer.

Columns of a layer, zero where they do not apply. Sources: *hls4ml* is the code of hls4ml 0.8.1 and 1.1.0, *UG473* and
*UG573* are AMD's user guides of block RAM, *rules* are :mod:`~wa_bench.surrogates.hls4ml_rules` and
:mod:`~wa_bench.surrogates.opensynth_rules`.

Who it is
    ``row``, ``position`` (index of the design in the frame, and of the layer in the design), ``kind`` (as recorded),
    ``role`` (:data:`ROLES`), ``function`` (of an activation), ``strategy``, ``toolchain``, ``inputs`` (positions of the
    layers that it reads), ``chained`` (it reads the layer before it), ``last`` (of its design, but for wires),
    ``typed`` (the record tells the widths), ``streamed`` (values come pixel by pixel), ``modern`` (hls4ml 1.0 or later,
    on Vitis HLS), ``clock_ns``.
Geometry
    ``values_in``, ``values_out``: numbers in and out, product of the shape.
    ``channels``: values of one pixel of the output. ``pixels_in``, ``pixels_out``: pixels, product of the other sizes.
    ``operands``: layers that it reads.
    ``window``: pixels of the kernel or pool. ``stride``: product of the strides.
    ``positions``: input pixels that a window slides over, padding included:
    ``max(in, (out - 1) stride + kernel)`` a dimension (hls4ml's padding); 1 for dense layers. ``padded``: of these,
    the padding.
    ``in_``, ``out_``, ``kernel_``, ``stride_`` with ``rows`` and ``columns``: the sizes themselves; a series is a row.
Matrix product
    ``n_in``, ``n_out``: inputs and outputs of one product: dense width, or window times channels, and filters.
    ``reuse``: the valid reuse factor (:mod:`wa_bench.records.reuse`; hls4ml), products that share one multiplier; also
    of a batch normalization that stands alone.
    ``multipliers``: ``n_in n_out / reuse``, multiplications a cycle.
    ``macs``: ``n_in n_out pixels_out``, multiplications an inference.
    ``biased``: whether it adds a bias.
Widths, bits
    ``weight_bits``, ``input_bits``, ``output_bits``: of weights (of a batch normalization that stands alone: of its
    factors), of what it reads (the result type of the layer that it reads; pooling, flatten, dropout and the like hand
    theirs on) and of its result; the model's default where the record says ``auto`` or nothing, else 16.
    ``accumulator_bits``: of the sums: as recorded, else ``weight + input + ceil(log2 n_in) + 1`` (hls4ml's
    inference of types: exact sums and a bias).
    ``weight_fraction``: bits of the weights behind the binary point.
Work and memory
    ``bit_operations``: ``macs * weight_bits * input_bits``.
    ``memory_bits``: ``n_in n_out weight_bits``, bits of weights.
    ``word_bits``: ``multipliers * weight_bits``, what a step of the reuse loop reads.
    ``weight_blocks``: 18 kbit blocks of a ROM of ``reuse`` such words (:func:`blocks`; UG473, UG573).
    ``line_bits``: line buffer of a streamed window, ``(rows - 1) width channels input_bits`` (hls4ml).
    ``window_bits``: registers of the window, ``window channels_in input_bits`` (hls4ml).
    ``lookups``: values that go through a table of 1024 entries (tanh, sigmoid and the like).
    ``exponentials``: values of a softmax.
Cost by the rules of the toolchain
    ``dsp_ready``: whether the tool gives the product to DSP blocks, by widths (rules).
    ``cycles``: what the layer adds to the latency, clock cycles. ``interval``: cycles between two inputs of it.
    ``dsp`` (blocks), ``bram`` (36 kbit blocks), ``ff``, ``lut``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import polars as pl

from wa_bench.records.parts import capacities
from wa_bench.surrogates import hls4ml_rules, opensynth_rules
from wa_bench.surrogates.hardware import blocks, log2_ceil
from wa_bench.surrogates.paths import readers

VERSION = 2
"""Raised by each change of what these columns or the rules say: surrogates that learned from others are not loaded."""

ROLES = ("input", "product", "activation", "pooling", "merge", "normalization", "routing", "unknown")
"""What a layer does to the cost. An unknown one adds nothing; a routing one is wires.

So is batch normalization that folds into the product that it reads: one without an activation, that nothing else reads.
"""

COSTS = ("cycles", "interval", "dsp", "bram", "ff", "lut")
"""Columns that the rules of a toolchain add."""

NUMERIC = (
    "values_in",
    "values_out",
    "channels",
    "pixels_in",
    "pixels_out",
    "operands",
    "window",
    "stride",
    "positions",
    "padded",
    "n_in",
    "n_out",
    "reuse",
    "multipliers",
    "macs",
    "biased",
    "weight_bits",
    "input_bits",
    "output_bits",
    "accumulator_bits",
    "weight_fraction",
    "bit_operations",
    "memory_bits",
    "word_bits",
    "weight_blocks",
    "line_bits",
    "window_bits",
    "lookups",
    "exponentials",
    "dsp_ready",
    *COSTS,
)
"""Columns of a layer that are numbers without gaps: the input of graphs and sequences."""

TABLE_FUNCTIONS = ("tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "silu", "gelu", "exponential")
"""Activations by look-up table."""
PLAIN_FUNCTIONS = (
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "thresholded_relu",
    "hard_sigmoid",
    "hard_tanh",
    "binary_tanh",
    "ternary_tanh",
)
"""Activations by comparison and shift."""
_FUNCTIONS = (*TABLE_FUNCTIONS, *PLAIN_FUNCTIONS, "softmax")
_PRODUCTS = ("dense", "conv1d", "conv2d")
_MERGES = ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract")
_ROUTING = "^(flatten|dropout|reshape|permute|zero_padding.*)$"
_HANDED_ON = "pooling|" + _ROUTING
"""Layers that hand on the width of what they read, unless the record says otherwise."""
_UNKNOWN_BITS = 16
_UNKNOWN_CLOCK = 5.0
"""Clock period of a design that does not tell it: that of nearly all hls4ml designs, in ns."""
_LARGEST_RANK = 4


class Rules(Protocol):
    """What a toolchain builds, as the modules of rules tell it."""

    def costs(self, table: pl.DataFrame) -> pl.DataFrame:
        """The layer table with the columns :data:`COSTS` and ``dsp_ready``."""

    def schedules(self, table: pl.DataFrame) -> pl.DataFrame:
        """One row a design: ``row cycles_min cycles_max interval_max``."""

    def exact(self) -> dict[str, pl.Expr]:
        """Whether the rules for ``dsp``, ``cycles`` and ``interval`` are exact for a layer."""


_RULES: dict[str, Rules] = {"hls4ml": hls4ml_rules, "opensynth": opensynth_rules}


def by_toolchain(table: pl.DataFrame, rule: Callable[[Rules, pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """What ``rule`` makes of the layers of each toolchain, in no order."""
    parts = table.partition_by("toolchain", as_dict=True)
    made = [rule(_RULES[str(name)], part) for (name,), part in parts.items()]
    return made[0] if len(made) == 1 else pl.concat(made or [rule(hls4ml_rules, table)], how="vertical_relaxed")


def layers(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a layer, in order, with the columns of the module's description.

    Args:
        frame: designs in the record schema; truth is not read.
    """
    table = _described(frame)
    columns = [*table.columns, "dsp_ready", *(pl.col(name).cast(pl.Float64) for name in COSTS)]
    return by_toolchain(table, lambda rules, part: rules.costs(part).select(columns)).sort("row", "position")


def designs(frame: pl.DataFrame, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row a design, in order, all numbers without gaps: settings, and aggregates of the layer columns.

    Counts and sums are taken as ``log1p``, as they span six decades. Beside the aggregates of the layer columns:
    ``depth`` (products), ``layers``, the number of layers by role, ``latency_strategy``, ``distributed_arithmetic``,
    ``io_stream``, ``clock_ns``, ``hls4ml_version`` and ``tool_version`` (first two parts as a number, 0 if unknown),
    ``opensynth``, the part's capacities, ``multiplier_utilization`` (multipliers in DSP blocks over the part's) and
    ``bram_utilization`` (weight blocks likewise).

    Args:
        frame: designs in the record schema.
        table: what :func:`layers` makes of it, if at hand.
    """
    table = layers(frame) if table is None else table
    product = pl.col("role") == "product"
    of_products = [
        pl.col("weight_bits", "input_bits", "accumulator_bits").filter(product).mean(),
        pl.col("input_bits").filter(product).max().alias("input_bits_max"),
        pl.col("n_in").filter(product).first().log1p().alias("first_in"),
        pl.col("n_out").filter(product).last().log1p().alias("last_out"),
        pl.col("n_in", "n_out", "reuse", "multipliers").filter(product).max().log1p().name.suffix("_max"),
        pl.col("n_in", "n_out", "reuse", "multipliers").filter(product).sum().log1p().name.suffix("_sum"),
        pl.col("reuse").filter(product).min().log1p().alias("reuse_min"),
    ]
    sums = ("macs", "bit_operations", "memory_bits", "word_bits", "weight_blocks", "line_bits", "window_bits")
    aggregates = table.group_by("row").agg(
        pl.len().alias("layers"),
        product.sum().alias("depth"),
        *((pl.col("role") == role).sum().alias(f"{role}_layers") for role in ROLES[2:]),
        *of_products,
        pl.col(*sums, "lookups", "exponentials", "values_out").sum().log1p().name.suffix("_sum"),
        (product & (pl.col("dsp_ready") > 0)).sum().alias("dsp_ready_layers"),
        (pl.col("multipliers") * pl.col("dsp_ready")).sum().alias("_hard_multipliers"),
        pl.col("weight_blocks").sum().alias("_weight_blocks"),
        pl.col("positions").max().log1p().alias("positions_max"),
        pl.col(*COSTS).max().log1p().name.prefix("largest_"),
    )
    of_design = pl.concat([_settings(frame), by_design(aggregates, frame.height)], how="horizontal")
    return of_design.with_columns(
        _share("_hard_multipliers", "part_dsp").alias("multiplier_utilization"),
        _share("_weight_blocks", "part_bram").alias("bram_utilization"),
    ).drop("_hard_multipliers", "_weight_blocks")


def by_design(aggregates: pl.DataFrame, count: int) -> pl.DataFrame:
    """One row for each of ``count`` designs, in order, from aggregates by ``row``; zeros where there is none."""
    rows = pl.DataFrame({"row": pl.int_range(count, dtype=pl.Int64, eager=True)})
    joined = rows.join(aggregates, on="row", how="left", maintain_order="left").drop("row")
    return joined.select(pl.all().cast(pl.Float64).fill_null(0.0))


def _settings(frame: pl.DataFrame) -> pl.DataFrame:
    """What a design was asked for, as numbers."""
    given = frame.select(
        (pl.col("strategy") == "latency").alias("latency_strategy"),
        (pl.col("strategy") == "distributed_arithmetic").alias("distributed_arithmetic"),
        (pl.col("io_type") == "io_stream").alias("io_stream"),
        (_toolchain() == "opensynth").alias("opensynth"),
        pl.col("clock_ns").fill_null(_UNKNOWN_CLOCK),
        _version("hls4ml_version").alias("hls4ml_version"),
        _version("tool_version").alias("tool_version"),
        pl.col("reuse_factor").log1p().alias("requested_reuse"),
        pl.col("precision").struct.field("width").fill_null(_UNKNOWN_BITS).alias("default_bits"),
    )
    held = capacities(frame.get_column("part")).select(pl.all().fill_null(0).name.prefix("part_"))
    return pl.concat([given, held], how="horizontal").select(pl.all().cast(pl.Float64).fill_null(0.0))


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    """The layer table but for its costs."""
    exploded = (
        frame.lazy()
        .select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
            "strategy",
            _toolchain().alias("toolchain"),
            (_version("hls4ml_version") >= 1).alias("modern"),
            (pl.col("io_type") == "io_stream").fill_null(value=False).alias("streamed"),
            pl.col("clock_ns").fill_null(_UNKNOWN_CLOCK),
            pl.col("precision").struct.field("width").alias("told_bits"),
            pl.int_ranges(pl.col("layers").list.len()).alias("position"),
            "layers",
        )
        .filter(pl.col("layers").list.len() > 0)
        .explode("layers", "position")
        .unnest("layers")
        .with_columns(
            _role().alias("role"),
            _function().alias("function"),
            pl.col("told_bits").fill_null(_UNKNOWN_BITS).alias("default_bits"),
        )
        .collect()
    )
    return (
        exploded.with_columns(readers(exploded))
        .lazy()
        .with_columns(_folds().alias("folds"))
        .with_columns(_role_in_place().alias("role"), _output_bits())
        .with_columns(_is_last().alias("last"), _read("output_bits", "default_bits").alias("input_bits"), *_geometry())
        .with_columns(*_product())
        .with_columns(*_work())
        .select("row", "position", "kind", "role", "function", "strategy", "toolchain", *_KEPT)
        .collect()
    )


_KEPT = (
    "inputs",
    "chained",
    "last",
    "typed",
    "streamed",
    "modern",
    "clock_ns",
    *(name for name in NUMERIC if name not in {*COSTS, "dsp_ready"}),
    "in_rows",
    "in_columns",
    "out_rows",
    "out_columns",
    "kernel_rows",
    "kernel_columns",
    "stride_rows",
    "stride_columns",
)
"""Columns that the rules read, beside who the layer is; sizes of two dimensions are in the table too."""


def _toolchain() -> pl.Expr:
    return pl.when(pl.col("tool") == "yosys").then(pl.lit("opensynth")).otherwise(pl.lit("hls4ml"))


def _version(column: str) -> pl.Expr:
    """``2024.2`` or ``1.1.0`` as the number of its first two parts; 0 where there is none."""
    return pl.col(column).str.extract(r"^(\d+(?:\.\d+)?)").cast(pl.Float64).fill_null(0.0)


def _role() -> pl.Expr:
    kind = pl.col("kind")
    return (
        pl.when(kind.is_in(_PRODUCTS) & (pl.col("units") > 0))
        .then(pl.lit("product"))
        .when((kind == "activation") | kind.is_in(_FUNCTIONS))
        .then(pl.when(_function().is_in(_FUNCTIONS)).then(pl.lit("activation")).otherwise(pl.lit("unknown")))
        .when(kind.str.contains(r"^(global_)?(max|average)_pooling[12]d$"))
        .then(pl.lit("pooling"))
        .when(kind.is_in(_MERGES))
        .then(pl.lit("merge"))
        .when(kind == "batch_normalization")
        .then(pl.lit("normalization"))
        .when(kind.str.contains(_ROUTING))
        .then(pl.lit("routing"))
        .when(kind == "input")
        .then(pl.lit("input"))
        .otherwise(pl.lit("unknown"))
    )


def _folds() -> pl.Expr:
    """Whether batch normalization behind this layer goes into its weights."""
    plain = pl.col("activation").is_null() | (pl.col("activation") == "linear")
    return (pl.col("role") == "product") & plain & (pl.col("readers") == 1)


def _role_in_place() -> pl.Expr:
    folded = (pl.col("role") == "normalization") & _read("folds", pl.lit(value=False))
    return pl.when(folded).then(pl.lit("routing")).otherwise("role")


def _is_last() -> pl.Expr:
    return pl.col("position") == pl.col("position").filter(pl.col("role") != "routing").max().over("row")


def _function() -> pl.Expr:
    """Name of the activation that a layer is; null for other layers."""
    kind = pl.col("kind")
    return pl.when(kind == "activation").then(pl.col("activation")).when(kind.is_in(_FUNCTIONS)).then(kind)


def _output_bits() -> pl.Expr:
    """Width of the result; the first layer of a design always has one, so filling never reaches into the next."""
    given = pl.col("result").struct.field("width")
    handed_on = pl.col("kind").str.contains(_HANDED_ON) & given.is_null() & (pl.col("position") > 0)
    own = pl.when(handed_on).then(None).otherwise(pl.coalesce(given, "default_bits"))
    return own.forward_fill().alias("output_bits")


def _read(column: str, otherwise: str | pl.Expr) -> pl.Expr:
    """The column of the first layer that a layer reads; of a layer that reads none, what is said otherwise."""
    source = pl.col("inputs").list.first()
    earlier = pl.min_horizontal(source, pl.col("position") - 1).clip(lower_bound=0).fill_null(0)
    place = pl.int_range(pl.len(), dtype=pl.Int64) - pl.col("position") + earlier
    return pl.when(source.is_null()).then(otherwise).otherwise(pl.col(column).gather(place))


def _geometry() -> list[pl.Expr]:
    """Sizes. One dimension is one row of columns."""
    kernel = pl.coalesce("kernel", "pool")
    strides = pl.coalesce("strides", "pool")
    return [
        *_rows_columns("in_shape", "in", leave_out_last=True),
        *_rows_columns("out_shape", "out", leave_out_last=True),
        *_rows_columns(kernel, "kernel"),
        *_rows_columns(strides, "stride"),
        _volume("in_shape").alias("values_in"),
        _volume("out_shape").alias("values_out"),
        pl.col("in_shape").list.last().fill_null(1).alias("channels_in"),
        pl.col("out_shape").list.last().fill_null(1).alias("channels"),
        pl.col("inputs").list.len().cast(pl.Int64).alias("operands"),
        ((pl.col("position") == 0) | pl.col("inputs").list.contains(pl.col("position") - 1)).alias("chained"),
        (
            pl.col("told_bits").is_not_null()
            | (pl.col("result").is_not_null() & (pl.col("weight").is_not_null() | (pl.col("role") != "product")))
        ).alias("typed"),
    ]


def _rows_columns(sizes: str | pl.Expr, name: str, *, leave_out_last: bool = False) -> tuple[pl.Expr, pl.Expr]:
    """Rows and columns of a list of sizes; 1 where it has none. Rows take up what is beyond two dimensions."""
    sizes = pl.col(sizes) if isinstance(sizes, str) else sizes
    count = sizes.list.len().cast(pl.Int64).fill_null(0) - (1 if leave_out_last else 0)
    columns = pl.when(count >= 1).then(sizes.list.get(count - 1, null_on_oob=True)).otherwise(1)
    rows = pl.when(count >= 2).then(sizes.list.get(count - 2, null_on_oob=True)).otherwise(1)
    return rows.alias(f"{name}_rows"), columns.alias(f"{name}_columns")


def _volume(shape: str) -> pl.Expr:
    sizes = [pl.col(shape).list.get(i, null_on_oob=True).fill_null(1) for i in range(_LARGEST_RANK)]
    return pl.reduce(lambda a, b: a * b, sizes)


def _product() -> list[pl.Expr]:
    """What the rules of matrix products are made of, and the sizes of windows."""
    is_product, sliding = pl.col("role") == "product", pl.col("kind").str.contains("^conv|pooling")
    normalizes, told_reuse = pl.col("role") == "normalization", pl.col("reuse_factor").fill_null(1).clip(lower_bound=1)
    window = pl.when(sliding).then(pl.col("kernel_rows") * pl.col("kernel_columns")).otherwise(1)
    n_in = pl.when(is_product).then(window * pl.col("channels_in")).otherwise(0)
    n_out = pl.when(is_product).then(pl.col("units")).otherwise(0)
    weight_bits = pl.coalesce(pl.col("weight").struct.field("width"), "default_bits")
    positions = [
        pl.max_horizontal(
            f"in_{axis}",
            pl.when(pl.col("padding") == "same")
            .then((pl.col(f"out_{axis}") - 1) * pl.col(f"stride_{axis}") + pl.col(f"kernel_{axis}"))
            .otherwise(0),
        )
        for axis in ("rows", "columns")
    ]
    accumulator = weight_bits + pl.col("input_bits") + log2_ceil(n_in) + 1
    return [
        n_in.alias("n_in"),
        n_out.alias("n_out"),
        pl.when(is_product)
        .then(told_reuse.clip(upper_bound=n_in * n_out))
        .when(normalizes)
        .then(told_reuse)
        .otherwise(0)
        .alias("reuse"),
        pl.when(is_product | normalizes).then(weight_bits).otherwise(0).alias("weight_bits"),
        pl.when(is_product)
        .then(pl.coalesce(pl.col("accumulator").struct.field("width"), accumulator))
        .otherwise(0)
        .alias("accumulator_bits"),
        pl.when(is_product)
        .then(weight_bits - pl.coalesce(pl.col("weight").struct.field("integer"), pl.lit(1)))
        .otherwise(0)
        .alias("weight_fraction"),
        (is_product & pl.col("use_bias").fill_null(value=False)).cast(pl.Int64).alias("biased"),
        window.alias("window"),
        pl.when(sliding).then(pl.col("stride_rows") * pl.col("stride_columns")).otherwise(1).alias("stride"),
        pl.when(sliding).then(positions[0] * positions[1]).otherwise(1).alias("positions"),
        (pl.col("in_rows") * pl.col("in_columns")).alias("pixels_in"),
        (pl.col("out_rows") * pl.col("out_columns")).alias("pixels_out"),
        pl.when(pl.col("function").is_in(TABLE_FUNCTIONS)).then(pl.col("values_in")).otherwise(0).alias("lookups"),
        pl.when(pl.col("function") == "softmax").then(pl.col("values_in")).otherwise(0).alias("exponentials"),
    ]


def _work() -> list[pl.Expr]:
    is_product, sliding = pl.col("role") == "product", pl.col("window") > 1
    multipliers = pl.when(is_product).then(pl.col("n_in") * pl.col("n_out") / pl.col("reuse")).otherwise(0.0)
    pixels_out = pl.when(pl.col("kind") == "dense").then(1).otherwise(pl.col("pixels_out"))
    macs = pl.col("n_in") * pl.col("n_out") * pixels_out
    word_bits = multipliers * pl.col("weight_bits")
    streamed_window = pl.col("streamed") & sliding
    return [
        multipliers.alias("multipliers"),
        macs.alias("macs"),
        (macs * pl.col("weight_bits") * pl.col("input_bits")).alias("bit_operations"),
        (pl.col("n_in") * pl.col("n_out") * pl.col("weight_bits")).alias("memory_bits"),
        word_bits.alias("word_bits"),
        pl.when(pl.col("reuse") > 1).then(blocks(pl.col("reuse"), word_bits)).otherwise(0).alias("weight_blocks"),
        pl.when(streamed_window)
        .then((pl.col("kernel_rows") - 1) * pl.col("in_columns") * pl.col("channels_in") * pl.col("input_bits"))
        .otherwise(0)
        .alias("line_bits"),
        pl.when(streamed_window)
        .then(pl.col("window") * pl.col("channels_in") * pl.col("input_bits"))
        .otherwise(0)
        .alias("window_bits"),
        pl.when(pl.col("positions") > 1).then(pl.col("positions") - pl.col("pixels_in")).otherwise(0).alias("padded"),
    ]


def _share(used: str, held: str) -> pl.Expr:
    return pl.when(pl.col(held) > 0).then(pl.col(used) / pl.col(held)).otherwise(0.0)
