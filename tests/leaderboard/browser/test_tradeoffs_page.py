from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from leaderboard.browser.harness import Served

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.pages.pareto import COSTS, front_of, shown_cost

PAGE = "opensynth/pareto.html"
POINTS = """links => Object.fromEntries(links.map(each => [
    each.getAttribute('href'),
    [each.getAttribute('class'), each.getAttribute('aria-label'),
     ...['cx', 'cy', 'r'].map(name => Number(each.querySelector('circle').getAttribute(name)))],
]))"""


def points(page: Any) -> dict[str, list[Any]]:
    return page.locator("svg.pareto").first.locator("a.point").evaluate_all(POINTS)


def told(site: Served, field: str, metric: str, split: str) -> list[tuple[float, float, str]]:
    """Cost, score and name of the ranked submissions that tell their cost."""
    return [
        (getattr(entry.card, field), entry.mean(metric, split), entry.slug)
        for entry in site.boards["opensynth"].entries
        if entry.rank is not None and getattr(entry.card, field) is not None
    ]


def test_the_browser_draws_what_was_drawn_when_the_site_was_built(visit: Callable[..., Any]) -> None:
    still, live = points(visit(PAGE, java_script_enabled=False)), points(visit(PAGE))
    assert len(still) > 3
    assert live.keys() == still.keys()
    for link, expected in still.items():
        assert live[link][:2] == expected[:2]
        assert live[link][2:] == pytest.approx(expected[2:], abs=0.11)


@pytest.mark.parametrize("cost", [cost.field for cost in COSTS])
@pytest.mark.parametrize(("metric", "split"), [("R2", "test"), ("R2", "exemplar"), ("SMAPE(eps=1)", "test")])
def test_the_front_is_marked_on_every_axis_and_up_is_better(
    visit: Callable[..., Any], site: Served, cost: str, metric: str, split: str
) -> None:
    page = visit(PAGE)
    page.select_option("#cost", cost)
    page.select_option("#metric", metric)
    page.select_option("#exam", split)
    expected = told(site, cost, metric, split)
    shown = {link.split("/")[-1].removesuffix(".html"): values for link, values in points(page).items()}
    on_front = {slug for slug, values in shown.items() if "on-front" in values[0].split()}
    assert on_front == front_of(expected, parse_metric(metric))
    ordered = sorted(expected, key=lambda point: parse_metric(metric).badness(point[1]))
    heights = [shown[slug][3] for _, _, slug in ordered]
    assert heights == sorted(heights)
    across = [shown[slug][2] for _, _, slug in sorted(expected)]
    assert across == sorted(across)


def test_the_table_holds_the_scores_and_costs_of_all_and_names_what_is_not_told(
    visit: Callable[..., Any], site: Served
) -> None:
    page = visit(PAGE, java_script_enabled=False)
    board = site.boards["opensynth"]
    rows = page.locator("table.wide-table tbody tr")
    assert rows.count() == len(board.entries)
    for place, entry in enumerate(board.entries):
        cells = rows.nth(place).locator("td").all_text_contents()
        assert cells[0].split()[0] == number(entry.scores["R2@mean", "test"])
        assert cells[1:4] == [shown_cost(getattr(entry.card, cost.field), cost) for cost in COSTS]


def test_the_axes_stand_in_the_address_and_come_back_from_it(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    page.select_option("#cost", "parameters")
    page.select_option("#exam", "exemplar")
    query = urlsplit(page.url).query
    assert parse_qs(query) == {"cost": ["parameters"], "exam": ["exemplar"]}
    again = visit(f"{PAGE}?{query}")
    assert points(again) == points(page)
    assert "parameters" in again.locator("figcaption").first.inner_text()


def test_a_point_leads_to_its_submission_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    page.locator("svg.pareto a.point").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/opensynth/submissions/*.html")


def test_the_axis_is_that_of_the_board_and_names_of_the_front_cover_no_point(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    chart = page.locator("svg.pareto").first
    labels = chart.locator("text.label").evaluate_all(
        "texts => texts.map(each => { const box = each.getBBox(); return [box.x, box.y, box.width, box.height]; })"
    )
    assert labels
    for left, top, width, height in labels:
        for _, _, x, y, _ in points(page).values():
            assert not (left < x < left + width and top < y < top + height)
    marks = chart.locator("text[text-anchor=end]").all_text_contents()
    board = visit("opensynth/index.html").locator("svg[data-axis='0'] text").all_text_contents()
    assert set(filter(None, board)) <= set(marks)
