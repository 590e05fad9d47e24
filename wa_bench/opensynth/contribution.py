"""Records that somebody else made: packed by whoever made them, examined as hostile by whoever takes them.

A bundle is a folder with ``records.parquet`` and ``contribution.json``. All that follows from a record's seed is made
again and compared for every record; the resources, which only synthesis gives, for a random sample.
"""

from __future__ import annotations

import random
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from wa_bench.data.dataset import load
from wa_bench.errors import DataError, Fault
from wa_bench.files import replacing, sha256_of
from wa_bench.opensynth.generate import (
    VECTORS,
    Measurement,
    differences,
    netlist_vectors,
    record,
    regenerate,
    verilog_sha256,
)
from wa_bench.opensynth.queue import merge, write_records
from wa_bench.opensynth.rtl.design import GENERATOR_VERSION
from wa_bench.opensynth.sampling import from_seed
from wa_bench.opensynth.schedule import initiation_interval, latency_cycles
from wa_bench.opensynth.synthesize import SCRIPT_SHA256, tool_version
from wa_bench.records.columns import arrow_schema
from wa_bench.records.schema import LARGEST_COUNT, RESOURCES, Design, Synthesis
from wa_bench.tracks.track import track

RECORDS_FILE = "records.parquet"
CONTRIBUTION_FILE = "contribution.json"
STATEMENT = (
    "I made these records with wa-bench and waive all rights in them under CC0 1.0 "
    "(https://creativecommons.org/publicdomain/zero/1.0/)."
)
_MAX_BYTES = {CONTRIBUTION_FILE: 64 * 1024, RECORDS_FILE: 64 * 1024**2}
_MAX_RECORDS = 20_000
_MAX_FAULTS = 100
_MAX_MEMORY = 4 * 1024**3
"""Bytes that reading the records may take: a small Parquet file can stand for any amount."""
_SIMULATOR = re.compile(r"(Icarus Verilog|Verilator) [0-9.]{1,20}")


class Contribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a contributor declares. ``sha256`` is that of the records, ``tools`` those that made them."""

    author: str
    licence: Literal["CC0-1.0"]
    statement: str
    generator_version: str
    script_sha256: str
    tools: list[str]
    records: int
    sha256: str


def contribute(work: Path, bundle: Path, author: str) -> Contribution:
    """Pack the measured records of a queue that are not shipped yet.

    Raises:
        DataError: the author is no name, a measurement is damaged or stale, or nothing is new.
    """
    if faults := _author_faults(author, "author"):
        raise DataError(*faults)
    shipped = _shipped_seeds()
    new = [record(m) for m in merge([work]) if m.failure is None and m.seed not in shipped]
    if not new:
        found = "only failed designs and seeds that are shipped already"
        remedy = "choose other seeds: wa-bench synth run OTHER --seeds 500000:500100"
        raise DataError(Fault(str(work), "new records", found, remedy))
    write_records(bundle / RECORDS_FILE, new)
    contribution = Contribution(
        author=author,
        licence="CC0-1.0",
        statement=STATEMENT,
        generator_version=GENERATOR_VERSION,
        script_sha256=SCRIPT_SHA256,
        tools=_tools(new),
        records=len(new),
        sha256=sha256_of(bundle / RECORDS_FILE),
    )
    with replacing(bundle / CONTRIBUTION_FILE) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(contribution)) + b"\n")
    return contribution


def accept(bundle: Path, sample: int, seed: int, jobs: int) -> list[tuple[Design, list[str]]]:
    """Records that were synthesized again, each with the fields that came out different: none if it can be accepted.

    Args:
        bundle: the folder, which is trusted in nothing.
        sample: how many records to synthesize again.
        seed: of their choice; one that the contributor could not foresee.
        jobs: how many at once.

    Raises:
        DataError: all faults that show without synthesis.
        ToolError: a design could not be made again here, which is not its author's fault.
    """
    return list(recheck(examine(bundle), sample, seed, jobs))


def recheck(records: Sequence[Design], sample: int, seed: int, jobs: int) -> Iterator[tuple[Design, list[str]]]:
    """Randomly chosen records that have figures, each with the fields that differ when it is made again."""
    measured = [design for design in records if design.provenance.synthesis and not design.provenance.synthesis.failure]
    chosen = random.Random(seed).sample(measured, min(sample, len(measured)))
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda design: (design, differences(design, regenerate(design))), chosen)


def examine(bundle: Path) -> list[Design]:
    """The records of a bundle, of which all but the resources is known to be true.

    Raises:
        DataError: all faults at once.
    """
    content = _contents(bundle)
    faults: list[Fault] = []
    try:
        declared = msgspec.json.decode(content[CONTRIBUTION_FILE], type=Contribution)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        declared = None
        faults.append(Fault(CONTRIBUTION_FILE, "a declaration as wa-bench synth contribute writes it", _shown(error)))
    try:
        records = _records(content[RECORDS_FILE])
    except DataError as error:
        raise DataError(*faults, *error.faults) from None
    if declared is not None:
        expected = {
            "statement": STATEMENT,
            "generator_version": GENERATOR_VERSION,
            "script_sha256": SCRIPT_SHA256,
            "tools": _tools(records),
            "records": len(records),
            "sha256": sha256(content[RECORDS_FILE]).hexdigest(),
        }
        for name, value in expected.items():
            if (found := getattr(declared, name)) != value:
                faults.append(Fault(f"{CONTRIBUTION_FILE}, field {name}", _shown(value), _shown(found)))
        faults += _author_faults(declared.author, f"{CONTRIBUTION_FILE}, field author")
    seen = _shipped_seeds()
    for row, design in enumerate(records, start=1):
        faults += _record_faults(design, seen, f"{RECORDS_FILE}, row {row}")
        if len(faults) > _MAX_FAULTS:
            faults.append(Fault(RECORDS_FILE, "a bundle with fewer faults", f"that many in the first {row} rows"))
            break
    if faults:
        raise DataError(*faults)
    return records


def _author_faults(author: str, place: str) -> list[Fault]:
    if author.strip() and author.isprintable() and len(author) <= 200:
        return []
    return [Fault(place, "a name of at most 200 visible characters", _shown(author))]


def _contents(bundle: Path) -> dict[str, bytes]:
    """The bytes of the two files, which must be plain, small enough and alone."""
    if not bundle.is_dir():
        raise DataError(Fault(str(bundle), "a folder", "none", "make one: wa-bench synth contribute WORK --out BUNDLE"))
    faults: list[Fault] = []
    present = {file.name for file in bundle.iterdir()}
    if present != _MAX_BYTES.keys():
        expected = f"the files {' and '.join(_MAX_BYTES)} alone"
        faults.append(Fault(str(bundle), expected, _shown(sorted(present))))
    for name in sorted(present & _MAX_BYTES.keys()):
        about = (bundle / name).lstat()
        if not stat.S_ISREG(about.st_mode):
            faults.append(Fault(name, "a plain file", "a link, folder or device"))
        elif about.st_size > _MAX_BYTES[name]:
            faults.append(Fault(name, f"at most {_MAX_BYTES[name]:,} bytes", f"{about.st_size:,} bytes"))
    if faults:
        raise DataError(*faults)
    return {name: (bundle / name).read_bytes() for name in _MAX_BYTES}


def _records(content: bytes) -> list[Design]:
    """The records of a Parquet file that has exactly our schema."""
    try:
        with _limited_memory():
            file = pq.ParquetFile(pa.BufferReader(content))
            if not file.schema_arrow.equals(arrow_schema(Design)):
                raise DataError(Fault(RECORDS_FILE, "the columns of wa_bench.records.schema.Design", "another schema"))
            if not 0 < file.metadata.num_rows <= _MAX_RECORDS:
                raise DataError(Fault(RECORDS_FILE, f"1 to {_MAX_RECORDS:,} records", f"{file.metadata.num_rows:,}"))
            table = file.read(use_threads=False)
            table.validate(full=True)
            rows = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(Fault(RECORDS_FILE, "a readable Parquet file", _shown(error))) from None
    records, faults = [], []
    for number, row in enumerate(rows, start=1):
        try:
            records.append(msgspec.convert(row, Design))
        except msgspec.ValidationError as error:
            faults.append(Fault(f"{RECORDS_FILE}, row {number}", "a whole record", _shown(error)))
    if faults:
        raise DataError(*faults)
    return records


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Within, this process fails to allocate more than ``_MAX_MEMORY``; only Linux can tell."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limits = [pages * resource.getpagesize() + _MAX_MEMORY, *(value for value in before if value >= 0)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _record_faults(design: Design, seen: set[int], place: str) -> list[Fault]:
    """What is wrong with a record as far as its seed tells; the seed is added to ``seen``."""
    made = design.provenance.synthesis
    estimate = design.hls_estimate
    if made is None or made.failure is not None or estimate is None:
        return [Fault(place, "a measured design", "one without provenance or figures")]
    faults = []
    if made.seed in seen:
        return [Fault(place, "a new seed", f"seed {made.seed}, which is shipped or given already")]
    seen.add(made.seed)
    counts = [getattr(part, name) for part in (design, estimate) for name in RESOURCES]
    if not all(count is not None and 0 <= count <= LARGEST_COUNT for count in counts):
        faults.append(Fault(place, f"counts from 0 to {LARGEST_COUNT}", _shown(counts)))
    if design.tool_version != tool_version():
        faults.append(Fault(place, f"Yosys {tool_version()}", _shown(design.tool_version)))
    if not _SIMULATOR.fullmatch(made.simulator):
        faults.append(Fault(place, "a known simulator", _shown(made.simulator)))
    try:
        expected = _expected(design, made)
    except (ValueError, OverflowError) as error:
        return [*faults, Fault(place, "the seed of a network", _shown(error))]
    if design != expected:
        names = differences(design, expected) or ["provenance"]
        faults.append(Fault(place, f"what follows from seed {made.seed}", f"another {', '.join(names)}"))
    return faults


def _expected(design: Design, made: Synthesis) -> Design:
    """The record of the same seed, with what only the tools say as given."""
    network = from_seed(made.seed)
    measurement = Measurement(
        seed=made.seed,
        generator_version=GENERATOR_VERSION,
        tool_version=design.tool_version or "",
        simulator=made.simulator,
        script_sha256=SCRIPT_SHA256,
        verilog_sha256=verilog_sha256(made.seed),
        cycles=latency_cycles(network),
        interval=initiation_interval(network),
        vectors=VECTORS,
        netlist_vectors=netlist_vectors(network) if made.netlist_vectors else 0,
    )
    given = {name: getattr(design, name) for name in (*RESOURCES, "hls_estimate")}
    return msgspec.structs.replace(record(measurement), **given)


def _tools(records: Sequence[Design]) -> list[str]:
    """Versions of the tools that made some records."""
    yosys = {f"Yosys {design.tool_version}" for design in records}
    return sorted(yosys | {design.provenance.synthesis.simulator for design in records if design.provenance.synthesis})


def _shipped_seeds() -> set[int]:
    """Seeds of the records in the package."""
    seed = pl.col("provenance").struct.field("synthesis").struct.field("seed")
    return set(load("opensynth", track("opensynth").splits).frame().select(seed).collect().to_series())


def _shown(value: Any) -> str:
    """A stranger's value for a message: escaped and short."""
    return ascii(str(value))[:200]


def gather(sources: Sequence[Path]) -> list[Design]:
    """Records of work queues, bundles and record files in order of the seed, each seed once.

    Raises:
        DataError: a source cannot be read, a bundle has faults, or two sources contradict each other.
    """
    gathered: dict[int, tuple[Path, Design]] = {}
    faults = []
    for source in sources:
        for design in _records_of(source):
            made = design.provenance.synthesis
            if made is None:
                faults.append(Fault(f"{source}, {design.sample_id}", "a record that opensynth made", "another"))
                continue
            first, present = gathered.setdefault(made.seed, (source, design))
            if names := differences(present, design):
                found = f"another {', '.join(names)}"
                faults.append(
                    Fault(f"{source}, {design.sample_id}", f"what {first} says", found, "leave out one of them")
                )
    if faults:
        raise DataError(*faults)
    return [design for _, (_, design) in sorted(gathered.items())]


def _records_of(source: Path) -> Iterable[Design]:
    if (source / CONTRIBUTION_FILE).exists():
        return examine(source)
    if source.is_dir():
        return map(record, merge([source]))
    return load("opensynth", track("opensynth").splits, str(source)).stream()
