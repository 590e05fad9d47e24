"""Layers that see an input pixel by pixel: windows from a line buffer, convolutions, pooling, flattening.

A line buffer is one shift register of pixels; the pixel of row r and column c of a window stands at a fixed place
in it, so a window is a choice of taps and is complete whenever the right pixel has come in.
"""

from __future__ import annotations

from itertools import product
from math import prod

from wa_bench.opensynth.arithmetic import log2_ceil
from wa_bench.opensynth.layers import Convolution, Flatten, Pooling, Sliding
from wa_bench.opensynth.rtl.parts import Modules, ports, valid_pipeline
from wa_bench.opensynth.rtl.products import product as matrix_product


def convolution(layer: Convolution, name: str, strategy: str) -> Modules:
    """Windows into a matrix product."""
    window = _window(layer, f"{name}_window")
    engine = matrix_product(layer, f"{name}_product", strategy)
    pixel = layer.in_shape[-1] * layer.bits
    lines = [
        ports(name, pixel, layer.n_out * layer.bits),
        f"  wire full; wire [{layer.n_in * layer.bits - 1}:0] window;",
        f"  {name}_window line(.clk(clk), .rst(rst), .in_valid(in_valid), .x(x), .out_valid(full), .y(window));",
        f"  {name}_product product(.clk(clk), .rst(rst), .in_valid(full), .x(window), .out_valid(out_valid), .y(y));",
        "endmodule\n",
    ]
    return {**window, **engine, name: "\n".join(lines)}


def pooling(layer: Pooling, name: str) -> Modules:
    """Windows into one registered maximum or mean a channel."""
    bits, channels, count = layer.bits, layer.in_shape[-1], prod(layer.window)
    size = count * channels * bits
    pool = f"{name}_pool"
    sum_bits = bits + log2_ceil(count)
    terms = [f"v{i}" for i in range(count)]
    reduce = [f"  wire signed [{bits - 1}:0] v{i} = x[{i * bits} +: {bits}];" for i in range(count)]
    if layer.average:
        reduce += [
            f"  wire signed [{sum_bits - 1}:0] sum = {' + '.join(terms)};",
            f"  always @(posedge clk) y <= sum >>> {log2_ceil(count)};",
        ]
    else:
        while len(terms) > 1:
            pairs = list(zip(terms[::2], terms[1::2], strict=True))
            terms = [f"{a}_{b}" for a, b in pairs]
            reduce += [
                f"  wire signed [{bits - 1}:0] {term} = ({a} > {b}) ? {a} : {b};"
                for term, (a, b) in zip(terms, pairs, strict=True)
            ]
        reduce.append(f"  always @(posedge clk) y <= {terms[0]};")
    lines = [
        ports(name, channels * bits, channels * bits),
        f"  wire full; wire [{size - 1}:0] window;",
        f"  {name}_window line(.clk(clk), .rst(rst), .in_valid(in_valid), .x(x), .out_valid(full), .y(window));",
    ]
    for channel in range(channels):
        values = ", ".join(
            f"window[{(place * channels + channel) * bits} +: {bits}]" for place in reversed(range(count))
        )
        lines.append(f"  {pool} pool{channel}(.clk(clk), .x({{{values}}}), .y(y[{channel * bits} +: {bits}]));")
    lines += ["  reg valid;", "  always @(posedge clk) valid <= !rst & full;", "  assign out_valid = valid;"]
    head = f"module {pool}(input clk, input [{count * bits - 1}:0] x, output reg signed [{bits - 1}:0] y);"
    return {
        **_window(layer, f"{name}_window"),
        pool: "\n".join([head, *reduce, "endmodule\n"]),
        name: "\n".join([*lines, "endmodule\n"]),
    }


def flatten(layer: Flatten, name: str) -> Modules:
    """All pixels of an input side by side, the first in the low bits."""
    pixel, count = layer.in_shape[-1] * layer.bits, prod(layer.in_shape[:-1])
    if count == 1:
        body = [f"  reg [{pixel - 1}:0] held;", "  always @(posedge clk) held <= x;", *valid_pipeline(1)]
    else:
        counter = log2_ceil(count)
        body = [
            f"  reg [{count * pixel - 1}:0] held;",
            f"  reg [{counter - 1}:0] seen;",
            "  reg full;",
            f"  wire last = seen == {count - 1};",
            "  always @(posedge clk) begin",
            f"    if (in_valid) held <= {{x, held[{count * pixel - 1}:{pixel}]}};",
            "    if (rst) seen <= 0;",
            "    else if (in_valid) seen <= last ? 0 : seen + 1;",
            "    full <= !rst & in_valid & last;",
            "  end",
            "  assign out_valid = full;",
        ]
    return {name: "\n".join([ports(name, pixel, count * pixel), *body, "  assign y = held;", "endmodule\n"])}


def _window(layer: Sliding, name: str) -> Modules:
    """``y`` is the window, row by row and pixel by pixel, when ``out_valid`` says that it is complete."""
    pixel = layer.in_shape[-1] * layer.bits
    sizes, window, strides = layer.in_shape[:-1], layer.window, layer.strides
    row_length = sizes[-1]
    rows = window[0] if len(window) == 2 else 1
    depth = (rows - 1) * row_length + window[-1]
    taps = [
        (rows - 1 - row) * row_length + (window[-1] - 1 - column)
        for row, column in product(range(rows), range(window[-1]))
    ]
    chosen = ", ".join(f"line[{tap * pixel} +: {pixel}]" for tap in reversed(taps))
    lines = [
        ports(name, pixel, len(taps) * pixel),
        f"  reg [{depth * pixel - 1}:0] line;",
        "  always @(posedge clk) if (in_valid) line <= {line, x};",
        f"  assign y = {{{chosen}}};",
    ]
    conditions = []
    carry = "in_valid"
    for axis in reversed(range(len(sizes))):
        place, last = f"at{axis}", f"last{axis}"
        width = max(1, log2_ceil(sizes[axis]))
        lines += [
            f"  reg [{width - 1}:0] {place};",
            f"  wire {last} = {place} == {sizes[axis] - 1};",
            "  always @(posedge clk)",
            f"    if (rst) {place} <= 0;",
            f"    else if ({carry}) {place} <= {last} ? 0 : {place} + 1;",
        ]
        ends = range(window[axis] - 1, sizes[axis], strides[axis])
        conditions.append(_among(place, width, ends))
        carry = f"{carry} & {last}"
    lines += [
        "  reg full;",
        f"  always @(posedge clk) full <= !rst & in_valid & {' & '.join(conditions)};",
        "  assign out_valid = full;",
        "endmodule\n",
    ]
    return {name: "\n".join(lines)}


def _among(place: str, width: int, values: range) -> str:
    """Whether the counter ``place`` has one of the values."""
    mask = sum(1 << value for value in values)
    return f"((({1 << width}'h{mask:x}) >> {place}) & 1'b1)"
