"""A record: one design with its network, settings and measured cost.

The structs below are the one definition; the Arrow schema, the readers and the data cards follow from them.
Resources are counts after logic synthesis (``bram`` in blocks of 36 kbit, halves allowed); cycles and intervals
are clock cycles. A figure that was not reported is null, never zero.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wa_bench.records.columns import note


class Precision(msgspec.Struct, frozen=True, gc=False):
    """A fixed-point type."""

    width: Annotated[int, note("all bits", "bits")]
    integer: Annotated[int, note("bits before the binary point, sign included", "bits")]
    signed: Annotated[bool, note("whether negative values are possible")]
    rounding: Annotated[str, note("rounding mode, as in ap_fixed")] = "TRN"
    saturation: Annotated[str, note("overflow mode, as in ap_fixed")] = "WRAP"


class Layer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One layer. Shapes leave out the batch dimension."""

    kind: Annotated[str, note("dense, conv1d, conv2d, activation, max_pooling1d, add, ...; quantized ones likewise")]
    name: Annotated[str | None, note("name in the network; null where the record does not tell it")] = None
    inputs: Annotated[tuple[int, ...], note("indices of the layers that it reads: the graph")]
    in_shape: Annotated[tuple[int, ...], note("shape of the first input")]
    out_shape: Annotated[tuple[int, ...], note("shape of the output")]
    units: Annotated[int | None, note("neurons or filters")] = None
    kernel: Annotated[tuple[int, ...] | None, note("window of a convolution")] = None
    strides: Annotated[tuple[int, ...] | None, note("steps of the window")] = None
    padding: Annotated[str | None, note("valid (none) or same")] = None
    pool: Annotated[
        tuple[int, ...] | None, note("window of a pooling; where not given, the only one that the shapes allow, if any")
    ] = None
    use_bias: Annotated[bool | None, note("whether it adds a bias")] = None
    activation: Annotated[str | None, note("relu, tanh, sigmoid, softmax, linear")] = None
    params: Annotated[int, note("weights and biases", "parameters")]
    reuse_factor: Annotated[int, note("products a multiplier computes one after the other; the valid factor, as built")]
    weight: Annotated[Precision | None, note("type of the weights")] = None
    bias: Annotated[Precision | None, note("type of the biases")] = None
    result: Annotated[Precision | None, note("type of the outputs")] = None
    accumulator: Annotated[Precision | None, note("type of the sums")] = None


class HlsEstimate(msgspec.Struct, frozen=True, gc=False):
    """Resources that C-synthesis, or its counterpart, estimated: neither truth nor allowed input."""

    bram: Annotated[float | None, note("block RAM", "18 kbit blocks")]
    dsp: Annotated[int | None, note("DSP blocks", "blocks")]
    ff: Annotated[int | None, note("flip-flops", "flip-flops")]
    lut: Annotated[int | None, note("look-up tables", "LUTs")]
    uram: Annotated[int | None, note("UltraRAM", "288 kbit blocks")]


class Synthesis(msgspec.Struct, frozen=True, gc=False):
    """How an open toolchain made the record: enough to make it again."""

    seed: Annotated[int, note("seed of network, settings, weights and inputs")]
    generator_version: Annotated[str, note("version of the generator")]
    simulator: Annotated[str, note("Verilog simulator and its version")]
    script_sha256: Annotated[str, note("SHA-256 of the synthesis script")]
    verilog_sha256: Annotated[str, note("SHA-256 of the Verilog")]
    checked_vectors: Annotated[
        int, note("inputs on which the simulated Verilog equalled the integer reference", "inputs")
    ]
    netlist_vectors: Annotated[
        int, note("the same of the mapped netlist; zero where a primitive in it has no model", "inputs")
    ] = 0
    failure: Annotated[str | None, note("why a design has no figures")] = None


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """Where the record was read or how it was made."""

    file: Annotated[str | None, note("upstream file")] = None
    index: Annotated[int | None, note("index in the file")] = None
    revision: Annotated[str | None, note("revision of the dataset")] = None
    synthesis: Annotated[Synthesis | None, note("how an open toolchain made it")] = None


class Design(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One row of a dataset."""

    sample_id: Annotated[str, note("identifier of the design, upstream's where it has one")]
    split: Annotated[str, note("train, val, test or exemplar")]
    family: Annotated[str, note("how the network was drawn: kinds of layers, number of them, strategy")]
    group: Annotated[str, note("dense, conv1d, conv2d, or the exemplar's name")]
    model_name: Annotated[str, note("the network's name")]
    source: Annotated[str, note("dataset")]
    part: Annotated[str | None, note("FPGA that was synthesized for")] = None
    clock_ns: Annotated[float | None, note("clock period asked for", "ns")] = None
    tool: Annotated[str, note("synthesis tool")]
    tool_version: Annotated[str | None, note("version of the tool")] = None
    hls4ml_version: Annotated[str | None, note("version of hls4ml")] = None
    strategy: Annotated[str, note("hls4ml's strategy: latency, resource or distributed_arithmetic")]
    io_type: Annotated[str, note("io_parallel (all inputs at once) or io_stream (pixel by pixel)")]
    io_type_inferred: Annotated[bool, note("whether io_type follows from the kinds of layers, as it is not told")]
    reuse_factor: Annotated[int, note("reuse factor that was asked for; layers have the valid one")]
    precision: Annotated[Precision | None, note("the model's default type; those of weights stand in the layers")] = (
        None
    )
    layers: Annotated[list[Layer], note("the network, in order")]
    bram: Annotated[float | None, note("block RAM after logic synthesis, halves allowed", "36 kbit blocks")] = None
    dsp: Annotated[int | None, note("DSP blocks after logic synthesis", "blocks")] = None
    ff: Annotated[int | None, note("flip-flops after logic synthesis", "flip-flops")] = None
    lut: Annotated[int | None, note("look-up tables after logic synthesis", "LUTs")] = None
    uram: Annotated[int | None, note("UltraRAM after logic synthesis", "288 kbit blocks")] = None
    cycles_min: Annotated[int | None, note("latency of one inference, smallest", "clock cycles")] = None
    cycles_max: Annotated[int | None, note("latency of one inference, largest", "clock cycles")] = None
    interval_min: Annotated[int | None, note("initiation interval, smallest", "clock cycles")] = None
    interval_max: Annotated[int | None, note("initiation interval, largest", "clock cycles")] = None
    hls_estimate: Annotated[
        HlsEstimate | None, note("resources estimated before logic synthesis: neither truth nor allowed input")
    ] = None
    provenance: Annotated[Provenance, note("where the record was read or how it was made")]


RESOURCES = HlsEstimate.__struct_fields__
"""Resource columns, in order."""
LARGEST_COUNT = 2**53
"""Largest figure a record may hold: every whole number up to it is exact as a float."""
LATENCIES = ("cycles_min", "cycles_max", "interval_min", "interval_max")
"""Latency columns, in order."""
