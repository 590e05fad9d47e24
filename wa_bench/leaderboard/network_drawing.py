"""Where the parts of a network's picture stand: layers from left to right, each as tall as its output is large.

An activation is drawn on the layer that it follows. Layers that read the one before are joined by a line, skips by an
arc above, higher the farther it reaches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _GAP, _MERGE = 62, 30, 30
_LEAST, _PER_DOUBLING, _TALLEST = 26, 11, 150
_LINE = 15
_MARGIN = 8
_ARC, _ARC_PER_STEP = 22, 9
_SIGNS = {"add": "+", "concatenate": "⧺", "multiply": "×", "subtract": "−", "average": "⌀", "maximum": "∨"}
_SHADES = {"input": "input", "dense": "dense", "conv": "conv", "pool": "pool"}


@dataclass(frozen=True)
class Block:
    """A layer with the activation that follows it.

    ``x`` and ``y`` are its top left corner; ``shade`` says what kind of layer it is, for its colour; ``sign`` stands in
    the circle of a merge. ``lines`` are the words below.
    """

    x: float
    y: float
    width: float
    height: float
    shade: str
    sign: str
    activation: str
    lines: tuple[str, ...]

    @property
    def middle(self) -> float:
        """Horizontal middle."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Drawing:
    """A picture of ``width`` by ``height`` pixels: blocks, and the paths between them as SVG path data."""

    width: float
    height: float
    words: float
    """Where the words below the blocks begin."""
    blocks: tuple[Block, ...]
    lines: tuple[str, ...]
    arcs: tuple[str, ...]


def draw(layers: Sequence[Mapping[str, Any]]) -> Drawing:
    """The picture of a network, from its layers in file order (fields of ``wa_bench.records.schema.Layer``)."""
    members = _joined(layers)
    block_of = {layer: place for place, block in enumerate(members) for layer in block}
    edges = sorted(
        {
            (block_of[source], place)
            for place, block in enumerate(members)
            for layer in block
            for source in layers[layer]["inputs"]
            if block_of.get(source, place) < place
        }
    )
    skips = [(one, two) for one, two in edges if two - one > 1]
    heights = [_height(layers[block[0]]) for block in members]
    axis = max([max(heights, default=0) / 2, *(_rise(one, two) + heights[one] / 2 for one, two in skips)]) + _MARGIN
    blocks: list[Block] = []
    x = float(_MARGIN)
    for block, height in zip(members, heights, strict=True):
        first = layers[block[0]]
        width = _MERGE if _is_merge(first) else _WIDTH
        activation = _activation([layers[layer] for layer in block])
        sign = _SIGNS.get(_plain(first["kind"]), "")
        blocks.append(
            Block(x, axis - height / 2, width, height, _shade(first), sign, activation, _words(first, activation))
        )
        x += width + _GAP
    words = axis + max(heights, default=0) / 2 + _LINE + 2
    height = words + _LINE * max((len(block.lines) for block in blocks), default=0)
    return Drawing(
        width=x - _GAP + _MARGIN,
        height=height,
        words=words,
        blocks=tuple(blocks),
        lines=tuple(_line(blocks[one], blocks[two], axis) for one, two in edges if two - one == 1),
        arcs=tuple(_arc(blocks[one], blocks[two], axis - _rise(one, two) - heights[one] / 2) for one, two in skips),
    )


def _joined(layers: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Layers by block: an activation belongs to the layer before, where nothing else reads that one."""
    readers: dict[int, int] = {}
    for layer in layers:
        for source in layer["inputs"]:
            readers[source] = readers.get(source, 0) + 1
    members: list[list[int]] = []
    for place, layer in enumerate(layers):
        alone = list(layer["inputs"]) == [place - 1] and readers[place - 1] == 1
        if _plain(layer["kind"]) == "activation" and alone and _plain(layers[place - 1]["kind"]) != "input":
            members[-1].append(place)
        else:
            members.append([place])
    return members


def _plain(kind: str) -> str:
    """A quantized layer is drawn as its plain counterpart."""
    return kind.removeprefix("q")


def _is_merge(layer: Mapping[str, Any]) -> bool:
    return len(layer["inputs"]) > 1


def _shade(layer: Mapping[str, Any]) -> str:
    if _is_merge(layer):
        return "merge"
    return next((shade for word, shade in _SHADES.items() if word in layer["kind"]), "other")


def _height(layer: Mapping[str, Any]) -> float:
    if _is_merge(layer):
        return _MERGE
    size = math.prod(layer["out_shape"]) or 1
    return min(_LEAST + _PER_DOUBLING * math.log2(max(size, 1)), _TALLEST)


def _activation(layers: Sequence[Mapping[str, Any]]) -> str:
    """The last one of a block, as written: relu, quantized_relu."""
    found = [layer["activation"] for layer in layers if layer["activation"] not in (None, "", "linear")]
    return str(found[-1]) if found else ""


def _words(layer: Mapping[str, Any], activation: str) -> tuple[str, ...]:
    shape = "×".join(map(str, layer["out_shape"]))
    kernel = "×".join(map(str, layer["kernel"])) if layer["kernel"] else ""
    words = [layer["kind"], shape, f"kernel {kernel}" if kernel else "", activation]
    parameters = f"{layer['params']:,} par." if layer["params"] else ""
    return tuple(word for word in (*words, parameters) if word)


def _rise(one: int, two: int) -> float:
    """How high an arc stands above the block that it leaves."""
    return _ARC + _ARC_PER_STEP * (two - one)


def _line(one: Block, two: Block, axis: float) -> str:
    return f"M{one.x + one.width:g} {axis:g}H{two.x:g}"


def _arc(one: Block, two: Block, top: float) -> str:
    """From the top of a block to the top of another, bent at ``top``; a cubic reaches three quarters of its handles."""
    start, end = one.y, two.y
    handle = (start + end) / 2 - ((start + end) / 2 - top) * 4 / 3
    return f"M{one.middle:g} {start:g}C{one.middle:g} {handle:g} {two.middle:g} {handle:g} {two.middle:g} {end:g}"
