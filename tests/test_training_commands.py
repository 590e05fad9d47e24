from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.learning_curve import held, part
from wa_bench.surrogates.conformal import coverage
from wa_bench.surrogates.estimator import Estimator

COMMAND = [sys.executable, "-c", "from wa_bench.cli import main; main()"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_what_is_trained_can_be_predicted_with_and_scored(tmp_path: Path) -> None:
    quick = ("--set", "epochs=1", "--set", "width=8")
    shown = run("train", "gnn", "--track", "opensynth", "--out", tmp_path / "gnn", *quick, "--json")
    assert shown.returncode == 0, shown.stderr
    (point,) = json.loads(shown.stdout)
    assert (point["designs"], point["folder"]) == (wb.load("opensynth", "train").truth().height, str(tmp_path / "gnn"))
    assert not (tmp_path / "gnn" / "checkpoint.safetensors").exists()
    assert list(point["held"]) == ["test", "exemplar"]
    model, exam = Estimator.load(tmp_path / "gnn"), wb.load("opensynth", "test")
    held = coverage(model.interval(exam), exam)
    assert point["held"]["test"] == dict(held.select("target", "coverage").iter_rows())
    files = ("--out", tmp_path / "p.parquet", "--intervals", tmp_path / "i.parquet")
    shown = run("predict", tmp_path / "gnn", "--track", "opensynth", "--split", "test", *files)
    assert shown.returncode == 0, shown.stderr
    assert f"wrote {wb.load('opensynth', 'test').truth().height} predictions" in shown.stdout
    assert pl.read_parquet(tmp_path / "i.parquet").columns[:3] == ["sample_id", "bram_low", "bram_high"]
    shown = run("evaluate", tmp_path / "p.parquet", "--track", "opensynth", "--split", "test", "--json")
    cell = ("R2", "all", "mean")
    scores = json.loads(shown.stdout)["scores"]
    (mean,) = [row["value"] for row in scores if (row["metric"], row["group"], row["target"]) == cell]
    assert mean == pytest.approx(point["scores"]["test"]["R2"])


def test_a_learning_curve_has_a_folder_and_a_line_a_fraction(tmp_path: Path) -> None:
    options = ("--track", "opensynth", "--out", tmp_path, "--fraction", "0.1,1", "--set", "iterations=20")
    shown = run("train", "trees", *options)
    assert shown.returncode == 0, shown.stderr
    assert "fraction-0.1" in shown.stdout
    assert "Share of designs whose truth lies in the 90% interval" in shown.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"fraction-0.1", "fraction-1"}
    assert isinstance(wb.surrogates.Estimator.load(tmp_path / "fraction-0.1"), wb.surrogates.Estimator)


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    train = wb.load("opensynth", "train")
    tenth, third, all_of_it = (set(part(train, share).sample_ids()) for share in (0.1, 0.3, 1.0))
    assert tenth < third < all_of_it == set(train.sample_ids())
    assert len(tenth) == round(0.1 * len(all_of_it))


def test_without_intervals_no_share_is_told() -> None:
    model = wb.surrogate("constant").fit(wb.load("opensynth", "train"))
    assert held(model, wb.load("opensynth", "test")) == {}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("epochs=many", "settings of surrogate gnn: expected values of their types, found Expected `int`"),
        ("epoch=3", "unknown setting of surrogate gnn 'epoch'"),
        ("epochs", "setting 'epochs': expected key=value, such as epochs=30, found no ="),
        ("epochs=[", "setting epochs: expected a value in YAML"),
        ("schedule=steps", "Invalid enum value 'steps'"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(option: str, message: str, tmp_path: Path) -> None:
    shown = run("train", "gnn", "--track", "opensynth", "--out", tmp_path, "--set", option)
    assert shown.returncode == 1
    assert message in shown.stderr


def test_a_share_beyond_all_is_a_usage_error(tmp_path: Path) -> None:
    assert run("train", "trees", "--track", "opensynth", "--out", tmp_path, "--fraction", "0.1,2").returncode == 2
