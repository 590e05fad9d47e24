"""The judge on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.evaluation.metrics import kinds

COMMAND = [str(Path(sys.executable).with_name("wa-bench"))]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def files(oracle: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Predictions that are near the truth, and farther off."""
    folder = tmp_path_factory.mktemp("predictions")
    for name, factor in (("near", 1.02), ("far", 2.0)):
        oracle.with_columns(pl.exclude("sample_id") * factor).write_csv(folder / f"{name}.csv")
    return [folder / "near.csv", folder / "far.csv"]


def test_evaluate_prints_markdown_and_csv_and_passes_nothing_off_as_the_authors_benchmark(files: list[Path]) -> None:
    shown = {
        form: run("evaluate", files[0], "--track", "opensynth", "--format", form)
        for form in ("markdown", "csv", "axess")
    }
    assert "| group | designs | BRAM |" in shown["markdown"].stdout
    assert shown["csv"].stdout.startswith("split,group,target,metric,value,low,high,")
    assert shown["axess"].returncode == 1
    assert "expected test and exemplar records of track hls4ml" in shown["axess"].stderr
    wrong = run("evaluate", files[0], "--track", "opensynth", "--format", "runes")
    assert wrong.returncode == 2
    assert "expected one of table, markdown" in wrong.stderr


def test_evaluate_writes_figures_and_takes_another_truth(files: list[Path], tmp_path: Path) -> None:
    done = run(
        "evaluate",
        files[0],
        "--track",
        "opensynth",
        "--truth",
        "hls-estimate",
        "--figures",
        tmp_path,
        "--resamples",
        "0",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "error_against_size.svg",
        "error_cdf.svg",
        "parity.svg",
        "percent_error.svg",
    ]
    scores = json.loads(done.stdout)
    assert scores["truth"] != wb.track("opensynth").truth
    assert {row["low"] for row in scores["scores"]} == {None}


def test_one_split_of_a_submissions_file_can_be_scored(files: list[Path]) -> None:
    shown = run("evaluate", files[0], "--track", "opensynth", "--split", "exemplar", "--json")
    assert shown.returncode == 0, shown.stderr
    assert {row["split"] for row in json.loads(shown.stdout)["scores"]} == {"exemplar"}


def test_compare_says_who_is_better_on_what(files: list[Path]) -> None:
    shown = run("compare", *files, "--track", "opensynth")
    assert shown.returncode == 0, shown.stderr
    assert f"A: {files[0]}" in shown.stdout
    (whole,) = [
        line
        for line in shown.stdout.partition("exemplar (allows")[0].splitlines()
        if line.split()[:3] == ["all", "A", "B"]
    ]
    assert whole.split()[-2] == "A"
    rows = json.loads(run("compare", *files, "--track", "opensynth", "--json").stdout)["rows"]
    assert {row["verdict"] for row in rows} <= {"better", "worse", "cannot tell"}
    assert run("compare", files[0], "--track", "opensynth").returncode == 2


def test_metrics_are_listed_with_their_formulas() -> None:
    known = json.loads(run("metrics", "--json").stdout)
    assert len(known) == len(kinds())
    shown = run("metrics").stdout
    for metric in known:
        assert f"{metric['metric']}: {metric['title']} = {metric['formula']}" in shown
