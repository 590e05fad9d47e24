"""Measure reading, converting and rereading wa-hls4ml records beside the usual ways, on a replica of the dataset.

    python scripts/make_replica.py /tmp/replica
    python scripts/bench_data.py /tmp/replica --json bench.json
    python scripts/bench_data.py /tmp/replica --quick --only stream --only graphs

Needs the group ``bench`` and the extras ``hub`` and ``torch``, Linux, and 8 GB in ``--work``.

A run is a process of its own. CPU seconds are user and system time of the measured part and of the processes that it
starts, without imports and preparation. Peak memory is how far resident memory rises above what it is with everything
imported and prepared; of a conversion, which has several processes, it is all of them together, interpreters included,
each shared page counted once, looked at ``SAMPLES`` times a second. Ours and the peers take turns, so that a change of
the machine hits them alike. Figures are medians; trust ratios, not third digits. This is no test: it always ends well.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import operator
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple

from rich.console import Console
from rich.table import Table

KINDS = ("3layer", "mixed")
"""Of texts: the records of one family, or of all others."""
SPLITS = ("train", "val", "test", "exemplar")
GRAPH_FAMILIES = ("2layer", "latency", "conv1d")
"""Of ``test``: some 19,000 graphs of 3 to 20 layers."""
TARGETS = ("bram", "dsp", "ff", "lut", "cycles_max", "interval_max")

SAMPLES = 4
"""Looks at the memory of several processes a second."""
PACKAGES = (
    "wa-bench",
    "msgspec",
    "pyarrow",
    "polars",
    "numpy",
    "ijson",
    "duckdb",
    "datasets",
    "torch",
    "torch-geometric",
)
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "POLARS_MAX_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
DUCKDB_THREADS = 2
DUCKDB_LIMIT = "500MB"
"""With 350 MB its two threads give up, out of memory."""
BLOCK = 4 << 20

Figures = dict[str, float]
Part = Callable[[], Figures]
"""What is measured; says what it did, at least the number of ``records``."""


# What is measured. Each function prepares a part, imports included.


def read_raw(path: str) -> Part:
    """Ours: typed raw records."""
    from wa_bench.records.hls4ml import RawRecord
    from wa_bench.records.json_array import read_array

    def part() -> Figures:
        with Path(path).open("rb") as stream:
            return {"records": sum(len(chunk.records) for chunk in read_array(stream, RawRecord, path))}

    return part


def read_whole(path: str) -> Part:
    """Ours: designs in the record schema."""
    from wa_bench.records.hls4ml import read_designs

    def part() -> Figures:
        with Path(path).open("rb") as stream:
            return {"records": sum(len(chunk.records) for chunk in read_designs(stream, split="train", file=path))}

    return part


def read_ijson(path: str) -> Part:
    """Dictionaries from ijson's C backend."""
    import ijson

    items = ijson.get_backend("yajl2_c").items

    def part() -> Figures:
        with Path(path).open("rb") as stream:
            return {"records": sum(1 for _ in items(stream, "item", use_float=True))}

    return part


def read_datasets(path: str) -> Part:
    """Dictionaries from datasets' streaming."""
    import datasets

    def part() -> Figures:
        records = datasets.load_dataset("json", data_files=path, split="train", streaming=True)
        return {"records": sum(1 for _ in records)}

    return part


def first_raw(path: str) -> Part:
    """Ours: the first raw record after opening a file."""
    from wa_bench.records.hls4ml import RawRecord
    from wa_bench.records.json_array import read_array

    return _first(path, lambda stream: next(read_array(stream, RawRecord, path)).records[0])


def first_whole(path: str) -> Part:
    """Ours: the first design after opening a file."""
    from wa_bench.records.hls4ml import read_designs

    return _first(path, lambda stream: next(read_designs(stream, split="train", file=path)).records[0])


def first_ijson(path: str) -> Part:
    """ijson: the first dictionary after opening a file."""
    import ijson

    items = ijson.get_backend("yajl2_c").items
    return _first(path, lambda stream: next(items(stream, "item", use_float=True)))


def _first(path: str, read: Callable[[BinaryIO], Any]) -> Part:
    def part() -> Figures:
        with Path(path).open("rb") as stream:
            read(stream)
        return {"records": 1}

    return part


def first_loaded(replica: str) -> Part:
    """Ours: the first design of the train split, from a folder that nothing is known of."""
    import wa_bench.data.dataset as wb

    def part() -> Figures:
        next(wb.load("hls4ml", "train", source=replica).stream())
        return {"records": 1}

    return part


def convert_ours(replica: str, splits: Sequence[str], cache: str) -> Part:
    """Ours: JSON to an empty store, in as many processes as there are cores."""
    import polars as pl

    import wa_bench.data.dataset as wb

    shutil.rmtree(cache, ignore_errors=True)
    os.environ["WA_BENCH_CACHE"] = cache

    def part() -> Figures:
        records = wb.load("hls4ml", splits, source=replica).frame().select(pl.len()).collect().item()
        return {"records": records, "mb": _megabytes_in(Path(cache))}

    return part


_LAYER = (
    "STRUCT(class_name VARCHAR, name VARCHAR, input_shape JSON, output_shape JSON, inbound_layers VARCHAR[], "
    "parameters DOUBLE, reuse_factor DOUBLE, neurons DOUBLE, filters DOUBLE, kernel_size BIGINT[], strides BIGINT[], "
    "pool_size BIGINT[], padding VARCHAR, use_bias BOOLEAN, activation VARCHAR)"
)
_RESOURCES = "STRUCT(bram DOUBLE, dsp DOUBLE, ff DOUBLE, lut DOUBLE, uram DOUBLE)"
_COLUMNS = {
    "meta_data": "STRUCT(uuid VARCHAR, model_id VARCHAR, model_name VARCHAR)",
    "model_config": f"{_LAYER}[]",
    "hls_config": "STRUCT(Model STRUCT(Precision JSON, ReuseFactor DOUBLE, Strategy VARCHAR), "
    "LayerName MAP(VARCHAR, STRUCT(Precision JSON)), clock_period DOUBLE, io_type VARCHAR)",
    "target_part": "VARCHAR",
    "hls4ml_version": "VARCHAR",
    "vivado_version": "VARCHAR",
    "backend_version": "VARCHAR",
    "resource_report": _RESOURCES,
    "hls_resource_report": _RESOURCES,
    "latency_report": "STRUCT(cycles_min DOUBLE, cycles_max DOUBLE, interval_min DOUBLE, interval_max DOUBLE, "
    "target_clock DOUBLE)",
}
"""The fields that ours reads, for DuckDB; JSON where the replica has values of several types."""


def convert_duckdb(paths: Sequence[str], out: str, bounded: bool = False) -> Part:
    """DuckDB: JSON to one Parquet file, as nested as it was; nothing is checked, derived or made uniform.

    Where ``bounded``, in about the least memory that two threads get by with: the order of the records is given up.
    """
    import duckdb

    frugal = {"memory_limit": DUCKDB_LIMIT, "preserve_insertion_order": False} if bounded else {}
    connection = duckdb.connect(config={"threads": DUCKDB_THREADS, **frugal})
    connection.execute("LOAD json; LOAD parquet")
    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items()) + "}"
    source = f"read_json({list(paths)!r}, format = 'array', columns = {columns}, filename = true)"

    def part() -> Figures:
        copy = f"COPY (FROM {source}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        return {"records": connection.execute(copy).fetchall()[0][0], "mb": _megabytes_in(Path(out))}

    return part


def reread_ours(replica: str, splits: Sequence[str]) -> Part:
    """Ours: six targets of all records, from the store to NumPy."""
    import polars as pl

    import wa_bench.data.dataset as wb

    def part() -> Figures:
        frame = wb.load("hls4ml", splits, source=replica).frame().select(pl.col(TARGETS).cast(pl.Float64))
        return {"records": len(frame.collect().to_numpy())}

    return part


def reread_truth(replica: str, splits: Sequence[str]) -> Part:
    """Ours: the truth, that is ids and groups too."""
    import wa_bench.data.dataset as wb

    return lambda: {"records": len(wb.load("hls4ml", splits, source=replica).truth())}


def reread_duckdb(path: str) -> Part:
    """DuckDB: six targets of all records, from its own Parquet file to NumPy."""
    import duckdb

    connection = duckdb.connect(config={"threads": DUCKDB_THREADS})
    connection.execute("LOAD parquet")
    places = [f"{'resource' if name in TARGETS[:4] else 'latency'}_report.{name} AS {name}" for name in TARGETS]

    def part() -> Figures:
        columns = connection.execute(f"SELECT {', '.join(places)} FROM '{path}'").fetchnumpy()  # noqa: S608
        return {"records": len(columns["lut"])}

    return part


def encode_ours(replica: str, splits: Sequence[str]) -> Part:
    """Ours: a split from the store to arrays."""
    import wa_bench.data.batches
    import wa_bench.data.dataset as wb
    import wa_bench.data.encoding  # noqa: F401

    def part() -> Figures:
        encoded = wb.load("hls4ml", splits, source=replica).encoded
        return {"records": len(encoded), "mb": encoded.nbytes / 1e6}

    return part


def graphs_ours(replica: str, epochs: int) -> Part:
    """Ours: shuffled batches of graphs, cut out of arrays."""
    dataset = _for_graphs(replica)

    def epoch() -> int:
        return sum(batch.num_graphs for batch in dataset.graphs(batch_size=1024, shuffle=True))

    epoch()
    return lambda: {"records": sum(epoch() for _ in range(epochs))}


def graphs_pyg(replica: str, epochs: int) -> Part:
    """PyG: a shuffling loader of an in-memory dataset of the same graphs, each of which it has seen before."""
    import torch
    from torch_geometric.data import Data, InMemoryDataset
    from torch_geometric.loader import DataLoader

    encoded = _for_graphs(replica).encoded

    def graph(row: int) -> Data:
        layers = slice(*encoded.pointers[row : row + 2])
        edges = slice(*encoded.edge_pointers[row : row + 2])
        return Data(
            x=torch.from_numpy(encoded.layers[layers]),
            edge_index=torch.from_numpy(encoded.edges[:, edges]).long(),
            kind=torch.from_numpy(encoded.kinds[layers]).long(),
            activation=torch.from_numpy(encoded.activations[layers]).long(),
            designs=torch.from_numpy(encoded.designs[row : row + 1]),
            strategy=torch.from_numpy(encoded.strategies[row : row + 1]).long(),
            y=torch.from_numpy(encoded.targets[row : row + 1]),
            rows=torch.tensor([row]),
        )

    class Graphs(InMemoryDataset):
        def __init__(self, graphs: list[Data]) -> None:
            super().__init__()
            self.data, self.slices = self.collate(graphs)

    loader = DataLoader(Graphs([graph(row) for row in range(len(encoded))]), batch_size=1024, shuffle=True)

    def epoch() -> int:
        return sum(batch.num_graphs for batch in loader)

    epoch()
    return lambda: {"records": sum(epoch() for _ in range(epochs))}


def _for_graphs(replica: str) -> Any:
    import torch
    import torch_geometric.data  # noqa: F401

    import wa_bench.data.dataset as wb

    torch.set_num_threads(1)
    dataset = wb.load("hls4ml", "test", source=replica).families(*GRAPH_FAMILIES)
    _ = dataset.encoded
    return dataset


def _megabytes_in(place: Path) -> float:
    paths = place.rglob("*.parquet") if place.is_dir() else [place]
    return sum(path.stat().st_size for path in paths) / 1e6


JOBS: dict[str, Callable[..., Part]] = {
    job.__name__: job
    for job in (
        *(read_raw, read_whole, read_ijson, read_datasets),
        *(first_raw, first_whole, first_ijson, first_loaded),
        *(convert_ours, convert_duckdb, reread_ours, reread_truth, reread_duckdb),
        *(encode_ours, graphs_ours, graphs_pyg),
    )
}


# One run, in a process of its own.


class Call(NamedTuple):
    """A run to be made: the job, its arguments, and variables of its environment."""

    job: str
    given: Mapping[str, Any]
    environment: Mapping[str, str] = {}


def run_here(job: str, given: Mapping[str, Any]) -> Figures:
    """What the measured part did, and its CPU seconds, wall seconds and megabytes of memory."""
    part = JOBS[job](**given)
    gc.collect()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak, VmHWM, starts anew
    cpu, wall = _cpu_seconds(), time.perf_counter()
    figures = part()
    wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
    return {**figures, "cpu_s": cpu, "wall_s": wall, "peak_mb": _resident("VmHWM") - before}


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _resident(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def run(call: Call) -> Figures:
    """The figures of one run; ``tree_mb`` is the largest sample of all its processes together.

    Raises:
        CalledProcessError: it failed; the reason is on standard error.
    """
    command = [sys.executable, __file__, "--job", call.job, json.dumps(call.given)]
    environment = {**os.environ, **SETTINGS, **call.environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    largest = 0.0
    while True:
        try:
            answer, _ = process.communicate(timeout=1 / SAMPLES)
            break
        except subprocess.TimeoutExpired:
            largest = max(largest, sum(map(_proportional, _tree(process.pid))))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {**json.loads(answer.splitlines()[-1]), "tree_mb": largest}


def _tree(root: int) -> Iterator[int]:
    """The process and all below it."""
    yield root
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:
            continue
        for child in below:
            yield from _tree(int(child))


def _proportional(process: int) -> float:
    """Megabytes of a process, of shared pages its share; none if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


# What is compared with what.


class Aim(NamedTuple):
    """What a figure is to be: at least or at most ``limit``; of the ratio to the peer if ``of_ratio``."""

    sign: str
    limit: float
    of_ratio: bool = False

    def met(self, value: float, ratio: float | None) -> bool | None:
        """Whether it is so; None if there is nothing to compare with."""
        compare = {"≥": operator.ge, "≤": operator.le}[self.sign]
        if self.of_ratio:
            return None if ratio is None else bool(compare(ratio, self.limit))
        return bool(compare(value, self.limit))

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}{' x' if self.of_ratio else ''}"


class Line(NamedTuple):
    """A line of the table: a figure of one side, perhaps beside the same of another."""

    side: str
    figure: str
    peer: str | None = None
    aim: Aim | None = None


@dataclass
class Comparison:
    """Sides that take turns, and what is told of them."""

    group: str
    title: str
    sides: Mapping[str, Call]
    lines: Sequence[Line]
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def measure(self, repeats: int) -> None:
        """Run all sides in turn, ``repeats`` times."""
        for _ in range(repeats):
            for side, call in self.sides.items():
                self.runs.setdefault(side, []).append(run(call))


RATE, MEMORY, ALL_MEMORY = "records/CPU s", "peak MB", "peak MB, all"
CPU, WALL, FIRST, SIZE = "CPU s", "wall s", "ms", "MB"
VALUES: dict[str, Callable[[Figures], float]] = {
    RATE: lambda run: run["records"] / run["cpu_s"],
    MEMORY: operator.itemgetter("peak_mb"),
    ALL_MEMORY: operator.itemgetter("tree_mb"),
    CPU: operator.itemgetter("cpu_s"),
    WALL: operator.itemgetter("wall_s"),
    FIRST: lambda run: run["wall_s"] * 1e3,
    SIZE: operator.itemgetter("mb"),
}


class Bench:
    """All comparisons on one replica, by group. What one leaves in the folder ``work`` is there for the next."""

    def __init__(self, replica: Path, work: Path, quick: bool) -> None:
        self._replica = replica
        self._work = work
        self._shrink = 10 if quick else 1
        self._whole = {"replica": str(replica), "splits": ("test", "exemplar") if quick else SPLITS}
        self._encoded_split = "test" if quick else "train"
        self._cache, self._by_duckdb = work / "cache", work / "duckdb.parquet"
        self._store = {"WA_BENCH_CACHE": str(self._cache)}
        self.groups: dict[str, Callable[[], Iterator[Comparison]]] = {
            "stream": self._stream,
            "memory": self._memory,
            "first": self._first,
            "convert": self._convert,
            "reread": self._reread,
            "encode": self._encode,
            "graphs": self._graphs,
        }

    def _stream(self) -> Iterator[Comparison]:
        for kind, (peer, size, aim) in product(KINDS, (("ijson", 250, 2.5), ("datasets", 25, 25))):
            sides = {"raw": "read_raw", "designs": "read_whole", peer: f"read_{peer}"}
            environment = {"HF_HOME": str(self._work / "hf")}
            calls = {side: Call(job, {"path": self._cut(kind, size)}, environment) for side, job in sides.items()}
            lines = [Line(side, RATE, peer, Aim("≥", aim, of_ratio=True)) for side in ("raw", "designs")]
            yield Comparison(
                "stream", f"{kind}, {size / self._shrink:g} MB", calls, [*lines, Line("raw", MEMORY, peer)]
            )

    def _memory(self) -> Iterator[Comparison]:
        for kind, (side, job) in product(KINDS, (("raw", "read_raw"), ("designs", "read_whole"))):
            calls = {f"{side} {size} MB": Call(job, {"path": self._cut(kind, size)}) for size in (250, 1000, 2000)}
            first, *larger = calls
            lines = [Line(name, MEMORY, None, Aim("≤", 60)) for name in calls]
            lines += [Line(name, MEMORY, first, Aim("≤", 1.2, of_ratio=True)) for name in larger]
            yield Comparison("memory", kind, calls, lines)

    def _first(self) -> Iterator[Comparison]:
        given = {"path": str(self._replica / "train" / "train_3layer_merged.json")}
        empty = {"WA_BENCH_CACHE": str(self._work / "none")}
        calls = {
            "raw": Call("first_raw", given),
            "designs": Call("first_whole", given),
            "load().stream()": Call("first_loaded", {"replica": str(self._replica)}, empty),
            "ijson": Call("first_ijson", given),
        }
        lines = [Line(side, FIRST, "ijson", Aim("≤", 100)) for side in calls if side != "ijson"]
        yield Comparison("first", "first record", calls, lines)

    def _convert(self) -> Iterator[Comparison]:
        duckdb = self._duckdb_conversion()
        bounded = Call(duckdb.job, {**duckdb.given, "out": f"{self._by_duckdb}.bounded", "bounded": True})
        calls = {"ours": self._conversion(), "duckdb": duckdb, "duckdb, bounded": bounded}
        lines = [Line("ours", RATE, None, Aim("≥", 12_000)), Line("ours", ALL_MEMORY, None, Aim("≤", 350))]
        for peer in ("duckdb", "duckdb, bounded"):
            lines.append(Line("ours", RATE, peer, Aim("≥", 1, of_ratio=True)))
            lines += [Line("ours", figure, peer) for figure in (ALL_MEMORY, CPU, WALL, SIZE)]
        yield Comparison("convert", "to Parquet", calls, lines)

    def _conversion(self) -> Call:
        return Call("convert_ours", {**self._whole, "cache": str(self._cache)})

    def _duckdb_conversion(self) -> Call:
        files = [str(path) for split in self._whole["splits"] for path in sorted(self._replica.glob(f"{split}/*.json"))]
        return Call("convert_duckdb", {"paths": files, "out": str(self._by_duckdb)})

    def _reread(self) -> Iterator[Comparison]:
        self._make_stores()
        calls = {
            "six targets": Call("reread_ours", self._whole, self._store),
            "truth()": Call("reread_truth", self._whole, self._store),
            "duckdb": Call("reread_duckdb", {"path": str(self._by_duckdb)}),
        }
        lines = [Line("six targets", CPU, "duckdb", Aim("≤", 2)), Line("truth()", CPU, "duckdb", Aim("≤", 2))]
        yield Comparison("reread", "targets", calls, lines)

    def _make_stores(self) -> None:
        """Convert, unless a comparison before this one did."""
        for made, call in ((self._cache, self._conversion()), (self._by_duckdb, self._duckdb_conversion())):
            if not made.exists():
                run(call)

    def _encode(self) -> Iterator[Comparison]:
        self._make_stores()
        ours = Call("encode_ours", {**self._whole, "splits": [self._encoded_split]}, self._store)
        lines = [Line("ours", SIZE, None, Aim("≤", 600)), *(Line("ours", figure) for figure in (CPU, WALL, MEMORY))]
        yield Comparison("encode", f"{self._encoded_split} as arrays", {"ours": ours}, lines)

    def _graphs(self) -> Iterator[Comparison]:
        self._make_stores()
        given = {"replica": str(self._replica)}
        calls = {
            "ours": Call("graphs_ours", {**given, "epochs": 40}, self._store),
            "PyG": Call("graphs_pyg", {**given, "epochs": 1}, self._store),
        }
        lines = [Line("ours", RATE, "PyG", Aim("≥", 50, of_ratio=True))]
        yield Comparison("graphs", "batches of 1024", calls, lines)

    def _cut(self, kind: str, megabytes: int) -> str:
        """A file of about this size, made once: of 3layer records, or of all others, one source after another."""
        path = self._work / f"{kind}-{megabytes}.json"
        if not path.exists():
            files = sorted(path for split in SPLITS[:3] for path in self._replica.glob(f"{split}/*.json"))
            chosen = [file for file in files if ("3layer" in file.name) == (kind == "3layer")]
            cut(chosen, megabytes * 10**6 // self._shrink, path)
        return str(path)


def cut(files: Sequence[Path], size: int, path: Path) -> None:
    """Write about ``size`` bytes of the records of ``files``, of each the same share, as one array.

    Raises:
        SystemExit: the files have less, or are not written with an indent of 4.
    """
    total = sum(file.stat().st_size for file in files)
    if size > total:
        raise SystemExit(f"{path.name} needs {size:,} bytes of records, and the replica has {total:,}")
    with path.open("wb") as out:
        for index, file in enumerate(files):
            out.write(b"," if index else b"[")
            copy_records(file, file.stat().st_size * size // total, out)
        out.write(b"\n]\n")


def copy_records(file: Path, size: int, out: BinaryIO) -> None:
    """Copy whole records, with what stands between them, from the first ``size`` bytes of an array."""
    with file.open("rb") as stream:
        start = max(1, size - BLOCK)
        stream.seek(start)
        last = stream.read(size - start).rfind(b"\n    }")
        if last < 0:
            raise SystemExit(f"{file} has no record in {size:,} bytes, or no indent of 4")
        stream.seek(1)
        for remaining in range(start + last + 5, 0, -BLOCK):
            out.write(stream.read(min(BLOCK, remaining)))


# What is told of it.


def values(comparison: Comparison, side: str, figure: str) -> list[float]:
    """A figure of all runs of a side."""
    return [VALUES[figure](run) for run in comparison.runs[side]]


def told(numbers: Sequence[float]) -> str:
    """Median, least and greatest."""
    middle, least, most = (_short(number) for number in (median(numbers), min(numbers), max(numbers)))
    return f"{middle} ({least}–{most})"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def judged(comparison: Comparison, line: Line) -> dict[str, Any]:
    """A line of the table as a JSON object."""
    ours = values(comparison, line.side, line.figure)
    peers = None if line.peer is None else values(comparison, line.peer, line.figure)
    ratio = None if peers is None or not median(peers) else median(ours) / median(peers)
    return {
        "group": comparison.group,
        "what": comparison.title,
        "side": line.side,
        "figure": line.figure,
        "ours": ours,
        "peer": line.peer,
        "peers": peers,
        "ratio": ratio,
        "aim": None if line.aim is None else str(line.aim),
        "met": None if line.aim is None else line.aim.met(median(ours), ratio),
    }


def table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """All lines; figures as median (least - greatest)."""
    shown = Table("", "what", "side", "figure", "ours", "peer", "its", "ratio", "aim", "met")
    before = None
    for line in lines:
        if before not in (None, line["group"]):
            shown.add_section()
        shown.add_row(
            "" if line["group"] == before else line["group"],
            line["what"],
            line["side"],
            line["figure"],
            told(line["ours"]),
            line["peer"] or "",
            told(line["peers"]) if line["peers"] else "",
            "" if line["ratio"] is None else f"{line['ratio']:.3g}",
            line["aim"] or "",
            {None: "", True: "yes", False: "[bold]NO[/bold]"}[line["met"]],
        )
        before = line["group"]
    return shown


def machine() -> dict[str, Any]:
    """Where this runs."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def versions() -> dict[str, str]:
    """Of the packages that are compared."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def measured(bench: Bench, groups: Sequence[str], repeats: int, console: Console) -> Iterator[Comparison]:
    """The comparisons of some groups, each as soon as it is made."""
    for group in groups:
        for comparison in bench.groups[group]():
            console.print(f"{group}: {comparison.title}")
            comparison.measure(repeats)
            yield comparison


def report(done: Sequence[Comparison]) -> dict[str, Any]:
    """Lines of the table, and the figures of all runs behind them."""
    return {
        "lines": [judged(comparison, line) for comparison in done for line in comparison.lines],
        "runs": [{"group": made.group, "what": made.title, "sides": made.runs} for made in done],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replica", type=Path, help="folder that make_replica.py wrote, with an indent of 4")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the texts; of the splits only test and exemplar"
    )
    parser.add_argument("--only", action="append", help="a group of measurements, or several")
    parser.add_argument("--work", type=Path, help="folder for texts and stores, kept; else one that is removed")
    parser.add_argument("--json", type=Path, help="file for the figures of all runs")
    args = parser.parse_args()
    about: dict[str, Any] = {"machine": machine(), "versions": versions(), "settings": SETTINGS}
    about |= {"duckdb_threads": DUCKDB_THREADS, "repeats": args.repeats, "quick": args.quick}
    done: list[Comparison] = []
    with TemporaryDirectory() as temporary:
        work = (args.work or Path(temporary)) / ("quick" if args.quick else "full")
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(args.replica.resolve(), work.resolve(), args.quick)
        chosen = args.only or list(bench.groups)
        if unknown := set(chosen) - set(bench.groups):
            parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(bench.groups)}")
        for comparison in measured(bench, chosen, args.repeats, Console(stderr=True)):
            done.append(comparison)
            if args.json:
                text = json.dumps(about | report(done), indent=1, ensure_ascii=False)
                args.json.write_text(text + "\n", encoding="utf-8")
    Console(width=None if sys.stdout.isatty() else 160).print(table(report(done)["lines"]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        print(json.dumps(run_here(sys.argv[2], json.loads(sys.argv[3]))))
    else:
        main()
