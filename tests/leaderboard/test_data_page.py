from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import wa_bench as wb
from wa_bench.leaderboard.board import Board, Site
from wa_bench.leaderboard.data_figures import coverage_of_settings, spread_of_networks, spread_of_targets
from wa_bench.leaderboard.pages import Page, dataset

ROOT = Path(__file__).parents[2]
SITE = Site("wa-bench", "0")


def contents(pages: Iterator[Page]) -> dict[str, str]:
    found = {}
    for page in pages:
        made = page.content() if callable(page.content) else page.content
        assert not isinstance(made, Path)
        found[page.path] = made.decode() if isinstance(made, bytes) else made
    return found


def board(data: wb.Dataset | None, name: str) -> Board:
    return Board(wb.track(name), (), exam=data, data=data)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> wb.Dataset:
    """Some exemplars in the layout of wa-hls4ml; records of nobody."""
    folder = tmp_path_factory.mktemp("replica")
    script = ROOT / "scripts" / "make_replica.py"
    subprocess.run([sys.executable, script, folder, "--only", "exemplar/exemplar"], check=True, capture_output=True)
    return wb.load("hls4ml", "exemplar", folder)


def test_records_that_are_not_ours_to_pass_on_are_shown_as_distributions_only(replica: wb.Dataset) -> None:
    found = contents(dataset.pages(board(replica, "hls4ml"), SITE))
    names = ("targets", "networks", "settings")
    assert found.keys() == {"hls4ml/data.html", *(f"hls4ml/data/{name}.svg" for name in names)}
    ids = replica.sample_ids()
    assert len(ids) > 100
    for text in found.values():
        assert not [sample for sample in ids if sample in text]
    assert "CC-BY-NC-4.0" in found["hls4ml/data.html"]
    assert "<script type" not in found["hls4ml/data.html"]


def test_a_page_of_some_splits_says_which_are_not_here(replica: wb.Dataset) -> None:
    page = " ".join(contents(dataset.pages(board(replica, "hls4ml"), SITE))["hls4ml/data.html"].split())
    assert "Only exemplar is here: where this site was built, there were no records of train and val and test." in page
    assert "leaves that of train" not in page
    whole = wb.load("opensynth", list(wb.track("opensynth").splits))
    page = contents(dataset.pages(board(whole, "opensynth"), SITE))["opensynth/data.html"]
    assert "no records of" not in page
    assert "leaves that of train" in page


def test_the_embedded_records_are_passed_on_whole() -> None:
    data = wb.load("opensynth", ["train", "test"])
    found = contents(dataset.pages(board(data, "opensynth"), SITE))
    lines = found["opensynth/data/sample.csv"].splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == sorted(data.sample_ids())


def test_a_board_of_published_results_alone_has_a_page_on_its_data() -> None:
    found = contents(dataset.pages(board(None, "hls4ml"), SITE))
    assert found.keys() == {"hls4ml/data.html"}
    assert "not at hand" in found["hls4ml/data.html"]


def test_pages_and_pictures_of_the_same_records_have_the_same_bytes() -> None:
    data = wb.load("opensynth", ["test", "exemplar"])
    first, second = (contents(dataset.pages(board(data, "opensynth"), SITE)) for _ in range(2))
    assert first == second


def test_a_large_dataset_is_sampled_with_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MOST_SHOWN", 50)
    data = wb.load("opensynth", "test")
    first, second = (contents(dataset.pages(board(data, "opensynth"), SITE)) for _ in range(2))
    chosen = [line.partition(",")[0] for line in first["opensynth/data/sample.csv"].splitlines()[1:]]
    assert len(set(chosen)) == 50
    assert set(chosen) < set(data.sample_ids())
    assert first == second


@pytest.mark.parametrize(
    "picture",
    [
        spread_of_targets(
            wb.track("opensynth").targets, {"test": dict.fromkeys(wb.track("opensynth").target_names, np.zeros(3))}
        ),
        spread_of_networks(
            {"train": (np.array([3.0, 4.0]), np.array([10.0, 1000.0])), "test": (np.empty(0), np.empty(0))}
        ),
        coverage_of_settings({"train": np.array([4.0, 8.0])}, {"train": np.array([1.0, 1024.0])}),
    ],
    ids=["targets", "networks", "settings"],
)
def test_pictures_are_svg_that_follows_the_reader_s_scheme(picture: str) -> None:
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314
    assert "prefers-color-scheme: dark" in picture
    assert "currentColor" in picture
    assert re.search(r"\d{4}-\d\d-\d\d", picture) is None
