"""Upstream's folders as they are handed out: a ``.tar.gz`` of a repository at a commit, read in memory.

Nothing is unpacked to disk. An archive is refused whole if what is read of it is not plain files under plain names,
or if it is larger than any that is known: what it claims is looked at before it is read.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from wa_bench.errors import Fault, RecordError

LARGEST_MEMBER = 64 << 20
"""Bytes that one file in an archive may have."""
LARGEST_ARCHIVE = 512 << 20
"""Bytes that an archive may unpack to, all its files and their headers together."""
MOST_MEMBERS = 100_000
"""Files and folders that an archive may have."""

_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, OSError, ValueError)


def members(path: Path, folder: str) -> dict[str, bytes]:
    """The files under ``folder``, itself below the archive's one top folder: contents by name, sorted.

    Names are relative to the top folder: ``results/run.json`` is found in ``repository-<commit>/results/run.json``.

    Raises:
        RecordError: all faults at once: names that lead elsewhere or occur twice, links and devices in the folder,
            several top folders; or the first of these: damage, too large a file, too large an archive.
    """
    found: dict[str, bytes] = {}
    tops: set[str] = set()
    faults: list[Fault] = []
    try:
        with _Bounded(path) as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as archive:
            for member in _counted(archive):
                top, _, name = member.name.partition("/")
                tops.add(top)
                if fault := _fault(member, name, folder, found):
                    faults.append(Fault(f"{path.name}, {member.name[:200]!r}", *fault))
                elif _within(name, folder) and not member.isdir():
                    found[name] = _content(archive, member)
    except _BROKEN as error:
        raise RecordError(Fault(path.name, "a whole .tar.gz archive", f"{type(error).__name__}: {error}")) from None
    if len(tops) > 1:
        faults.append(Fault(path.name, "one top folder", ", ".join(sorted(tops)[:5])))
    if not found and not faults:
        faults.append(Fault(path.name, f"files in a folder {folder}", "none"))
    if faults:
        raise RecordError(*faults)
    return dict(sorted(found.items()))


def contents_sha256(path: Path, folder: str) -> str:
    """Hash of names and contents of the files under ``folder``, the same however the archive was packed.

    Raises:
        RecordError: as :func:`members`.
    """
    digest = sha256()
    for name, content in members(path, folder).items():
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def _counted(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(archive, start=1):
        if count > MOST_MEMBERS:
            raise ValueError(f"more than {MOST_MEMBERS:,} files and folders")
        yield member


def _fault(member: tarfile.TarInfo, name: str, folder: str, found: dict[str, bytes]) -> tuple[str, str] | None:
    """What was expected of a member and what was found, if it may not be read."""
    if "\\" in member.name or {"", ".", ".."} & set(member.name.split("/")):
        return "a plain name below the top folder", "one that may lead elsewhere"
    if not _within(name, folder) or member.isdir():
        return None
    if not member.isreg() or member.issparse():
        return "a plain file", "a link, a device or a sparse file"
    if name in found:
        return "each name once", "it twice"
    return None


def _within(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LARGEST_MEMBER:
        raise ValueError(f"{member.name} of {member.size:,} bytes where at most {LARGEST_MEMBER:,} are read")
    file = archive.extractfile(member)
    content = b"" if file is None else file.read(member.size)
    if len(content) != member.size:
        raise EOFError(f"{member.name} ends early")
    return content


class _Bounded(gzip.GzipFile):
    """An unpacked file that refuses to be read or skipped beyond the bounds, so that no header can ask for much."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= LARGEST_MEMBER:
            raise ValueError(f"a header of {size} bytes where at most {LARGEST_MEMBER:,} are read")
        _require_within_bounds(self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        _require_within_bounds(offset)
        return super().seek(offset, whence)


def _require_within_bounds(position: int) -> None:
    if position > LARGEST_ARCHIVE:
        raise ValueError(f"more than {LARGEST_ARCHIVE:,} bytes")
