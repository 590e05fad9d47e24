"""Remote files: read while they arrive or fetched whole, over lines that break and servers that are busy.

The HTTP session is that of ``huggingface_hub``. Its downloads begin anew in every process, its retries wait for as
long as a server likes, and its streams are not compared with a hash; so connecting, waiting and checking are here,
once, for the Hub's files and all others.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BufferedReader, RawIOBase
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import httpx2
from filelock import FileLock
from huggingface_hub import constants, get_session
from huggingface_hub.utils import parse_ratelimit_headers

from wa_bench.data.progress import byte_progress
from wa_bench.errors import DataError, Fault

T = TypeVar("T")

_BLOCK = 1 << 20
_REDIRECTS = 10
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d+/(\d{1,18})")
_logger = logging.getLogger(__name__)
_digests: dict[tuple[int, ...], str] = {}


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for. Waits double from ``first_wait`` on; times are in seconds.

    ``tries`` failures in a row end it, unless a mebibyte arrived in between; so does a server that asks to be left
    alone for longer than ``longest_wait``.
    """

    tries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 300.0
    timeout: float = 10.0


PATIENCE = Patience()


@dataclass(frozen=True)
class Remote:
    """A file at an address, and what is known of it: size in bytes, and SHA-256 (or git blob id) as hexadecimal text.

    ``remedy`` tells a person what to do if it cannot be had, ``denied`` what if the server does not give it to them.
    ``headers`` are sent to the address's own host and to no other that it may redirect to.
    """

    url: str
    size: int | None = None
    digest: str | None = None
    remedy: str = "get it by other means, and name your copy with source= or WA_BENCH_MIRROR"
    denied: str = "ask its publisher for access"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return unquote(httpx2.URL(self.url).path).rsplit("/", 1)[-1]

    def fault(self, expected: str, found: str, remedy: str | None = None) -> DataError:
        """The error that this file gives."""
        return DataError(Fault(self.url, expected, found, remedy or self.remedy))

    def changed(self, expected: str, found: str) -> DataError:
        """The error that other content than the known one gives."""
        return self.fault(expected, found, "read it again; if it stays so, it was changed by its publisher: report it")


def is_offline() -> bool:
    """Whether the user forbids the network, by ``HF_HUB_OFFLINE`` or ``WA_BENCH_OFFLINE``."""
    return constants.HF_HUB_OFFLINE or os.environ.get("WA_BENCH_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES


def require_network(remote: Remote) -> None:
    """Make sure that ``remote`` may be asked for.

    Raises:
        DataError: the user forbids the network, or the address is not safe.
    """
    if is_offline():
        raise remote.fault("a local copy, as HF_HUB_OFFLINE or WA_BENCH_OFFLINE is set", "none")
    try:
        _require_safe(httpx2.URL(remote.url), remote)
    except httpx2.InvalidURL as error:
        raise remote.fault("an https address", str(error)) from None


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Wait until no other process writes ``path``, and keep them off meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def open_remote(remote: Remote, start: int = 0) -> BufferedReader:
    """The bytes of a remote file from ``start`` on, in bounded memory; read from first to last they are verified.

    Reading raises DataError: the file cannot be had, or is not what it should be. No byte of a known file's end is
    given before all of it is verified.
    """
    hasher = _hasher(remote.digest, remote.size or 0) if remote.digest and not start else None
    return BufferedReader(_RemoteStream(remote, start, hasher), _BLOCK)


def fetch(remote: Remote, target: Path) -> Path:
    """Bring a remote file to ``target``, whole and verified or not at all.

    What an earlier call left beside the target is taken up if the file's digest is known. A right file is not
    fetched again, and two processes do not fetch one file twice.

    Raises:
        DataError: the file cannot be had, or is not what it should be.
    """
    if not target.is_file():
        require_network(remote)
    try:
        with sole_writer(target):
            if not (target.is_file() and _digest_if_known(target, remote) == remote.digest):
                _replace(target, remote)
    except OSError as error:
        raise DataError(Fault(str(target), "a place to write the file to", str(error))) from error
    return target


def keep_trying(remote: Remote, ask: Callable[[float], T]) -> T:
    """What ``ask`` returns, which gets a time limit in seconds, asked again while there is hope.

    Raises:
        DataError: the server does not answer, or not so.
    """
    require_network(remote)
    tries = _Tries(remote)
    while True:
        try:
            return ask(PATIENCE.timeout)
        except httpx2.HTTPError as error:
            tries.wait(error)


def digest_of(path: Path, like: str) -> str:
    """SHA-256 of a file's bytes, or its git blob id if ``like`` is one.

    A process reads an unchanged file once for it, under whichever name.
    """
    stat = path.stat()
    identity = (len(like), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if identity not in _digests:
        with path.open("rb") as file:
            _digests[identity] = hashlib.file_digest(file, lambda: _hasher(like, stat.st_size)).hexdigest()
    return _digests[identity]


def _digest_if_known(path: Path, remote: Remote) -> str | None:
    return None if remote.digest is None else digest_of(path, remote.digest)


def _hasher(like: str, size: int) -> Any:
    """SHA-256, or for a digest of forty digits git's hash of a blob of ``size`` bytes."""
    return hashlib.sha256() if len(like) == 64 else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def _replace(target: Path, remote: Remote) -> None:
    """Complete what lies beside ``target``; if it is right, it becomes the target."""
    partial = target.with_name(f"{target.name}.{(remote.digest or '')[:12]}.incomplete")
    _append(remote, partial)
    if (found := _digest_if_known(partial, remote)) != remote.digest:
        partial.unlink()
        raise remote.changed(f"hash {remote.digest}", f"{found}, and removed it")
    partial.replace(target)


def _append(remote: Remote, partial: Path) -> None:
    """Add to ``partial`` what it lacks."""
    with partial.open("ab") as file:
        if remote.digest is None or (remote.size is not None and file.tell() > remote.size):
            file.truncate(0)
        start = file.seek(0, os.SEEK_END)
        with _RemoteStream(remote, start) as stream, byte_progress(remote.name, remote.size) as show:
            while block := stream.read(_BLOCK):
                file.write(block)
                show(file.tell())


class _Tries:
    """The tries that a remote file has left."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._failures = 0
        self._reached = 0

    def wait(self, error: httpx2.HTTPError, position: int = 0) -> None:
        """Sleep until the next try is due; ``position`` is the byte that reading has come to.

        Raises:
            DataError: another try would fail as well, or there have been enough.
        """
        if position - self._reached >= _BLOCK:
            self._failures, self._reached = 0, position
        self._failures += 1
        pause = max(PATIENCE.first_wait * 2 ** (self._failures - 1), _wait_asked_for(error))
        if not _is_passing(error) or self._failures >= PATIENCE.tries or pause > PATIENCE.longest_wait:
            raise self._fault(error) from error
        _logger.warning("%s: %s; trying again in %.0f s", self._remote.url, _describe(error), pause)
        time.sleep(pause)

    def _fault(self, error: httpx2.HTTPError) -> DataError:
        if _status(error) in (401, 403):
            return self._remote.fault("leave to read it", _describe(error), self._remote.denied)
        found = f"{_describe(error)} ({self._failures} tries)" if _is_passing(error) else _describe(error)
        if (asked := _wait_asked_for(error)) > PATIENCE.longest_wait:
            found += f", try again in {asked:.0f} s"
        return self._remote.fault("an answer of its server", found)


class _RemoteStream(RawIOBase):
    """The bytes of a remote file from ``start`` on; where a connection breaks, the next one goes on."""

    _response: httpx2.Response | None = None

    def __init__(self, remote: Remote, start: int = 0, hasher: Any = None) -> None:
        require_network(remote)
        self._remote = remote
        self._size = remote.size
        self._position = start
        self._hasher = hasher
        self._tries = _Tries(remote)
        self._version: str | None = None
        self._blocks: Iterator[bytes] = iter(())
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._block:
            self._block = memoryview(self._receive())
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        self._disconnect()
        super().close()

    def _receive(self) -> bytes:
        """The bytes that come next, none at the end."""
        while self._position != self._size:
            try:
                block = self._next_block()
            except httpx2.HTTPError as error:
                self._disconnect()
                self._tries.wait(error, self._position)
            else:
                self._accept(block)
                return block
        return b""

    def _next_block(self) -> bytes:
        if self._response is None:
            self._connect()
        block = next(self._blocks, b"")
        if not block and self._size is not None:
            raise httpx2.RemoteProtocolError(f"the answer ends at byte {self._position:,} of {self._size:,}")
        return block

    def _accept(self, block: bytes) -> None:
        """Count and hash a block, and at the file's end compare with what is expected."""
        self._position += len(block)
        if self._size is not None and self._position > self._size:
            raise self._remote.changed(f"{self._size:,} bytes", "more")
        if self._hasher is None:
            return
        self._hasher.update(block)
        at_end = not block or self._position == self._size
        if at_end and (found := self._hasher.hexdigest()) != self._remote.digest:
            raise self._remote.changed(f"hash {self._remote.digest}", found)

    def _connect(self) -> None:
        headers = {**self._remote.headers, "Accept-Encoding": "identity"}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
        self._response = response = _get(self._remote, headers)
        start, size = _extent(response)
        if size is not None and self._size not in (None, size):
            raise self._remote.changed(f"{self._size:,} bytes", f"{size:,}")
        if start > self._position:
            raise httpx2.RemoteProtocolError(f"asked for byte {self._position:,}, given {start:,}")
        self._size = size if self._size is None else self._size
        self._require_same_version(response)
        self._blocks = _without_start(response.iter_raw(), self._position - start)

    def _require_same_version(self, response: httpx2.Response) -> None:
        """Where no digest will tell: that all connections give the same file."""
        version = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if self._remote.digest is None and self._version not in (None, version):
            raise self._remote.fault(f"version {self._version}, as when reading began", str(version), "read it again")
        self._version = version

    def _disconnect(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _get(remote: Remote, headers: Mapping[str, str]) -> httpx2.Response:
    """The server's answer, its body unread.

    Redirects are followed by hand, for each address and each announcement to be looked at. ``next_request`` holds no
    ``Authorization`` once another host is addressed.
    """
    session = get_session()
    request = session.build_request("GET", remote.url, headers=headers, timeout=PATIENCE.timeout)
    for _ in range(_REDIRECTS):
        _require_safe(request.url, remote)
        response = session.send(request, stream=True, follow_redirects=False)
        try:
            _require_announced(response, remote)
            if response.next_request is None:
                return response.raise_for_status()
        except BaseException:
            response.close()
            raise
        response.close()
        request = response.next_request
    raise httpx2.TooManyRedirects(f"more than {_REDIRECTS} redirects")


def _require_safe(url: httpx2.URL, remote: Remote) -> None:
    """That nobody on the way can change what is read: https, or http that stays on this machine."""
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host)):
        return
    raise remote.fault("an https address", f"{url.scheme}://{url.host}")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _require_announced(response: httpx2.Response, remote: Remote) -> None:
    """That the Hub, which names hash and size of a large file before it sends it, names those that are known."""
    digest = response.headers.get(constants.HUGGINGFACE_HEADER_X_LINKED_ETAG, "").strip('"')
    size = response.headers.get(constants.HUGGINGFACE_HEADER_X_LINKED_SIZE, "")
    if remote.digest is not None and digest not in ("", remote.digest):
        raise remote.changed(f"hash {remote.digest}", f"{digest} announced by the Hub")
    if remote.size is not None and size not in ("", str(remote.size)):
        raise remote.changed(f"{remote.size:,} bytes", f"{size} announced by the Hub")


def _extent(response: httpx2.Response) -> tuple[int, int | None]:
    """The first byte that an answer holds, and the size of the whole file where it says so."""
    if response.status_code == 206:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None:
            raise httpx2.RemoteProtocolError("an answer in part that does not say which part")
        return int(match[1]), int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _without_start(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The blocks without their first ``count`` bytes, for servers that always begin at the first."""
    for block in blocks:
        if rest := block[count:]:
            yield rest
        count = max(0, count - len(block))


def _status(error: httpx2.HTTPError) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _is_passing(error: httpx2.HTTPError) -> bool:
    """Whether another try may end better."""
    status = _status(error)
    return isinstance(error, httpx2.TransportError) if status is None else status in (408, 429) or status >= 500


def _describe(error: httpx2.HTTPError) -> str:
    status = _status(error)
    if status is None:
        return f"{type(error).__name__}: {error}"
    return f"HTTP {status} {httpx2.codes.get_reason_phrase(status)}".rstrip()


def _wait_asked_for(error: httpx2.HTTPError) -> float:
    """Seconds for which the server wants to be left alone; 0 if it does not say."""
    response = getattr(error, "response", None)
    if response is None:
        return 0.0
    limit = parse_ratelimit_headers(response.headers)
    if _status(error) == 429 and limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    with suppress(TypeError, ValueError):
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    return 0.0
