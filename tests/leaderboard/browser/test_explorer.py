from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from leaderboard.browser.harness import Served

import wa_bench as wb
from wa_bench.leaderboard.pages.dataset import MOST_SHOWN

PAGE = "opensynth/data.html"
IDS = "cells => cells.map(cell => cell.textContent)"


@pytest.fixture(scope="module")
def designs(site: Served) -> pl.DataFrame:
    """The designs of the sample, with what the explorer shows of them, from their records."""
    frame = wb.load("opensynth", ["train", "val", "test", "exemplar"]).frame().collect()
    bits = pl.col("precision").struct.field("width").alias("bits")
    params = pl.col("layers").list.eval(pl.element().struct.field("params")).list.sum().alias("params")
    columns = ("sample_id", "split", "family", "strategy", bits, "reuse_factor", params, "lut", "dsp")
    sample = pl.read_csv(site.folder / "opensynth" / "data" / "sample.csv").get_column("sample_id")
    assert sample.n_unique() == min(frame.height, MOST_SHOWN)
    return frame.select(*columns).filter(pl.col("sample_id").is_in(sample.implode())).sort("sample_id")


def ids(page: Any) -> list[str]:
    return page.eval_on_selector_all("#designs tbody th", IDS)


def query(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_filters_leave_the_designs_that_meet_all_of_them(visit: Callable[..., Any], designs: pl.DataFrame) -> None:
    page = visit(PAGE)
    assert page.inner_text("#explorer-status") == f"{designs.height:,} of {designs.height:,} designs"
    page.select_option("[data-filter=family]", "conv1d")
    page.select_option("[data-filter=strategy]", "latency")
    page.fill("#search", "0000")
    chosen = designs.filter(pl.col("sample_id").str.contains("0000"), family="conv1d", strategy="latency")
    assert 0 < chosen.height < 200
    assert page.inner_text("#explorer-status") == f"{chosen.height:,} of {designs.height:,} designs"
    assert ids(page) == chosen["sample_id"].to_list()[:50]
    assert query(page) == {"family": "conv1d", "strategy": "latency", "q": "0000"}


def test_headings_sort_by_mouse_and_keyboard_and_the_address_brings_it_back(
    visit: Callable[..., Any], designs: pl.DataFrame
) -> None:
    page = visit(PAGE)
    page.click("th[data-column=lut] button")
    assert page.get_attribute("th[data-column=lut]", "aria-sort") == "ascending"
    assert ids(page) == designs.sort("lut", "sample_id")["sample_id"].to_list()[:50]
    page.keyboard.press("Enter")
    assert page.get_attribute("th[data-column=lut]", "aria-sort") == "descending"
    expected = designs.sort("lut", "sample_id", descending=[True, False])["sample_id"].to_list()
    page.click("#later")
    assert ids(page) == expected[50:100]
    assert query(page) == {"sort": "-lut", "page": "2"}
    again = visit(f"{PAGE}?sort=-lut&page=2&x=lut&y=dsp&colour=split")
    assert ids(again) == expected[50:100]
    assert (again.input_value("#x"), again.input_value("#y"), again.input_value("#colour")) == ("lut", "dsp", "split")


def test_the_saved_table_holds_what_was_chosen(visit: Callable[..., Any], designs: pl.DataFrame) -> None:
    page = visit(f"{PAGE}?family=distributed&split=test")
    with page.expect_download() as download:
        page.click("#save")
    saved = pl.read_csv(io.BytesIO(download.value.path().read_bytes()))
    chosen = designs.filter(family="distributed", split="test")
    assert saved["sample_id"].to_list() == chosen["sample_id"].to_list()
    for column, origin in (("lut", "lut"), ("bits", "bits"), ("reuse", "reuse_factor"), ("params", "params")):
        assert saved[column].to_list() == chosen[origin].to_list()


def test_a_click_on_a_point_finds_its_design_in_the_table(visit: Callable[..., Any], designs: pl.DataFrame) -> None:
    page = visit(f"{PAGE}?q=opensynth-0000002")
    over = page.locator("#scatter .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    places = ((across, up) for up in range(2, 100, 6) for across in range(2, 100, 3))
    for across, up in places:
        page.mouse.click(box["x"] + box["width"] * across / 100, box["y"] + box["height"] * up / 100)
        if page.locator("#found").count():
            break
    (wanted,) = designs.filter(sample_id="opensynth-0000002").to_dicts()
    assert page.inner_text("#found th") == wanted["sample_id"]
    assert page.inner_text("#scatter-readout").startswith(f"{wanted['sample_id']}: ")
    assert f"LUT {wanted['lut']:,}" in page.inner_text("#scatter-readout")


def test_without_javascript_some_designs_and_all_as_csv_can_be_read(
    visit: Callable[..., Any], site: Served, designs: pl.DataFrame
) -> None:
    page = visit(PAGE, java_script_enabled=False)
    assert not page.is_visible("#explorer-controls")
    assert ids(page) == designs["sample_id"].to_list()[:20]
    sample = pl.read_csv(site.folder / "opensynth" / "data" / "sample.csv")
    assert sample["sample_id"].to_list() == designs["sample_id"].to_list()
    assert sample["lut"].to_list() == designs["lut"].to_list()


def test_pictures_are_there_and_as_large_as_the_page_says(visit: Callable[..., Any]) -> None:
    page = visit(PAGE)
    for picture in page.locator("figure img").all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("each => each.decode()")
        shape = picture.evaluate("each => [each.naturalWidth / each.naturalHeight, each.width / each.height]")
        assert shape[0] == pytest.approx(shape[1], rel=0.01)
    assert page.locator("figure img").count() == 3
