from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leaderboard.browser.harness import KINDS

SHIFT = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => { for (const each of list.getEntries()) sum += each.value; })
        .observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => done(sum), 300);
})"""
HIDDEN_OVERFLOW = """() => [...document.querySelectorAll('main *')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !each.closest('.scroll, pre, .chips, nav, details:not([open])');
}).map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker that runs in a page."""
    package = pytest.importorskip("axe_playwright_python", reason="axe is not installed: group test")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", KINDS)
def test_axe_finds_nothing_to_object_to(visit: Callable[..., Any], axe: str, path: str, scheme: str) -> None:
    page = visit(path, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert [(rule["id"], node["html"][:160]) for rule in found for node in rule["nodes"]] == []


@pytest.mark.parametrize("path", KINDS)
def test_pages_fit_a_phone_and_do_not_move_while_they_load(visit: Callable[..., Any], path: str) -> None:
    page = visit(path, width=390, height=844)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(HIDDEN_OVERFLOW) == []
    assert page.evaluate(SHIFT) < 0.02


@pytest.mark.parametrize("path", KINDS)
def test_pages_have_one_heading_a_title_and_landmarks(visit: Callable[..., Any], path: str) -> None:
    page = visit(path)
    assert page.locator("h1").count() == 1
    assert page.title()
    for landmark in ("header", "main", "footer"):
        assert page.locator(f"body > {landmark}").count() == 1
