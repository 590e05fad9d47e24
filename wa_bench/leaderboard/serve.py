"""A small server for a built site, to look at it as visitors will: compressed, with the headers of a careful host."""

from __future__ import annotations

import gzip
import io
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from wa_bench.errors import DataError, Fault
from wa_bench.leaderboard.build import MARKER

_TEXT = (".html", ".css", ".js", ".json", ".svg", ".csv", ".xml", ".yaml")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


def server(site: Path, host: str = "127.0.0.1", port: int = 8000) -> ThreadingHTTPServer:
    """A server that gives out the files of a site and nothing else; ``serve_forever`` starts it.

    Args:
        site: the folder that ``build`` wrote.
        host: the address to listen on; by default only this machine is answered.
        port: of the address; 0 for any that is free.

    Raises:
        DataError: the folder is no site.
    """
    if not (site / MARKER).is_file():
        found = "a folder" if site.is_dir() else "nothing"
        raise DataError(Fault(str(site), "a site", found, "run: wa-bench leaderboard build SUBMISSIONS --site SITE"))
    return ThreadingHTTPServer((host, port), partial(_Handler, directory=str(site.resolve())))


class _Handler(SimpleHTTPRequestHandler):
    """Files, compressed where the browser asks for it; no lists of folders, no hidden files."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012  (as in the base class)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".csv": "text/csv; charset=utf-8",
        ".yaml": "text/yaml; charset=utf-8",
        ".xml": "application/xml",
        ".parquet": "application/octet-stream",
        ".u1": "application/octet-stream",
        ".f4": "application/octet-stream",
    }

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Headers of the answer, and the file or its compressed bytes."""
        path = Path(self.translate_path(self.path))
        hidden = any(part.startswith(".") for part in path.relative_to(self.directory).parts)
        if hidden or (path.is_dir() and not (path / "index.html").is_file()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if path.is_dir() and urlsplit(self.path).path.endswith("/"):
            path /= "index.html"
        wanted = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (wanted and path.is_file() and path.suffix in _TEXT) or "If-Modified-Since" in self.headers:
            return super().send_head()
        body = gzip.compress(path.read_bytes(), 6, mtime=0)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self) -> None:
        """Headers that every answer has."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
