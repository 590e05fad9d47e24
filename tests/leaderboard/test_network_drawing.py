from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.leaderboard.network_drawing import draw


def layer(kind: str, *inputs: int, size: int = 8, activation: str | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "inputs": list(inputs),
        "out_shape": [size],
        "activation": activation,
        "kernel": None,
        "params": 10 if kind == "dense" else 0,
    }


@st.composite
def networks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Layers that read any earlier ones, as file order demands."""
    layers = [layer("input")]
    for place in range(1, draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["dense", "activation", "add", "conv2d", "max_pooling1d"]))
        last = draw(st.integers(0, place - 1))
        inputs = {place - 1, last} if kind == "add" else {draw(st.sampled_from([place - 1, last]))}
        layers.append(layer(kind, *sorted(inputs), size=draw(st.integers(1, 4096)), activation="relu"))
    return layers


def ends(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", path)]


@given(networks())
def test_blocks_stand_in_file_order_inside_the_picture_and_never_overlap(layers: list[dict[str, Any]]) -> None:
    drawing = draw(layers)
    for one, two in zip(drawing.blocks, drawing.blocks[1:], strict=False):
        assert one.x + one.width < two.x
    for block in drawing.blocks:
        assert block.x > 0
        assert block.x + block.width < drawing.width
        assert block.y > 0
        assert block.y + block.height < drawing.words


@given(networks())
def test_every_reading_of_an_earlier_block_is_one_line_or_one_arc(layers: list[dict[str, Any]]) -> None:
    drawing = draw(layers)
    on_another = sum(layer["kind"] != "activation" for layer in layers)
    assert on_another <= len(drawing.blocks) <= len(layers)
    assert len(drawing.lines) <= len(drawing.blocks) - 1
    readings = {(source, place) for place, layer in enumerate(layers) for source in layer["inputs"]}
    assert len(drawing.lines) + len(drawing.arcs) <= len(readings)


@given(networks())
def test_arcs_stay_inside_the_picture(layers: list[dict[str, Any]]) -> None:
    for path in draw(layers).arcs:
        _, start, _, first, _, second, _, end = ends(path)
        tops = [
            (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end
            for t in (0.1 * step for step in range(11))
        ]
        assert min(tops) >= 0


def test_an_activation_is_drawn_on_the_layer_before_unless_another_reads_that_one() -> None:
    alone = draw([layer("input"), layer("dense", 0), layer("activation", 1, activation="relu")])
    assert [block.activation for block in alone.blocks] == ["", "relu"]
    shared = [layer("input"), layer("dense", 0), layer("activation", 1, activation="relu"), layer("add", 1, 2)]
    assert [block.lines[0] for block in draw(shared).blocks] == ["input", "dense", "activation", "add"]


def test_larger_outputs_are_drawn_taller() -> None:
    first, second = draw([layer("input", size=4), layer("dense", 0, size=64)]).blocks
    assert second.height > first.height


@pytest.mark.parametrize(("model", "skips"), [("BiPC", 5), ("Jet", 0)])
def test_exemplars_have_the_skips_that_the_paper_tells(model: str, skips: int) -> None:
    frame = wb.load("opensynth", "exemplar").frame().filter(pl.col("group") == model).head(1).collect()
    drawing = draw(frame.item(0, "layers").to_list())
    assert len(drawing.arcs) == skips
    assert len(drawing.lines) == len(drawing.blocks) - 1
    assert sum(block.shade == "merge" for block in drawing.blocks) == skips
