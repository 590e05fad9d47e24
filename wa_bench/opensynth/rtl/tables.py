"""Functions by look-up table: tanh, sigmoid and softmax.

Tables are synchronous ROMs; the tool chooses where they go.
"""

from __future__ import annotations

from math import prod

from wa_bench.opensynth.arithmetic import Integers, log2_ceil, signed_range
from wa_bench.opensynth.layers import Softmax, Table
from wa_bench.opensynth.rtl.parts import (
    Modules,
    adder_tree,
    delayed,
    literal,
    multiplier,
    ports,
    valid_pipeline,
)


def table(layer: Table, name: str) -> Modules:
    """One look-up a value."""
    bits, index_bits = layer.bits, layer.index_bits
    values = layer.in_shape[-1]
    low, high = signed_range(index_bits)
    wide = bits + max(0, -layer.index_shift)
    shift = f">>> {layer.index_shift}" if layer.index_shift >= 0 else f"<<< {-layer.index_shift}"
    lookup = f"{name}_lookup"
    lines = [
        f"module {lookup}(input clk, input signed [{bits - 1}:0] x, output reg [{bits - 1}:0] y);",
        f"  wire signed [{wide - 1}:0] e = x;",
        f"  wire signed [{wide - 1}:0] s = e {shift};",
        *_saturated_index("s", wide, index_bits, low, high),
        *_rom("rom", layer.entries, bits),
        "  always @(posedge clk) y <= rom[index];",
        "endmodule\n",
    ]
    instances = [
        f"  {lookup} lookup{i}(.clk(clk), .x(x[{i * bits} +: {bits}]), .y(y[{i * bits} +: {bits}]));"
        for i in range(values)
    ]
    return {
        lookup: "\n".join(lines),
        name: "\n".join([ports(name, values * bits, values * bits), *valid_pipeline(1), *instances, "endmodule\n"]),
    }


def softmax(layer: Softmax, name: str) -> Modules:
    """A pipeline, an input a cycle: maximum, distances, exponentials, their sum, its inverse, products."""
    bits, count = layer.bits, prod(layer.in_shape)
    levels = log2_ceil(count)
    exponential, inverse = layer.table_bits, layer.table_bits + 1
    sum_bits = exponential + 1 + levels
    distance = f"{name}_exponential"
    maximum = f"{name}_maximum"
    tree, tree_text = adder_tree(count, exponential + 1)
    product_name, product_text = multiplier(inverse + 1, exponential + 1)
    product_bits = inverse + exponential + 2
    inverse_index = layer.sum_bits - layer.sum_shift
    lines = [
        ports(name, count * bits, count * bits),
        *valid_pipeline(5 + 2 * levels),
        f"  wire signed [{bits - 1}:0] largest;",
        f"  {maximum} maximum(.clk(clk), .x(x), .largest(largest));",
        *delayed("x_then", "x", count * bits, levels),
        f"  wire [{count * (exponential + 1) - 1}:0] parts;",
        *(
            f"  {distance} exponential{i}(.clk(clk), .largest(largest), .x(x_then[{i * bits} +: {bits}]), "
            f".e(parts[{i * (exponential + 1)} +: {exponential + 1}]));"
            for i in range(count)
        ),
        f"  wire signed [{sum_bits - 1}:0] sum;",
        f"  {tree} tree(.clk(clk), .x(parts), .sum(sum));",
        *_rom("inverses", layer.inverses, inverse + 1),
        f"  wire [{inverse_index - 1}:0] inverse_index = sum >> {layer.sum_shift};",
        f"  reg [{inverse}:0] inverse;",
        "  always @(posedge clk) inverse <= inverses[inverse_index];",
        *delayed("parts_then", "parts", count * (exponential + 1), levels + 1),
    ]
    for i in range(count):
        lines += [
            f"  wire [{product_bits - 1}:0] product{i};",
            f"  {product_name} multiply{i}(.clk(clk), .w(inverse), "
            f".x(parts_then[{i * (exponential + 1)} +: {exponential + 1}]), .p(product{i}));",
            f"  wire [{product_bits - 1}:0] cut{i} = product{i} >> {layer.result_shift};",
            f"  reg [{bits - 1}:0] y{i};",
            f"  always @(posedge clk) y{i} <= (cut{i} > {(1 << (bits - 1)) - 1}) ? {(1 << (bits - 1)) - 1} : cut{i};",
            f"  assign y[{i * bits} +: {bits}] = y{i};",
        ]
    return {
        **tree_text,
        **product_text,
        **_maximum(maximum, count, bits),
        **_exponential(layer, distance),
        name: "\n".join([*lines, "endmodule\n"]),
    }


def _exponential(layer: Softmax, name: str) -> Modules:
    """Distance from the largest value, then its exponential: two registers."""
    bits, index_bits, exponential = layer.bits, layer.index_bits, layer.table_bits
    wide = bits + 1 + max(0, -layer.index_shift)
    shift = f">> {layer.index_shift}" if layer.index_shift >= 0 else f"<< {-layer.index_shift}"
    last = (1 << index_bits) - 1
    lines = [
        f"module {name}(input clk, input signed [{bits - 1}:0] largest, input signed [{bits - 1}:0] x, "
        f"output reg [{exponential}:0] e);",
        f"  wire [{wide - 1}:0] distance = largest - x;",
        f"  wire [{wide - 1}:0] s = distance {shift};",
        f"  reg [{index_bits - 1}:0] index;",
        f"  always @(posedge clk) index <= (s > {last}) ? {last} : s;",
        *_rom("rom", layer.exponentials, exponential + 1),
        "  always @(posedge clk) e <= rom[index];",
        "endmodule\n",
    ]
    return {name: "\n".join(lines)}


def _maximum(name: str, count: int, bits: int) -> Modules:
    """Largest of ``count`` signed numbers, one register level per halving."""
    terms = [f"v{i}" for i in range(count)]
    lines = [f"module {name}(input clk, input [{count * bits - 1}:0] x, output signed [{bits - 1}:0] largest);"]
    lines += [f"  wire signed [{bits - 1}:0] v{i} = x[{i * bits} +: {bits}];" for i in range(count)]
    level = 0
    while len(terms) > 1:
        level += 1
        pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
        terms = [f"m{level}_{i}" for i in range(len(pairs))]
        for term, pair in zip(terms, pairs, strict=True):
            larger = f"({pair[0]} > {pair[1]}) ? {pair[0]} : {pair[1]}" if len(pair) == 2 else pair[0]
            lines += [f"  reg signed [{bits - 1}:0] {term};", f"  always @(posedge clk) {term} <= {larger};"]
    return {name: "\n".join([*lines, f"  assign largest = {terms[0]};", "endmodule\n"])}


def _saturated_index(value: str, bits: int, index_bits: int, low: int, high: int) -> list[str]:
    """The wire ``index``: the low bits of ``value``, saturated."""
    if bits <= index_bits:
        return [
            f"  wire signed [{index_bits - 1}:0] index_signed = {value};",
            f"  wire [{index_bits - 1}:0] index = index_signed;",
        ]
    return [
        f"  wire [{index_bits - 1}:0] index = ({value} > {high}) ? {literal(index_bits, high)} : "
        f"({value} < {low}) ? {literal(index_bits, low)} : {value}[{index_bits - 1}:0];"
    ]


def _rom(name: str, entries: Integers, bits: int) -> list[str]:
    """A memory with these contents."""
    return [
        f"  reg [{bits - 1}:0] {name} [0:{len(entries) - 1}];",
        "  initial begin",
        *(f"    {name}[{i}] = {literal(bits, entry)};" for i, entry in enumerate(entries.tolist())),
        "  end",
    ]
