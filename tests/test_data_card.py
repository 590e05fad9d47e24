"""The numbers in the data card are those of the data."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
CARD = (ROOT / "data_cards" / "opensynth.md").read_text()


@pytest.fixture(scope="module")
def describe() -> ModuleType:
    """``scripts/describe_opensynth.py``."""
    spec = importlib.util.spec_from_file_location("describe_opensynth", ROOT / "scripts" / "describe_opensynth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_card_are_those_of_the_records(describe: ModuleType) -> None:
    frame = describe.records()
    assert f"{describe.BEGIN}\n\n{describe.tables(frame)}\n\n{describe.END}" in CARD
    assert f"Yosys {frame['tool_version'].unique().item()} " in CARD


def test_resources_fall_and_cycles_rise_with_the_reuse_factor(describe: ModuleType) -> None:
    """LUTs may rise a little where nothing is left to share and the longer count takes more of them."""
    changes = describe.reuse_pairs(describe.records())
    assert changes.height >= 80
    for target in ("bram", "dsp", "ff"):
        assert changes[target].max() <= 0
    for target in ("cycles_max", "interval_max"):
        assert changes[target].min() >= 0
    assert (changes["lut"] > 0).mean() < 0.05
    for target in ("ff", "lut", "cycles_max", "interval_max"):
        assert (changes[target] != 0).mean() > 0.8
