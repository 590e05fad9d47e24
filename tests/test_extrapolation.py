from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import wa_bench as wb
from wa_bench.cli import app
from wa_bench.errors import DataError
from wa_bench.extrapolation import Unseen, deeper, extrapolate, families, scored
from wa_bench.surrogates.estimator import Estimator, Origin


@pytest.fixture(scope="module")
def train() -> wb.Dataset:
    return wb.load("opensynth", "train")


@pytest.fixture(scope="module")
def val() -> wb.Dataset:
    return wb.load("opensynth", "val")


@pytest.fixture(scope="module")
def test() -> wb.Dataset:
    return wb.load("opensynth", "test")


def test_what_is_left_out_is_in_neither_training_nor_validation(
    train: wb.Dataset, val: wb.Dataset, test: wb.Dataset, tmp_path: Path
) -> None:
    unseen = [each for each in families(test) if each.name == "family conv1d"]
    (trial,) = extrapolate("nearest", {}, train, val, test, unseen, tmp_path)
    others = pl.col("family") != "conv1d"
    assert (trial.learned, trial.learned_without) == (train.truth().height, train.select(others).truth().height)
    assert trial.asked == test.families("conv1d").truth().height
    blind = Estimator.load(tmp_path / "without-family-conv1d")
    assert blind.origin == Origin.of(train.select(others), val.select(others))
    assert trial.without == scored(blind, test.families("conv1d"))
    assert trial.ordinary == scored(Estimator.load(tmp_path / "ordinary"), test.families("conv1d"))
    assert trial.ordinary != trial.without


def test_every_family_is_left_out_in_its_turn(test: wb.Dataset) -> None:
    names = {design.family for design in test.stream()}
    assert {each.name for each in families(test)} == {f"family {name}" for name in names}


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_depth_counts_the_layers_with_weights(layers: int, test: wb.Dataset) -> None:
    deep = [d.sample_id for d in test.stream() if sum(layer.units is not None for layer in d.layers) > layers]
    assert deep
    assert test.select(deeper(layers).chosen).sample_ids().to_list() == deep


def test_rules_without_training_fare_alike_whatever_is_left_out(
    train: wb.Dataset, val: wb.Dataset, test: wb.Dataset, tmp_path: Path
) -> None:
    for trial in extrapolate("analytic", {}, train, val, test, [*families(test), deeper(3)], tmp_path):
        assert trial.ordinary == trial.without


def test_the_worst_target_is_the_one_with_the_lowest_score(train: wb.Dataset, test: wb.Dataset) -> None:
    model = wb.surrogate("nearest").fit(train)
    scores = scored(model, test)
    report = wb.evaluate(model.predict(test), test)
    assert scores.lowest == min(report[f"R2@{name}"] for name in test.track.target_names)
    assert scores.lowest == report[f"R2@{scores.worst}"]
    assert scores.means["R2"] == report.mean("R2")


def test_nothing_to_ask_and_nothing_to_learn_from_are_told_together(
    train: wb.Dataset, val: wb.Dataset, test: wb.Dataset, tmp_path: Path
) -> None:
    unseen = [Unseen("nothing", pl.lit(value=False)), Unseen("everything", pl.lit(value=True))]
    with pytest.raises(DataError) as error:
        extrapolate("constant", {}, train, val, test, unseen, tmp_path)
    assert [fault.place.rpartition(" ")[2] for fault in error.value.faults] == ["nothing", "everything"]
    assert not any(tmp_path.iterdir())


def test_the_command_tells_each_trial_and_does_not_train_again(tmp_path: Path) -> None:
    command = ["extrapolate", "trees", "--track", "opensynth", "--out", str(tmp_path), "--set", "iterations=5"]
    shown = CliRunner().invoke(app, [*command, "--no-families", "--deeper-than", "3"])
    assert shown.exit_code == 0, shown.output
    assert "deeper than 3 layers" in shown.stdout
    saved = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("surrogate.json")}
    shown = CliRunner().invoke(app, [*command, "--no-families", "--deeper-than", "3", "--json"])
    (trial,) = json.loads(shown.stdout)
    assert trial["without"]["means"]["R2"] <= 1
    assert saved == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("surrogate.json")}
    assert len(saved) == 2


def test_asking_for_nothing_is_a_usage_error(tmp_path: Path) -> None:
    command = ["extrapolate", "trees", "--track", "opensynth", "--out", str(tmp_path), "--no-families"]
    assert CliRunner().invoke(app, command).exit_code == 2
