from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leaderboard.browser.harness import INCOMPLETE, Served

from wa_bench.evaluation.report import number

PAGE = "opensynth/submissions/made-001.html"
TABLES = """tables => tables.map(table => [...table.tBodies].map(body => ({
    metric: body.dataset.metric,
    lines: [...body.rows].slice(1).map(row => [...row.cells].map(cell => [
        cell.firstChild.textContent.trim(), cell.querySelector('small')?.textContent ?? ''])),
})))"""


def test_every_group_target_and_metric_shows_the_numbers_of_scores_json(
    visit: Callable[..., Any], site: Served
) -> None:
    text = (site.submissions / "opensynth" / "made-001" / "scores.json").read_text()
    scores = {(row["split"], row["metric"], row["group"], row["target"]): row for row in json.loads(text)["scores"]}
    tables = visit(PAGE).eval_on_selector_all("table.scores", TABLES)
    track = site.boards["opensynth"].track
    seen = 0
    for split, blocks in zip(track.exam_splits, tables, strict=True):
        for block in blocks:
            for (group, _), (designs, _), whole, *cells in block["lines"]:
                places = [
                    (
                        whole,
                        next(
                            (name for name in ("mean", "design") if (split, block["metric"], group, name) in scores), ""
                        ),
                    )
                ]
                places += zip(cells, track.target_names, strict=True)
                for (value, interval), target in places:
                    row = scores.get((split, block["metric"], group, target))
                    assert value == (number(row["value"]) if row else "–")
                    known = row is not None and row["low"] is not None
                    assert interval == (f"[{number(row['low'])}, {number(row['high'])}]" if known else "")
                    seen += row is not None
                    assert row is None or designs == f"{row['designs']:,}"
    assert seen == len(scores)


def test_one_metric_is_shown_at_a_time_and_the_address_keeps_it(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    page.select_option("#choices select", "Spearman")
    shown = "bodies => bodies.filter(body => body.offsetParent).map(body => body.dataset.metric)"
    assert page.eval_on_selector_all("table.scores tbody", shown) == ["Spearman", "Spearman"]
    again = visit(f"{PAGE}?metric=Spearman")
    assert again.eval_on_selector_all("table.scores tbody", shown) == ["Spearman", "Spearman"]


def test_the_files_that_can_be_downloaded_are_those_that_were_submitted(
    visit: Callable[..., Any], site: Served
) -> None:
    page = visit(PAGE)
    folder = site.submissions / "opensynth" / "made-001"
    links = page.eval_on_selector_all("ul.files a", "links => links.map(link => link.getAttribute('href'))")
    names = {link.rpartition("/")[2]: link for link in links}
    assert {"card.yaml", "scores.json", "predictions.parquet"} <= names.keys()
    for name in ("card.yaml", "scores.json", "predictions.parquet"):
        with page.expect_download() as download:
            page.click(f'ul.files a[href="{names[name]}"]')
        assert Path(download.value.path()).read_bytes() == (folder / name).read_bytes()


def test_each_exemplar_design_shows_prediction_and_truth(visit: Callable[..., Any], site: Served) -> None:
    page = visit(PAGE)
    entry = site.boards["opensynth"].entry("made-001")
    assert page.locator("details.model tbody tr").count() == site.boards["opensynth"].designs["exemplar"]
    jet = page.locator("details.model", has_text="Jet")
    jet.locator("summary").click()
    truth = sorted(jet.locator("tbody td.n:nth-last-child(2) small").all_inner_texts())
    expected = entry.design_errors("exemplar").filter(group="Jet")["cycles_max"].to_list()
    assert truth == sorted(f"{value:,.0f}" for value in expected)


def test_figures_have_a_panel_a_target_and_the_worst_designs_their_layers(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    figures = page.locator("figure:has(svg.plot)")
    assert figures.count() == 4
    for place in range(4):
        assert figures.nth(place).locator("svg.plot").count() == 6
    designs = page.locator("article.design")
    assert designs.count() == 10
    for place in range(10):
        assert designs.nth(place).locator("ol.chain li").count() >= 2


def test_a_submission_that_leaves_designs_out_says_so_and_has_no_rank(visit: Callable[..., Any], site: Served) -> None:
    text = visit(f"opensynth/submissions/{INCOMPLETE}.html").inner_text("main")
    assert "No rank: it leaves designs out." in text
    for designs in site.boards["opensynth"].designs.values():
        assert f" of {designs} designs answered" in text


def test_the_citation_is_bibtex_that_copies(visit: Callable[..., Any]) -> None:
    page = visit(PAGE, permissions=["clipboard-read", "clipboard-write"])
    page.click("[data-copy=citation]")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@misc{opensynth-made-001,")
    assert copied.count("{") == copied.count("}")
