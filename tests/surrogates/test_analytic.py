from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design, Layer, Precision, Provenance
from wa_bench.surrogates.analytic import estimate


def fully_connected(widths: list[int], reuse: list[int], bits: int = 8, strategy: str = "resource") -> Design:
    precision = Precision(bits, 1, signed=True)
    layers = [
        Layer(
            kind="dense",
            inputs=(i - 1,) if i else (),
            in_shape=(widths[i],),
            out_shape=(widths[i + 1],),
            units=widths[i + 1],
            use_bias=True,
            params=0,
            reuse_factor=factor,
            weight=precision,
            bias=precision,
            result=precision,
        )
        for i, factor in enumerate(reuse)
    ]
    return Design(
        sample_id="x",
        split="test",
        family="resource",
        group="dense",
        model_name="m",
        source="s",
        tool="vivado",
        strategy=strategy,
        io_type="io_parallel",
        io_type_inferred=True,
        reuse_factor=1,
        precision=precision,
        layers=layers,
        provenance=Provenance(),
    )


reuses = st.lists(st.sampled_from([1, 2, 4, 8, 16]), min_size=1, max_size=5)


@given(reuses, st.integers(2, 16))
def test_cycles_interval_and_dsp_follow_the_published_rules(reuse: list[int], bits: int) -> None:
    layers = len(reuse)
    row = estimate(to_frame([fully_connected([16] * (layers + 1), reuse, bits)], Design)).row(0, named=True)
    assert row["cycles_min"] == sum(reuse) + 2 * layers - 1
    assert row["cycles_max"] == sum(reuse) + 3 * layers - 1
    assert row["interval_max"] == max(reuse)
    assert row["dsp"] == (sum(256 / r for r in reuse) if bits >= 8 else 0)


@given(reuses)
def test_estimates_are_finite_and_never_negative(reuse: list[int]) -> None:
    for strategy in ("latency", "resource"):
        design = fully_connected([16] * (len(reuse) + 1), reuse, strategy=strategy)
        assert all(value >= 0 for value in estimate(to_frame([design], Design)).row(0))


def test_weights_of_shared_multipliers_stand_in_block_ram() -> None:
    # 64 x 64 weights of 16 bits at reuse 512: 8 multipliers read 128 bits a step; a block gives 36 bits at depth 512
    shared = estimate(to_frame([fully_connected([64, 64], [512], bits=16)], Design))
    assert shared.item(0, "bram") == 4 / 2
    assert estimate(to_frame([fully_connected([64, 64], [1], bits=16)], Design)).item(0, "bram") == 0


def test_rows_keep_their_order_and_designs_without_products_get_zeros() -> None:
    empty = fully_connected([4], [])
    designs = [fully_connected([8, 8], [4]), empty, fully_connected([8, 8], [2])]
    assert estimate(to_frame(designs, Design))["interval_max"].to_list() == [4, 0, 2]


@pytest.mark.parametrize("name", ["2layer", "3layer"])
def test_exact_on_every_real_row_of_the_grid_families(name: str, mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-rows" / f"{name}.csv").frame().collect()
    estimates = estimate(frame)
    assert frame.height > 30
    for column in ("cycles_min", "cycles_max", "dsp"):
        assert estimates[column].to_list() == frame[column].to_list()


def test_exact_on_real_records_of_the_grid_families(mirror: Path) -> None:
    dataset = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("2layer", "3layer")
    frame = dataset.frame().collect()
    estimates = estimate(frame)
    assert frame.height == 4
    for column in ("cycles_min", "cycles_max", "interval_max", "dsp"):
        assert estimates[column].to_list() == frame[column].to_list()


def test_convolution_cycles_are_at_most_a_twentieth_below_real_ones(mirror: Path) -> None:
    dataset = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("conv1d", "conv2d")
    frame = dataset.frame().filter(pl.col("cycles_max").is_not_null()).collect()
    ratio = estimate(frame)["cycles_max"] / frame["cycles_max"]
    assert frame.height == 6
    assert ratio.is_between(0.95, 1.0).all()


def test_every_real_record_gets_an_answer_for_every_target(mirror: Path) -> None:
    dataset = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    predictions = wb.surrogate("analytic").predict(dataset)
    assert predictions.frame().height == 22
    report = wb.evaluate(predictions, dataset)
    assert report.coverage() == report.coverage("exemplar") == 1
