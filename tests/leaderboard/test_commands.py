from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import polars as pl
import pytest

from wa_bench.leaderboard.build import MARKER

ROOT = Path(__file__).parents[2]
CODE = "from wa_bench.cli import main; main()"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def pages(submissions: Path) -> Path:
    """A folder of submissions with a frozen board beside it, of other records than today's."""
    frozen = run(
        "leaderboard", "freeze", submissions, "--track", "opensynth", "--note", "First.", "--day", "2026-05-01"
    )
    assert frozen.returncode == 0, frozen.stderr
    file = submissions.parent / "versions" / "opensynth" / "v1.json"
    assert str(file) in frozen.stdout
    file.write_text(file.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    return submissions


def test_build_finds_frozen_boards_beside_the_submissions_and_says_that_they_are_of_another_version(
    pages: Path, tmp_path: Path
) -> None:
    built = run(
        "leaderboard", "build", pages, "--site", tmp_path / "site", "--jobs", "1", "--base-url", "https://x.example"
    )
    assert built.returncode == 0, built.stderr
    assert "opensynth: other truth, records or evaluator than version 1; this is 2" in built.stderr
    assert (tmp_path / "site" / "opensynth" / "v1" / "index.html").is_file()
    assert (tmp_path / "site" / "sitemap.xml").is_file()
    again = run(
        "leaderboard", "build", pages, "--site", tmp_path / "site", "--jobs", "1", "--base-url", "https://x.example"
    )
    assert ", 0 of them new or changed" in again.stderr


def test_build_says_which_records_are_not_there(submissions: Path, tmp_path: Path) -> None:
    records = pl.read_parquet(ROOT / "wa_bench" / "samples" / "opensynth.parquet")
    records.filter(pl.col("split").is_in(["test", "exemplar"])).write_parquet(tmp_path / "exam.parquet")
    source = f"opensynth={tmp_path / 'exam.parquet'}"
    built = run("leaderboard", "build", submissions, "--site", tmp_path / "site", "--jobs", "1", "--source", source)
    assert built.returncode == 0, built.stderr
    assert "note: opensynth: no records of train, val are here" in built.stderr
    page = (tmp_path / "site" / "opensynth" / "data.html").read_text()
    assert "Only test and exemplar are here" in " ".join(page.split())


def test_records_are_named_by_track(submissions: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.parquet"
    for source in (f"opensynth={nowhere}", str(nowhere)):
        failed = run("leaderboard", "build", submissions, "--site", tmp_path / "site", "--source", source)
        assert failed.returncode == 1
        assert "nowhere.parquet" in failed.stderr
    unknown = run("leaderboard", "build", submissions, "--site", tmp_path / "site", "--source", f"closed={nowhere}")
    assert unknown.returncode == 1
    assert "unknown track 'closed'" in unknown.stderr


def test_one_place_for_the_records_of_several_tracks_is_a_question_of_usage(tmp_path: Path) -> None:
    for name in ("opensynth", "hls4ml"):
        (tmp_path / "submissions" / name / "mine").mkdir(parents=True)
    failed = run("leaderboard", "build", tmp_path / "submissions", "--site", tmp_path / "site", "--source", "records")
    assert failed.returncode == 2
    assert "TRACK=FOLDER" in failed.stderr


def test_serve_shows_a_site_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text("{}")
    (tmp_path / "index.html").write_text("a board")
    command = [sys.executable, "-u", "-c", CODE, "leaderboard", "serve", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().split()[0]
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310
            assert answer.read() == b"a board"
        serving.send_signal(2)
        assert serving.wait(20) == 0
