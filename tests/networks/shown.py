"""What tests compare of a network."""

from __future__ import annotations

from pathlib import Path

import msgspec

from wa_bench.networks.network import Network
from wa_bench.records.schema import Layer

FILES = Path(__file__).parent / "files"


def nameless(network: Network) -> list[Layer]:
    """The layers without their names, which each format makes up in its own way."""
    return [msgspec.structs.replace(layer, name=None) for layer in network.layers]


def sketch(network: Network) -> list[tuple[object, ...]]:
    """Kind or activation, inputs, output shape and parameters of each layer."""
    return [(layer.activation or layer.kind, layer.inputs, layer.out_shape, layer.params) for layer in network.layers]


JET = [
    ("input", (), (16,), 0),
    ("dense", (0,), (64,), 1088),
    ("relu", (1,), (64,), 0),
    ("dense", (2,), (32,), 2080),
    ("relu", (3,), (32,), 0),
    ("dense", (4,), (32,), 1056),
    ("relu", (5,), (32,), 0),
    ("dense", (6,), (5,), 165),
    ("softmax", (7,), (5,), 0),
]
"""The Jet tagger by hand."""
