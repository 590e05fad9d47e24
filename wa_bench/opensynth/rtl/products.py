"""Matrix products in hls4ml's three strategies: the heart of dense layers and convolutions.

*Latency*: every product is a shift-and-add circuit of its constant weight, summed by a registered adder tree;
products with zero cost nothing. A new input enters every cycle.

*Resource*: a layer of reuse factor R owns ``n_in * n_out / R`` multipliers. At step r, multiplier m handles the
weight of flat index ``r + R * m`` (output-major), which is hls4ml's order; weights stand in a ROM of R words.
Where R > 1 the ROM is block RAM: our rule, since Yosys left to itself keeps ROMs this shallow in logic (hls4ml
leaves the choice to its tool). A new input enters every R cycles.

*Distributed arithmetic*: additions that outputs share, as da4ml finds them, with a register after each. A new input
enters every cycle.
"""

from __future__ import annotations

from wa_bench.opensynth.arithmetic import canonical_signed_digits, log2_ceil
from wa_bench.opensynth.layers import Product
from wa_bench.opensynth.rtl.parts import (
    Modules,
    adder_levels,
    adder_tree,
    literal,
    multiplier,
    ports,
    quantized,
    quantizer,
    signed,
    valid_pipeline,
)
from wa_bench.opensynth.schedule import product_cycles, products_per_lane


def product(layer: Product, name: str, strategy: str) -> Modules:
    """A module with the ports of a layer."""
    if strategy == "resource":
        return _resource(layer, name)
    body = _constant_products(layer) if strategy == "latency" else _shared_additions(layer)
    head = [
        ports(name, layer.n_in * layer.bits, layer.n_out * layer.bits),
        *valid_pipeline(product_cycles(layer, strategy)),
    ]
    return {name: "\n".join([*head, *body, "endmodule\n"])}


def _constant_products(layer: Product) -> list[str]:
    """Latency strategy, in one module: products with equal constants are shared, as any tool would."""
    bits = layer.bits
    product = layer.weight_bits + bits
    levels = log2_ceil(layer.n_in)
    lines = [f"  wire signed [{product - 1}:0] x{i} = $signed(x[{i * bits} +: {bits}]);" for i in range(layer.n_in)]
    for i, weights in enumerate(layer.weights.T.tolist()):
        for weight in sorted(set(weights) - {0}):
            digits = sorted(canonical_signed_digits(weight), reverse=True)  # begins with an addition if there is one
            shifted = " ".join(f"{'+' if sign > 0 else '-'}(x{i} <<< {power})" for sign, power in digits)
            lines += [
                f"  reg signed [{product - 1}:0] {_product(i, weight)};",
                f"  always @(posedge clk) {_product(i, weight)} <= {shifted};",
            ]
    for neuron, weights in enumerate(layer.weights.tolist()):
        terms = [_product(i, weight) for i, weight in enumerate(weights) if weight] or [f"{product}'sd0"]
        lines += [
            f"  wire signed [{product + levels - 1}:0] sum{neuron};",
            *adder_levels(f"sum{neuron}", terms, product, levels),
            *_finished(layer, neuron),
        ]
    return lines


def _finished(layer: Product, neuron: int) -> list[str]:
    """Bias, quantizer and output register of one neuron, behind its sum."""
    bits, total = layer.bits, layer.accumulator_bits
    bias = signed(total, int(layer.bias[neuron]) << layer.bias_shift)
    return [
        f"  wire signed [{total - 1}:0] biased{neuron} = sum{neuron} + {bias};",
        *quantized(f"q{neuron}", f"biased{neuron}", total, bits, layer.shift, layer.relu),
        f"  reg [{bits - 1}:0] y{neuron};",
        f"  always @(posedge clk) y{neuron} <= q{neuron};",
        f"  assign y[{neuron * bits} +: {bits}] = y{neuron};",
    ]


def _shared_additions(layer: Product) -> list[str]:
    """Distributed arithmetic: every node of the graph a register, and a delay line to those that read it later."""
    graph, bits = layer.adders, layer.bits
    read_until = [node.level for node in graph.nodes]
    for node in graph.nodes:
        if node.left is not None:
            for operand in (node.left, node.right):
                read_until[operand] = max(read_until[operand], node.level - 1)
    for output in graph.outputs:
        if output.node is not None:
            read_until[output.node] = graph.depth
    lines = []
    for index, (node, until) in enumerate(zip(graph.nodes, read_until, strict=True)):
        first = _at(index, node.level)
        if node.left is None:
            lines.append(f"  wire signed [{node.bits - 1}:0] {first} = x[{node.right * bits} +: {bits}];")
        else:
            left, right = _at(node.left, node.level - 1), _at(node.right, node.level - 1)
            lines += [
                f"  wire signed [{node.bits - 1}:0] l{index} = {left};",
                f"  wire signed [{node.bits - 1}:0] r{index} = {right};",
                f"  reg signed [{node.bits - 1}:0] {first};",
                f"  always @(posedge clk) {first} <= (l{index} <<< {node.left_shift}) "
                f"{'-' if node.subtract else '+'} (r{index} <<< {node.right_shift});",
            ]
        for level in range(node.level + 1, until + 1):
            lines += [
                f"  reg signed [{node.bits - 1}:0] {_at(index, level)};",
                f"  always @(posedge clk) {_at(index, level)} <= {_at(index, level - 1)};",
            ]
    total = layer.accumulator_bits
    for neuron, output in enumerate(graph.outputs):
        value = "0" if output.node is None else _at(output.node, graph.depth)
        moved = f"<<< {output.shift}" if output.shift >= 0 else f">>> {-output.shift}"
        lines += [
            f"  wire signed [{total - 1}:0] whole{neuron} = {value};",
            f"  wire signed [{total - 1}:0] sum{neuron} = {'-' if output.negative else ''}(whole{neuron} {moved});",
            *_finished(layer, neuron),
        ]
    return lines


def _at(index: int, level: int) -> str:
    """Name of a node's value after some levels of additions."""
    return f"n{index}_{level}"


def _product(index: int, weight: int) -> str:
    """Name of the register that holds input ``index`` times ``weight``."""
    return f"p{index}_{'minus_' if weight < 0 else ''}{abs(weight)}"


def _selector(count: int, bits: int) -> Modules:
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


def _lane(layer: Product, name: str) -> Modules:
    """Multipliers, adder tree, accumulator and quantizer that serve one output at a time."""
    weight_bits, bits = layer.weight_bits, layer.bits
    count = products_per_lane(layer)
    total = layer.accumulator_bits
    product = weight_bits + bits
    product_name, product_text = multiplier(weight_bits, bits)
    tree, tree_text = adder_tree(count, product)
    lines = [
        f"module {name}(input clk, input [{count * weight_bits - 1}:0] w, input [{count * bits - 1}:0] x, "
        f"input first, input signed [{weight_bits - 1}:0] bias, output [{bits - 1}:0] y);",
        f"  wire [{count * product - 1}:0] p;",
    ]
    for i in range(count):
        lines.append(
            f"  {product_name} m{i}(.clk(clk), .w(w[{i * weight_bits} +: {weight_bits}]), "
            f".x(x[{i * bits} +: {bits}]), .p(p[{i * product} +: {product}]));"
        )
    lines += [
        f"  wire signed [{product + log2_ceil(count) - 1}:0] sum;",
        f"  {tree} tree(.clk(clk), .x(p), .sum(sum));",
        f"  wire signed [{total - 1}:0] start = bias;",
        f"  reg signed [{total - 1}:0] accumulator;",
        f"  always @(posedge clk) accumulator <= (first ? start <<< {layer.bias_shift} : accumulator) + sum;",
        f"  {name}_quantize quantize(.a(accumulator), .q(y));",
        "endmodule\n",
    ]
    return {
        **product_text,
        **quantizer(f"{name}_quantize", total, bits, layer.shift, layer.relu),
        **tree_text,
        name: "\n".join(lines),
    }


def _resource(layer: Product, name: str) -> Modules:
    weight_bits, bits = layer.weight_bits, layer.bits
    reuse = layer.reuse_factor
    per_lane = products_per_lane(layer)
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
        ports(name, layer.n_in * bits, layer.n_out * bits),
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
        *(f"    rom[{r}] = {literal(word_bits, word)};" for r, word in enumerate(words)),
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
            *(f"    {slot}: bias_{lane} = {literal(weight_bits, bias)};" for slot, bias in enumerate(biases)),
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
        **_lane(layer, f"{name}_lane"),
        name: "\n".join([*lines, "endmodule\n"]),
    }
