"""The numbers in the data card are those of the data."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import wa_bench as wb

CARD = (Path(__file__).parent.parent / "data_cards" / "opensynth.md").read_text()


def test_counts_by_split_and_strategy() -> None:
    frame = wb.load("opensynth", wb.track("opensynth").splits).frame().collect()
    for split in wb.track("opensynth").splits:
        rows = frame.filter(split=split)
        latency = rows.filter(strategy="latency").height
        architectures = rows["model_name"].n_unique()
        assert f"| {split} | {rows.height} | {latency} | {rows.height - latency} | {architectures} |" in CARD
    assert f"Yosys {frame['tool_version'].unique().item()} " in CARD
    for target in wb.track("opensynth").targets:
        low, middle, high = (
            f"{value:,g}"
            for value in frame.select(
                low=pl.min(target.name), mid=pl.median(target.name), high=pl.max(target.name)
            ).row(0)
        )
        assert f"| {target.label} | {low} | {middle} | {high} |" in CARD
