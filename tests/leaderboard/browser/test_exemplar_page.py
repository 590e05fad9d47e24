from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from leaderboard.browser.harness import Served

import wa_bench as wb
from wa_bench.evaluation.report import number
from wa_bench.submissions.folder import check

PAGE = "opensynth/exemplars/BiPC.html"
HEAT = """rows => rows.flatMap(row => [...row.querySelectorAll('[data-cell]')].map(cell => [
    row.cells[0].textContent, row.cells[1].textContent, cell.querySelector('span').textContent,
    cell.querySelector('small').textContent, cell.className]))"""


def errors(site: Served, slug: str, column: str) -> list[tuple[str, str, str, str]]:
    """Strategy, bits, error and number of designs of each cell, from the predictions."""
    scored = check(site.submissions / "opensynth" / slug).report.errors().filter(pl.col("group") == "BiPC")
    terms = [f"{name}_smape" for name in wb.track("opensynth").target_names]
    scored = scored.with_columns(pl.mean_horizontal(terms).alias("mean_smape"))
    bits = pl.col("precision").struct.field("width").alias("bits")
    settings = wb.load("opensynth", "exemplar").frame().select("sample_id", "strategy", bits, "reuse_factor").collect()
    cells = scored.join(settings, on="sample_id").group_by("strategy", "bits", "reuse_factor")
    found = cells.agg(pl.col(f"{column}_smape").mean(), pl.len()).sort("strategy", "bits", "reuse_factor")
    return [(row[0], str(row[1]), f"{row[3]:.1f}", str(row[4])) for row in found.iter_rows()]


def heat(page: Any) -> list[tuple[str, ...]]:
    return [tuple(cell[:4]) for cell in page.eval_on_selector_all("#heat tbody tr", HEAT)]


def test_the_settings_table_holds_the_errors_of_the_submission_and_target_chosen(
    visit: Callable[..., Any], site: Served
) -> None:
    page = visit(PAGE)
    shown = page.input_value("#submission")
    assert heat(page) == errors(site, shown, "mean")
    page.select_option("#target", "lut")
    assert heat(page) == errors(site, shown, "lut")
    page.select_option("#submission", "made-004")
    page.wait_for_function("name => document.getElementById('heat-who').textContent === name", arg="Ember deep 4")
    assert heat(page) == errors(site, "made-004", "lut")
    again = visit(f"{PAGE}?submission=made-004&target=lut")
    again.wait_for_function("name => document.getElementById('heat-who').textContent === name", arg="Ember deep 4")
    assert heat(again) == heat(page)


def test_larger_errors_are_darker(visit: Callable[..., Any], site: Served) -> None:
    page = visit(f"{PAGE}?submission=made-009")
    page.wait_for_function("() => document.getElementById('heat-who').textContent.includes('9')")
    cells = page.eval_on_selector_all("#heat tbody tr", HEAT)
    steps = [int(cell[4][-1]) for cell in sorted(cells, key=lambda cell: float(cell[2]))]
    assert steps == sorted(steps)
    assert steps[-1] > 0


def test_every_submission_stands_there_with_the_numbers_of_its_scores(visit: Callable[..., Any], site: Served) -> None:
    board = site.boards["opensynth"]
    page = visit(PAGE, java_script_enabled=False)
    rows = page.locator("table.sortable tbody tr")
    assert rows.count() == len(board.entries)
    means = []
    for row in rows.all():
        slug = row.locator("a").get_attribute("href").split("/")[-1].removesuffix(".html")
        scores = board.entry(slug).scores
        cells = [text.split()[0] for text in row.locator("td").all_text_contents()[1:]]
        names = ["R2@mean", *(f"SMAPE(eps=1)@{name}" for name in ("mean", *board.track.target_names))]
        assert cells == [number(scores[name, "exemplar", "BiPC"]) for name in names]
        means.append(scores["SMAPE(eps=1)@mean", "exemplar", "BiPC"])
    assert means == sorted(means)


def test_headings_sort_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    heading = page.locator("table.sortable thead th").nth(2)
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    values = page.eval_on_selector_all(
        "table.sortable tbody tr", "rows => rows.map(row => Number(row.cells[2].dataset.value))"
    )
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("model", ["Anomaly", "BiPC", "Quarks"])
def test_the_network_is_drawn_and_listed(visit: Callable[..., Any], model: str) -> None:
    page = visit(f"opensynth/exemplars/{model}.html")
    frame = wb.load("opensynth", "exemplar").frame().filter(pl.col("group") == model).head(1).collect()
    layers = frame.item(0, "layers").to_list()
    assert page.locator("svg.network .network-arc").count() == sum(layer["kind"] == "add" for layer in layers)
    page.click("summary")
    listed = page.locator("details tbody tr").all_text_contents()
    assert len(listed) == len(layers)
    width = page.locator("svg.network").evaluate("each => each.getBoundingClientRect().width")
    assert page.locator("svg.network").evaluate("each => each.getBBox().width") <= width
