"""Synthesis of a design with Yosys for Xilinx UltraScale+, in a fresh process a design.

Run as a program (``python -m wa_bench.opensynth.synthesize``) it reads Verilog on standard input and prints
the cell counts; :func:`synthesize` does that for one design. The process is fresh because a Yosys design
database keeps state that changes later results (seen: other LUT counts after a simulation).
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from wa_bench.errors import ToolError, needs_extra
from wa_bench.opensynth.tools import run

_FLOW = "synth_xilinx -family xcup -noiopad -noclkbuf -top top -run"
_USED = ("CARRY4", "DSP48E2", "FD*", "INV", "LUT*", "MUXF*", "RAMB18E2", "RAMB36E2", "SRL*", "URAM288")
SCRIPT = (
    "read_verilog design.v",
    f"{_FLOW} begin:map_dsp",
    "tee -q -o operators.json stat -width -json",
    "tee -q -o memories.txt dump m:*",
    f"{_FLOW} map_dsp:map_memory",
    "memory_libmap -logic-cost-rom 0.015625 -lib +/xilinx/lutrams_xcu.txt -lib +/xilinx/brams_xc4v.txt "
    "-D HAS_SIZE_36 -D HAS_MIXWIDTH_SDP -D HAS_ADDRCE -lib +/xilinx/urams.txt -no-auto-huge",
    "setparam -unset INIT t:$__XILINX_BLOCKRAM_*",
    "techmap -map +/xilinx/lutrams_xc5v_map.v",
    "techmap -map +/xilinx/brams_xcu_map.v",
    f"{_FLOW} map_ffram:map_luts",
    f"delete =A:blackbox =A:whitebox %u {' '.join(f'={cell} %d' for cell in _USED)}",
    f"{_FLOW} map_luts:",
    "tee -q -o cells.json stat -json",
    "write_verilog -noattr netlist.v",
)
"""Yosys commands of every shipped record: the tool's own flow, hierarchy kept, ABC9 mapping.

Two things are left out to save time. The contents of block RAM change no count and would take most of the time of a
design with wide ROMs (44 s against 2.5 s). Models of primitives that are not used make every step slower (7.4 s against
4.9 s for a small design); without them the LUT count is the same, spread a little differently over the LUTs' sizes.
``operators.json`` counts the word-level operators before mapping.
"""

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


class Synthesized(msgspec.Struct, frozen=True):
    """What Yosys made of a design, summed over the hierarchy.

    ``operators`` counts word-level operators before mapping by type and width (``$add_12``), memories by width and
    words (``$memory_32x64``); ``cells`` the mapped primitives by Yosys cell type; ``netlist`` is the mapped Verilog.
    """

    operators: dict[str, int]
    cells: dict[str, int]
    netlist: str


def synthesize(verilog: str, time_limit: float | None = None) -> Synthesized:
    """Map ``verilog``, whose top module is ``top``.

    Raises:
        ToolError: pyosys is missing, the run failed, or it took longer than ``time_limit`` seconds.
    """
    tool_version()
    command = [sys.executable, "-m", "wa_bench.opensynth.synthesize"]
    printed = run("Yosys", command, text=verilog, time_limit=time_limit)
    return msgspec.json.decode(printed.splitlines()[-1], type=Synthesized)


def primitives() -> str:
    """Verilog models of the primitives of a netlist, as Yosys ships them; DSP48E2 and block RAM have none.

    Raises:
        MissingToolError: pyosys is not installed.
    """
    tool_version()
    models = files("pyosys") / "share" / "xilinx" / "cells_sim.v"
    return models.read_text() + "\nmodule glbl;\n  wire GSR = 0, GTS = 0;\nendmodule\n"


class Resources(msgspec.Struct, frozen=True):
    """Resources in the units of a Vivado utilization report; ``bram`` in blocks of 36 kbit, null where unknown."""

    bram: float | None = None
    dsp: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None


_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
_LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV", "SRL16E", "SRLC32E")
_BLOCKS = ("RAMB36E2", "RAMB18E2", "DSP48E2", "URAM288")
_FREE = ("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "GND", "VCC")


def has_models(cells: dict[str, int]) -> bool:
    """Whether :func:`primitives` models every cell type of a netlist."""
    return not any(cell.startswith(("DSP", "RAMB", "URAM")) for cell in cells)


def resources(cells: dict[str, int]) -> Resources:
    """Targets of a record from cell counts.

    LUT counts logic LUTs, inverters and shift registers (one LUT each); FF every flip-flop; a block RAM of 18 kbit is
    half of one.

    Raises:
        ToolError: a cell type that belongs to no target and is not known to be free.
    """
    known = {*_FLIP_FLOPS, *_LUTS, *_BLOCKS, *_FREE}
    if unknown := sorted(set(cells) - known):
        raise ToolError(f"expected cells of the kinds {sorted(known)}, found {unknown} in the mapped design")
    return Resources(
        bram=cells.get("RAMB36E2", 0) + cells.get("RAMB18E2", 0) / 2,
        dsp=cells.get("DSP48E2", 0),
        ff=sum(cells.get(cell, 0) for cell in _FLIP_FLOPS),
        lut=sum(cells.get(cell, 0) for cell in _LUTS),
        uram=cells.get("URAM288", 0),
    )


def main() -> None:
    """Synthesize the Verilog on standard input; print what came of it as one JSON line."""
    from pyosys import libyosys

    design = libyosys.Design()
    with TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "design.v").write_text(sys.stdin.read())
        os.chdir(here)
        for command in SCRIPT:
            libyosys.run_pass(command if command.startswith("tee") else f"tee -q -o log {command}", design)
        operators = _leaves(here / "operators.json", _memories((here / "memories.txt").read_text()))
        made = Synthesized(operators, _leaves(here / "cells.json", {}), (here / "netlist.v").read_text())
        os.chdir("/")
    print()
    print(msgspec.json.encode(made).decode())


def _memories(dumped: str) -> dict[str, Counter[str]]:
    """Memories of every module, from the text of Yosys's ``dump``."""
    memories: dict[str, Counter[str]] = {}
    module = ""
    for line in dumped.splitlines():
        match line.split():
            case ["module", name]:
                module = name
            case ["memory", "width", width, "size", words, _]:
                memories.setdefault(module, Counter())[f"$memory_{width}x{words}"] += 1
    return memories


def _leaves(statistics: Path, extra: dict[str, Counter[str]]) -> dict[str, int]:
    """Cells of the whole design by type, from Yosys's ``stat``: every module counted as often as it is used."""
    modules = json.loads(statistics.read_text())["modules"]

    @cache
    def below(module: str) -> Counter[str]:
        counts = Counter(extra.get(module, {}))
        for cell, used in modules[module]["num_cells_by_type"].items():
            if f"\\{cell}" in modules:
                counts.update({kind: used * n for kind, n in below(f"\\{cell}").items()})
            else:
                counts[cell] += used
        return counts

    return dict(sorted(below("\\top").items()))


if __name__ == "__main__":
    main()
