"""Make the records of the opensynth track, in two steps.

    python scripts/make_opensynth.py measure --work build/opensynth --random 300 --jobs 2
    python scripts/make_opensynth.py pack --work build/opensynth

``measure`` synthesizes and proves one design after another; stopped at any moment, it goes on where it was.
``pack`` writes the measured designs to wa_bench/samples/opensynth.parquet.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from wa_bench.errors import ToolError
from wa_bench.files import replacing
from wa_bench.opensynth.generate import Measurement, measure, record
from wa_bench.opensynth.network import EXEMPLAR_GRID, EXEMPLAR_SEED
from wa_bench.records.schema import to_table

SAMPLE = Path(__file__).parent.parent / "wa_bench" / "samples" / "opensynth.parquet"


def measure_all(work: Path, random: int, jobs: int, time_limit: float) -> None:
    """Write ``<seed>.json`` for every seed not yet there, or ``<seed>.failed`` with the reason."""
    seeds = [*range(random), *(EXEMPLAR_SEED + i for i in range(len(EXEMPLAR_GRID)))]
    todo = [s for s in seeds if not any((work / f"{s}.{kind}").exists() for kind in ("json", "failed"))]
    print(f"{len(seeds)} designs, {len(seeds) - len(todo)} already there")
    started = time.monotonic()

    def one(seed: int) -> tuple[int, str]:
        try:
            content, kind = msgspec.json.encode(measure(seed, time_limit)), "json"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["measure", "pack"])
    parser.add_argument("--work", type=Path, required=True, help="folder of the measurements")
    parser.add_argument("--random", type=int, default=300, help="designs of the random family")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=600, help="seconds a design")
    arguments = parser.parse_args()
    if arguments.step == "measure":
        measure_all(arguments.work, arguments.random, arguments.jobs, arguments.time_limit)
    else:
        pack(arguments.work)


if __name__ == "__main__":
    main()
