"""Measurements: two that the tools made, and as many as wanted that they did not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wa_bench.opensynth.generate import VECTORS, Measurement, verilog_sha256
from wa_bench.opensynth.queue import Queue
from wa_bench.opensynth.rtl.design import GENERATOR_VERSION
from wa_bench.opensynth.sampling import from_seed
from wa_bench.opensynth.schedule import initiation_interval, latency_cycles
from wa_bench.opensynth.synthesize import SCRIPT_SHA256


@pytest.fixture(scope="session")
def wa_bench() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("wa-bench")), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def invented() -> Callable[[int], Measurement]:
    """A current measurement of a seed whose resources nobody counted."""

    def measurement(seed: int) -> Measurement:
        network = from_seed(seed)
        return Measurement(
            seed=seed,
            generator_version=GENERATOR_VERSION,
            tool_version="0.70",
            simulator="Icarus Verilog 11.0",
            script_sha256=SCRIPT_SHA256,
            verilog_sha256=verilog_sha256(seed),
            cells={"LUT6": 5, "FDRE": 7},
            cycles=latency_cycles(network),
            interval=initiation_interval(network),
            vectors=VECTORS,
            seconds=9.0,
        )

    return measurement


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, wa_bench: Callable[..., subprocess.CompletedProcess[str]]) -> Queue:
    """A queue of two small designs, worked on undisturbed."""
    folder = tmp_path_factory.mktemp("made") / "work"
    shown = wa_bench("synth", "run", folder, "--seeds", "10:11", "--seeds", "103:104", "--jobs", 2, "--json")
    assert shown.returncode == 0, shown.stderr
    return Queue.load(folder)
