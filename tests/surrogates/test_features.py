from __future__ import annotations

from pathlib import Path

import polars as pl

import wa_bench as wb
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design
from wa_bench.surrogates import features


def test_layer_features_worked_by_hand(design: Design) -> None:
    table = features.layers(to_frame([design], Design))
    first, second = table.rows(named=True)
    assert (first["n_in"], first["n_out"], first["reuse"], first["multipliers"]) == (16, 8, 32, 4)
    assert (first["weight_bits"], first["input_bits"]) == (6, 16)
    assert first["accumulator_bits"] == 6 + 16 + 5
    assert (second["n_in"], second["positions"]) == (8, 1)


def test_convolutions_multiply_kernel_and_channels(mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("conv1d").frame().head(1).collect()
    first = features.layers(frame).row(0, named=True)
    assert (first["kind"], first["n_in"], first["n_out"], first["positions"]) == ("conv1d", 6 * 19, 16, 128)


def test_the_width_of_an_activation_passes_through_flatten(mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("conv2d").frame().collect()
    kinds = frame["layers"][2].struct.field("kind").to_list()
    flatten = kinds.index("flatten")
    assert kinds[flatten - 1] == "activation"
    last = features.layers(frame[2]).row(-1, named=True)
    assert (last["kind"], last["input_bits"]) == ("dense", 4)


def test_design_features_are_numbers_without_gaps(exam: wb.Dataset) -> None:
    table = features.designs(exam.frame().collect())
    assert all(dtype.is_numeric() for dtype in table.dtypes)
    assert table.select(pl.all().is_finite().all()).row(0) == (True,) * table.width
