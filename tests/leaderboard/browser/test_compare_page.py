from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from leaderboard.browser.harness import HOSTILE, INCOMPLETE, Served

from wa_bench.evaluation.comparison import differences
from wa_bench.evaluation.report import MEAN, Report, Scores
from wa_bench.leaderboard.pages.compare import _signed
from wa_bench.submissions.folder import check

PAGE = "opensynth/compare.html"
SLUGS = ("made-000", "made-004", "oracle", "made-009", HOSTILE)
METRICS = ("R2", "SMAPE(eps=1)")
JUDGED = "() => document.getElementById('status').textContent.includes('resamples')"
CELLS = """rows => rows.map(row => [...row.querySelectorAll('td.verdict')].map(cell => [
    cell.dataset.verdict,
    cell.childNodes[1].textContent.trim(),
    cell.querySelector('small').textContent,
]))"""


@pytest.fixture(scope="module")
def reports(site: Served) -> dict[str, Report]:
    """Scores computed now from the predictions, of some that are close to one another and some that are not."""
    return {slug: check(site.submissions / "opensynth" / slug).report for slug in SLUGS}


def narrowed(scores: Scores) -> Scores:
    """Scores on the two metrics that the page offers."""
    rows = scores.rows.with_row_index("place").filter(pl.col("metric").is_in(METRICS))
    influences = [scores.influence(place) for place in rows["place"]]
    return Scores(scores.track, rows.drop("place"), scores.fingerprint, scores.settings, influences, scores.answers)


def judged(reports: dict[str, Report], slugs: tuple[str, ...]) -> pl.DataFrame:
    """What Python says of every pair."""
    return differences({slug: narrowed(reports[slug]) for slug in slugs})


def address(slugs: tuple[str, ...], **more: str) -> str:
    chosen = {**dict(zip("abcde", slugs, strict=False)), **more}
    return f"{PAGE}?" + "&".join(f"{name}={value}" for name, value in chosen.items())


def query(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


@pytest.mark.parametrize("slugs", [SLUGS[:2], SLUGS[1:4], SLUGS])
def test_the_browser_says_what_python_says_on_every_cell(
    visit: Callable[..., Any], reports: dict[str, Report], slugs: tuple[str, ...]
) -> None:
    expected = judged(reports, slugs)
    page = visit(address(slugs))
    verdicts = set()
    for metric in METRICS:
        for split in ("test", "exemplar"):
            page.select_option("#metric", metric)
            page.select_option("#exam", split)
            page.wait_for_function(JUDGED)
            for number, (one, two) in enumerate(combinations(slugs, 2)):
                page.locator("#pairs input").nth(number).check()
                rows = expected.filter(metric=metric, split=split, a=one, b=two).to_dicts()
                shown = [cell for line in page.eval_on_selector_all("#cells tbody tr", CELLS) for cell in line]
                assert len(shown) == len(rows)
                for cell, row in zip(shown, rows, strict=True):
                    ends = [] if row["low"] is None else [row["low"], row["high"]]
                    difference, *between = _signed(row["difference"], ends)
                    assert cell == [row["verdict"], difference, " to ".join(between) or "no interval"], row
                    verdicts.add(row["verdict"])
                counts = page.locator("#pairs tbody tr").nth(number).locator("td").all_text_contents()[-3:]
                of_targets = [row["verdict"] for row in rows if row["target"] != MEAN]
                assert counts == [str(of_targets.count(verdict)) for verdict in ("better", "worse", "cannot tell")]
    assert verdicts > {"cannot tell"}
    if len(slugs) > 2:
        assert verdicts == {"better", "worse", "cannot tell"}


def test_the_choice_stands_in_the_address_and_comes_back_from_it(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    page.wait_for_function(JUDGED)
    assert query(page) == {}
    first = page.input_value("#entry-0")
    page.select_option("#entry-2", "oracle")
    page.select_option("#exam", "exemplar")
    page.select_option("#metric", "SMAPE(eps=1)")
    page.wait_for_function(JUDGED)
    page.locator("#pairs input").nth(2).check()
    assert query(page) == {"c": "oracle", "exam": "exemplar", "metric": "SMAPE(eps=1)", "pair": "2"}
    again = visit(urlsplit(page.url).path.lstrip("/") + "?" + urlsplit(page.url).query)
    again.wait_for_function(JUDGED)
    assert again.input_value("#entry-0") == first
    assert again.input_value("#entry-2") == "oracle"
    assert again.locator("#pairs input").nth(2).is_checked()
    assert again.inner_text("#cells caption") == page.inner_text("#cells caption")
    for name in ("exam", "metric"):
        again.select_option(f"#{name}", index=0)
    again.select_option("#entry-2", "")
    assert query(again) == {}


def test_all_can_be_done_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    page.wait_for_function(JUDGED)
    page.focus("#entry-0")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "entry-2"
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelectorAll('#pairs tbody tr').length === 3")
    page.focus("#pairs input:checked")
    page.keyboard.press("ArrowDown")
    assert page.locator("#pairs input").nth(1).is_checked()


def test_what_answers_other_designs_is_not_compared_and_the_page_says_why(visit: Callable[..., Any]) -> None:
    page = visit(address(("made-000", INCOMPLETE)))
    assert "do not answer the same designs" in page.inner_text("#trouble")
    assert not page.is_visible("#pairs")
    page.select_option("#entry-1", "made-000")
    assert page.inner_text("#trouble") == "Choose each submission once."
    page.select_option("#entry-1", "made-001")
    page.wait_for_function(JUDGED)
    assert not page.is_visible("#trouble")
    assert page.is_visible("#pairs")


def test_shares_within_an_error_are_those_of_the_scores(visit: Callable[..., Any], reports: dict[str, Report]) -> None:
    page = visit(address(SLUGS[:2]))
    page.wait_for_function(JUDGED)
    lines = [row.split("\t") for row in page.inner_text("#within tbody").splitlines()]
    within = {(line[0][0], line[1]): line[2:] for line in lines}
    for letter, slug in zip("AB", SLUGS, strict=False):
        report = reports[slug]
        shares = [f"{report[f'Within(percent=10)@{name}']:.1f} %" for name in report.track.target_names]
        assert within[letter, "10 %"] == shares


def test_error_curves_are_drawn_for_every_target_in_both_schemes(visit: Callable[..., Any], site: Served) -> None:
    inked = """canvases => canvases.map(each => {
        const pixels = each.getContext('2d').getImageData(0, 0, each.width, each.height).data;
        const starts = Array.from({ length: pixels.length / 4 }, (_, at) => 4 * at);
        return new Set(starts.map(at => pixels.slice(at, at + 3).join())).size;
    })"""
    for scheme in ("light", "dark"):
        page = visit(address(SLUGS[:2]), color_scheme=scheme)
        page.wait_for_function(JUDGED)
        colours = page.eval_on_selector_all(".curve canvas", inked)
        assert len(colours) == len(site.boards["opensynth"].track.targets)
        assert min(colours) > 10


def test_without_javascript_the_best_are_judged_in_tables(visit: Callable[..., Any], site: Served) -> None:
    board = site.boards["opensynth"]
    best = [entry for entry in board.entries if entry.rank is not None][:5]
    page = visit(PAGE, java_script_enabled=False)
    assert not page.is_visible("#chosen")
    expected = differences({entry.slug: narrowed(entry.scores) for entry in best}).filter(metric="R2", target=MEAN)
    for number, split in enumerate(("test", "exemplar")):
        table = page.locator("table.matrix").nth(number)
        for row, one in enumerate(best):
            cells = table.locator("tbody tr").nth(row).locator("td")
            for column, two in enumerate(best[row + 1 :], row + 1):
                found = expected.filter(split=split, group="all", a=one.slug, b=two.slug).row(0, named=True)
                assert cells.nth(column).locator(".visually-hidden").inner_text() == found["verdict"]


def test_a_page_opened_from_a_folder_says_what_to_do(browser: Any, site: Served) -> None:
    page = browser.new_page()
    page.goto((site.folder / PAGE).as_uri())
    page.wait_for_selector("#trouble:not([hidden])")
    assert "wa-bench leaderboard serve" in page.inner_text("#trouble")
    assert page.locator("table.matrix").first.is_visible()
    page.close()
