"""Verilog of an integer network, in hls4ml's two strategies.

Every design has the same ports: ``in_valid`` / ``in_ready`` accept one input vector, ``out_valid`` marks one
output vector; vectors are packed with element 0 in the low bits.

*Latency*: every product is a shift-and-add circuit of its constant weight, summed by a registered adder tree;
a new input enters every cycle.

*Resource*: a layer of reuse factor R owns ``n_in * n_out / R`` multipliers. At step r, multiplier m handles the
weight of flat index ``r + R * m`` (output-major), which is hls4ml's order; weights stand in a ROM of R words.
Where R > 1 the ROM is block RAM: our rule, since Yosys left to itself keeps ROMs this shallow in logic (hls4ml
leaves the choice to its tool). A new input enters every max(R) cycles.

Repeated parts are modules of their own and the hierarchy is kept, so that synthesis maps each part once.
"""

from __future__ import annotations

from wa_bench.opensynth.arithmetic import canonical_signed_digits, log2_ceil, signed_range
from wa_bench.opensynth.network import Dense, Network

GENERATOR_VERSION = "1"
"""Changes whenever the Verilog of any network changes."""

DSP_WEIGHT_BITS = 8
"""Multipliers of weights at least this wide go to DSP blocks, as in wa-hls4ml's grid families."""


def latency_cycles(network: Network) -> int:
    """Cycles from an accepted input to its output, by the schedule of this generator."""
    if network.settings.strategy == "latency":
        return sum(2 + log2_ceil(layer.n_in + 1) for layer in network.layers)
    return sum(layer.reuse_factor + 4 + log2_ceil(_products_per_lane(layer)) for layer in network.layers)


def initiation_interval(network: Network) -> int:
    """Cycles between two accepted inputs, by the schedule of this generator."""
    return max(layer.reuse_factor for layer in network.layers)


def verilog(network: Network) -> str:
    """The whole design as one Verilog-2005 text with top module ``top``."""
    emit_layer = _latency_layer if network.settings.strategy == "latency" else _resource_layer
    modules: dict[str, str] = {}
    for index, layer in enumerate(network.layers):
        modules |= emit_layer(network, layer, f"dense_{index}")
    modules["top"] = _top(network)
    return "\n".join(modules.values())


def _top(network: Network) -> str:
    bits = network.settings.activation_bits
    interval = initiation_interval(network)
    last = len(network.layers)
    wires = [f"  wire v{i}; wire [{layer.n_in * bits - 1}:0] x{i};" for i, layer in enumerate(network.layers)]
    wires.append(f"  wire v{last}; wire [{network.widths[-1] * bits - 1}:0] x{last};")
    instances = [
        f"  dense_{i} layer_{i}(.clk(clk), .rst(rst), .in_valid(v{i}), .x(x{i}), .out_valid(v{i + 1}), .y(x{i + 1}));"
        for i in range(last)
    ]
    if interval == 1:
        gate = ["  assign in_ready = 1'b1;"]
    else:
        counter = log2_ceil(interval)
        gate = [
            f"  reg [{counter - 1}:0] wait_cycles;",
            "  assign in_ready = wait_cycles == 0;",
            "  always @(posedge clk)",
            "    if (rst) wait_cycles <= 0;",
            f"    else if (v0) wait_cycles <= {counter}'d{interval - 1};",
            "    else if (!in_ready) wait_cycles <= wait_cycles - 1;",
        ]
    return "\n".join(
        [
            f"module top(input clk, input rst, input in_valid, output in_ready, "
            f"input [{network.widths[0] * bits - 1}:0] in_data, "
            f"output out_valid, output [{network.widths[-1] * bits - 1}:0] out_data);",
            *wires,
            "  assign v0 = in_valid & in_ready;",
            "  assign x0 = in_data;",
            *gate,
            *instances,
            f"  assign out_valid = v{last};",
            f"  assign out_data = x{last};",
            "endmodule\n",
        ]
    )


def _quantizer(name: str, accumulator_bits: int, bits: int, layer: Dense) -> dict[str, str]:
    """Combinational shift, ReLU and saturation."""
    low, high = signed_range(bits)
    shifted_bits = max(accumulator_bits - layer.shift, 1)
    if layer.relu:
        negative = f"{bits}'d0"
    elif shifted_bits > bits:
        negative = f"(s < -{shifted_bits}'sd{-low}) ? {bits}'d{-low} : s[{bits - 1}:0]"
    else:
        negative = "t"
    positive = f"(s > {shifted_bits}'sd{high}) ? {bits}'d{high} : t" if shifted_bits > bits else "t"
    return {
        name: "\n".join(
            [
                f"module {name}(input signed [{accumulator_bits - 1}:0] a, output [{bits - 1}:0] q);",
                f"  wire signed [{shifted_bits - 1}:0] s = a >>> {layer.shift};",
                f"  wire signed [{bits - 1}:0] t = s;",
                f"  assign q = s[{shifted_bits - 1}] ? ({negative}) : ({positive});",
                "endmodule\n",
            ]
        )
    }


def _adder_tree(name: str, count: int, bits: int) -> dict[str, str]:
    """Sum of ``count`` signed numbers of ``bits`` bits, one register level per halving."""
    levels = log2_ceil(count)
    lines = [f"module {name}(input clk, input [{count * bits - 1}:0] x, output signed [{bits + levels - 1}:0] sum);"]
    for i in range(count):
        lines.append(f"  wire signed [{bits - 1}:0] s0_{i} = x[{i * bits} +: {bits}];")
    remaining = count
    for level in range(1, levels + 1):
        pairs = (remaining + 1) // 2
        for i in range(pairs):
            right = f" + s{level - 1}_{2 * i + 1}" if 2 * i + 1 < remaining else ""
            lines.append(f"  reg signed [{bits + level - 1}:0] s{level}_{i};")
            lines.append(f"  always @(posedge clk) s{level}_{i} <= s{level - 1}_{2 * i}{right};")
        remaining = pairs
    return {name: "\n".join([*lines, f"  assign sum = s{levels}_0;", "endmodule\n"])}


def _valid_pipeline(stages: int) -> list[str]:
    """``out_valid`` as ``in_valid`` delayed by ``stages`` cycles."""
    return [
        f"  reg [{stages - 1}:0] valid;",
        f"  always @(posedge clk) valid <= rst ? {stages}'d0 : {{valid, in_valid}};",
        f"  assign out_valid = valid[{stages - 1}];",
    ]


def _ports(name: str, layer: Dense, bits: int) -> str:
    return (
        f"module {name}(input clk, input rst, input in_valid, input [{layer.n_in * bits - 1}:0] x, "
        f"output out_valid, output [{layer.n_out * bits - 1}:0] y);"
    )


def _literal(bits: int, value: int) -> str:
    return f"{bits}'h{value & ((1 << bits) - 1):x}"


def _latency_layer(network: Network, layer: Dense, name: str) -> dict[str, str]:
    bits = network.settings.activation_bits
    total = network.accumulator_bits(layer)
    product = network.settings.weight_bits + bits
    terms = layer.n_in + 1
    modules = _quantizer(f"{name}_quantize", total, bits, layer)
    modules |= _adder_tree(f"{name}_sum", terms, product)
    for neuron in range(layer.n_out):
        modules |= _latency_neuron(f"{name}_neuron_{neuron}", name, layer, neuron, bits, product, total)
    neurons = [
        f"  {name}_neuron_{i} neuron_{i}(.clk(clk), .x(x), .y(y[{i * bits} +: {bits}]));" for i in range(layer.n_out)
    ]
    stages = _valid_pipeline(2 + log2_ceil(terms))
    modules[name] = "\n".join([_ports(name, layer, bits), *stages, *neurons, "endmodule\n"])
    return modules


def _latency_neuron(
    name: str, layer_name: str, layer: Dense, neuron: int, bits: int, product: int, total: int
) -> dict[str, str]:
    """Constant products, adder tree and quantizer of one output."""
    bias = int(layer.bias[neuron]) << layer.bias_shift
    lines = [f"module {name}(input clk, input [{layer.n_in * bits - 1}:0] x, output reg [{bits - 1}:0] y);"]
    for i in range(layer.n_in):
        digits = canonical_signed_digits(int(layer.weights[neuron, i]))
        shifted = [f"{'+' if sign > 0 else '-'}(x{i} <<< {power})" for sign, power in digits]
        lines += [
            f"  wire signed [{product - 1}:0] x{i} = $signed(x[{i * bits} +: {bits}]);",
            f"  reg signed [{product - 1}:0] p{i};",
            f"  always @(posedge clk) p{i} <= {' '.join(shifted) or '0'};",
        ]
    products = ", ".join(f"p{i}" for i in reversed(range(layer.n_in)))
    lines += [
        f"  wire signed [{total - 1}:0] sum;",
        f"  {layer_name}_sum tree(.clk(clk), .x({{{_literal(product, bias)}, {products}}}), .sum(sum));",
        f"  wire [{bits - 1}:0] q;",
        f"  {layer_name}_quantize quantize(.a(sum), .q(q));",
        "  always @(posedge clk) y <= q;",
        "endmodule\n",
    ]
    return {name: "\n".join(lines)}


def _products_per_lane(layer: Dense) -> int:
    """Multipliers that feed one accumulator."""
    return max(1, layer.n_in // layer.reuse_factor)


def _multiplier_name(weight_bits: int, activation_bits: int) -> str:
    kind = "dsp" if weight_bits >= DSP_WEIGHT_BITS else "soft"
    return f"mul_{kind}_{weight_bits}x{activation_bits}"


def _multiplier(weight_bits: int, activation_bits: int) -> dict[str, str]:
    """A registered multiplier: ``*`` where a DSP block shall take it, else a sum of partial products."""
    name = _multiplier_name(weight_bits, activation_bits)
    bits = weight_bits + activation_bits
    if weight_bits >= DSP_WEIGHT_BITS:
        product = "w * x"
    else:
        partial = [f"(w[{i}] ? e <<< {i} : {bits}'sd0)" for i in range(weight_bits)]
        product = f"{' + '.join(partial[:-1])} - {partial[-1]}"
    return {
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


def _selector(count: int, bits: int) -> dict[str, str]:
    """Registered ``count``-to-1 multiplexer of ``bits``-bit words."""
    name = f"select_{count}x{bits}"
    index_bits = max(1, log2_ceil(count))
    return {
        name: "\n".join(
            [
                f"module {name}(input clk, input [{count * bits - 1}:0] x, input [{index_bits - 1}:0] index, "
                f"output reg [{bits - 1}:0] y);",
                f"  always @(posedge clk) y <= x[index * {bits} +: {bits}];",
                "endmodule\n",
            ]
        )
    }


def _lane(network: Network, layer: Dense, name: str) -> dict[str, str]:
    """Multipliers, adder tree, accumulator and quantizer that serve one output at a time."""
    weight_bits, bits = network.settings.weight_bits, network.settings.activation_bits
    count = _products_per_lane(layer)
    total = network.accumulator_bits(layer)
    product = weight_bits + bits
    multiplier = _multiplier_name(weight_bits, bits)
    lines = [
        f"module {name}(input clk, input [{count * weight_bits - 1}:0] w, input [{count * bits - 1}:0] x, "
        f"input first, input signed [{weight_bits - 1}:0] bias, output [{bits - 1}:0] y);",
        f"  wire [{count * product - 1}:0] p;",
    ]
    for i in range(count):
        lines.append(
            f"  {multiplier} m{i}(.clk(clk), .w(w[{i * weight_bits} +: {weight_bits}]), "
            f".x(x[{i * bits} +: {bits}]), .p(p[{i * product} +: {product}]));"
        )
    lines += [
        f"  wire signed [{product + log2_ceil(count) - 1}:0] sum;",
        f"  {name}_sum tree(.clk(clk), .x(p), .sum(sum));",
        f"  wire signed [{total - 1}:0] start = bias;",
        f"  reg signed [{total - 1}:0] accumulator;",
        f"  always @(posedge clk) accumulator <= (first ? start <<< {layer.bias_shift} : accumulator) + sum;",
        f"  {name}_quantize quantize(.a(accumulator), .q(y));",
        "endmodule\n",
    ]
    return {
        **_multiplier(weight_bits, bits),
        **_quantizer(f"{name}_quantize", total, bits, layer),
        **_adder_tree(f"{name}_sum", count, product),
        name: "\n".join(lines),
    }


def _resource_layer(network: Network, layer: Dense, name: str) -> dict[str, str]:
    weight_bits, bits = network.settings.weight_bits, network.settings.activation_bits
    reuse = layer.reuse_factor
    per_lane = _products_per_lane(layer)
    inputs_seen = min(reuse, layer.n_in)
    slots = max(1, reuse // layer.n_in)
    lanes = layer.n_out // slots
    delay = 2 + log2_ceil(per_lane)
    step_bits = max(1, log2_ceil(reuse))
    index_bits = max(1, log2_ceil(inputs_seen))
    slot_bits = max(1, log2_ceil(slots))

    flat = [int(w) for w in layer.weights.reshape(-1)]
    mask = (1 << weight_bits) - 1
    word_bits = layer.multipliers * weight_bits
    words = [
        sum((flat[r + reuse * m] & mask) << (m * weight_bits) for m in range(layer.multipliers)) for r in range(reuse)
    ]

    rom_style = '(* rom_style = "block" *) ' if reuse > 1 else ""
    lines = [
        _ports(name, layer, bits),
        f"  reg [{layer.n_in * bits - 1}:0] held;",
        "  reg busy;",
        f"  reg [{step_bits - 1}:0] step;",
        f"  reg [{index_bits - 1}:0] index;",
        f"  reg [{slot_bits - 1}:0] slot;",
        f"  wire last_index = index == {inputs_seen - 1};",
        f"  wire last_step = step == {reuse - 1};",
        "  always @(posedge clk)",
        "    if (rst) busy <= 0;",
        "    else if (in_valid) begin",
        "      held <= x; busy <= 1; step <= 0; index <= 0; slot <= 0;",
        "    end else if (busy) begin",
        "      busy <= !last_step;",
        "      step <= step + 1;",
        "      index <= last_index ? 0 : index + 1;",
        "      if (last_index) slot <= slot + 1;",
        "    end",
        f"  {rom_style}reg [{word_bits - 1}:0] rom [0:{reuse - 1}];",
        "  initial begin",
        *(f"    rom[{r}] = {_literal(word_bits, word)};" for r, word in enumerate(words)),
        "  end",
        f"  reg [{word_bits - 1}:0] word;",
        "  always @(posedge clk) word <= rom[step];",
    ]
    for p in range(per_lane):
        start = p * inputs_seen * bits
        lines += [
            f"  wire [{bits - 1}:0] x{p};",
            f"  select_{inputs_seen}x{bits} select_{p}(.clk(clk), "
            f".x(held[{start} +: {inputs_seen * bits}]), .index(index), .y(x{p}));",
        ]
    # Control signals travel with the data: word and operand register, product register, adder tree.
    lines += [
        f"  reg [{delay - 1}:0] first; reg [{delay}:0] store;",
        f"  reg [{slot_bits * (delay + 1) - 1}:0] slots;",
        "  always @(posedge clk) begin",
        "    first <= {first, index == 0};",
        f"    store <= rst ? {delay + 1}'d0 : {{store, busy & last_index}};",
        "    slots <= {slots, slot};",
        "  end",
        f"  wire [{slot_bits - 1}:0] bias_slot = slots[{slot_bits * (delay - 1)} +: {slot_bits}];",
        f"  wire [{slot_bits - 1}:0] store_slot = slots[{slot_bits * delay} +: {slot_bits}];",
        f"  reg [{layer.n_out * bits - 1}:0] outputs;",
        "  reg done;",
        f"  always @(posedge clk) done <= !rst & store[{delay}] & (store_slot == {slots - 1});",
        "  assign out_valid = done;",
        "  assign y = outputs;",
    ]
    operands = ", ".join(f"x{p}" for p in reversed(range(per_lane)))
    for lane in range(lanes):
        biases = [int(layer.bias[lane * slots + slot]) for slot in range(slots)]
        lines += [
            f"  reg [{weight_bits - 1}:0] bias_{lane};",
            "  always @* case (bias_slot)",
            *(f"    {slot}: bias_{lane} = {_literal(weight_bits, bias)};" for slot, bias in enumerate(biases)),
            f"    default: bias_{lane} = 0;",
            "  endcase",
            f"  wire [{bits - 1}:0] y_{lane};",
            f"  {name}_lane lane_{lane}(.clk(clk), "
            f".w(word[{lane * per_lane * weight_bits} +: {per_lane * weight_bits}]), .x({{{operands}}}), "
            f".first(first[{delay - 1}]), .bias(bias_{lane}), .y(y_{lane}));",
            "  always @(posedge clk) begin",
            *(
                f"    if (store[{delay}] && store_slot == {slot}) "
                f"outputs[{(lane * slots + slot) * bits} +: {bits}] <= y_{lane};"
                for slot in range(slots)
            ),
            "  end",
        ]
    return {
        **_selector(inputs_seen, bits),
        **_lane(network, layer, f"{name}_lane"),
        name: "\n".join([*lines, "endmodule\n"]),
    }
