"""Hashes of files that are asked for again and again, read anew only where a file was touched."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from wa_bench.files import sha256_of, write_text

_SETTLED = 2 * 10**9
"""Nanoseconds after which a file that changes again is sure to have another time on any file system."""


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """The hash of a file, and what its entry in the file system was then.

    The change time, which nobody can set, tells a change that keeps size and modification time.
    """

    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    sha256: str


class Hashes:
    """SHA-256 of files, kept in a JSON file when the block ends.

    with Hashes(cache / "hashes.json") as hashes:
        hashes.of(path)

    Of what was kept, only files asked for in the block stay. A damaged file is as none.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._asked: dict[str, _Known] = {}
        try:
            self._known = msgspec.json.decode(place.read_bytes(), type=dict[str, _Known])
        except (FileNotFoundError, msgspec.MsgspecError):
            self._known = {}

    def of(self, path: Path) -> str:
        """The hash of a file, as hexadecimal text."""
        about = path.stat()
        entry = (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        name = str(path.resolve())
        known = self._known.get(name)
        if known is None or (known.inode, known.size, known.modified_ns, known.changed_ns) != entry:
            began = time.time_ns()
            known = _Known(*entry, sha256_of(path))
            if began - max(about.st_mtime_ns, about.st_ctime_ns) < _SETTLED:
                return known.sha256
        self._asked[name] = known
        return known.sha256

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asked != self._known:
            write_text(self._place, msgspec.json.encode(self._asked).decode())
