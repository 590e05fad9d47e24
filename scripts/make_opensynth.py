"""Make the records of the opensynth track, and prove those that are there.

    python scripts/make_opensynth.py measure --work build/opensynth --random 300 --jobs 2
    python scripts/make_opensynth.py pack --work build/opensynth
    python scripts/make_opensynth.py check --sample 10 --seed 1

``measure`` synthesizes and proves one design after another; stopped at any moment, it goes on where it was.
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
from wa_bench.opensynth.generate import Measurement, measure, record, regenerate
from wa_bench.opensynth.network import EXEMPLAR_GRID, EXEMPLAR_SEED
from wa_bench.records.schema import Design, designs, to_table

SAMPLE = Path(__file__).parent.parent / "wa_bench" / "samples" / "opensynth.parquet"


def measure_all(work: Path, count: int, jobs: int, time_limit: float) -> None:
    """Write ``<seed>.json`` for every seed not yet there, or ``<seed>.failed`` with the reason."""
    seeds = [*range(count), *(EXEMPLAR_SEED + i for i in range(len(EXEMPLAR_GRID)))]
    todo = [s for s in seeds if not any((work / f"{s}.{kind}").exists() for kind in ("json", "failed"))]
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
        return seed, kind

    with ThreadPoolExecutor(jobs) as pool:
        for done, (seed, kind) in enumerate(pool.map(one, todo), start=1):
            spent = time.monotonic() - started
            left = spent / done * (len(todo) - done)
            print(f"{done}/{len(todo)}  seed {seed}: {kind}  {spent:.0f} s, {left:.0f} s left", flush=True)


def pack(work: Path) -> None:
    """Write the sample; rows in order of the seed."""
    paths = sorted(work.glob("*.json"), key=lambda path: int(path.stem))
    table = to_table(record(msgspec.json.decode(path.read_bytes(), type=Measurement)) for path in paths)
    with replacing(SAMPLE) as partial:
        pq.write_table(table, partial, compression="zstd", compression_level=19)
    failed = len(list(work.glob("*.failed")))
    print(f"{table.num_rows} records, {failed} failed designs left out, {SAMPLE.stat().st_size:,} bytes")


def check(count: int, seed: int, jobs: int) -> bool:
    """Whether ``count`` random shipped records come out the same when made again."""
    shipped = list(designs(pl.read_parquet(SAMPLE)))
    chosen = random.Random(seed).sample(shipped, count)

    def again(design: Design) -> tuple[Design, Design]:
        return design, regenerate(design)

    same = 0
    with ThreadPoolExecutor(jobs) as pool:
        for design, made in pool.map(again, chosen):
            verdict = "identical" if made == design else "DIFFERENT"
            same += made == design
            print(f"{design.sample_id}  {design.model_name}, {design.strategy}: {verdict}", flush=True)
    print(f"{same} of {count} records identical")
    return same == count


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
    if arguments.step == "measure":
        measure_all(arguments.work, arguments.random, arguments.jobs, arguments.time_limit)
    elif arguments.step == "pack":
        pack(arguments.work)
    elif not check(arguments.sample, arguments.seed, arguments.jobs):
        sys.exit(1)


if __name__ == "__main__":
    main()
