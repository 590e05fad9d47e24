from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
import yaml
from PIL import Image

from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import boards
from wa_bench.leaderboard.pages import previews
from wa_bench.leaderboard.pages.api import FILES

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def site(submissions: Path, tmp_path: Path, rewrite) -> Path:
    """A site at an address, two of whose submissions say when they were proposed."""
    rewrite(submissions / "opensynth" / "made-000", submitted=date(2026, 2, 1), name="=1+1")
    rewrite(submissions / "opensynth" / "made-049", submitted=date(2026, 3, 1))
    return build(boards(submissions), tmp_path / "site", "https://lab.example/board").front_page.parent


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_scores_are_those_of_scores_json_to_the_last_digit(site: Path, submissions: Path) -> None:
    board = read(site / "api/v1/opensynth/board.json")
    assert len(board["entries"]) == 4
    for line in board["entries"]:
        stored = read(submissions / "opensynth" / line["slug"] / "scores.json")
        own = read(site / line["scores_file"])
        whole = {(group["split"], group["group"]): group for group in own["groups"]}
        for row in stored["scores"]:
            expected = [row["value"], row["low"], row["high"]]
            group = whole[row["split"], row["group"]]
            assert group["scores"][row["metric"]][row["target"]] == expected
            assert (group["designs"], group["answered"]) == (row["designs"], row["answered"])
            if row["group"] == "all" and row["metric"] in ("R2", "SMAPE(eps=1)", "RMSE"):
                shown = line["scores"][row["split"]][row["metric"]]
                assert shown.get(row["target"]) == expected
        assert own["predictions_sha256"] == stored["predictions_sha256"]
        assert (site / line["page"]).is_file()
        assert all((site / file).is_file() for file in own["files"])


def test_the_index_leads_to_every_file(site: Path) -> None:
    index = read(site / "api/v1/index.json")
    assert index["base_url"] == "https://lab.example/board/"
    for track in index["tracks"]:
        assert all((site / track[name]).is_file() for name in ("page", "board", "table", "reported"))


def test_every_file_is_what_its_type_and_schema_say(site: Path) -> None:
    for name, (kind, path) in FILES.items():
        schema = read(site / f"api/v1/schema/{name}.json")
        found = [
            file
            for file in site.glob(path.replace("<track>", "*").replace("<slug>", "*"))
            if file.parent != site / "api/v1/schema"
        ]
        assert found
        for file in found:
            msgspec.json.decode(file.read_bytes(), type=kind)
            required = schema["$defs"][kind.__name__]["required"]
            assert set(required) <= set(read(file))


def test_tables_have_a_row_a_submission_and_no_formula(site: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((site / "api/v1/opensynth/board.csv").read_text())))
    board = read(site / "api/v1/opensynth/board.json")
    assert [row["slug"] for row in rows] == [line["slug"] for line in board["entries"]]
    assert next(row for row in rows if row["slug"] == "made-000")["name"] == "'=1+1"
    for row, line in zip(rows, board["entries"], strict=True):
        assert float(row["R2@mean test"]) == line["scores"]["test"]["R2"]["mean"][0]


def test_the_feed_lists_dated_submissions_newest_first(site: Path) -> None:
    feed = ElementTree.parse(site / "feed.xml").getroot()  # noqa: S314
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}updated") for entry in entries] == ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"]
    assert feed.findtext(f"{ATOM}updated") == "2026-03-01T00:00:00Z"
    links = [entry.find(f"{ATOM}link").get("href") for entry in entries]
    assert links[0] == "https://lab.example/board/opensynth/submissions/made-049.html"
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 2


def test_the_sitemap_names_every_page_once(site: Path) -> None:
    root = ElementTree.parse(site / "sitemap.xml").getroot()  # noqa: S314
    listed = [element.text for element in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    pages = [path.relative_to(site).as_posix().removesuffix("index.html") for path in site.rglob("*.html")]
    assert sorted(listed) == sorted(f"https://lab.example/board/{page}" for page in pages)


def test_the_hub_finds_the_splits_that_are_scored(site: Path, board: Board) -> None:
    declared = yaml.safe_load((site / "opensynth" / "eval.yaml").read_text())
    assert declared.keys() == {"name", "description", "evaluation_framework", "tasks"}
    assert [task["split"] for task in declared["tasks"]] == list(board.track.exam_splits)
    assert all(task.keys() == {"id", "config", "split"} for task in declared["tasks"])


def test_previews_have_the_size_that_others_ask_for_and_equal_bytes(board: Board) -> None:
    for draw in (
        partial(previews.board_preview, previews.BoardShown.of(board)),
        *(partial(previews.submission_preview, previews.SubmissionShown.of(board, each)) for each in board.entries),
    ):
        picture = draw()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(picture[16:20]) == previews.WIDTH
        assert int.from_bytes(picture[20:24]) == previews.HEIGHT
        assert draw() == picture


def test_a_preview_of_the_board_is_drawn_anew_only_if_its_best_change(board: Board) -> None:
    longer = replace(board, entries=board.entries * 5)
    shown = previews.BoardShown.of(longer)
    assert previews.BoardShown.of(replace(longer, entries=longer.entries[:-1])) == shown
    assert previews.BoardShown.of(replace(longer, entries=longer.entries[::-1])) != shown


def test_the_preview_of_a_submission_shows_its_scores(board: Board) -> None:
    entry = board.entries[0]
    shown = previews.SubmissionShown.of(board, entry)
    for exam in shown.exams:
        assert exam.mean == number(entry.mean("R2", exam.split))
        cells = [number(entry.scores[f"R2@{target}", exam.split]) for target in board.track.target_names]
        assert [value for value, _ in exam.cells] == cells


def test_pages_of_submissions_name_a_preview_of_their_own(site: Path) -> None:
    for page in (site / "opensynth" / "submissions").glob("*.html"):
        place = f"opensynth/submissions/{page.stem}/preview.png"
        assert f'<meta property="og:image" content="https://lab.example/board/{place}">' in page.read_text()
        assert (site / place).is_file()


def test_long_names_stay_within_the_preview(board: Board) -> None:
    shown = previews.SubmissionShown.of(board, board.entries[0])._replace(name="W" * 300, targets=("W" * 40,) * 6)
    picture = Image.open(io.BytesIO(previews.submission_preview(shown)))
    assert picture.crop((previews.WIDTH - 59, 0, previews.WIDTH, previews.HEIGHT)).getcolors() == [
        (59 * 630, (255,) * 3)
    ]


def test_each_page_of_a_track_can_be_cited_as_itself(site: Path) -> None:
    keys = []
    for page in (site / "opensynth").rglob("*.html"):
        citation = html.unescape(page.read_text().split('<code id="citation">')[1].split("</code>")[0])
        key, *fields = re.findall(r"@misc\{([\w-]+),|^  (\w+) = \{.+\},?$", citation, re.MULTILINE)
        keys.append(key[0])
        assert [name for _, name in fields][:2] == ["title", "author"], citation
        place = page.relative_to(site).as_posix().removesuffix("index.html")
        assert f"url = {{https://lab.example/board/{place}}}" in citation
    assert len(set(keys)) == len(keys) > 10
