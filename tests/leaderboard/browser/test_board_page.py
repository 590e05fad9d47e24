from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from leaderboard.browser.harness import CONTROL, HOSTILE, INCOMPLETE, Served

from wa_bench.data.dataset import load
from wa_bench.evaluation.evaluator import evaluate
from wa_bench.evaluation.report import Settings, number
from wa_bench.leaderboard.pages import scales

BOARD = "opensynth/index.html"
TARGETS = ("bram", "dsp", "ff", "lut", "cycles_max", "interval_max")

ROWS = """rows => rows.filter(row => !row.hidden).map(row => ({
    slug: row.dataset.slug,
    rank: row.querySelector('.rank').textContent,
    mean: [...row.querySelectorAll('.m b')].map(cell => cell.textContent),
    interval: [...row.querySelectorAll('.m small')].map(cell => cell.textContent),
    cells: [...row.querySelectorAll('.t')].map(cell => cell.textContent),
    worst: [...row.querySelectorAll('.w')].map(cell => [...cell.childNodes].map(part => part.textContent)),
}))"""


def rows(page: Any) -> list[dict[str, Any]]:
    return page.eval_on_selector_all("#board tbody tr", ROWS)


def slugs(page: Any) -> list[str]:
    return [row["slug"] for row in rows(page)]


def query(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def stored(site: Served, slug: str) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    text = (site.submissions / "opensynth" / slug / "scores.json").read_text()
    return {(row["split"], row["group"], row["target"], row["metric"]): row for row in json.loads(text)["scores"]}


def test_every_metric_shows_the_numbers_of_scores_json(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    metrics = page.eval_on_selector_all("select[name=metric] option", "options => options.map(each => each.value)")
    assert set(metrics) == set(site.boards["opensynth"].track.metrics)
    for metric in [metrics[0], *metrics]:
        page.select_option("select[name=metric]", metric)
        for row in rows(page):
            scores = stored(site, row["slug"])
            for place, split in enumerate(("test", "exemplar")):
                whole = scores.get((split, "all", "mean", metric)) or scores.get((split, "all", "design", metric))
                assert row["mean"][place] == (number(whole["value"]) if whole else "–")
                known = whole and whole["low"] is not None
                assert row["interval"][place] == (f"[{number(whole['low'])}, {number(whole['high'])}]" if known else "")
                expected = [scores.get((split, "all", target, metric)) for target in TARGETS]
                shown = row["cells"][6 * place : 6 * place + 6]
                assert shown == [number(cell["value"]) if cell else "–" for cell in expected]


def test_the_worst_group_is_the_one_that_the_scores_name(visit: Callable[..., Any], site: Served) -> None:
    board = site.boards["opensynth"]
    for row in rows(visit(BOARD)):
        for place, split in enumerate(("test", "exemplar")):
            group, value = board.entry(row["slug"]).worst_group(split)
            assert row["worst"][place] == [number(value), group]


def test_ranks_and_their_bands_are_those_of_the_paired_test(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    shown = rows(page)
    assert [row["slug"] for row in shown] == [entry.slug for entry in site.boards["opensynth"].entries]
    for row, entry in zip(shown, site.boards["opensynth"].entries, strict=True):
        expected = "–" if entry.rank is None else f"{entry.rank}–{entry.worst}".removesuffix(f"–{entry.rank}")
        assert row["rank"] == expected
    bands = page.eval_on_selector_all("#board tbody .rank", "cells => cells.map(cell => cell.className)")
    groups = [entry.tie_group for entry in site.boards["opensynth"].entries]
    assert bands == ["rank" if group is None else f"rank g{group % 2}" for group in groups]
    assert {row["slug"] for row in shown if row["rank"] == "–"} == {"oracle", CONTROL, INCOMPLETE}


@pytest.mark.parametrize("key", ["lut.test", "mean.exemplar", "worst.test"])
def test_a_heading_sorts_best_first_then_worst_first(visit: Callable[..., Any], key: str) -> None:
    page = visit(BOARD)
    heading = page.locator(f'th[data-key="{key}"]')
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.locator("#board th[aria-sort]").count() == 1
    assert query(page) == {"sort": key}

    def values() -> list[float]:
        name, exam = key.split(".")
        place = ("test", "exemplar").index(exam)
        pick = {
            "mean": lambda row: row["mean"][place],
            "worst": lambda row: row["worst"][place][0],
        }.get(name, lambda row: row["cells"][6 * place + TARGETS.index(name)])
        return [float(pick(row).replace(",", "")) for row in rows(page)]

    assert values() == sorted(values(), reverse=True)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert values() == sorted(values())
    page.locator('th[data-key="rank"] button').click()
    assert query(page) == {}


def test_what_authors_left_out_sorts_last_either_way(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    for _ in range(2):
        page.locator('th[data-key="time"] button').click()
        times = page.eval_on_selector_all(
            "#board tbody tr", "rows => rows.map(row => row.querySelector('.b').textContent)"
        )
        first = times.index("–")
        assert 0 < first < len(times)
        assert set(times[first:]) == {"–"}


def test_filters_narrow_the_rows_and_say_how_many_are_left(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    entries = site.boards["opensynth"].entries
    page.check('input[value="gnn"]', force=True)
    expected = [entry.slug for entry in entries if entry.card.family == "gnn"]
    assert slugs(page) == expected
    assert page.inner_text("#count") == f"{len(expected)} of {len(entries)} submissions shown"
    page.check('input[value="trees"]', force=True)
    expected = [entry.slug for entry in entries if entry.card.family in ("gnn", "trees")]
    assert slugs(page) == expected
    page.check('input[value="weights"]', force=True)
    assert slugs(page) == [slug for slug in expected if site.boards["opensynth"].entry(slug).card.weights]
    page.click("#clear")
    page.select_option("select[name=coverage]", "100")
    assert set(slugs(page)) == {entry.slug for entry in entries} - {INCOMPLETE}
    page.fill("input[name=q]", "no such words")
    assert slugs(page) == []
    assert page.is_visible("#nothing")


def test_search_reads_names_authors_and_data(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    for text in ("Aspen deep 0", "author 3", "own designs"):
        page.fill("input[name=q]", text)
        found = [
            entry.slug
            for entry in site.boards["opensynth"].entries
            if text.lower() in " ".join([entry.card.name, *entry.card.authors, entry.card.training_data]).lower()
        ]
        assert found
        assert set(found) <= set(slugs(page)) != {entry.slug for entry in site.boards["opensynth"].entries}


def test_a_copied_address_shows_the_same_view_and_defaults_are_left_out(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    page.select_option("select[name=metric]", "SMAPE(eps=1)")
    page.select_option("select[name=exam]", "exemplar")
    page.select_option("select[name=columns]", "all")
    page.locator('th[data-key="ff.exemplar"] button').click()
    page.check('input[value="code"]', force=True)
    page.fill("input[name=q]", "other")
    page.check('tr[data-slug="made-001"] input')
    copied = page.url.removeprefix(page.url.partition("opensynth/")[0])
    assert query(page) == {
        "metric": "SMAPE(eps=1)",
        "exam": "exemplar",
        "columns": "all",
        "sort": "ff.exemplar",
        "open": "code",
        "q": "other",
        "pick": "made-001",
    }
    again = visit(copied)
    assert rows(again) == rows(page)
    assert again.inner_text("#board thead") == page.inner_text("#board thead")
    assert again.inner_text("#count") == page.inner_text("#count")
    again.click("#clear")
    assert query(again) == {"pick": "made-001"}


def test_addresses_with_nonsense_fall_back_to_the_defaults(visit: Callable[..., Any]) -> None:
    page = visit(
        f"{BOARD}?metric=Beauty&exam=train&columns=none&sort=luck.test&coverage=x&pick=nobody,made-001&family="
    )
    plain = visit(BOARD)
    assert rows(page) == rows(plain)
    assert page.locator("#board input:checked").count() == 1


def test_columns_line_up_with_their_headings_in_every_view(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    lefts = """cells => cells.filter(cell => cell.offsetParent)
        .map(cell => Math.round(cell.getBoundingClientRect().left))"""
    for columns in ("", "compact", "about", "all"):
        for exam in ("", "test", "exemplar"):
            page.select_option("select[name=columns]", columns)
            page.select_option("select[name=exam]", exam)
            heads = page.eval_on_selector_all("#board thead .pick, #board thead th[data-key]", lefts)
            cells = page.eval_on_selector_all("#board tbody tr:first-child > *", lefts)
            assert sorted(heads) == sorted(cells)


def test_chosen_rows_lead_to_their_comparison_and_five_are_the_most(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    chosen = slugs(page)[:6]
    page.check(f'tr[data-slug="{chosen[0]}"] input')
    assert page.locator("#tray a").get_attribute("href") is None
    for slug in chosen[1:5]:
        page.check(f'tr[data-slug="{slug}"] input')
    assert page.is_disabled(f'tr[data-slug="{chosen[5]}"] input')
    page.click("#tray a")
    assert urlsplit(page.url).path == "/opensynth/compare.html"
    assert query(page) == dict(zip("abcde", chosen[:5], strict=True))


def test_the_saved_file_holds_the_rows_and_columns_that_are_seen(visit: Callable[..., Any]) -> None:
    page = visit(f"{BOARD}?family=gnn&exam=test&sort=-lut.test")
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "opensynth-board.csv"
    head, *lines = csv.reader(io.StringIO(Path(download.value.path()).read_text(), newline=""))
    assert head[:4] == ["rank", "name", "mean.test", "bram.test"]
    assert not [name for name in head if name.endswith(".exemplar")]
    assert [line[head.index("lut.test")] for line in lines] == [row["cells"][3] for row in rows(page)]


def test_the_whole_board_can_be_used_by_keyboard_alone(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")

    def tab_to(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert shown != "none" or "chip" in page.evaluate("document.activeElement.parentElement.className")
                return
        pytest.fail(f"{selector} is not reached by the tabulator")

    tab_to("input[name=q]")
    page.keyboard.type("e")
    tab_to("input[value=gnn]")
    page.keyboard.press("Space")
    tab_to("th[data-key='lut.test'] button")
    page.keyboard.press("Enter")
    assert query(page) == {"q": "e", "family": "gnn", "sort": "lut.test"}
    for slug in slugs(page)[:2]:
        tab_to(f"tr[data-slug={slug}] input")
        page.keyboard.press("Space")
    tab_to("#tray a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare.html?*")


def test_without_scripts_the_board_is_a_table_to_read(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD, java_script_enabled=False)
    assert page.locator("#board tbody tr").count() == len(site.boards["opensynth"].entries)
    for hidden in ("#choices", "#csv", "#tray", "#board tbody input >> nth=0"):
        assert not page.is_visible(hidden)
    assert page.is_visible("#board tbody tr:last-child .m")
    reported = visit("hls4ml/index.html", java_script_enabled=False)
    assert reported.locator("tr[data-metric=RMSE]").first.is_visible()


def test_markup_in_a_card_is_shown_as_text(visit: Callable[..., Any], site: Served) -> None:
    card = site.boards["opensynth"].entry(HOSTILE).card
    page = visit(f"{BOARD}?columns=all")
    row = page.locator(f'tr[data-slug="{HOSTILE}"]')
    for text in (card.name, card.licence, card.training_data):
        assert text in row.inner_text()
    assert page.locator("main img, main script:not([type='application/json'])").count() == 0
    own = visit(f"opensynth/submissions/{HOSTILE}.html")
    assert card.method in own.inner_text("main")
    assert own.locator("main script").count() == 0


def test_reported_figures_stand_apart_as_printed_and_without_rank(visit: Callable[..., Any], site: Served) -> None:
    page = visit("hls4ml/index.html")
    assert page.locator("#board").count() == 0
    lines = """rows => rows.filter(row => row.offsetParent)
        .map(row => [...row.querySelectorAll('td.n')].map(cell => cell.textContent))"""
    for metric, mean in (("R2", "0.318"), ("RMSE", "31,897.9")):
        page.select_option("select[name=metric]", metric)
        shown = page.eval_on_selector_all("tr[data-metric]", lines)
        assert any(mean in line for line in shown)
        assert len(shown) == len(
            {
                (result.slug, *key)
                for result in site.boards["hls4ml"].reported
                for *key, name in result.rows.select("split", "group", "truth", "metric").unique().iter_rows()
                if name == metric
            }
        )
    page.select_option("select[name=metric]", "Spearman")
    assert page.is_visible("#not-reported")
    assert "another truth than this board's" in page.inner_text("#reported")


def test_figures_scored_and_reported_are_shown_apart_or_together(visit: Callable[..., Any]) -> None:
    page = visit(BOARD)
    parts = ("#board", "#reported", "#csv")
    seen = {}
    for source in ("reported", "scored", ""):
        page.select_option("select[name=source]", source)
        seen[source] = [page.is_visible(part) for part in parts]
    assert seen == {"reported": [False, True, False], "scored": [True, False, True], "": [True, True, True]}
    page.select_option("select[name=source]", "reported")
    page.select_option("select[name=of]", "conv1d")
    assert query(page) == {"source": "reported", "of": "conv1d"}
    assert page.locator("#reported tbody tr[data-metric]:visible td:nth-child(2)").all_text_contents() == ["conv1d"] * 2
    page.click("#clear")
    assert query(page) == {}
    assert [page.is_visible(part) for part in parts] == [True, True, True]


def test_reported_figures_on_one_group_stand_together_and_in_the_address(
    visit: Callable[..., Any], site: Served
) -> None:
    page = visit("hls4ml/index.html")
    page.select_option("select[name=of]", "Quarks")
    assert query(page) == {"of": "Quarks"}
    for again in (page, visit("hls4ml/index.html?of=Quarks")):
        shown = again.eval_on_selector_all(
            "tr[data-metric]", "rows => rows.filter(row => row.offsetParent).map(row => row.dataset.group)"
        )
        assert set(shown) == {"Quarks"}
        assert not again.get_by_text("On test", exact=True).is_visible()
        names = again.eval_on_selector_all(
            "tr[data-metric] th a",
            "links => links.filter(each => each.offsetParent && each.offsetWidth > 1)",
        )
        assert len(names) == len(shown)
    assert visit("hls4ml/index.html?of=nobody").locator("select[name=of]").input_value() == ""


def test_the_browser_writes_numbers_as_the_evaluator_does(visit: Callable[..., Any]) -> None:
    values = [sign * digit * 10.0**power for sign in (-1, 1) for digit in (1, 2.4681, 9.9994) for power in range(-6, 9)]
    seen = [scales.shown(value) for value in values]
    shown = visit(BOARD).evaluate("values => values.map(WaBench.number)", seen)
    assert shown == [number(value) for value in values]


GROUP = "test.branched"


def choose_group(page: Any, group: str) -> None:
    page.select_option("select[name=group]", group)
    page.wait_for_selector(f'#board[data-other="{group}"]')


def test_a_group_shows_the_numbers_of_scores_json(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    choose_group(page, GROUP)
    assert query(page) == {"group": GROUP}
    assert page.input_value("select[name=exam]") == "test"
    assert not page.is_visible("th.exam.e1")
    assert not page.is_visible("th[data-key='worst.test']")
    seen = set()
    for metric in site.boards["opensynth"].track.metrics:
        page.select_option("select[name=metric]", metric)
        for row in rows(page):
            scores = stored(site, row["slug"])
            whole = scores.get(("test", "branched", "mean", metric)) or scores.get(
                ("test", "branched", "design", metric)
            )
            assert row["mean"][0] == (number(whole["value"]) if whole else "–")
            known = whole and whole["low"] is not None
            assert row["interval"][0] == (f"[{number(whole['low'])}, {number(whole['high'])}]" if known else "")
            expected = [scores.get(("test", "branched", target, metric)) for target in TARGETS]
            assert row["cells"][:6] == [number(cell["value"]) if cell else "–" for cell in expected]
            seen.add(row["mean"][0])
    assert len(seen) > len(rows(page))
    designs = stored(site, "made-001")["test", "branched", "lut", "R2"]["designs"]
    assert f"on the {designs} designs of group branched of test" in page.inner_text("#other-about")
    assert page.inner_text("th.exam.e0") == f"test: branched {designs} designs"


def test_every_group_that_has_designs_can_be_chosen_and_goes_again(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    whole = rows(page)
    shown = page.eval_on_selector_all("select[name=group] option", "options => options.map(each => each.value)")
    exams = site.boards["opensynth"].track.exams
    assert shown == ["", *(f"{exam.split}.{group.name}" for exam in exams for group in exam.groups if group.column)]
    for group in shown[1:]:
        choose_group(page, group)
        assert group.partition(".")[2] in page.inner_text("#board thead")
    choose_group(page, "")
    assert rows(page) == whole
    assert query(page) == {}
    assert page.input_value("select[name=exam]") == ""
    assert not page.is_visible("#other-about")
    choose_group(page, GROUP)
    page.select_option("select[name=exam]", "exemplar")
    page.wait_for_selector('#board[data-other=""]')
    assert query(page) == {"exam": "exemplar"}
    choose_group(page, GROUP)
    page.click("#clear")
    assert rows(page) == whole
    assert query(page) == {}


def test_a_copied_address_of_a_group_shows_the_same_rows_in_the_same_order(
    visit: Callable[..., Any], site: Served
) -> None:
    page = visit(BOARD)
    choose_group(page, "exemplar.Jet")
    page.select_option("select[name=metric]", "SMAPE(eps=1)")
    page.locator('th[data-key="mean.exemplar"] button').click()
    assert query(page) == {"group": "exemplar.Jet", "metric": "SMAPE(eps=1)", "sort": "mean.exemplar"}
    means = {slug: stored(site, slug)["exemplar", "Jet", "mean", "SMAPE(eps=1)"]["value"] for slug in slugs(page)}
    known = [slug for slug in slugs(page) if means[slug] is not None]
    assert known == slugs(page)[: len(known)]
    assert [row["mean"][1] for row in rows(page)][: len(known)] == [number(means[slug]) for slug in known]
    shown = [float(number(means[slug]).replace(",", "")) for slug in known]
    assert shown == sorted(shown)
    again = visit(page.url.removeprefix(f"{site.url}/"))
    again.wait_for_selector('#board[data-other="exemplar.Jet"]')
    assert rows(again) == rows(page)
    assert again.inner_text("#board thead") == page.inner_text("#board thead")
    nonsense = visit(f"{BOARD}?group=test.nobody")
    assert rows(nonsense) == rows(visit(BOARD))


def test_the_saved_file_names_the_group(visit: Callable[..., Any]) -> None:
    page = visit(f"{BOARD}?group={GROUP}")
    page.wait_for_selector(f'#board[data-other="{GROUP}"]')
    with page.expect_download() as download:
        page.click("#csv")
    head, *lines = csv.reader(io.StringIO(Path(download.value.path()).read_text(), newline=""))
    assert head[2:4] == ["mean.test.branched", "bram.test.branched"]
    assert [line[2] for line in lines] == [row["mean"][0] for row in rows(page)]


def test_a_board_opened_from_a_folder_says_how_groups_can_be_seen(browser: Any, site: Served) -> None:
    page = browser.new_page()
    page.goto((site.folder / BOARD).as_uri())
    whole = rows(page)
    page.select_option("select[name=group]", GROUP)
    page.wait_for_function("document.getElementById('other-about').textContent.includes('leaderboard serve')")
    assert page.input_value("select[name=group]") == ""
    assert rows(page) == whole
    page.close()


TRUTH = "hls-estimate"


def choose_truth(page: Any, truth: str) -> None:
    page.select_option("select[name=truth]", truth)
    page.wait_for_selector(f'#board[data-other="{truth}"]')


def test_another_truth_shows_what_scoring_against_it_gives_and_leaves_the_ranks(
    visit: Callable[..., Any], site: Served
) -> None:
    judged = load("opensynth", ["test", "exemplar"], truth=TRUTH)
    page = visit(BOARD)
    ranks = [row["rank"] for row in rows(page)]
    choose_truth(page, TRUTH)
    assert query(page) == {"truth": TRUTH}
    assert [row["rank"] for row in rows(page)] == ranks
    assert judged.track.truth in page.inner_text("#other-about")
    entries = {entry.slug: entry for entry in site.boards["opensynth"].entries}
    reports = {slug: evaluate(entries[slug].predictions(), judged, Settings(resamples=0)) for slug in list(entries)[:4]}
    for metric in ("R2", "SMAPE(eps=1)"):
        page.select_option("select[name=metric]", metric)
        shown = {row["slug"]: row for row in rows(page)}
        for slug, report in reports.items():
            assert shown[slug]["mean"] == [number(report.mean(metric, split)) for split in ("test", "exemplar")]
            expected = [number(report[f"{metric}@{name}", split]) for split in ("test", "exemplar") for name in TARGETS]
            assert shown[slug]["cells"] == expected
            assert shown[slug]["interval"] == ["", ""]
    oracle = next(row for row in rows(page) if row["slug"] == "oracle")
    assert float(oracle["mean"][0]) > 0
    page.click("th[data-key='mean.test'] button")
    means = [float(row["mean"][0]) for row in rows(page) if row["mean"][0] not in ("–", "undefined")]
    assert means == sorted(means)


def test_a_truth_is_chosen_alone_comes_back_from_the_address_and_says_what_it_lacks(visit: Callable[..., Any]) -> None:
    page = visit(f"{BOARD}?truth={TRUTH}&metric=RMSE")
    page.wait_for_selector(f'#board[data-other="{TRUTH}"]')
    assert "Only R2 and SMAPE are computed against it" in page.inner_text("#other-about")
    assert {cell for row in rows(page) for cell in row["cells"]} == {"–"}
    choose_group(page, GROUP)
    assert query(page) == {"group": GROUP, "metric": "RMSE"}
    choose_truth(page, TRUTH)
    assert query(page) == {"truth": TRUTH, "metric": "RMSE"}
    page.click("#clear")
    page.wait_for_selector('#board[data-other=""]')
    assert query(page) == {}


LAID = "document.querySelectorAll('#board tbody tr:not([hidden])').values().filter(row => row.offsetParent).toArray()"


def soon(page: Any, condition: str) -> bool:
    """Whether a condition comes true within five seconds."""
    wait = "await new Promise(done => setTimeout(done, 50))"
    tries = f"for (let tries = 0; tries < 100; tries += 1) {{ if ({condition}) return true; {wait}; }}"
    return page.evaluate(f"async () => {{ {tries} return false; }}")


def test_rows_are_laid_out_as_the_reader_comes_near_them(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    everybody = len(site.boards["opensynth"].entries)
    assert page.evaluate(f"{LAID}.length") == 30 < everybody
    page.locator(".board-scroll").evaluate("each => each.scrollTo(0, each.scrollHeight)")
    assert soon(page, f"{LAID}.length === {everybody}")


def test_who_searches_finds_rows_that_are_not_laid_out(visit: Callable[..., Any], site: Served) -> None:
    last = site.boards["opensynth"].entries[-1]
    page = visit(BOARD)
    page.fill("input[name=q]", last.card.name)
    assert soon(page, f"{LAID}.map(row => row.dataset.slug).includes('{last.slug}')")
    page = visit(BOARD)
    page.keyboard.press("Control+f")
    assert page.evaluate(f"{LAID}.length") == len(site.boards["opensynth"].entries)


def test_another_order_begins_at_its_top(visit: Callable[..., Any], site: Served) -> None:
    page = visit(BOARD)
    page.keyboard.press("Control+f")
    page.locator(".board-scroll").evaluate("each => each.scrollTo(0, each.scrollHeight)")
    page.locator("th[data-key=name] button").click()
    assert page.locator(".board-scroll").evaluate("each => each.scrollTop") == 0
    names = sorted(entry.card.name.lower() for entry in site.boards["opensynth"].entries)
    assert page.locator("#board tbody th a").first.inner_text().lower() in names[:2]


def test_all_rows_are_there_on_paper_and_without_a_script(visit: Callable[..., Any], site: Served) -> None:
    everybody = len(site.boards["opensynth"].entries)
    page = visit(BOARD)
    page.emulate_media(media="print")
    assert page.evaluate(f"{LAID}.length") == everybody
    page = visit(BOARD, java_script_enabled=False)
    shown = [row.is_visible() for row in page.locator("#board tbody tr").all()]
    assert shown == [True] * everybody


def test_a_metric_without_scores_on_a_truth_does_not_say_that_no_design_has_it(visit: Callable[..., Any]) -> None:
    for metric in ("R2", "RMSE"):
        page = visit(f"{BOARD}?truth=hls-estimate&metric={metric}")
        assert soon(page, "document.querySelector('#board').dataset.other === 'hls-estimate'")
        assert page.locator(".exam.e0 small").inner_text() == "the designs that have it"
