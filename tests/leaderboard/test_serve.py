from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread

import pytest

from wa_bench.errors import DataError
from wa_bench.leaderboard.build import MARKER
from wa_bench.leaderboard.serve import server


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """What the server looks at: a site's marker, a page, a file, a folder without a page, something outside."""
    place = tmp_path / "site"
    (place / "api").mkdir(parents=True)
    (place / MARKER).write_text("{}")
    (place / "index.html").write_text("<p>board</p>" * 100)
    (place / "api" / "weights.u1").write_bytes(bytes(range(256)))
    (tmp_path / "secret.txt").write_text("secret")
    return place


@pytest.fixture
def ask(site: Path) -> Iterator:
    """``ask(path)`` gives the answer of a running server, and its body."""
    running = server(site, port=0)
    Thread(target=running.serve_forever, daemon=True).start()

    def get(path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(*running.server_address[:2], timeout=20)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    yield get
    running.shutdown()
    running.server_close()


def test_pages_are_compressed_for_browsers_that_ask_for_it(ask, site: Path) -> None:
    page = (site / "index.html").read_bytes()
    answer, body = ask("/", Accept_Encoding="gzip, br")
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert gzip.decompress(body) == page
    plain, whole = ask("/index.html")
    packed, short = ask("/index.html", Accept_Encoding="gzip, br")
    assert whole == page
    assert gzip.decompress(short) == page
    assert packed.getheader("Content-Encoding") == "gzip"
    assert plain.getheader("Content-Encoding") is None
    _, nothing = ask("/index.html", "HEAD", Accept_Encoding="gzip")
    assert nothing == b""


def test_other_files_are_given_out_byte_for_byte(ask, site: Path) -> None:
    answer, body = ask("/api/weights.u1", Accept_Encoding="gzip")
    assert body == (site / "api" / "weights.u1").read_bytes()
    assert answer.getheader("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    "path", [f"/{MARKER}", "/api/", "/nothing.html", "/../secret.txt", "/%2e%2e/secret.txt", "/api/../../secret.txt"]
)
def test_hidden_files_lists_of_folders_and_what_lies_outside_are_not_there(ask, path: str) -> None:
    answer, body = ask(path)
    assert answer.status == 404
    assert b"secret" not in body


def test_answers_have_the_headers_of_a_careful_host(ask) -> None:
    answer, _ = ask("/index.html")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert "frame-ancestors 'none'" in (answer.getheader("Content-Security-Policy") or "")


def test_a_folder_that_is_no_site_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a site, found a folder; run: wa-bench leaderboard build"):
        server(tmp_path)
