from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surrogates import kept_features

import wa_bench as wb
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design, Layer, Precision, Provenance
from wa_bench.surrogates import features
from wa_bench.surrogates.hardware import BLOCK_SHAPES, blocks, log2_ceil

KINDS = [
    *("input", "dense", "conv1d", "conv2d", "activation", "softmax", "relu", "add", "concatenate", "flatten"),
    *("max_pooling1d", "average_pooling2d", "global_average_pooling1d", "batch_normalization", "dropout", "lstm"),
]


def of_layers(
    *layers: Layer, strategy: str = "resource", precision: Precision | None = None, **fields: object
) -> Design:
    settings = {"tool": "vivado", "io_type": "io_parallel", **fields}
    return Design(
        sample_id="x",
        split="test",
        family="f",
        group="dense",
        model_name="m",
        source="s",
        strategy=strategy,
        io_type_inferred=True,
        reuse_factor=1,
        precision=precision,
        layers=list(layers),
        provenance=Provenance(),
        **settings,  # type: ignore[arg-type]
    )


def frame_of(*designs: Design) -> pl.DataFrame:
    return to_frame(list(designs), Design)


precisions = st.none() | st.builds(
    Precision, st.integers(1, 64), st.integers(-4, 64), st.booleans(), st.just("TRN"), st.just("WRAP")
)
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple)
any_layers = st.builds(
    Layer,
    kind=st.sampled_from(KINDS),
    inputs=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    in_shape=sizes,
    out_shape=sizes,
    units=st.none() | st.integers(1, 64),
    kernel=st.none() | st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple),
    strides=st.none() | st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple),
    padding=st.sampled_from([None, "valid", "same"]),
    pool=st.none() | st.just((2, 2)),
    use_bias=st.sampled_from([None, True, False]),
    activation=st.sampled_from([None, "relu", "tanh", "softmax", "linear", "swoosh"]),
    params=st.just(0),
    reuse_factor=st.integers(0, 5000),
    weight=precisions,
    bias=precisions,
    result=precisions,
    accumulator=precisions,
)
any_designs = st.builds(
    of_layers,
    strategy=st.sampled_from(["latency", "resource", "distributed_arithmetic"]),
    precision=precisions,
    part=st.sampled_from([None, "xcu250-figd2104-2L-e", "unheard-of"]),
    clock_ns=st.sampled_from([None, 5.0, 10.0]),
    tool=st.sampled_from(["vivado", "yosys"]),
    tool_version=st.sampled_from([None, "2023.2", "odd"]),
    hls4ml_version=st.sampled_from([None, "0.8.1", "1.1.0"]),
    io_type=st.sampled_from(["io_parallel", "io_stream"]),
)


@given(st.lists(st.tuples(any_designs, st.lists(any_layers, max_size=5)), min_size=1, max_size=4))
def test_any_design_has_numbers_without_gaps(drawn: list[tuple[Design, list[Layer]]]) -> None:
    frame = frame_of(*(of_layers(*layers, **_settings(design)) for design, layers in drawn))
    table = features.layers(frame)
    assert table.height == sum(len(layers) for _, layers in drawn)
    assert table.select("row", "position").rows() == [
        (row, position) for row, (_, layers) in enumerate(drawn) for position in range(len(layers))
    ]
    for numbers in (table.select(features.NUMERIC), features.designs(frame, table)):
        assert all(dtype.is_numeric() for dtype in numbers.dtypes)
        assert numbers.select(pl.all().cast(pl.Float64).is_finite().all()).row(0) == (True,) * numbers.width
    assert table.select((pl.col(features.COSTS) >= 0).all()).row(0) == (True,) * len(features.COSTS)


def _settings(design: Design) -> dict[str, object]:
    names = ("strategy", "precision", "part", "clock_ns", "tool", "tool_version", "hls4ml_version", "io_type")
    return {name: getattr(design, name) for name in names}


def test_every_column_of_numbers_is_described() -> None:
    described = set(re.findall(r"``(\w+)``", features.__doc__ or ""))
    assert set(features.NUMERIC) <= described


def test_layer_features_worked_by_hand(design: Design) -> None:
    first, second = features.layers(to_frame([design], Design)).rows(named=True)
    assert (first["n_in"], first["n_out"], first["reuse"], first["multipliers"]) == (16, 8, 32, 4)
    assert (first["weight_bits"], first["input_bits"], first["accumulator_bits"]) == (6, 16, 16)
    assert (first["macs"], first["bit_operations"], first["memory_bits"]) == (128, 128 * 6 * 16, 128 * 6)
    assert (first["word_bits"], first["weight_blocks"]) == (24, 1)
    assert (second["n_in"], second["positions"]) == (8, 1)
    # Its accumulator is not told: 6 + 16 bits of a product, 3 for eight of them, 1 for the bias.
    assert second["accumulator_bits"] == 26


def test_every_layer_has_a_row_and_a_role(mirror: Path) -> None:
    frame = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").frame().collect()
    table = features.layers(frame)
    assert table.height == frame["layers"].list.len().sum()
    assert "unknown" not in table["role"].to_list()
    assert set(table.filter(pl.col("role") == "product")["kind"]) == {"dense", "conv1d", "conv2d"}


def test_convolutions_multiply_kernel_and_channels(mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("conv1d").frame().head(1).collect()
    first = features.layers(frame).filter(pl.col("n_in") > 0).row(0, named=True)
    assert (first["kind"], first["n_in"], first["n_out"], first["positions"]) == ("conv1d", 6 * 19, 16, 128)
    assert (first["line_bits"], first["window_bits"]) == (0, 6 * 19 * 16)


def test_padding_counts_among_the_positions() -> None:
    # 10 pixels, a window of 4 every 3: 4 windows, the last begins at pixel 9 and needs 3 more.
    layer = Layer(
        kind="conv1d",
        inputs=(),
        in_shape=(10, 2),
        out_shape=(4, 5),
        units=5,
        kernel=(4,),
        strides=(3,),
        padding="same",
        params=0,
        reuse_factor=8,
    )
    row = features.layers(frame_of(of_layers(layer, io_type="io_stream"))).row(0, named=True)
    assert (row["positions"], row["padded"], row["pixels_out"], row["macs"]) == (13, 3, 4, 8 * 5 * 4)


def test_a_line_buffer_holds_all_rows_of_the_window_but_one() -> None:
    layer = Layer(
        kind="conv2d",
        inputs=(),
        in_shape=(8, 9, 3),
        out_shape=(6, 7, 4),
        units=4,
        kernel=(3, 3),
        strides=(1, 1),
        padding="valid",
        params=0,
        reuse_factor=1,
    )
    six = Precision(6, 1, signed=True)
    row = features.layers(frame_of(of_layers(layer, io_type="io_stream", precision=six))).row(0, named=True)
    assert (row["line_bits"], row["window_bits"]) == (2 * 9 * 3 * 6, 9 * 3 * 6)


def test_the_width_of_an_activation_passes_through_flatten(mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("conv2d").frame().collect()
    table = features.layers(frame[2])
    flatten = table["kind"].to_list().index("flatten")
    assert table["kind"][flatten - 1] == "activation"
    after = table.row(flatten + 1, named=True)
    assert (after["kind"], after["input_bits"]) == ("dense", 4)


def test_a_layer_has_the_width_of_what_it_reads_not_of_what_stands_before_it() -> None:
    wide, narrow = Precision(20, 6, signed=True), Precision(5, 1, signed=True)
    first = Layer(
        kind="dense", inputs=(), in_shape=(4,), out_shape=(4,), units=4, params=0, reuse_factor=1, result=wide
    )
    second = Layer(
        kind="dense", inputs=(0,), in_shape=(4,), out_shape=(4,), units=4, params=0, reuse_factor=1, result=narrow
    )
    beside = Layer(kind="dense", inputs=(0,), in_shape=(4,), out_shape=(4,), units=4, params=0, reuse_factor=1)
    table = features.layers(frame_of(of_layers(first, second, beside)))
    assert table["input_bits"].to_list() == [16, 20, 20]
    assert table["chained"].to_list() == [True, True, False]


def test_tables_and_softmaxes_count_their_values(mirror: Path) -> None:
    frame = wb.load("hls4ml", "exemplar", source=mirror / "wa-hls4ml-excerpt").frame().collect()
    table = features.layers(frame.filter(pl.col("group") == "Anomaly"))
    assert table["exponentials"].to_list()[-1] == table["exponentials"].sum() == 128


@given(st.integers(1, 20_000), st.integers(1, 600))
def test_blocks_hold_the_memory_and_half_of_them_would_not(words: int, bits: int) -> None:
    found = pl.DataFrame({"w": [words], "b": [bits]}).select(blocks(pl.col("w"), pl.col("b"))).item()
    depth = 1 << (words - 1).bit_length()
    assert found == min(-(-depth // rows) * -(-bits // width) for rows, width in BLOCK_SHAPES)
    assert found * 18 * 1024 >= words * bits


def test_the_logarithm_is_whole_at_powers_of_two_and_beside_them() -> None:
    counts = [max(0, (1 << power) + beside) for power in range(39) for beside in (-1, 0, 1)]
    bits = pl.DataFrame({"n": counts}).select(log2_ceil(pl.col("n")))["n"]
    assert bits.to_list() == [(max(count, 1) - 1).bit_length() for count in counts]


def test_design_features_are_numbers_without_gaps(exam: wb.Dataset) -> None:
    table = features.designs(exam.frame().collect())
    assert all(dtype.is_numeric() for dtype in table.dtypes)
    assert table.select(pl.all().is_finite().all()).row(0) == (True,) * table.width


def test_settings_and_capacities_are_among_the_features_of_a_design(mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt").families("2_20").frame().collect()
    first, second = features.designs(frame).rows(named=True)
    assert (first["part_dsp"], second["part_dsp"]) == (6840, 220)
    assert (first["clock_ns"], first["tool_version"], first["hls4ml_version"]) == (10, 2019.1, 0.8)
    assert (first["latency_strategy"], second["latency_strategy"]) == (1, 0)


def test_the_layer_table_is_made_once_where_it_is_given(exam: wb.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = exam.frame().collect()
    table = features.layers(frame)
    expected = features.designs(frame)
    monkeypatch.setattr(features, "layers", lambda _: pytest.fail("made twice"))
    assert features.designs(frame, table).equals(expected)


def test_features_and_rules_say_what_they_said_in_this_version() -> None:
    """Saved surrogates rest on them: raise ``features.VERSION`` with a change, and run ``kept_features.py``."""
    expected = json.loads(kept_features.FILE.read_text())
    assert expected["version"] == features.VERSION
    found = kept_features.kept()
    for table, columns in expected["kept"].items():
        assert list(found[table]) == list(columns)
        for name, values in columns.items():
            assert found[table][name] == pytest.approx(values, rel=1e-9), f"{table}, {name}"
