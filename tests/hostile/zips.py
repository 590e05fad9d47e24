"""Zip archives that say what no packer would."""

from __future__ import annotations

import io
import zipfile

Member = tuple[zipfile.ZipInfo | str, bytes]


def packed(*members: Member, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these members, in this order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def linked(name: str, target: str) -> Member:
    """A symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info, target.encode()


def patched(archive: bytes, name: str, *, size: int | None = None, flags: int | None = None) -> bytes:
    """The same archive with another size or flags in both headers of a member."""
    out = bytearray(archive)
    for signature, flags_at, size_at, name_at in ((b"PK\3\4", 6, 22, 30), (b"PK\1\2", 8, 24, 46)):
        start = 0
        while (start := out.find(signature, start)) >= 0:
            if out[start + name_at :].startswith(name.encode()):
                if size is not None:
                    out[start + size_at : start + size_at + 4] = size.to_bytes(4, "little")
                if flags is not None:
                    out[start + flags_at : start + flags_at + 2] = flags.to_bytes(2, "little")
            start += 4
    return bytes(out)


def nameless(archive: bytes) -> bytes:
    """The same archive, the last member's name of one letter turned into an extra field in the list of files."""
    out = bytearray(archive)
    entry = out.rindex(b"PK\1\2")
    out[entry + 28], out[entry + 30] = 0, 1
    return bytes(out)
