"""Place and route some shipped opensynth designs for a Lattice ECP5, and compare with their synthesis.

    python scripts/place_opensynth.py place --work build/ecp5 --count 100 --jobs 2
    python scripts/place_opensynth.py pack --work build/ecp5
    python scripts/place_opensynth.py compare

``place`` draws designs that fit the device, evenly over families and sizes, and works on one after another; stopped at
any moment, it goes on where it was. ``pack`` writes wa_bench/samples/opensynth_ecp5.parquet: a row a design, without
figures where a tool failed. ``compare`` prints how the records rank the same designs: Spearman's correlation by column.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from math import prod
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from wa_bench.errors import MissingToolError, ToolError
from wa_bench.files import replacing
from wa_bench.opensynth.place import AVAILABLE, DEVICE, SCRIPT_SHA256, Placement, place_and_route, prepare, tool_version
from wa_bench.opensynth.rtl.design import verilog
from wa_bench.opensynth.sampling import from_seed

SAMPLES = Path(__file__).parent.parent / "wa_bench" / "samples"
RECORDS, PLACEMENTS = SAMPLES / "opensynth.parquet", SAMPLES / "opensynth_ecp5.parquet"
PAIRS = {"lut": "luts", "ff": "ffs", "dsp": "dsps", "bram": "brams"}
"""Columns of a record, and what they are called after place and route."""
FEWEST = 5
"""Designs of which a rank correlation says something."""


class Placed(msgspec.Struct, frozen=True):
    """What came of one design; ``failure`` is the reason why there is no placement."""

    sample_id: str
    script_sha256: str
    verilog_sha256: str
    seconds: float
    placement: Placement | None = None
    failure: str | None = None


def draw(records: pl.DataFrame, count: int, seed: int, max_luts: int) -> list[str]:
    """Ids of ``count`` designs that fit the device, in random order: a run stopped early is an even draw as well.

    Every family gives as many, or all that it has; those of a family are cut by LUTs into as many groups of equal
    size, and each group gives one.
    """
    rng = np.random.default_rng(seed)
    fits = [pl.col("lut") <= max_luts, pl.col("dsp") <= AVAILABLE["dsps"], pl.col("bram") * 2 <= AVAILABLE["brams"]]
    families = records.filter(*fits, uram=0).sort("family", "lut", "sample_id").partition_by("family")
    drawn: list[str] = []
    for given, family in enumerate(sorted(families, key=len)):
        quota = min(len(family), (count - len(drawn)) // (len(families) - given))
        groups = np.array_split(family["sample_id"].to_numpy(), quota) if quota else []
        drawn += [str(rng.choice(group)) for group in groups]
    return rng.permutation(drawn).tolist()


def synthesis(records: pl.DataFrame) -> dict[str, tuple[int, str]]:
    """Seed and hash of the Verilog of every record, by its id."""
    made = pl.col("provenance").struct.field("synthesis").struct
    fields = records.select("sample_id", made.field("seed"), made.field("verilog_sha256"))
    return {sample_id: (seed, digest) for sample_id, seed, digest in fields.iter_rows()}


def place_one(sample_id: str, seed: int, digest: str, time_limit: float) -> Placed:
    """Place and route the design of a record."""
    network = from_seed(seed)
    text = verilog(network)
    if (found := sha256(text.encode()).hexdigest()) != digest:
        raise ToolError(f"{sample_id}: expected Verilog of hash {digest}, found {found}; make the records again")
    bits = network.settings.activation_bits
    started = time.monotonic()
    placement = failure = None
    try:
        widths = network.in_shape[-1] * bits, prod(network.layers[-1].out_shape) * bits
        placement = place_and_route(text, *widths, time_limit=time_limit)
    except MissingToolError:
        raise
    except ToolError as error:
        failure = str(error)
    return Placed(sample_id, SCRIPT_SHA256, digest, round(time.monotonic() - started, 1), placement, failure)


def place_all(work: Path, sample_ids: list[str], jobs: int, time_limit: float) -> None:
    """Write ``<seed>.json`` for every design that has no current one."""
    made = synthesis(pl.read_parquet(RECORDS))
    files = {sample_id: work / f"{made[sample_id][0]}.json" for sample_id in sample_ids}
    todo = [sample_id for sample_id, file in files.items() if not (file.exists() and is_current(read(file), made))]
    print(f"{len(files)} designs for {DEVICE}, {len(files) - len(todo)} already there; tools: {tool_version()}")
    prepare()
    started = time.monotonic()

    def one(sample_id: str) -> Placed:
        placed = place_one(sample_id, *made[sample_id], time_limit)
        with replacing(files[sample_id]) as partial:
            partial.write_bytes(msgspec.json.encode(placed))
        return placed

    with ThreadPoolExecutor(jobs) as pool:
        for done, placed in enumerate(pool.map(one, todo), start=1):
            spent = time.monotonic() - started
            left = spent / done * (len(todo) - done)
            said = placed.failure or (placed.placement and f"{placed.placement.fmax_mhz:.1f} MHz")
            print(f"{done}/{len(todo)}  {placed.sample_id}: {said}  {spent:.0f} s, {left:.0f} s left", flush=True)


def read(file: Path) -> Placed:
    """What ``place_all`` wrote of a design."""
    return msgspec.json.decode(file.read_bytes(), type=Placed)


def is_current(placed: Placed, made: dict[str, tuple[int, str]]) -> bool:
    """Whether the record is still there, with the same Verilog, and the flow is the same."""
    _, digest = made.get(placed.sample_id, (None, None))
    return (placed.script_sha256, placed.verilog_sha256) == (SCRIPT_SHA256, digest)


def pack(work: Path) -> None:
    """Write the table, rows in order of the seed. Stale placements are an error."""
    made = synthesis(pl.read_parquet(RECORDS))
    results = [read(file) for file in sorted(work.glob("*.json"), key=lambda file: int(file.stem))]
    stale = [placed.sample_id for placed in results if not is_current(placed, made)]
    if not results or stale:
        found = f"{len(results)} placements, {len(stale)} of another flow or other Verilog ({stale[:5]})"
        sys.exit(f"error: {work}: expected current placements, found {found}; remove those and run 'place' again")
    blank = dict.fromkeys(Placement.__struct_fields__)
    rows = []
    for placed in results:
        figures = blank if placed.placement is None else msgspec.structs.asdict(placed.placement)
        rows.append({**msgspec.structs.asdict(placed), **figures})
    order = ["sample_id", "device", "fmax_mhz", *PAIRS.values(), "seed", "tool_version"]
    hashes = ["script_sha256", "verilog_sha256", "failure"]
    frame = pl.DataFrame(rows, infer_schema_length=None).select(*order, *hashes).cast({"failure": pl.String})
    with replacing(PLACEMENTS) as partial:
        frame.write_parquet(partial, compression="zstd", compression_level=19)
    failed = frame["failure"].count()
    print(f"{frame.height} designs, {failed} of them failed, {PLACEMENTS.stat().st_size:,} bytes")


def compared(frame: pl.DataFrame) -> pl.DataFrame:
    """Spearman's correlation by family between synthesis and place and route.

    It is null where a column is constant or there are fewer than ``FEWEST`` designs.
    """

    def rank(name: str, other: str, shown: str) -> pl.Expr:
        found = pl.corr(name, other, method="spearman").fill_nan(None)
        return pl.when(pl.len() >= FEWEST).then(found).alias(shown)

    fmax = pl.col("fmax_mhz")
    figures = [
        pl.len().cast(pl.Int64).alias("designs"),
        *(rank(name, placed, name) for name, placed in PAIRS.items()),
        rank("lut", "fmax_mhz", "lut with Fmax"),
        (pl.col("luts") / pl.col("lut")).median().alias("LUT4 a LUT6"),
        fmax.min().alias("Fmax lowest"),
        fmax.median().alias("Fmax median"),
        fmax.max().alias("Fmax highest"),
    ]
    by_family = frame.group_by("family").agg(figures).sort("family")
    return pl.concat([by_family, frame.select(pl.lit("all").alias("family"), *figures)])


def compare() -> None:
    """Print the comparison of the shipped tables."""
    records, placements = pl.read_parquet(RECORDS), pl.read_parquet(PLACEMENTS)
    both = records.join(placements.drop_nulls("fmax_mhz"), on="sample_id", validate="1:1")
    print(f"Records (Yosys, UltraScale+) and placements ({DEVICE}): Spearman's correlation by column, MHz of Fmax.")
    print(f"{placements.height} designs placed, {placements['failure'].count()} failed, {both.height} compared.")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, float_precision=3, tbl_hide_dataframe_shape=True):
        print(compared(both))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["place", "pack", "compare"])
    parser.add_argument("--work", type=Path, default=Path("build/ecp5"), help="folder of the placements")
    parser.add_argument("--count", type=int, default=100, help="designs to draw")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--max-luts", type=int, default=4000, help="LUTs of the largest record to draw")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=1200, help="seconds for Yosys, and as many for nextpnr")
    arguments = parser.parse_args()
    try:
        if arguments.step == "place":
            drawn = draw(pl.read_parquet(RECORDS), arguments.count, arguments.seed, arguments.max_luts)
            place_all(arguments.work, drawn, arguments.jobs, arguments.time_limit)
        elif arguments.step == "pack":
            pack(arguments.work)
        else:
            compare()
    except ToolError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
