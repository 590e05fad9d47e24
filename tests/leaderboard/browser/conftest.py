"""A site of many submissions, served on this machine, and a browser that tells of all that it should not have to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from leaderboard.browser.harness import NUMBERS, Served

import wa_bench as wb
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import Sources, boards
from wa_bench.leaderboard.serve import server
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import create, score

ROOT = Path(__file__).parents[3]
REPORTED = """name: Somebody's model
slug: somebody
track: opensynth
authors: [Ada]
source: https://example.org/paper
place: Table 1
retrieved: 2026-11-22
truth:
  test: [post-synthesis, post-synthesis, post-synthesis, post-synthesis, other, other]
scores:
  test:
    all:
      designs: 5
      R2: [null, 0.5, 1, -3.25, 0, 0]
    conv1d:
      designs: 2
      R2: [null, 0.4, 1, -3.25, 0, 0]
"""


@pytest.fixture(scope="session")
def site(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The oracle and generated submissions of opensynth with a reported result, and what others reported on hls4ml."""
    place = tmp_path_factory.mktemp("browsed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WA_BENCH_CACHE", str(place / "cache"))
        generator.begin("opensynth", None)
        for number in NUMBERS:
            generator.write(place / "submissions", number, 0)
        exam = wb.load("opensynth", ["test", "exemplar"])
        oracle = place / "submissions" / "opensynth" / "oracle"
        create(oracle, _oracle(), wb.surrogate("oracle").predict(exam))
        score(oracle)
        shutil.copytree(ROOT / "leaderboard" / "reported", place / "reported")
        (place / "reported" / "opensynth").mkdir()
        (place / "reported" / "opensynth" / "somebody.yaml").write_text(REPORTED)
        found = boards(Sources(place / "submissions", place / "reported"))
        build(found, place / "site")
    running = server(place / "site", port=0)
    Thread(target=running.serve_forever, daemon=True).start()
    by_track = {board.track.name: board for board in found}
    yield Served(place / "site", place / "submissions", by_track, f"http://127.0.0.1:{running.server_address[1]}")
    running.shutdown()
    running.server_close()


def _oracle() -> Card:
    return Card(
        name="Oracle",
        slug="oracle",
        track="opensynth",
        kind="control",
        authors=["The wa-bench authors"],
        licence="Apache-2.0",
        method="Answers with the truth.",
        training_data="none",
        labels="none",
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: group test")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("WA_BENCH_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser on the PATH ({', '.join(names)}); pages were checked as text only")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, site: Served) -> Iterator[Callable[..., Any]]:
    """``visit("opensynth/index.html", width=390, color_scheme="dark")`` opens a page of the site.

    At the end the test fails if a page said anything on its console, threw, was refused something by its Content
    Security Policy, missed a file, opened a dialog, or asked another place for anything.
    """
    contexts, complaints = [], []

    def open_page(path: str, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, site.url)))
        page.on("response", lambda answer: complaints.extend([answer.url] if answer.status >= 400 else []))
        page.goto(f"{site.url}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _foreign(url: str, ours: str) -> list[str]:
    parts = urlsplit(url)
    return [] if parts.scheme in ("data", "blob") or url.startswith(f"{ours}/") else [f"request: {url}"]
