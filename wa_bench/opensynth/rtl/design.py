"""The whole design: layers in a row, and a gate that paces the input.

Every design has the same ports: ``in_valid`` / ``in_ready`` accept one word (a whole input vector, or one pixel of a
streamed input), ``out_valid`` marks one output vector; words are packed with element 0 in the low bits. Layers have no
handshake: the schedule leaves every layer the time it needs.

Repeated parts are modules of their own and the hierarchy is kept, so that synthesis maps each part once.
"""

from __future__ import annotations

from math import prod

from wa_bench.opensynth.arithmetic import log2_ceil
from wa_bench.opensynth.layers import Add, Concatenate, Convolution, Dense, Flatten, Layer, Pooling, Softmax, Table
from wa_bench.opensynth.network import Network
from wa_bench.opensynth.rtl.merges import merge
from wa_bench.opensynth.rtl.parts import Modules
from wa_bench.opensynth.rtl.products import product
from wa_bench.opensynth.rtl.streams import convolution, flatten, pooling
from wa_bench.opensynth.rtl.tables import softmax, table
from wa_bench.opensynth.schedule import arrivals, initiation_interval, pixel_interval

GENERATOR_VERSION = "2"
"""Changes whenever the Verilog of any network changes."""


def verilog(network: Network) -> str:
    """The whole design as one Verilog-2005 text with top module ``top``."""
    modules: Modules = {}
    for position, layer in enumerate(network.layers[1:], start=1):
        modules |= _layer(network, layer, _name(layer, position))
    modules["top"] = _top(network)
    return "\n".join(modules.values())


def _name(layer: Layer, position: int) -> str:
    return f"{type(layer).__name__.lower()}_{position - 1}"


def _layer(network: Network, layer: Layer, name: str) -> Modules:
    strategy = network.settings.strategy
    match layer:
        case Dense():
            return product(layer, name, strategy)
        case Convolution():
            return convolution(layer, name, strategy)
        case Pooling():
            return pooling(layer, name)
        case Flatten():
            return flatten(layer, name)
        case Table():
            return table(layer, name)
        case Softmax():
            return softmax(layer, name)
        case Add() | Concatenate():
            arrival = arrivals(network)
            first, second = (arrival[i] for i in layer.inputs)
            early, gap = (0 if first < second else 1), abs(first - second)
            return merge(layer, name, early, gap, initiation_interval(network))
    raise NotImplementedError(type(layer).__name__)


def _top(network: Network) -> str:
    bits = network.settings.activation_bits
    word_bits = network.in_shape[-1] * bits
    out_bits = prod(network.layers[-1].out_shape) * bits
    widths = [word_bits, *(_word(layer) * bits for layer in network.layers[1:])]
    last = len(widths) - 1
    instances = []
    for position, layer in enumerate(network.layers[1:], start=1):
        if len(layer.inputs) == 1:
            source = f".in_valid(v{layer.inputs[0]}), .x(x{layer.inputs[0]})"
        else:
            source = ", ".join(f".valid{i}(v{at}), .x{i}(x{at})" for i, at in enumerate(layer.inputs))
        instances.append(
            f"  {_name(layer, position)} layer_{position - 1}(.clk(clk), .rst(rst), {source}, "
            f".out_valid(v{position}), .y(x{position}));"
        )
    return "\n".join(
        [
            f"module top(input clk, input rst, input in_valid, output in_ready, "
            f"input [{word_bits - 1}:0] in_data, "
            f"output out_valid, output [{out_bits - 1}:0] out_data);",
            *(f"  wire v{i}; wire [{width - 1}:0] x{i};" for i, width in enumerate(widths)),
            "  assign v0 = in_valid & in_ready;",
            "  assign x0 = in_data;",
            *_gate(network),
            *instances,
            f"  assign out_valid = v{last};",
            f"  assign out_data = x{last};",
            "endmodule\n",
        ]
    )


def _word(layer: Layer) -> int:
    """Values that the layer puts out at once: one pixel of a map, or a whole vector."""
    return layer.out_shape[-1]


def _gate(network: Network) -> list[str]:
    """``in_ready``: one input every initiation interval, one pixel every pixel interval within it."""
    interval, between, pixels = initiation_interval(network), pixel_interval(network), network.pixels
    if interval == 1:
        return ["  assign in_ready = 1'b1;"]
    counter = log2_ceil(interval)
    lines = [f"  reg [{counter - 1}:0] wait_cycles;", "  assign in_ready = wait_cycles == 0;"]
    if pixels == 1:
        return [
            *lines,
            "  always @(posedge clk)",
            "    if (rst) wait_cycles <= 0;",
            f"    else if (v0) wait_cycles <= {counter}'d{interval - 1};",
            "    else if (!in_ready) wait_cycles <= wait_cycles - 1;",
        ]
    rest = interval - (pixels - 1) * between - 1
    return [
        *lines,
        f"  reg [{log2_ceil(pixels) - 1}:0] pixel;",
        f"  wire last_pixel = pixel == {pixels - 1};",
        "  always @(posedge clk)",
        "    if (rst) begin",
        "      wait_cycles <= 0; pixel <= 0;",
        "    end else if (v0) begin",
        f"      wait_cycles <= last_pixel ? {rest} : {between - 1};",
        "      pixel <= last_pixel ? 0 : pixel + 1;",
        "    end else if (!in_ready) wait_cycles <= wait_cycles - 1;",
    ]
