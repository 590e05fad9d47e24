"""Pieces of Verilog that several kinds of layer use. A piece that is a module comes as {name: text}."""

from __future__ import annotations

from wa_bench.opensynth.arithmetic import log2_ceil, signed_range

DSP_WEIGHT_BITS = 8
"""Multipliers of weights at least this wide go to DSP blocks, as in wa-hls4ml's grid families; so do softmax's."""

Modules = dict[str, str]


def ports(name: str, in_bits: int, out_bits: int) -> str:
    """Head of a layer's module: data are valid in the cycle in which ``in_valid`` or ``out_valid`` is set."""
    return (
        f"module {name}(input clk, input rst, input in_valid, input [{in_bits - 1}:0] x, "
        f"output out_valid, output [{out_bits - 1}:0] y);"
    )


def signed(bits: int, value: int) -> str:
    """A signed constant."""
    return f"$signed({literal(bits, value)})"


def literal(bits: int, value: int) -> str:
    """A constant by its two's-complement bits."""
    return f"{bits}'h{value & ((1 << bits) - 1):x}"


def valid_pipeline(stages: int) -> list[str]:
    """``out_valid`` as ``in_valid`` delayed by ``stages`` cycles."""
    return [
        f"  reg [{stages - 1}:0] valid;",
        f"  always @(posedge clk) valid <= rst ? {stages}'d0 : {{valid, in_valid}};",
        f"  assign out_valid = valid[{stages - 1}];",
    ]


def quantizer(name: str, accumulator_bits: int, bits: int, shift: int, relu: bool) -> Modules:
    """Combinational shift, ReLU and saturation as a module."""
    return {
        name: "\n".join(
            [
                f"module {name}(input signed [{accumulator_bits - 1}:0] a, output [{bits - 1}:0] q);",
                *quantized("r", "a", accumulator_bits, bits, shift, relu),
                "  assign q = r;",
                "endmodule\n",
            ]
        )
    }


def quantized(name: str, value: str, accumulator_bits: int, bits: int, shift: int, relu: bool) -> list[str]:
    """The wire ``name``: ``value`` shifted, rectified and saturated."""
    low, high = signed_range(bits)
    shifted_bits = max(accumulator_bits - shift, 1)
    s, t = f"{name}_shifted", f"{name}_cut"
    if relu:
        negative = f"{bits}'d0"
    elif shifted_bits > bits:
        negative = f"({s} < -{shifted_bits}'sd{-low}) ? {bits}'d{-low} : {s}[{bits - 1}:0]"
    else:
        negative = t
    positive = f"({s} > {shifted_bits}'sd{high}) ? {bits}'d{high} : {t}" if shifted_bits > bits else t
    return [
        f"  wire signed [{shifted_bits - 1}:0] {s} = {value} >>> {shift};",
        f"  wire signed [{bits - 1}:0] {t} = {s};",
        f"  wire [{bits - 1}:0] {name} = {s}[{shifted_bits - 1}] ? ({negative}) : ({positive});",
    ]


def adder_tree(count: int, bits: int) -> tuple[str, Modules]:
    """Module that sums ``count`` signed numbers of ``bits`` bits, one register level per halving."""
    levels = log2_ceil(count)
    name = f"sum_{count}x{bits}"
    terms = [f"s_{i}" for i in range(count)]
    lines = [f"module {name}(input clk, input [{count * bits - 1}:0] x, output signed [{bits + levels - 1}:0] sum);"]
    lines += [f"  wire signed [{bits - 1}:0] s_{i} = x[{i * bits} +: {bits}];" for i in range(count)]
    lines += [*adder_levels("sum", terms, bits, levels), "endmodule\n"]
    return name, {name: "\n".join(lines)}


def adder_levels(target: str, terms: list[str], bits: int, levels: int) -> list[str]:
    """Registered additions of signed ``terms`` in ``levels`` levels, the last of which drives ``target``.

    Every level widens the numbers by one bit and halves their count; a single number is only delayed.
    """
    lines = []
    for level in range(1, levels + 1):
        pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
        terms = [f"{target}_{level}_{i}" for i in range(len(pairs))]
        for term, pair in zip(terms, pairs, strict=True):
            lines.append(f"  reg signed [{bits + level - 1}:0] {term};")
            lines.append(f"  always @(posedge clk) {term} <= {' + '.join(pair)};")
    return [*lines, f"  assign {target} = {terms[0]};"]


def multiplier(weight_bits: int, activation_bits: int) -> tuple[str, Modules]:
    """A registered multiplier: ``*`` where a DSP block shall take it, else a sum of partial products."""
    name = f"mul_{'dsp' if weight_bits >= DSP_WEIGHT_BITS else 'soft'}_{weight_bits}x{activation_bits}"
    bits = weight_bits + activation_bits
    if weight_bits >= DSP_WEIGHT_BITS:
        product = "w * x"
    else:
        partial = [f"(w[{i}] ? e <<< {i} : {bits}'sd0)" for i in range(weight_bits)]
        product = f"{' + '.join(partial[:-1])} - {partial[-1]}"
    return name, {
        name: "\n".join(
            [
                f"module {name}(input clk, input signed [{weight_bits - 1}:0] w, "
                f"input signed [{activation_bits - 1}:0] x, output reg signed [{bits - 1}:0] p);",
                f"  wire signed [{bits - 1}:0] e = x;",
                f"  always @(posedge clk) p <= {product};",
                "endmodule\n",
            ]
        )
    }


def delayed(name: str, value: str, bits: int, cycles: int) -> list[str]:
    """The wire ``name``: ``value`` some cycles later."""
    if cycles == 0:
        return [f"  wire [{bits - 1}:0] {name} = {value};"]
    stages = [f"{name}_{i}" for i in range(cycles)]
    lines = [f"  reg [{bits - 1}:0] {stage};" for stage in stages]
    for before, stage in zip([value, *stages], stages, strict=False):
        lines.append(f"  always @(posedge clk) {stage} <= {before};")
    return [*lines, f"  wire [{bits - 1}:0] {name} = {stages[-1]};"]
