"""Synthesis of a design with Yosys for Xilinx UltraScale+, in a fresh process a design.

Run as a program (``python -m wa_bench.opensynth.synthesize``) it reads Verilog on standard input and prints
the cell counts; :func:`synthesize` does that for one design. The process is fresh because a Yosys design
database keeps state that changes later results (seen: other LUT counts after a simulation).
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from wa_bench.errors import ToolError, needs_extra
from wa_bench.opensynth.tools import run

SCRIPT = (
    "read_verilog design.v",
    "synth_xilinx -family xcup -noiopad -noclkbuf -top top",
    "tee -q -o cells.json stat -json",
)
"""Yosys commands of every shipped record: the tool's own flow, hierarchy kept, ABC9 mapping."""

SCRIPT_SHA256 = sha256("\n".join(SCRIPT).encode()).hexdigest()
PART = "xcup"
"""Yosys family that stands for any Xilinx UltraScale+ part: cells are generic, no device is chosen."""


def tool_version() -> str:
    """Version of the pyosys wheel, which is the version of Yosys.

    Raises:
        MissingToolError: pyosys is not installed.
    """
    with needs_extra("opensynth"):
        return version("pyosys")


def synthesize(verilog: str, time_limit: float | None = None) -> dict[str, int]:
    """Cell counts of the mapped design by Yosys cell type, summed over the hierarchy.

    Raises:
        ToolError: pyosys is missing, the run failed, or it took longer than ``time_limit`` seconds.
    """
    tool_version()
    command = [sys.executable, "-m", "wa_bench.opensynth.synthesize"]
    printed = run("Yosys", command, text=verilog, time_limit=time_limit)
    cells: dict[str, int] = json.loads(printed.splitlines()[-1])
    return cells


_CELLS_OF_TARGET: dict[str, dict[str, float]] = {
    "bram": {"RAMB36E2": 1.0, "RAMB18E2": 0.5},
    "dsp": {"DSP48E2": 1},
    "ff": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
    "lut": dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV", "SRL16E", "SRLC32E"), 1),
    "uram": {"URAM288": 1},
}
_UNCOUNTED = {"CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "GND", "VCC"}


def resources(cells: dict[str, int]) -> dict[str, float]:
    """Targets of a record from cell counts, in the units of a Vivado utilization report.

    LUT counts logic LUTs, inverters and shift registers (one LUT each); FF every flip-flop; BRAM is in blocks of
    36 kbit, one of 18 kbit being a half.

    Raises:
        ToolError: a cell type that belongs to no target and is not known to be free.
    """
    known = _UNCOUNTED.union(*_CELLS_OF_TARGET.values())
    if unknown := sorted(set(cells) - known):
        raise ToolError(f"expected cells of the kinds {sorted(known)}, found {unknown} in the mapped design")
    return {
        target: sum(weight * cells.get(cell, 0) for cell, weight in weights.items())
        for target, weights in _CELLS_OF_TARGET.items()
    }


def main() -> None:
    """Synthesize the Verilog on standard input; print the leaf-cell counts as one JSON line."""
    from pyosys import libyosys

    design = libyosys.Design()
    with TemporaryDirectory() as folder:
        (Path(folder) / "design.v").write_text(sys.stdin.read())
        for command in SCRIPT:
            words = command.replace("design.v", f"{folder}/design.v").replace("cells.json", f"{folder}/cells.json")
            libyosys.run_pass(words if words.startswith("tee") else f"tee -q -o {folder}/log {words}", design)
        report = json.loads((Path(folder) / "cells.json").read_text())
    modules = {name.lstrip("\\") for name in report["modules"]}
    cells = report["design"]["num_cells_by_type"]
    print()
    print(json.dumps({cell: n for cell, n in sorted(cells.items()) if cell not in modules}))


if __name__ == "__main__":
    main()
