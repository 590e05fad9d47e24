"""Features of a few networks, as they are in this version of them.

``python tests/surrogates/kept_features.py`` keeps them anew, where ``features.VERSION`` was raised.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from wa_bench.networks.read import read_network
from wa_bench.networks.settings import Settings, design
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design
from wa_bench.surrogates import analytic, features

FILE = Path(__file__).parent / "kept_features.json"
NETWORKS = ("jet.keras", "conv2d.keras", "skip.keras")
SETTINGS = (
    Settings(),
    Settings(strategy="resource", reuse_factor=16),
    Settings(strategy="distributed_arithmetic", tool="yosys", part="xcup", hls4ml_version=None),
    Settings(strategy="resource", reuse_factor=4, tool="yosys", part="xcup", hls4ml_version=None),
)


def kept() -> dict[str, dict[str, list[float]]]:
    """By table and column, one number a network and settings (layers: their sum)."""
    files = Path(__file__).parent.parent / "networks" / "files"
    frame = to_frame([design(read_network(files / name), each) for name in NETWORKS for each in SETTINGS], Design)
    table = features.layers(frame)
    tables = {
        "layers": table.group_by("row", maintain_order=True).agg(pl.col(features.NUMERIC).cast(pl.Float64).sum()),
        "designs": features.designs(frame, table),
        "estimates": analytic.estimate(frame, table),
    }
    return {
        name: {column: values.to_list() for column, values in found.to_dict().items()} for name, found in tables.items()
    }


if __name__ == "__main__":
    content = json.dumps({"version": features.VERSION, "kept": kept()})
    FILE.write_text(content.replace("], ", "],\n") + "\n")
