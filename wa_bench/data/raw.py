"""Raw files: upstream's own bytes, wherever they stand. Opened they give text, decompressed, while it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".br": "brotli"}


@dataclass(frozen=True)
class RawFile:
    """One upstream file.

    Attributes:
        name: its path in upstream's layout, such as ``test/test_2layer_merged.json``.
        size: its bytes.
        identity: text that is another one where the content is.
        fetch: brings it to this machine if need be; its path there.
        open: its bytes from the first one on, while they arrive.
    """

    name: str
    size: int
    identity: str
    fetch: Callable[[], Path]
    open: Callable[[], BinaryIO]

    @property
    def short_name(self) -> str:
        """The name without folders, as messages show it."""
        return self.name.rsplit("/", 1)[-1]

    def open_text(self) -> BufferedIOBase:
        """The text, decompressed where the name says that it is compressed."""
        return decompressed(self.open(), self.name)


def local_file(path: Path, name: str) -> RawFile:
    """A file on this machine. It counts as changed when path, size or time of change differ."""
    stat = path.stat()
    told = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    return RawFile(name, stat.st_size, sha256(told.encode()).hexdigest(), lambda: path, lambda: path.open("rb"))


def decompressed(stream: BinaryIO, name: str) -> BufferedIOBase:
    """``stream`` itself, or what it decompresses to if ``name`` ends as a compressed file's does."""
    compression = COMPRESSIONS.get(Path(name).suffix)
    return cast("BufferedIOBase", stream if compression is None else pa.CompressedInputStream(stream, compression))
