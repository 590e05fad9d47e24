from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError
from wa_bench.learning_curve import held, learning_curve, part
from wa_bench.surrogates.conformal import coverage
from wa_bench.surrogates.estimator import Estimator, fitted, settings_of

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
    told = point["held"]["test"]
    shares = coverage(model.interval(exam), exam)
    assert [(name, of["coverage"], of["width"]) for name, of in told.items()] == shares.select(
        "target", "coverage", "width"
    ).rows()
    by_strategy = coverage(model.interval(exam), exam, ["strategy"])
    assert {(strategy, name, share) for name, of in told.items() for strategy, share in of["strategies"].items()} == {
        *by_strategy.select("strategy", "target", "coverage").rows()
    }
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
        (
            "epochs=many",
            "settings of surrogate gnn: expected values of their types, within their bounds, found Expected `int`",
        ),
        ("epoch=3", "unknown setting of surrogate gnn 'epoch'"),
        ("epochs", "setting 'epochs': expected key=value, such as epochs=30, found no ="),
        ("epochs=[", "setting epochs: expected a value in YAML"),
        ("schedule=steps", "Invalid enum value 'steps'"),
        ("epochs=0", "Expected `int` >= 1 - at `$.epochs`"),
        ("width=0", "`$.width`"),
        ("batch_size=0", "`$.batch_size`"),
        ("dropout=2", "Expected `float` < 1.0 - at `$.dropout`"),
        ("learning_rate=.nan", "`$.learning_rate`"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(option: str, message: str, tmp_path: Path) -> None:
    shown = run("train", "gnn", "--track", "opensynth", "--out", tmp_path, "--set", option)
    assert shown.returncode == 1
    assert message in shown.stderr


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("trees", {"iterations": -1}),
        ("trees", {"learning_rate": -1}),
        ("trees", {"leaves": 1}),
        ("ensemble", {"members": []}),
        ("transformer", {"seed": -1}),
    ],
)
def test_a_setting_out_of_bounds_is_an_error_wherever_it_is_given(name: str, settings: dict[str, Any]) -> None:
    (key, value) = settings.copy().popitem()
    for given in (lambda: wb.surrogate(name, **settings), lambda: settings_of(name, [f"{key}={value}"])):
        with pytest.raises(
            DataError, match=rf"settings of surrogate {name}: expected values of their types.*\$\.{key}"
        ):
            given()


@pytest.mark.parametrize("name", ["transformer", "transformer-paper"])
def test_heads_that_do_not_divide_the_width_are_an_error(name: str) -> None:
    with pytest.raises(DataError, match="Expected a width that is a multiple of the heads, got 10 and 4"):
        settings_of(name, ["width=10", "heads=4"])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_of_another_surrogate_or_of_other_settings_is_left_as_it_is(tmp_path: Path) -> None:
    def train(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run("train", *arguments, "--track", "opensynth", "--out", tmp_path)

    assert train("trees", "--set", "iterations=3").returncode == 0
    before = contents(tmp_path)
    for other, found in ((["trees", "--set", "iterations=7"], "trees iterations=3"), (["constant"], "trees")):
        refused = train(*other)
        assert refused.returncode == 1
        assert f"expected no surrogate, or {other[0]} with the same settings, found {found};" in refused.stderr
        assert contents(tmp_path) == before
    assert train("trees", "--set", "iterations=3").returncode == 0


def test_the_unfinished_training_of_another_surrogate_is_left_as_it_is(tmp_path: Path) -> None:
    small = wb.load("opensynth", "val")
    wb.surrogate("gnn", epochs=1, width=8).fit(small, work=tmp_path)
    before = contents(tmp_path)
    assert list(before) == ["checkpoint.safetensors"]
    trees = wb.surrogate("trees", iterations=2)
    with pytest.raises(DataError, match=r"checkpoint\.safetensors: expected no surrogate, or trees.*unfinished"):
        learning_curve("trees", trees.settings(), small, small, small, {tmp_path: 1.0})
    with pytest.raises(DataError, match="unfinished training of another"):
        fitted("trees", trees.settings(), small, None, tmp_path)
    with pytest.raises(DataError, match="unfinished training of another"):
        trees.fit(small).save(tmp_path)
    assert contents(tmp_path) == before


def test_a_share_beyond_all_is_a_usage_error(tmp_path: Path) -> None:
    assert run("train", "trees", "--track", "opensynth", "--out", tmp_path, "--fraction", "0.1,2").returncode == 2
