"""The numbers in the data card are those of the data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
CARD = (ROOT / "data_cards" / "opensynth.md").read_text()


def test_the_tables_of_the_card_are_those_of_the_records() -> None:
    spec = importlib.util.spec_from_file_location("describe_opensynth", ROOT / "scripts" / "describe_opensynth.py")
    assert spec is not None
    assert spec.loader is not None
    describe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(describe)
    frame = describe.records()
    assert f"{describe.BEGIN}\n\n{describe.tables(frame)}\n\n{describe.END}" in CARD
    assert f"Yosys {frame['tool_version'].unique().item()} " in CARD
