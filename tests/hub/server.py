"""A Hugging Face Hub on this machine, as far as the real client asks it, with faults on demand.

Large files are sent by a second server, as on the real Hub, so that what is meant for one host can be seen to stay
away from another. That server also has plain files, at ``Hub.place``.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BLOCK = 16 << 10
_HOSTS = ("127.0.0.1", "localhost")


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests whose method and path match."""

    path: str = "/"
    method: str = "GET"
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Bytes of the body that are sent before the connection breaks."""
    body: bytes | None = None
    """Sent instead of the file, with a matching length."""
    delay: float = 0.0
    """Seconds before each block of the body."""
    ranges: bool = True
    length: bool = True
    """Whether the length is announced; else the body ends with the connection."""


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    headers: dict[str, str]


class Hub:
    """Dataset repositories, each a list of commits, the last of which is ``main``."""

    def __init__(self, url: str, cdn: str) -> None:
        self.url = url
        self.cdn = cdn
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.plain: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        """Hashes that are announced instead of the right ones, by file name."""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self._lock = Lock()

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Add a commit; its id."""
        commits = self.repos.setdefault(repo, {})
        commit = sha1(f"{repo} {len(commits)}".encode(), usedforsecurity=False).hexdigest()
        commits[commit] = files
        return commit

    def place(self, name: str, content: bytes) -> str:
        """Put a plain file on the second server; its address."""
        self.plain[name] = content
        return f"{self.cdn}/plain/{name}"

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        """The requests of a method to addresses that hold ``path``."""
        return [request for request in self.requests if request.method == method and path in request.path]

    def note(self, request: Request) -> Fault:
        """Remember a request; what goes wrong with it."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times and fault.method == request.method and fault.path in request.path:
                    fault.times -= 1
                    return fault
        return Fault()

    def files(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """A commit's id and files, if there is such a revision."""
        commits = self.repos.get(repo, {})
        commit = list(commits)[-1] if revision == "main" and commits else revision
        return (commit, commits[commit]) if commit in commits else None

    def digest(self, name: str, content: bytes) -> str:
        """The hash that is announced for a file."""
        right = sha256(content).hexdigest() if is_large(name) else git_blob(content)
        return self.digests.get(name, right)

    def sibling(self, name: str, content: bytes) -> dict[str, Any]:
        """A file in the answer about a dataset."""
        entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git_blob(content)}
        if is_large(name):
            entry["lfs"] = {"size": len(content), "sha256": self.digest(name, content), "pointerSize": 134}
        return entry

    def leaf(self, name: str, content: bytes) -> dict[str, Any]:
        """A file in a tree."""
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": git_blob(content)}
        if is_large(name):
            entry["lfs"] = {"size": len(content), "oid": self.digest(name, content), "pointerSize": 134}
        return entry


def is_large(name: str) -> bool:
    """Whether a file is kept in LFS; JSON files are, as in wa-hls4ml."""
    return name.endswith(".json")


def git_blob(content: bytes) -> str:
    """Git's id of a file."""
    digest = sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


@contextmanager
def serve() -> Iterator[Hub]:
    """A Hub that answers while the block runs."""
    servers = [_Server(("127.0.0.1", 0), _Handler) for _ in _HOSTS]
    hub = Hub(*(f"http://{host}:{server.server_port}" for host, server in zip(_HOSTS, servers, strict=True)))
    for server in servers:
        server.hub = hub
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    hub: Hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be silent."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub = self.server.hub
        self.fault = self.hub.note(Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.fault.status is not None:
            self._send(self.fault.status, b"", {})
            return
        match unquote(urlsplit(self.path).path).strip("/").split("/"):
            case ["api", "datasets", owner, name]:
                self._info(f"{owner}/{name}", "main")
            case ["api", "datasets", owner, name, "revision", revision]:
                self._info(f"{owner}/{name}", revision)
            case ["api", "datasets", owner, name, ("tree" | "paths-info") as question, revision, *folder]:
                self._tree(f"{owner}/{name}", revision, "/".join(folder), question)
            case ["datasets", owner, name, "resolve", revision, *parts]:
                self._resolve(f"{owner}/{name}", revision, "/".join(parts))
            case ["lfs", digest]:
                self._content(self._large(digest))
            case ["plain", *parts]:
                self._content(self.hub.plain.get("/".join(parts)))
            case _:
                self._missing("EntryNotFound")

    def _info(self, repo: str, revision: str) -> None:
        if (found := self.hub.files(repo, revision)) is None:
            self._missing("RevisionNotFound" if repo in self.hub.repos else "RepoNotFound")
            return
        commit, files = found
        siblings = [self.hub.sibling(*item) for item in files.items()]
        if "blobs" not in parse_qs(urlsplit(self.path).query):
            siblings = [{"rfilename": sibling["rfilename"]} for sibling in siblings]
        self._json({"id": repo, "sha": commit, "private": False, "gated": False, "tags": [], "siblings": siblings})

    def _tree(self, repo: str, revision: str, folder: str, question: str) -> None:
        if (found := self.hub.files(repo, revision)) is None:
            self._missing("RevisionNotFound")
            return
        files = {name: content for name, content in found[1].items() if name.startswith(folder)}
        if question == "paths-info":
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["paths"]
            files = {name: content for name, content in files.items() if name in asked}
        self._json([self.hub.leaf(*item) for item in files.items()])

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        found = self.hub.files(repo, revision)
        if found is None or name not in found[1]:
            self._missing("EntryNotFound" if found else "RevisionNotFound")
            return
        commit, files = found
        headers = {"X-Repo-Commit": commit}
        if not is_large(name):
            self._content(files[name], headers)
            return
        digest = self.hub.digest(name, files[name])
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(files[name]))}
        self._send(302, b"", {**headers, "Location": f"{self.hub.cdn}/lfs/{sha256(files[name]).hexdigest()}"})

    def _large(self, digest: str) -> bytes | None:
        every = (
            content for commits in self.hub.repos.values() for files in commits.values() for content in files.values()
        )
        return next((content for content in every if sha256(content).hexdigest() == digest), None)

    def _content(self, content: bytes | None, headers: dict[str, str] | None = None) -> None:
        if content is None:
            self._missing("EntryNotFound")
            return
        content = content if self.fault.body is None else self.fault.body
        headers = {"ETag": f'"{git_blob(content)}"', **(headers or {})}
        asked = self.headers.get("Range")
        if asked is None or not self.fault.ranges:
            self._send(200, content, headers)
            return
        start = int(asked.removeprefix("bytes=").split("-")[0])
        if start >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, content[start:], headers)

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode() if self.fault.body is None else self.fault.body
        self._send(200, body, {"Content-Type": "application/json"})

    def _missing(self, code: str) -> None:
        self._send(404, b"", {"X-Error-Code": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, **self.fault.headers}.items():
            self.send_header(name, value)
        if self.fault.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(body)

    def _send_body(self, body: bytes) -> None:
        end = len(body) if self.fault.cut_after is None else self.fault.cut_after
        for start in range(0, min(end, len(body)), BLOCK):
            if self.fault.delay:
                time.sleep(self.fault.delay)
            self.wfile.write(body[start : min(start + BLOCK, end)])
        if self.fault.cut_after is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
