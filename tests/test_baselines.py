"""The recipes of the reference surrogates, what was made from them, and rule4ml on the genuine records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import wa_bench as wb
from wa_bench.files import sha256_of
from wa_bench.submissions.card import read_card
from wa_bench.surrogates.estimator import settings_of

pytest.importorskip("torch_geometric", reason="needs the extra torch")

ROOT = Path(__file__).parent.parent
BASELINES = ROOT / "baselines"
RECIPES = sorted(file.parent.name for file in BASELINES.glob("*/recipe.yaml"))
MADE = sorted(file.parent.name for file in BASELINES.glob("*/result.json"))


def recipe(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((BASELINES / name / "recipe.yaml").read_text())
    return found


def test_every_surrogate_has_a_recipe() -> None:
    assert wb.surrogates.available() == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_its_surrogate_and_settings_that_it_has(name: str) -> None:
    assert recipe(name)["surrogate"] == name
    settings = recipe(name)["settings"]
    assert (
        settings_of(name, [f"{key}={json.dumps(value)}" for key, value in settings.items()]).keys() == settings.keys()
    )


@pytest.mark.parametrize("name", MADE)
def test_a_result_is_that_of_the_recipe_and_of_the_submission(name: str) -> None:
    result = json.loads((BASELINES / name / "result.json").read_text())
    submission = ROOT / "leaderboard" / "submissions" / "opensynth" / name
    assert result["recipe"] == recipe(name)
    assert result["predictions"] == sha256_of(submission / "predictions.parquet")
    assert result["data"]["exam"] == json.loads((submission / "scores.json").read_text())["truth_fingerprint"]
    card = read_card(submission / "card.yaml")
    assert card.seconds_per_design == result["prediction"]["seconds_per_design"]
    assert card.method.endswith(recipe(name).get("note", ""))


QUANTILES = (0.5, 0.75)


def errors(predictions: wb.Predictions, genuine: wb.Dataset) -> dict[str, list[float]]:
    """By target, quantiles of ``|true - predicted| / (true + 1)`` in percent."""
    truth = genuine.truth()
    answers = truth.select("sample_id").join(predictions.frame(), on="sample_id", maintain_order="left")
    assert answers.null_count().sum_horizontal().item() == 0
    return {
        name: np.quantile(100 * np.abs(truth[name] - answers[name]) / (truth[name] + 1), QUANTILES).tolist()
        for name in genuine.track.target_names
    }


def table(rows: dict[str, dict[str, list[float]]]) -> list[str]:
    """The rows of the table in the README of rule4ml."""
    return [
        f"| {name} | " + " | ".join(f"{middle:.0f}, {high:.0f}" for middle, high in found.values()) + " |"
        for name, found in rows.items()
    ]


def test_rule4ml_and_analytic_err_on_the_genuine_records_as_is_written(mirror: Path) -> None:
    genuine = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    targets = genuine.track.target_names
    folder = BASELINES / "rule4ml"
    found = {
        "rule4ml, graph networks": errors(wb.Predictions.read(folder / "excerpt-gnn.csv", targets), genuine),
        "rule4ml, MLPs": errors(wb.Predictions.read(folder / "excerpt-mlp.csv", targets), genuine),
        "analytic": errors(wb.surrogate("analytic").predict(genuine), genuine),
    }
    written = (folder / "README.md").read_text()
    for row in table(found):
        assert row in written, "\n".join(table(found))
    for name in targets:
        assert found["analytic"][name][0] <= found["rule4ml, graph networks"][name][0]
