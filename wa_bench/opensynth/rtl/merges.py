"""Layers that read two others: addition and concatenation.

The earlier operand waits until the later one comes: in a delay line where an input comes every cycle, otherwise in a
small queue. How many can wait follows from the schedule.
"""

from __future__ import annotations

from math import prod

from wa_bench.opensynth.arithmetic import log2_ceil
from wa_bench.opensynth.layers import Add, Concatenate
from wa_bench.opensynth.rtl.parts import Modules, delayed, quantizer


def merge(layer: Add | Concatenate, name: str, early: int, gap: int, interval: int) -> Modules:
    """A layer of two operands, ``x0`` and ``x1``: number ``early`` comes ``gap`` cycles before the other.

    New operands come every ``interval`` cycles at most.
    """
    bits = layer.bits
    shapes = (layer.in_shape, layer.other_shape if isinstance(layer, Concatenate) else layer.in_shape)
    widths = [prod(shape) * bits for shape in shapes]
    out_bits = prod(layer.out_shape) * bits
    late = 1 - early
    lines = [
        f"module {name}(input clk, input rst, input valid0, input [{widths[0] - 1}:0] x0, "
        f"input valid1, input [{widths[1] - 1}:0] x1, output reg out_valid, output reg [{out_bits - 1}:0] y);",
        f"  always @(posedge clk) out_valid <= !rst & valid{late};",
        f"  wire [{widths[late] - 1}:0] operand{late} = x{late};",
        f"  wire [{out_bits - 1}:0] result;",
        "  always @(posedge clk) y <= result;",
    ]
    if gap == 0 or interval == 1:
        lines += delayed(f"operand{early}", f"x{early}", widths[early], gap)
    else:
        waiting = (gap - 1) // interval + 1
        lines += _queue(f"x{early}", f"valid{early}", f"valid{late}", f"operand{early}", widths[early], waiting)
    modules: Modules = {}
    if isinstance(layer, Add):
        modules = quantizer(f"{name}_quantize", bits + 1, bits, 0, layer.relu)
        for i in range(prod(layer.in_shape)):
            lines += [
                *_shifted(f"a{i}", "operand0", i, bits, layer.shifts[0]),
                *_shifted(f"b{i}", "operand1", i, bits, layer.shifts[1]),
                f"  wire signed [{bits}:0] s{i} = a{i} + b{i};",
                f"  {name}_quantize quantize{i}(.a(s{i}), .q(result[{i * bits} +: {bits}]));",
            ]
    else:
        place = 0
        for operand, shape in enumerate(shapes):
            for i in range(prod(shape)):
                lines += _shifted(f"v{place}", f"operand{operand}", i, bits, layer.shifts[operand])
                lines.append(f"  assign result[{place * bits} +: {bits}] = v{place};")
                place += 1
    return {**modules, name: "\n".join([*lines, "endmodule\n"])}


def _shifted(name: str, vector: str, index: int, bits: int, shift: int) -> list[str]:
    """The signed wire ``name``: element ``index`` of a vector without its low bits."""
    return [
        f"  wire signed [{bits - 1}:0] {name}_whole = {vector}[{index * bits} +: {bits}];",
        f"  wire signed [{bits - 1}:0] {name} = {name}_whole >>> {shift};",
    ]


def _queue(value: str, push: str, pop: str, name: str, bits: int, length: int) -> list[str]:
    """The wire ``name``: the oldest of at most ``length`` waiting values."""
    if length == 1:
        return [
            f"  reg [{bits - 1}:0] waiting;",
            f"  always @(posedge clk) if ({push}) waiting <= {value};",
            f"  wire [{bits - 1}:0] {name} = waiting;",
        ]
    counter = log2_ceil(length + 1)
    oldest = "".join(f"count == {i + 1} ? waiting[{i * bits} +: {bits}] : " for i in range(length - 1))
    return [
        f"  reg [{length * bits - 1}:0] waiting;",
        f"  reg [{counter - 1}:0] count;",
        "  always @(posedge clk) begin",
        f"    if ({push}) waiting <= {{waiting, {value}}};",
        f"    count <= rst ? {counter}'d0 : count + {push} - {pop};",
        "  end",
        f"  wire [{bits - 1}:0] {name} = {oldest}waiting[{(length - 1) * bits} +: {bits}];",
    ]
