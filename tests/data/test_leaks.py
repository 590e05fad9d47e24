from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import wa_bench as wb
from wa_bench.data.leaks import leaks


def test_the_same_network_and_settings_in_two_splits_are_found_whatever_their_names(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    def variant(name: str, **settings: Any) -> dict[str, Any]:
        record = copy.deepcopy(raw)
        record["meta_data"] = {"uuid": name, "model_name": name}
        record["resource_report"]["lut"] = "7"
        text = json.dumps(record).replace("net_dense", f"{name}_dense")
        return {**json.loads(text), **settings}

    splits = {
        "train": [variant("a"), variant("b", target_part="other")],
        "val": [variant("c"), variant("d")],
        "test": [variant("e", target_part="third")],
    }
    for split, records in splits.items():
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}_2layer_merged.json").write_text(json.dumps(records))
    found = leaks(wb.load("hls4ml", ["train", "val", "test"], source=tmp_path))
    assert found.records == 5
    assert found.shared.rows() == [("train", "val", 1, 2)]
    assert found.examples.rows() == [("train", "val", "a", "c")]


@pytest.mark.parametrize("track", ["vit", "energy"])
def test_no_measured_network_is_on_both_sides(track: str, mirror: Path) -> None:
    found = leaks(wb.load(track, wb.track(track).splits, source=mirror))
    assert found.records > 6000
    assert found.shared.is_empty()


def test_the_embedded_dataset_has_none() -> None:
    found = leaks(wb.load("opensynth", wb.track("opensynth").splits))
    assert found.records > 250
    assert found.shared.is_empty()
