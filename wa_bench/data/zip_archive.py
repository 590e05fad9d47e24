"""Zip archives from strangers: judged by their list of files, then read member by member; nothing is unpacked here."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wa_bench.data.limits import LARGEST_DIRECTORY, MOST_BYTES, MOST_MEMBERS
from wa_bench.errors import Fault, PredictionsError, shown

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of the members of what is written here, so that equal contents give equal bytes."""
PERMISSIONS = 0o644 << 16

_END_BYTES = 22
_LOCATOR_BYTES = 20
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_FROM_A_MAC = ("__MACOSX/", "._")

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)
"""What reading a damaged member may raise."""


class ZipArchive:
    """The wanted files of an archive, at its root or all in one folder.

    ``members`` holds them by their plain names; ``folder`` is the name of the wrapping folder, empty if there is none.
    """

    def __init__(self, file: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: str) -> None:
        self._file = file
        self.members = members
        self.folder = folder

    def open(self, name: str) -> BinaryIO:
        """The content of a member, as a stream that ends after the declared size."""
        return self._file.open(self.members[name])  # type: ignore[return-value]


@contextmanager
def opened(path: Path, wanted: Collection[str]) -> Iterator[ZipArchive]:
    """The archive at ``path``, if it holds some of the files ``wanted`` and nothing else.

    Folders that macOS adds are passed over.

    Raises:
        PredictionsError: all faults at once: other files (archives among them), names that lead elsewhere or occur
            twice, links, encryption, more or larger than ``wa_bench.data.limits``; or it is damaged.
    """
    place = path.name
    _look_at_end(path)
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN as error:
        raise PredictionsError(Fault(place, "a readable zip archive", shown(str(error)))) from None
    with archive:
        files = [info for info in archive.infolist() if not _is_passed_over(info)]
        if faults := _faults(files, wanted, place):
            raise PredictionsError(*faults)
        plain = [info for info in files if not info.filename.endswith("/")]
        members = {_split(info)[1]: info for info in plain}
        yield ZipArchive(archive, members, "".join({_split(info)[0] for info in plain}))


def _faults(files: list[zipfile.ZipInfo], wanted: Collection[str], place: str) -> list[Fault]:
    """Why these files are not to be read: there are too many; else those that are no plain files; else all else."""
    if len(files) > MOST_MEMBERS:
        return [Fault(place, f"at most {MOST_MEMBERS} files and folders", f"{len(files):,}")]
    if faults := [Fault(f"{place}, {shown(info.filename)}", *fault) for info in files if (fault := _fault(info))]:
        return faults
    splits = [_split(info) for info in files if not info.filename.endswith("/")]
    names = [name for _, name in splits]
    faults = [
        Fault(f"{place}, {shown(name)}", f"one of {', '.join(sorted(wanted))}", "another file")
        for name in dict.fromkeys(names)
        if name not in wanted
    ]
    folders = sorted({folder for folder, _ in splits})
    if len(folders) > 1 or any("/" in folder for folder in folders):
        faults.append(Fault(place, "all files at the root or in one folder", ", ".join(map(shown, folders))))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault(place, "each name once", f"{', '.join(map(shown, twice))} again"))
    if (size := sum(info.file_size for info in files)) > MOST_BYTES:
        faults.append(Fault(place, f"at most {MOST_BYTES:,} bytes when unpacked", f"{size:,} bytes"))
    return faults


def _split(info: zipfile.ZipInfo) -> tuple[str, str]:
    """Folder and plain name of a member."""
    folder, _, name = info.filename.rpartition("/")
    return folder, name


def _look_at_end(path: Path) -> None:
    """The end of the list of files, which says how long that list is; ``zipfile`` would read any length."""
    place = path.name
    if (size := path.stat().st_size) > MOST_BYTES:
        raise PredictionsError(Fault(place, f"at most {MOST_BYTES:,} bytes", f"{size:,} bytes"))
    with path.open("rb") as file:
        file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES))
        tail = file.read()
    end = tail[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(b"PK\5\6"):
        raise PredictionsError(Fault(place, "a whole zip archive without comment", "no end of a list of files"))
    directory = int.from_bytes(end[12:16], "little")
    if directory > LARGEST_DIRECTORY or tail[:-_END_BYTES].startswith(b"PK\6\7"):
        expected = f"a list of files of at most {LARGEST_DIRECTORY:,} bytes"
        raise PredictionsError(Fault(place, expected, "a longer one, or one in the form for huge archives"))


def _is_passed_over(info: zipfile.ZipInfo) -> bool:
    return info.filename.startswith(_FROM_A_MAC) or _split(info)[1] == ".DS_Store"


def _fault(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    """What was expected of a member and what was found, if it may not be read."""
    name = info.filename
    parts = name.removesuffix("/").split("/")
    if name != info.orig_filename or "\\" in name or ":" in name or not name.isascii() or not name.isprintable():
        return "a plain name", "one with other characters than ASCII, or a backslash, colon or NUL"
    if {"", ".", ".."} & set(parts):
        return "a name below the archive's root", "one that may lead elsewhere"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a plain file", "a link or a device"
    if info.flag_bits & _ENCRYPTED:
        return "a file in plain", "an encrypted one"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a file stored or deflated", f"compression {info.compress_type}"
    return None
