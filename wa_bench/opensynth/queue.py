"""The work queue of synthesis: a folder that any number of processes, here or on a shared disk, may work on at once.

``plan.json`` says what is to be made, ``measurements/<seed>.json`` what came of each seed, failures included. A seed is
claimed with a lock in ``locks/`` that the kernel drops when its process ends, however it ends, and files are written
whole or not at all: after a crash nothing needs repair, the next worker goes on.

Run as a program (``python -m wa_bench.opensynth.queue WORK``) it is one worker; :func:`run` starts several.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from wa_bench.errors import DataError, Fault, ToolError
from wa_bench.files import replacing
from wa_bench.opensynth.generate import Measurement, differences, measure, record
from wa_bench.opensynth.rtl.design import GENERATOR_VERSION
from wa_bench.opensynth.sampling import FAMILIES, FAMILY_SEEDS, from_seed
from wa_bench.opensynth.simulate import simulator
from wa_bench.opensynth.synthesize import SCRIPT_SHA256, tool_version
from wa_bench.records.columns import to_table
from wa_bench.records.schema import Design

_T = TypeVar("_T")
_POLL_SECONDS = 1.0


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a queue is to make, and with which generator."""

    seeds: list[int]
    time_limit: float
    generator_version: str
    script_sha256: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How far a queue is. ``failed`` gives the reason of each seed, ``in_work`` are the seeds claimed right now.

    ``hours`` is the time of one job after another, ``hours_left`` what the rest takes at the mean time of a design so
    far; null before the first.
    """

    designs: int
    done: int
    failed: dict[int, str]
    in_work: list[int]
    open: int
    hours: float
    hours_left: float | None


@dataclass(frozen=True)
class Queue:
    """A work folder and its plan."""

    folder: Path
    plan: Plan

    @classmethod
    def create(cls, folder: Path, ranges: Sequence[range], time_limit: float) -> Queue:
        """The queue in ``folder``, made where it is not there yet.

        Raises:
            DataError: the folder has another plan, or a range ends beyond the seeds that stand for networks.
        """
        for seeds in ranges:
            if seeds.stop > len(FAMILIES) * FAMILY_SEEDS:
                raise DataError(
                    Fault(f"seeds {seeds.start}:{seeds.stop}", f"seeds of {len(FAMILIES)} families", "more")
                )
            last_of_families = (s for s in range(FAMILY_SEEDS - 1, seeds.stop, FAMILY_SEEDS) if s in seeds)
            try:
                for seed in (seeds[0], *last_of_families, seeds[-1]):
                    from_seed(seed)
            except ValueError as error:
                raise DataError(Fault(f"seeds {seeds.start}:{seeds.stop}", "seeds of networks", str(error))) from None
        plan = Plan(sorted({*chain(*ranges)}), time_limit, GENERATOR_VERSION, SCRIPT_SHA256)
        if not (folder / "plan.json").exists():
            with replacing(folder / "plan.json") as partial:
                partial.write_bytes(msgspec.json.encode(plan))
        elif (present := cls.load(folder).plan) != plan:
            different = [name for name in plan.__struct_fields__ if getattr(plan, name) != getattr(present, name)]
            remedy = f"go on with the plan that is there: wa-bench synth resume {folder}; or choose another folder"
            raise DataError(Fault(str(folder), "no plan or the same", f"another {', '.join(different)}", remedy))
        return cls(folder, plan)

    @classmethod
    def load(cls, folder: Path) -> Queue:
        """The queue in ``folder``.

        Raises:
            DataError: there is none that can be read.
        """
        remedy = f"make one: wa-bench synth run {folder} --seeds 0:100"
        return cls(folder, _decode(folder / "plan.json", Plan, "a plan", remedy))

    @property
    def _resume(self) -> str:
        return f"run: wa-bench synth resume {self.folder}"

    def file(self, seed: int) -> Path:
        """Where the measurement of a seed is or will be."""
        return self.folder / "measurements" / f"{seed}.json"

    def is_done(self, seed: int) -> bool:
        """Whether the seed has a measurement; :meth:`discard_stale` removes those that do not count."""
        return self.file(seed).exists()

    def read(self, seed: int) -> Measurement:
        """The measurement of a seed.

        Raises:
            DataError: there is none that can be read.
        """
        file = self.file(seed)
        measurement = _decode(file, Measurement, "a measurement", self._resume)
        if measurement.seed != seed:
            raise DataError(Fault(str(file), f"seed {seed}", f"seed {measurement.seed}", self._resume))
        return measurement

    @contextmanager
    def claim(self, seed: int) -> Iterator[bool]:
        """Whether the seed could be claimed; if so, it is nobody else's until the block or this process ends."""
        file = self._lock_file(seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _lock_file(self, seed: int) -> Path:
        return self.folder / "locks" / f"{seed}.lock"

    def discard_stale(self, *, failed: bool = False) -> None:
        """Remove measurements that are damaged or that this generator would not make, so that they are made again.

        Args:
            failed: also those of designs that failed.

        Raises:
            DataError: the plan is one of another generator.
        """
        if (self.plan.generator_version, self.plan.script_sha256) != (GENERATOR_VERSION, SCRIPT_SHA256):
            expected = f"a plan of generator version {GENERATOR_VERSION} with the present synthesis script"
            found = f"version {self.plan.generator_version}, script {self.plan.script_sha256[:12]}"
            remedy = "install the wa-bench that began it, or begin another folder: wa-bench synth run"
            raise DataError(Fault(str(self.folder), expected, found, remedy))
        for seed in filter(self.is_done, self.plan.seeds):
            if not self._counts(seed, failed):
                with self.claim(seed) as claimed:
                    if claimed and self.is_done(seed) and not self._counts(seed, failed):
                        self.file(seed).unlink()

    def _counts(self, seed: int, failed: bool) -> bool:
        try:
            measurement = self.read(seed)
        except DataError:
            return False
        return measurement.is_current() and not (failed and measurement.failure)

    def work(self, seeds: Iterable[int]) -> None:
        """Measure those of ``seeds`` that nobody else measures, until all are done or the parent process is gone."""
        parent = os.getppid()
        remaining = list(seeds)
        while remaining:
            busy = []
            for seed in remaining:
                if self.is_done(seed):
                    continue
                if os.getppid() != parent:
                    return
                with self.claim(seed) as claimed:
                    if not claimed:
                        busy.append(seed)
                    elif not self.is_done(seed):
                        measurement = measure(seed, self.plan.time_limit)
                        with replacing(self.file(seed)) as partial:
                            partial.write_bytes(msgspec.json.encode(measurement))
            remaining = busy
            if busy:
                time.sleep(_POLL_SECONDS)

    def open_seeds(self) -> list[int]:
        """Planned seeds without a measurement."""
        done = {file.name for file in self.file(0).parent.glob("*.json")}
        return [seed for seed in self.plan.seeds if self.file(seed).name not in done]

    def status(self) -> Status:
        """What is done, failed, in work and open; a damaged measurement counts as open."""
        measurements = []
        waiting = self.open_seeds()
        for seed in sorted(set(self.plan.seeds).difference(waiting)):
            try:
                measurements.append(self.read(seed))
            except DataError:
                waiting.append(seed)
        in_work = [seed for seed in waiting if self._is_claimed(seed)]
        failed = {m.seed: m.failure for m in measurements if m.failure is not None}
        hours = sum(m.seconds for m in measurements) / 3600
        return Status(
            designs=len(self.plan.seeds),
            done=len(measurements) - len(failed),
            failed=failed,
            in_work=in_work,
            open=len(waiting) - len(in_work),
            hours=round(hours, 3),
            hours_left=round(hours / len(measurements) * len(waiting), 3) if measurements else None,
        )

    def _is_claimed(self, seed: int) -> bool:
        if not self._lock_file(seed).exists():
            return False
        with self.claim(seed) as claimed:
            return not claimed


def _decode(file: Path, kind: type[_T], what: str, remedy: str) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        found = "nothing"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        found = str(error)
    raise DataError(Fault(str(file), what, found, remedy))


def run(queue: Queue, jobs: int, say: Callable[[int], object]) -> None:
    """Work on a queue with ``jobs`` processes until every seed is done.

    Each worker leads a process group of its own, so that an interrupt from the terminal reaches the tools only as the
    end of their worker and is never taken for a failed design.

    Args:
        queue: the queue, rid of what is stale.
        jobs: most processes at once.
        say: told the number of designs done, by anyone, about once a second.

    Raises:
        ToolError: a tool is not installed, or the workers ended before the work.
    """
    tool_version()
    simulator()
    command = [sys.executable, "-m", __name__, str(queue.folder)]
    count = min(jobs, len(queue.open_seeds()))
    workers = [subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) for _ in range(count)]
    try:
        while any(worker.poll() is None for worker in workers):
            say(len(queue.plan.seeds) - len(queue.open_seeds()))
            time.sleep(_POLL_SECONDS)
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
    if left := queue.open_seeds():
        ends = ", ".join(str(worker.returncode) for worker in workers)
        raise ToolError(
            f"{queue.folder}: expected every design measured, found {len(left)} open after the workers ended "
            f"(exit codes {ends}); run: wa-bench synth resume {queue.folder}"
        )
    say(len(queue.plan.seeds))


def merge(folders: Sequence[Path]) -> list[Measurement]:
    """The measurements of several queues in order of the seed, each seed once.

    Raises:
        DataError: all those that are damaged, stale or contradict another folder's, or there is none at all.
    """
    merged: dict[int, Measurement] = {}
    faults: list[Fault] = []
    for queue in map(Queue.load, folders):
        remedy = f"run: wa-bench synth resume {queue.folder}"
        for seed in filter(queue.is_done, queue.plan.seeds):
            try:
                measurement = queue.read(seed)
            except DataError as error:
                faults += error.faults
                continue
            first = merged.setdefault(seed, measurement)
            place = str(queue.file(seed))
            if not measurement.is_current():
                expected = f"a measurement of generator version {GENERATOR_VERSION} and its script"
                faults.append(Fault(place, expected, f"one of version {measurement.generator_version}", remedy))
            elif first is not measurement and (names := differences(record(first), record(measurement))):
                faults.append(
                    Fault(
                        place,
                        "what another folder found",
                        f"another {', '.join(names)}",
                        f"delete the wrong one; {remedy}",
                    )
                )
    if not merged and not faults:
        faults = [
            Fault(str(folder), "measurements", "none", f"run: wa-bench synth resume {folder}") for folder in folders
        ]
    if faults:
        raise DataError(*faults)
    return [merged[seed] for seed in sorted(merged)]


def write_records(path: Path, designs: Iterable[Design]) -> None:
    """Write records as Parquet; equal records give equal bytes."""
    table = to_table(designs, Design)
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd", compression_level=19)


if __name__ == "__main__":
    queue = Queue.load(Path(sys.argv[1]))
    queue.work(queue.plan.seeds)
