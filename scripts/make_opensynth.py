"""Make the records of the opensynth track, and check those that are there.

    python scripts/make_opensynth.py measure --work build/opensynth --random 300 --jobs 2
    python scripts/make_opensynth.py pack --work build/opensynth
    python scripts/make_opensynth.py check --sample 10 --seed 1

``measure`` synthesizes and simulates one design after another; stopped at any moment, it goes on where it was.
``pack`` writes the measured designs to wa_bench/samples/opensynth.parquet. ``check`` makes designs chosen at
random again from their seeds, simulation included, and compares the records.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import polars as pl
import pyarrow.parquet as pq

from wa_bench.errors import MissingToolError, ToolError
from wa_bench.files import replacing
from wa_bench.opensynth.generate import Measurement, differences, measure, record, regenerate
from wa_bench.opensynth.network import EXEMPLAR_GRID, EXEMPLAR_SEED
from wa_bench.opensynth.simulate import simulator
from wa_bench.opensynth.synthesize import tool_version
from wa_bench.records.schema import Design, designs, to_table

SAMPLE = Path(__file__).parent.parent / "wa_bench" / "samples" / "opensynth.parquet"


def measure_all(work: Path, count: int, jobs: int, time_limit: float) -> None:
    """Write ``<seed>.json`` for every seed that has no current one, or ``<seed>.failed`` with the reason."""
    print(f"tools: Yosys {tool_version()}, {simulator()}")
    seeds = [*range(count), *(EXEMPLAR_SEED + i for i in range(len(EXEMPLAR_GRID)))]
    todo = [seed for seed in seeds if not is_done(work, seed)]
    print(f"{len(seeds)} designs, {len(seeds) - len(todo)} already there")
    started = time.monotonic()

    def one(seed: int) -> tuple[int, str]:
        try:
            content, kind = msgspec.json.encode(measure(seed, time_limit)), "json"
        except MissingToolError:
            raise
        except ToolError as error:
            content, kind = str(error).encode(), "failed"
        with replacing(work / f"{seed}.{kind}") as partial:
            partial.write_bytes(content)
        if kind == "failed":
            (work / f"{seed}.json").unlink(missing_ok=True)
        return seed, kind

    with ThreadPoolExecutor(jobs) as pool:
        for done, (seed, kind) in enumerate(pool.map(one, todo), start=1):
            spent = time.monotonic() - started
            left = spent / done * (len(todo) - done)
            print(f"{done}/{len(todo)}  seed {seed}: {kind}  {spent:.0f} s, {left:.0f} s left", flush=True)


def is_done(work: Path, seed: int) -> bool:
    """Whether the seed failed before or has a measurement of the present generator."""
    file = work / f"{seed}.json"
    return read(file).is_current() if file.exists() else (work / f"{seed}.failed").exists()


def read(file: Path) -> Measurement:
    """A measurement that ``measure_all`` wrote."""
    return msgspec.json.decode(file.read_bytes(), type=Measurement)


def pack(work: Path) -> None:
    """Write the sample, rows in order of the seed. Stale measurements are an error."""
    paths = sorted(work.glob("*.json"), key=lambda path: int(path.stem))
    measurements = [read(path) for path in paths]
    stale = [measurement.seed for measurement in measurements if not measurement.is_current()]
    if not measurements or stale:
        found = f"{len(measurements)} measurements, {len(stale)} of another generator version (seeds {stale[:5]})"
        sys.exit(f"error: {work}: expected current measurements, found {found}; run the step 'measure' first")
    table = to_table(map(record, measurements))
    with replacing(SAMPLE) as partial:
        pq.write_table(table, partial, compression="zstd", compression_level=19)
    failed = len(list(work.glob("*.failed")))
    print(f"{table.num_rows} records, {failed} failed designs left out, {SAMPLE.stat().st_size:,} bytes")


def check(count: int, seed: int, jobs: int) -> bool:
    """Whether ``count`` random shipped records come out the same when made again."""
    shipped = list(designs(pl.read_parquet(SAMPLE)))
    chosen = random.Random(seed).sample(shipped, min(count, len(shipped)))

    def again(design: Design) -> tuple[Design, list[str]]:
        return design, differences(design, regenerate(design))

    same = 0
    with ThreadPoolExecutor(jobs) as pool:
        for design, differing in pool.map(again, chosen):
            same += not differing
            verdict = f"DIFFERENT in {', '.join(differing)}" if differing else "identical"
            print(f"{design.sample_id}  {design.model_name}, {design.strategy}: {verdict}", flush=True)
    print(f"{same} of {len(chosen)} records identical")
    return same == len(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["measure", "pack", "check"])
    parser.add_argument("--work", type=Path, default=Path("build/opensynth"), help="folder of the measurements")
    parser.add_argument("--random", type=int, default=300, help="designs of the random family")
    parser.add_argument("--sample", type=int, default=10, help="records to check")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of records to check")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=600, help="seconds a design")
    arguments = parser.parse_args()
    try:
        if arguments.step == "measure":
            measure_all(arguments.work, arguments.random, arguments.jobs, arguments.time_limit)
        elif arguments.step == "pack":
            pack(arguments.work)
        elif not check(arguments.sample, arguments.seed, arguments.jobs):
            sys.exit(1)
    except ToolError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
