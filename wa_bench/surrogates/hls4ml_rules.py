"""What hls4ml builds, layer by layer, with Vivado HLS (before hls4ml 1.0) or Vitis HLS.

Three kinds of design (hls4ml's ``PipelineStyle``): *dataflow* with all inputs at once (resource strategy, io_parallel),
*streamed* dataflow (io_stream: convolutions), and one *pipeline* (latency and distributed arithmetic, io_parallel).

Sources of the rules:

*code*
    hls4ml 0.8.1 and 1.1.0: the reuse loop runs once a step with an initiation interval of one; operand and output of
    each step are found by index, the output through a ROM of ``reuse`` words where ``reuse > n_in``; a convolution
    runs the reuse loop for each pixel; tables have 1024 entries of 18 bits; batch normalization that does not fold into
    a product multiplies each value, ``reuse`` of them by one multiplier, and so do merges that multiply, unshared.
*rows*
    Constants read off the public rows of the 2layer and 3layer families (an older tabular export of wa-hls4ml, 76
    rows at hand; least squares by ``scripts/fit_analytic.py``): registers and LUTs a bit of a dataflow layer. They hold
    within 1 % (FF) and 5 % (LUT) on the records of these families, which took no part.
*records*
    Read off single public records of the other families (three a family, and four exemplars); the least certain. They
    are of the test and exemplar splits, so errors on those very records are no blind ones.
*assumed*
    Plain engineering; no record tells.
"""

from __future__ import annotations

import polars as pl

from wa_bench.surrogates.hardware import blocks, glorot_steps, log2_ceil, multiplied_share, nonzero_share
from wa_bench.surrogates.paths import longest

_WORKING = ("product", "activation", "merge", "normalization", "pooling")
"""Roles of layers that become hardware of their own."""
DSP_BITS = 8
"""Narrowest operand of a product that a DSP block takes, if the other is wider (rows: 76 of 76; records)."""
_OVERHEAD = {"conv1d": 9, "conv2d": 7}
"""Cycles a pixel beside the reuse loop; one dimension also shifts its window, a cycle a column (records: 6 of 6)."""
_ROM_WORDS = 64
"""ROMs of fewer words go to LUTs (assumed)."""
_BLOCK_WORDS = 1024
"""Vivado HLS leaves weights to the tool, which puts ROMs of more words to LUTs, mostly (rows)."""
_SOFTMAX_CYCLES = (2, 9)
"""Cycles a value, and beside (records: 2, 3, and 128 values)."""
_TABLE_CYCLES = 10
_TANH_CYCLES = 3
"""Cycles of a table; of Vitis HLS's tanh beside one a value (records)."""
_QUANTIZER_CYCLES = 3
"""Cycles of a quantized ReLU with rounding and saturation (records of hls4ml 1.1)."""
_ADDER_NS = 2.75
"""Time of a level of additions in the pipeline (records)."""
_EXPONENTIAL_BITS = 10
"""Inputs at least this wide use the whole table of exponentials, narrower ones a part of it."""

_DSP_PORT_BITS = 18
"""Width of the narrower port of a DSP48 slice, sign included (UG479, UG579)."""
_PADDED_CYCLES = 5
"""Cycles by which the layers of zeros around an input come later (records: 3 to 5)."""
_FIFO_WORDS = 64
"""Shallower queues between streamed layers are shift registers or LUT memory (assumed)."""

_FF_INPUT = (2.0, 0.7)
_FF_OUTPUT = 7.6
_FF_QUEUE = (2.0, 5.2)
"""Registers of a dataflow layer (rows): two copies of an input; accumulator, result and control of an output; a queue
of two words and its control between layers."""
_LUT_OUTPUT = 5.57
_LUT_QUEUE = 2.5
_LUT_PRODUCT = 1.2
_LUT_ROM = 0.03
"""LUTs a bit (rows): of an accumulator, which is written and read by index; of a queue between layers; of a partial
product; of weights in LUTs."""
_MODERN_FF = 1.29
_MODERN_LUT_OUTPUT = 2.7
_MODERN_LUT_INPUT = 1.2
_MODERN_LUT_QUEUE = 1.25
"""The same for Vitis HLS (records): registers in proportion, LUTs a bit of an accumulator, an input and a queue."""
_LUT_UNROLLED = 0.75
"""LUTs a bit of an addition whose operand is a constant times an input (records)."""
_LUT_EXPONENTIAL, _LUT_LOOKUP = 6, 4
"""LUTs a bit of what goes into a softmax, and into a table (assumed)."""
_SHIFT_REGISTER_WORDS = 32
"""Words of a shift register in one LUT (UG474, UG574)."""


def costs(table: pl.DataFrame) -> pl.DataFrame:
    """The layer table with what each layer costs: ``dsp_ready`` and the columns of ``features.COSTS``."""
    return (
        table.lazy()
        .with_columns(_dsp_ready().alias("dsp_ready"), _steps().alias("_steps"), _is_dataflow().alias("_dataflow"))
        .with_columns(_own_interval().alias("interval"), _instances().alias("_instances"))
        .with_columns(_cycles().alias("cycles"), *_block_rams())
        .with_columns(_dsp().alias("dsp"), _bram().alias("bram"), _ff().alias("ff"), _lut().alias("lut"))
        .drop("_steps", "_dataflow", "_instances", "_index_blocks", "_weights_in_blocks", "_table_blocks")
        .collect()
    )


def schedules(table: pl.DataFrame) -> pl.DataFrame:
    """One row a design: ``row cycles_min cycles_max interval_max`` (clock cycles).

    Dataflow: layers work one after the other; each hands over in two cycles, or three where it waits (rows: 76 of 76).
    Streamed: all layers work at once, and the slowest decides. Pipeline: depths add up. Branches work side by side, so
    what counts is the longest path.
    """
    slowest = pl.col("interval").arg_max()
    paths = longest(table, least=pl.col("cycles"), most=pl.col("cycles") + (pl.col("n_in") > 0))
    facts = (
        table.hstack(paths)
        .group_by("row")
        .agg(
            (_is_convolution() & pl.col("streamed")).any().alias("streamed"),
            (_is_dataflow().first() & (pl.col("n_in") > 0).any()).alias("dataflow"),
            pl.col("least", "most").max(),
            pl.col("interval").max().ceil().alias("interval_max"),
            pl.col("reuse").get(slowest).alias("reuse"),
            (pl.col("padded").get(slowest) > 0).alias("padded"),
        )
    )
    last_word = pl.col("interval_max") - 1 + pl.when("padded").then(_PADDED_CYCLES).otherwise(0)
    return facts.select(
        "row",
        pl.when("streamed")
        .then((last_word - pl.col("reuse")).clip(lower_bound=0))
        .when("dataflow")
        .then(pl.col("least") - 1)
        .otherwise(pl.col("least").ceil())
        .alias("cycles_min"),
        pl.when("streamed")
        .then(last_word)
        .when("dataflow")
        .then(pl.col("most") - 1)
        .otherwise(pl.col("least").ceil())
        .alias("cycles_max"),
        "interval_max",
    )


def exact() -> dict[str, pl.Expr]:
    """For a layer, whether its rule is exact, by column; a design is where all of its layers are.

    So for chains of dense layers of the resource strategy, each with a valid reuse factor above its number of inputs,
    hls4ml 0.x (or untold), all inputs at once, no activations but linear ones, no batch normalization (quantized layers
    may not take it in): the 2layer and 3layer families. DSP blocks also need operands that are decided: one of 6 bits
    or less, or 8 bits and more beside one of 9 to 18, a port of the block. Rows of smaller reuse factors were not at
    hand; the rules hold for them as far as is known.
    """
    reuse, n_in, n_out = pl.col("reuse"), pl.col("n_in"), pl.col("n_out")
    valid = (reuse > n_in) & (reuse % n_in == 0) & ((n_in * n_out) % reuse == 0)
    dense = (pl.col("kind") == "dense") & (n_in > 0) & valid
    routing = (pl.col("role") == "routing") & (pl.col("kind") != "batch_normalization")
    wires = (pl.col("role") == "input") | routing | (pl.col("function") == "linear").fill_null(value=False)
    grid = (
        (pl.col("strategy") == "resource")
        & ~pl.col("streamed")
        & ~pl.col("modern")
        & (dense | wires)
        & pl.col("chained")
        & pl.col("typed")
    )
    narrow, wide = _operands()
    decided = (narrow < DSP_BITS - 1) | ((narrow >= DSP_BITS) & (wide > DSP_BITS) & (wide <= _DSP_PORT_BITS))
    return {"dsp": grid & (wires | decided), "cycles": grid, "interval": grid}


def _operands() -> tuple[pl.Expr, pl.Expr]:
    """The narrower and the wider operand of a product; those of a merge are taken for alike."""
    other = pl.when(pl.col("weight_bits") > 0).then("weight_bits").otherwise("input_bits")
    return pl.min_horizontal(other, "input_bits"), pl.max_horizontal(other, "input_bits")


def _is_convolution() -> pl.Expr:
    return (pl.col("n_in") > 0) & (pl.col("kind") != "dense")


def _scales() -> pl.Expr:
    """Whether a layer without a matrix product multiplies its values."""
    return (pl.col("role") == "normalization") | pl.col("kind").is_in(["multiply", "dot"])


def _is_dataflow() -> pl.Expr:
    return (pl.col("strategy") == "resource") | pl.col("streamed")


def _steps() -> pl.Expr:
    """Largest weight in steps of its type."""
    return glorot_steps(pl.col("n_in"), pl.col("n_out"), pl.col("weight_fraction"))


def _dsp_ready() -> pl.Expr:
    narrow, wide = _operands()
    multiplies = ((pl.col("n_in") > 0) & (pl.col("strategy") != "distributed_arithmetic")) | _scales()
    return (multiplies & (narrow >= DSP_BITS) & (wide > DSP_BITS)).cast(pl.Int64)


def _instances() -> pl.Expr:
    """Multipliers that are built. The resource strategy builds all; the others only those that weights need."""
    needed = pl.col("n_in") * pl.col("n_out") * multiplied_share(pl.col("_steps"))
    scaled = pl.when(pl.col("kind") == "dot").then("values_in").otherwise(_word())
    return (
        pl.when(_scales())
        .then((scaled / pl.col("reuse").clip(lower_bound=1)).ceil())
        .when(pl.col("strategy") == "resource")
        .then(pl.col("multipliers"))
        .when(pl.col("n_in") > 0)
        .then(pl.min_horizontal(pl.col("multipliers"), needed))
        .otherwise(0.0)
    )


def _own_interval() -> pl.Expr:
    """Cycles between two inputs of a layer."""
    shared = pl.col("strategy") == "resource"
    multiplied = (pl.col("reuse") * multiplied_share(pl.col("_steps"))).ceil().clip(lower_bound=1)
    step = pl.when(shared).then(pl.col("reuse")).when(pl.col("strategy") == "latency").then(multiplied).otherwise(1)
    aside = (
        pl.when(~shared)
        .then(0)
        .when((pl.col("kind") == "conv1d") | (pl.col("kernel_rows") == 1))
        .then(_OVERHEAD["conv1d"] + pl.col("kernel_columns"))
        .otherwise(_OVERHEAD["conv2d"])
    )
    return (
        pl.when(_is_convolution() & pl.col("streamed"))
        .then(pl.col("positions") * (step + aside) + 2)
        .when(_is_convolution())
        .then(pl.col("pixels_out") * step)
        .when(pl.col("n_in") > 0)
        .then(step)
        .when(pl.col("streamed") & (pl.col("role") == "pooling"))
        .then(pl.col("positions"))
        .when(pl.col("role") == "normalization")
        .then(pl.col("reuse") * pl.when("streamed").then("pixels_in").otherwise(1))
        .when(pl.col("streamed") & pl.col("role").is_in(["activation", "merge"]))
        .then(pl.col("pixels_in"))
        .otherwise(pl.lit(1))
        .cast(pl.Float64)
    )


def _cycles() -> pl.Expr:
    """What a layer adds to the latency; a streamed one has its whole pass."""
    levels = log2_ceil(pl.col("n_in") + 1)
    depth = (levels * _ADDER_NS / pl.col("clock_ns")) + pl.col("interval") - 1
    a_value, beside = _SOFTMAX_CYCLES
    is_table = pl.col("lookups") > 0
    return (
        pl.when(pl.col("streamed"))
        .then(pl.col("interval") + 2 * (pl.col("n_in") > 0))
        .when((pl.col("n_in") > 0) & pl.col("_dataflow"))
        .then(pl.col("interval") + 2)
        .when(pl.col("n_in") > 0)
        .then(depth)
        .when(pl.col("exponentials") > 0)
        .then(a_value * pl.col("exponentials") + beside)
        .when(is_table & ~pl.col("_dataflow"))
        .then(1)
        .when(is_table & pl.col("modern") & (pl.col("function") == "tanh"))
        .then(pl.col("lookups") + _TANH_CYCLES)
        .when(is_table)
        .then(_TABLE_CYCLES)
        .when((pl.col("role") == "activation") & (pl.col("function") != "linear") & pl.col("modern"))
        .then(pl.when(pl.col("_dataflow")).then(_QUANTIZER_CYCLES).otherwise(0))
        .when(pl.col("role").is_in(["merge", "pooling"]))
        .then(1)
        .when(pl.col("role") == "normalization")
        .then(pl.col("interval"))
        .otherwise(0)
        .cast(pl.Float64)
    )


def _block_rams() -> list[pl.Expr]:
    """Memories by 18 kbit block."""
    shared = (pl.col("strategy") == "resource") & (pl.col("reuse") > 1) & (pl.col("n_in") > 0)
    slots = (pl.col("reuse") / pl.col("n_in").clip(lower_bound=1)).ceil()
    index_bits = log2_ceil(slots)
    reads = (pl.col("values_in") / 2).ceil()  # two values read a block at once
    whole = pl.col("input_bits") >= _EXPONENTIAL_BITS
    return [
        pl.when(shared & (index_bits > 0) & (pl.col("reuse") >= _ROM_WORDS))
        .then(blocks(pl.col("reuse"), index_bits))
        .otherwise(0.0)
        .alias("_index_blocks"),
        (shared & (pl.col("reuse") >= _ROM_WORDS) & (pl.col("modern") | (pl.col("reuse") <= _BLOCK_WORDS))).alias(
            "_weights_in_blocks"
        ),
        pl.when(pl.col("modern"))
        .then(0.0)
        .when(pl.col("lookups") > 0)
        .then(reads)
        .when(pl.col("exponentials") > 0)
        .then(pl.when(pl.col("input_bits") >= DSP_BITS).then(1 + pl.when(whole).then(reads).otherwise(2)).otherwise(0))
        .otherwise(0.0)
        .alias("_table_blocks"),
    ]


def _dsp() -> pl.Expr:
    """Products, and a product of exponential and inverse for each value of a softmax."""
    return pl.col("_instances").ceil() * pl.col("dsp_ready") + pl.col("exponentials")


def _bram() -> pl.Expr:
    weights = pl.when(pl.col("_weights_in_blocks")).then(pl.col("weight_blocks")).otherwise(0)
    words = pl.col("pixels_out")
    waiting = pl.col("streamed") & (words >= _FIFO_WORDS) & (_queued() > 0)
    queue = pl.when(waiting).then(blocks(words, pl.col("channels") * pl.col("output_bits"))).otherwise(0.0)
    return (weights + pl.col("_index_blocks") + pl.col("_table_blocks") + queue) / 2


def _queued() -> pl.Expr:
    """Values that wait between this dataflow layer and the next; none behind the last layer."""
    return pl.when(pl.col("last") | ~pl.col("role").is_in(_WORKING)).then(0).otherwise(pl.col("values_out"))


def _ff() -> pl.Expr:
    bits_in, bits_out, total = pl.col("input_bits"), pl.col("output_bits"), pl.col("accumulator_bits")
    product = pl.col("n_in") * (_FF_INPUT[0] * bits_in + _FF_INPUT[1]) + pl.col("n_out") * (
        total + bits_out + _FF_OUTPUT
    )
    pipelined = pl.col("_instances") * pl.col("weight_bits") * (1 - pl.col("dsp_ready"))
    other = pl.when(pl.col("role").is_in(_WORKING[1:])).then(_word() * (bits_in + bits_out)).otherwise(0)
    queue = _waiting() * (_FF_QUEUE[0] * bits_out + _FF_QUEUE[1])
    dataflow = pl.when(pl.col("n_in") > 0).then(product + pipelined).otherwise(other) + queue
    staged = (pl.col("n_in") * bits_in + pl.col("n_out") * total) * pl.col("cycles").clip(lower_bound=1) / 2
    return (
        pl.when(pl.col("_dataflow"))
        .then(dataflow * pl.when("modern").then(_MODERN_FF).otherwise(1.0))
        .when(pl.col("n_in") > 0)
        .then(staged)
        .otherwise(other)
    )


def _lut() -> pl.Expr:
    total, bits_in = pl.col("accumulator_bits"), pl.col("input_bits")
    narrow, wide = _operands()
    soft = pl.when(pl.col("dsp_ready") > 0).then(0.0).otherwise(_LUT_PRODUCT * narrow * wide)
    rom = pl.when(pl.col("_weights_in_blocks")).then(0.0).otherwise(_LUT_ROM * pl.col("memory_bits"))
    output = pl.when("modern").then(_MODERN_LUT_OUTPUT).otherwise(_LUT_OUTPUT)
    chosen = pl.when("modern").then(_MODERN_LUT_INPUT * bits_in).otherwise(0.0)
    product = pl.col("n_out") * output * total + pl.col("n_in") * chosen + pl.col("_instances") * soft + rom
    shifted = (pl.col("line_bits") / _SHIFT_REGISTER_WORDS).ceil()
    queued = pl.when("modern").then(_MODERN_LUT_QUEUE).otherwise(_LUT_QUEUE)
    queue = _waiting() * queued * pl.col("output_bits")
    other = (
        pl.when(pl.col("exponentials") > 0)
        .then(_LUT_EXPONENTIAL * _word() * bits_in)
        .when(pl.col("lookups") > 0)
        .then(_LUT_LOOKUP * _word() * bits_in)
        .when(pl.col("role").is_in(_WORKING[1:]))
        .then(_word() * pl.max_horizontal("input_bits", "output_bits") + pl.col("_instances") * soft)
        .otherwise(0.0)
    )
    unrolled = pl.col("n_in") * pl.col("n_out") * nonzero_share(pl.col("_steps")) * total * _LUT_UNROLLED
    return (
        pl.when(pl.col("_dataflow"))
        .then(pl.when(pl.col("n_in") > 0).then(product).otherwise(other) + queue + shifted)
        .when(pl.col("n_in") > 0)
        .then(unrolled)
        .otherwise(other)
    )


def _word() -> pl.Expr:
    """Values that a layer handles at once: a pixel if streamed."""
    return pl.when("streamed").then("channels").otherwise("values_out")


def _waiting() -> pl.Expr:
    """Values that the registers of the queue behind a layer hold."""
    return pl.when(_queued() > 0).then(_word()).otherwise(0)
