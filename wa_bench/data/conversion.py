"""Conversion of raw JSON files to the store, in several processes, each going on where an earlier one stopped."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from wa_bench.data.raw import decompressed
from wa_bench.data.store import LISTED_FAULTS, ROWS, Manifest, Part, read_manifest, write_manifest
from wa_bench.errors import Fault, RecordError, WaBenchError
from wa_bench.files import replacing, sha256_of
from wa_bench.records.columns import arrow_schema, to_table
from wa_bench.records.hls4ml import read_designs
from wa_bench.records.json_array import ByteStream, Chunk, Position
from wa_bench.records.schema import Design

ROW_GROUP = 8192
"""Records in a row group."""

BATCH = 1024
_POLL_SECONDS = 0.1


class Task(msgspec.Struct, frozen=True):
    """A raw file to convert: its ``path`` on this machine, and the ``folder`` to keep the result in.

    ``fresh`` is the manifest of a conversion that has not begun.
    """

    path: str
    folder: str
    fresh: Manifest


def convert(tasks: Sequence[Task], processes: int, progress: Callable[[int], object]) -> list[Fault]:
    """Convert raw files that are not converted yet; the damages to their texts, which end the conversion of a file.

    Args:
        tasks: what to convert.
        processes: how many to convert at a time; 1 works in this process.
        progress: is told from time to time how many bytes of all raw files are done.
    """
    pending = [task for task in tasks if not _is_complete(task)]
    if processes > 1 and len(pending) > 1:
        damages = _convert_in_processes(_shares(pending, processes), lambda: progress(_bytes_done(tasks)))
    else:
        damages = _convert_here(pending)
    progress(_bytes_done(tasks))
    return damages


def _shares(tasks: Sequence[Task], count: int) -> list[list[Task]]:
    """About equal shares of the work: the largest first, each to whom has least."""
    shares: list[list[Task]] = [[] for _ in range(min(count, len(tasks)))]
    for task in sorted(tasks, key=lambda task: -task.fresh.raw_size):
        min(shares, key=lambda share: sum(given.fresh.raw_size for given in share)).append(task)
    return shares


def _convert_in_processes(shares: Sequence[Sequence[Task]], poll: Callable[[], object]) -> list[Fault]:
    """Each share in a process of its own, which ends if this one does."""
    command = [sys.executable, "-P", "-m", "wa_bench.data.conversion"]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in shares]
    try:
        for worker, share in zip(workers, shares, strict=True):
            assert worker.stdin is not None  # noqa: S101
            with suppress(BrokenPipeError):
                worker.stdin.write(msgspec.json.encode(share) + b"\n")
                worker.stdin.flush()
        while any(worker.poll() is None for worker in workers):
            poll()
            time.sleep(_POLL_SECONDS)
        answers = [worker.stdout.read() for worker in workers if worker.stdout is not None]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
    if failed := [worker.returncode for worker in workers if worker.returncode]:
        raise WaBenchError(f"a process that converts records ended with {failed[0]}; ask again, and it goes on")
    return [fault for answer in answers for fault in msgspec.json.decode(answer, type=list[Fault])]


def _work() -> None:
    """What a process does: convert the tasks of its standard input, print the damages; end when the input does."""
    tasks = msgspec.json.decode(sys.stdin.buffer.readline(), type=list[Task])
    gc.disable()
    _keep_pandas_out()
    Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(1)), daemon=True).start()
    sys.stdout.buffer.write(msgspec.json.encode(_convert_here(tasks)))
    sys.stdout.buffer.flush()
    os._exit(0)


def _keep_pandas_out() -> None:
    """Keep pyarrow from importing pandas, 35 MB, which it does when it first makes an array of a list."""

    class NoPandas:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "pandas":
                raise ModuleNotFoundError(name=name)

    sys.meta_path.insert(0, NoPandas)
    pa.array([])
    sys.meta_path.remove(NoPandas)


def _convert_here(tasks: Sequence[Task]) -> list[Fault]:
    """Convert one file after another; the damages."""
    damages: list[Fault] = []
    for task in tasks:
        try:
            convert_one(task)
        except RecordError as error:
            damages += error.faults
    return damages


def _is_complete(task: Task) -> bool:
    manifest = read_manifest(Path(task.folder))
    return manifest is not None and manifest.complete


def _bytes_done(tasks: Sequence[Task]) -> int:
    manifests = (read_manifest(Path(task.folder)) for task in tasks)
    return sum(m.raw_size if m.complete else m.resume.offset for m in manifests if m is not None)


def convert_one(task: Task) -> None:
    """Convert one raw file, or go on where an earlier conversion stopped.

    Raises:
        RecordError: its text is damaged; what stands before the damage is kept.
    """
    folder = Path(task.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        manifest = read_manifest(folder) or task.fresh
        if not manifest.complete:
            _Conversion(task, manifest).run()


class _Batch(NamedTuple):
    """Records as columns, the index behind them, and where to read on for it."""

    table: pa.Table
    next_index: int
    resume: Position


class _Conversion:
    """One raw file on its way to parts. The caller holds the folder's lock."""

    def __init__(self, task: Task, manifest: Manifest) -> None:
        self._path = Path(task.path)
        self._folder = Path(task.folder)
        self._manifest = manifest
        self._faults: list[tuple[int, Fault]] = []
        self._damage: RecordError | None = None

    def run(self) -> None:
        for abandoned in self._folder.glob("*.partial"):
            abandoned.unlink()
        batches = self._batches()
        for first in batches:
            self._write_part(chain([first], islice(batches, ROWS // BATCH - 1)))
        if self._damage is not None:
            raise RecordError(*(fault for _, fault in self._faults), *self._damage.faults)
        self._keep(self._faults, complete=True)

    def _batches(self) -> Iterator[_Batch]:
        done = self._manifest.next_index
        resume = self._manifest.resume
        waiting: list[Design] = []
        with decompressed(self._path.open("rb"), self._path.name) as stream:
            _skip(stream, resume.offset)
            for chunk in self._undamaged(self._designs(stream)):
                waiting += [design for design in chunk.records if _index(design) >= done]
                resume = chunk.resume
                while len(waiting) >= BATCH:
                    yield _batch(waiting[:BATCH], resume)
                    del waiting[:BATCH]
        if waiting:
            yield _batch(waiting, resume)

    def _undamaged(self, chunks: Iterator[Chunk[Design]]) -> Iterator[Chunk[Design]]:
        """The chunks before the damage, if there is any, which is remembered."""
        try:
            yield from chunks
        except RecordError as damage:
            self._damage = damage

    def _designs(self, stream: ByteStream) -> Iterator[Chunk[Design]]:
        known = self._manifest
        return read_designs(
            stream,
            split=known.split,
            family=known.family,
            file=Path(known.raw).name,
            revision=known.revision,
            resume=known.resume,
            on_fault=self._note,
        )

    def _note(self, index: int, fault: Fault) -> None:
        if index >= self._manifest.next_index:
            self._faults.append((index, fault))

    def _write_part(self, batches: Iterator[_Batch]) -> None:
        path = self._folder / f"{len(self._manifest.parts):05}.parquet"
        rows = 0
        with replacing(path) as partial:
            with pq.ParquetWriter(partial, arrow_schema(Design), compression="zstd") as writer:
                while group := list(islice(batches, ROW_GROUP // BATCH)):
                    writer.write_table(pa.concat_tables([batch.table for batch in group]), ROW_GROUP)
                    rows += sum(batch.table.num_rows for batch in group)
                    last = group[-1]
            part = Part(path.name, rows, partial.stat().st_size, sha256_of(partial))
        noted = [(index, fault) for index, fault in self._faults if index < last.next_index]
        del self._faults[: len(noted)]
        self._keep(noted, [part], next_index=last.next_index, resume=last.resume)

    def _keep(self, faults: list[tuple[int, Fault]], parts: Sequence[Part] = (), **progress: Any) -> None:
        """Replace the manifest by one with these faults and parts too."""
        known = self._manifest
        self._manifest = msgspec.structs.replace(
            known,
            parts=[*known.parts, *parts],
            faulty=known.faulty + len(faults),
            faults=[*known.faults, *(fault for _, fault in faults)][:LISTED_FAULTS],
            **progress,
        )
        write_manifest(self._manifest, self._folder)


def _batch(designs: list[Design], resume: Position) -> _Batch:
    return _Batch(to_table(designs, Design), _index(designs[-1]) + 1, resume)


def _index(design: Design) -> int:
    return design.provenance.index or 0


def _skip(stream: Any, count: int) -> None:
    """Move ``count`` bytes on; in decompressed text by reading."""
    if stream.seekable():
        stream.seek(count)
        return
    while count:
        count -= len(stream.read(min(count, 1 << 20))) or count


if __name__ == "__main__":
    _work()
