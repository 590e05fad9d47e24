from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from wa_bench.errors import DataError, ToolError
from wa_bench.opensynth.generate import Measurement
from wa_bench.opensynth.queue import Queue, merge, run
from wa_bench.records.columns import to_records
from wa_bench.records.schema import Design

synthesis = pytest.mark.synthesis
CommandLine = Callable[..., subprocess.CompletedProcess[str]]
Invented = Callable[[int], Measurement]

PRETENDING_WORKER = """
import sys, time
from pathlib import Path
from msgspec.structs import replace
from wa_bench.opensynth import queue

folder, log, stuck = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def measure(seed, time_limit):
    with log.open("a") as file:
        file.write(f"{seed}\\n")
    time.sleep(3600 if seed == stuck else 0.02)
    return queue.Measurement(seed, "", "", "", "", "")

queue.measure = measure
todo = queue.Queue.load(folder)
todo.work(todo.plan.seeds)
"""


def keep(queue: Queue, measurement: Measurement) -> Path:
    file = queue.file(measurement.seed)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.encode(measurement))
    return file


def pretending_worker(queue: Queue, log: Path, stuck: int = -1) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PRETENDING_WORKER, queue.folder, log, str(stuck)])


def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited a minute in vain")


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [found for child in children for found in (child, *descendants(child))]


def test_two_processes_do_every_seed_exactly_once(tmp_path: Path) -> None:
    queue = Queue.create(tmp_path / "work", [range(60)], 1)
    workers = [pretending_worker(queue, tmp_path / "log") for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(map(int, (tmp_path / "log").read_text().split())) == list(range(60))
    assert queue.open_seeds() == []


def test_the_seed_of_a_killed_worker_goes_to_one_that_lives(tmp_path: Path) -> None:
    queue = Queue.create(tmp_path / "work", [range(5)], 1)
    stuck = pretending_worker(queue, tmp_path / "log", stuck=0)
    wait_for(lambda: queue.status().in_work)
    living = pretending_worker(queue, tmp_path / "log")
    wait_for(lambda: queue.open_seeds() == [0])
    assert living.poll() is None
    stuck.kill()
    stuck.wait()
    assert living.wait(60) == 0
    assert (tmp_path / "log").read_text().split() == ["0", "1", "2", "3", "4", "0"]


@synthesis
def test_a_worker_killed_in_the_middle_changes_no_byte(tmp_path: Path, made: Queue, wa_bench: CommandLine) -> None:
    queue = Queue.create(tmp_path / "work", [range(seed, seed + 1) for seed in made.plan.seeds], 600)
    worker = subprocess.Popen([sys.executable, "-m", "wa_bench.opensynth.queue", queue.folder])
    wait_for(lambda: queue.status().in_work)
    time.sleep(0.5)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert queue.status().done == 0
    assert wa_bench("synth", "resume", queue.folder, "--jobs", 2).returncode == 0
    for folder in (queue.folder, made.folder):
        assert wa_bench("synth", "merge", folder, "--out", folder / "records.parquet").returncode == 0
    assert (queue.folder / "records.parquet").read_bytes() == (made.folder / "records.parquet").read_bytes()


@synthesis
def test_a_run_that_is_interrupted_takes_its_workers_along_and_records_no_failure(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("wa-bench")), "synth", "run", str(tmp_path), "--seeds", "10:11"]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for((tmp_path / "plan.json").exists)
    queue = Queue.load(tmp_path)
    wait_for(lambda: queue.status().in_work)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(30) != 0
    assert queue.status() == replace(queue.status(), done=0, failed={}, in_work=[], open=1)


def test_what_is_damaged_or_stale_is_made_again_and_what_counts_is_kept(tmp_path: Path, invented: Invented) -> None:
    queue = Queue.create(tmp_path, [range(6)], 1)
    kept = keep(queue, invented(0))
    failed = keep(queue, replace(invented(1), cells={}, failure="Yosys did not finish"))
    keep(queue, replace(invented(2), verilog_sha256="0"))
    cut = keep(queue, invented(3))
    cut.write_bytes(cut.read_bytes()[:100])
    keep(queue, invented(4)).rename(queue.file(5))
    assert queue.status().open == 3
    queue.discard_stale()
    assert queue.open_seeds() == [2, 3, 4, 5]
    assert kept.exists()
    queue.discard_stale(failed=True)
    assert not failed.exists()


def test_a_stale_measurement_that_somebody_works_on_is_left_alone(tmp_path: Path, invented: Invented) -> None:
    queue = Queue.create(tmp_path, [range(1)], 1)
    file = keep(queue, replace(invented(0), script_sha256="0"))
    with queue.claim(0) as claimed:
        assert claimed
        queue.discard_stale()
    assert file.exists()


def test_status_counts_reasons_and_hours(tmp_path: Path, invented: Invented, wa_bench: CommandLine) -> None:
    queue = Queue.create(tmp_path, [range(4)], 1)
    keep(queue, replace(invented(0), seconds=5400.0))
    keep(queue, replace(invented(1), cells={}, failure="Yosys ended\nbadly", seconds=1800.0))
    with queue.claim(2):
        shown = json.loads(wa_bench("synth", "status", tmp_path, "--json").stdout)
        assert shown == {
            "designs": 4,
            "done": 1,
            "failed": {"1": "Yosys ended\nbadly"},
            "in_work": [2],
            "open": 1,
            "hours": 2.0,
            "hours_left": 2.0,
        }
    assert "seed 1 failed: Yosys ended\n" in wa_bench("synth", "status", tmp_path).stdout


def test_a_folder_keeps_its_plan(tmp_path: Path, wa_bench: CommandLine) -> None:
    work = tmp_path / "work"
    Queue.create(work, [range(2), range(1, 4)], 600)
    assert Queue.create(work, [range(4)], 600).plan.seeds == [0, 1, 2, 3]
    shown = wa_bench("synth", "run", work, "--seeds", "0:5")
    assert shown.returncode == 1
    assert f"found another seeds; go on with the plan that is there: wa-bench synth resume {work}" in shown.stderr
    assert wa_bench("synth", "run", work, "--seeds", "5").returncode == 2
    assert "wa-bench synth run" in wa_bench("synth", "resume", tmp_path / "none").stderr
    with pytest.raises(DataError, match=r"seeds 1000000:1999999: expected seeds of networks, found exemplar seed"):
        Queue.create(tmp_path / "beyond", [range(1_000_000, 1_999_999)], 600)
    with pytest.raises(
        DataError, match=r"seeds 999998:2000002: expected seeds of networks, found exemplar seed 1999999"
    ):
        Queue.create(tmp_path / "across", [range(999_998, 2_000_002)], 600)


def test_another_generator_does_not_work_on_a_plan(tmp_path: Path) -> None:
    queue = Queue.create(tmp_path, [range(1)], 600)
    with pytest.raises(DataError, match=r"expected a plan of generator version .* found version 0"):
        Queue(tmp_path, replace(queue.plan, generator_version="0")).discard_stale()


def test_workers_that_end_before_the_work_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue.create(tmp_path, [range(1)], 600)
    monkeypatch.setattr("wa_bench.opensynth.queue.__name__", "wa_bench.no_such_module")
    monkeypatch.setattr("wa_bench.opensynth.queue.tool_version", str)
    monkeypatch.setattr("wa_bench.opensynth.queue.simulator", str)
    with pytest.raises(ToolError, match=r"found 1 open after the workers ended \(exit codes 1\); run: wa-bench synth"):
        run(queue, 3, lambda done: None)


def test_merge_keeps_failed_designs_as_records_without_figures(
    tmp_path: Path, invented: Invented, wa_bench: CommandLine
) -> None:
    for name, seeds in (("a", (0, 3)), ("b", (3, 1))):
        queue = Queue.create(tmp_path / name, [range(4)], 1)
        for seed in seeds:
            keep(queue, invented(seed))
    failed = replace(invented(2), cells={}, cycles=None, interval=None, vectors=0, netlist_vectors=0, failure="too big")
    keep(queue, failed)
    out = tmp_path / "records.parquet"
    shown = wa_bench("synth", "merge", tmp_path / "a", tmp_path / "b", "--out", out, "--json")
    assert json.loads(shown.stdout) == {"file": str(out), "records": 4, "failed": 1}
    merged = list(to_records(pl.read_parquet(out), Design))
    assert [design.sample_id for design in merged] == [f"opensynth-000000{seed}" for seed in range(4)]
    assert [design.lut for design in merged] == [5, 5, None, 5]


def test_merge_names_everything_that_does_not_fit(tmp_path: Path, invented: Invented) -> None:
    first, second = (Queue.create(tmp_path / name, [range(4)], 1) for name in "ab")
    with pytest.raises(DataError, match=r"a: expected measurements, found none; run: wa-bench synth resume .*a\n.*b: "):
        merge([first.folder, second.folder])
    for seed in range(3):
        keep(first, invented(seed))
    keep(second, replace(invented(0), cells={"LUT6": 6, "FDRE": 8}))
    keep(second, replace(invented(1), generator_version="0", verilog_sha256="0"))
    keep(second, invented(2)).write_bytes(b"{")
    with pytest.raises(DataError) as raised:
        merge([first.folder, second.folder])
    differing, stale, damaged = map(str, raised.value.faults)
    assert "0.json: expected what another folder found, found another ff, lut; delete the wrong one" in differing
    assert "found one of version 0; run: wa-bench synth resume" in stale
    assert "2.json: expected a measurement, found Input data was truncated" in damaged


@synthesis
def test_check_finds_a_forged_record(tmp_path: Path, made: Queue, wa_bench: CommandLine) -> None:
    out = tmp_path / "records.parquet"
    queue = Queue.create(tmp_path / "work", [range(10, 11)], 600)
    keep(queue, replace(made.read(10), cells={**made.read(10).cells, "LUT2": 1}))
    assert wa_bench("synth", "merge", queue.folder, "--out", out).returncode == 0
    shown = wa_bench("synth", "check", out, "--sample", 1)
    assert shown.returncode == 1
    assert "DIFFERENT in lut" in shown.stderr
    assert "0 of 1 records identical" in shown.stdout


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_extra_is_named(tmp_path: Path, wa_bench: CommandLine) -> None:
    shown = wa_bench("synth", "run", tmp_path / "work", "--seeds", "10:11", "--ray")
    assert shown.returncode == 1
    assert "error: expected the package ray, found none; install it: pip install 'wa-bench[ray]'" in shown.stderr


@synthesis
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'wa-bench[ray]'")
def test_ray_finishes_though_one_of_its_workers_is_killed(tmp_path: Path, made: Queue) -> None:
    command = [str(Path(sys.executable).with_name("wa-bench")), "synth", "run", str(tmp_path / "work")]
    seeds = [f"--seeds={seed}:{seed + 1}" for seed in made.plan.seeds]
    small = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    driver = subprocess.Popen([*command, *seeds, "--ray", "--jobs", "2"], env={**os.environ, **small})
    wait_for((tmp_path / "work" / "plan.json").exists)
    queue = Queue.load(tmp_path / "work")
    wait_for(lambda: queue.status().in_work)
    worker = next(pid for pid in descendants(driver.pid) if b"ray::_work" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)
    assert driver.wait(120) == 0
    assert [replace(m, seconds=0) for m in merge([queue.folder])] == [
        replace(m, seconds=0) for m in merge([made.folder])
    ]
