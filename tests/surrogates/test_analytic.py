from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.opensynth import sampling, schedule
from wa_bench.opensynth.describe import recorded_layers
from wa_bench.opensynth.layers import Add, Product
from wa_bench.opensynth.network import Block, Network
from wa_bench.opensynth.network import Settings as Drawn
from wa_bench.records.columns import to_frame
from wa_bench.records.reuse import closest_valid_reuse_factor, valid_reuse_factors
from wa_bench.records.schema import Design, Layer, Precision, Provenance
from wa_bench.surrogates import features, opensynth_rules
from wa_bench.surrogates.analytic import TARGETS, Analytic, estimate, exactness

SIXTEEN = Precision(16, 6, signed=True)


def dense(n_in: int, n_out: int, reuse: int, bits: int = 8, **fields: object) -> Layer:
    precision = Precision(bits, 1, signed=True)
    given_fields = {"inputs": (), "result": SIXTEEN, "weight": precision, "bias": precision, **fields}
    return Layer(
        kind="dense",
        in_shape=(n_in,),
        out_shape=(n_out,),
        units=n_out,
        use_bias=True,
        params=0,
        reuse_factor=reuse,
        **given_fields,  # type: ignore[arg-type]
    )


def plain(kind: str, width: int, *sources: int, **fields: object) -> Layer:
    return Layer(
        kind=kind,
        inputs=sources,
        in_shape=(width,),
        out_shape=(width,),
        params=0,
        reuse_factor=1,
        **fields,  # type: ignore[arg-type]
    )


def design(*layers: Layer, strategy: str = "resource", **fields: object) -> Design:
    given_fields = {"precision": SIXTEEN, "io_type": "io_parallel", "tool": "vivado", **fields}
    return Design(
        sample_id="x",
        split="test",
        family="resource",
        group="dense",
        model_name="m",
        source="s",
        strategy=strategy,
        io_type_inferred=True,
        reuse_factor=1,
        layers=list(layers),
        provenance=Provenance(),
        **given_fields,  # type: ignore[arg-type]
    )


def chain(widths: list[int], reuse: list[int], bits: int = 8, strategy: str = "resource") -> Design:
    layers = [
        dense(widths[i], widths[i + 1], factor, bits, inputs=(i - 1,) if i else ()) for i, factor in enumerate(reuse)
    ]
    return design(*layers, strategy=strategy)


def one(made: Design) -> dict[str, float]:
    return estimate(to_frame([made], Design)).row(0, named=True)


def verdict(made: Design) -> dict[str, object]:
    return exactness(to_frame([made], Design)).row(0, named=True)


reuses = st.lists(st.sampled_from([2, 16, 32, 64, 128, 256]), min_size=1, max_size=5)
width = st.integers(1, 64)


@given(reuses, st.integers(2, 16))
def test_cycles_interval_and_dsp_of_the_grid_families_follow_the_rules(reuse: list[int], bits: int) -> None:
    layers = len(reuse)
    made = chain([16] * (layers + 1), reuse, bits)
    row = one(made)
    assert row["cycles_min"] == sum(reuse) + 2 * layers - 1
    assert row["cycles_max"] == sum(reuse) + 3 * layers - 1
    assert row["interval_max"] == max(reuse)
    assert row["dsp"] == (sum(256 / r for r in reuse) if bits >= 8 else 0)
    told = verdict(made)
    seen_in_rows = min(reuse) > 16
    schedule_told = "exact" if seen_in_rows else "estimated"
    assert [told[name] for name in ("cycles_min", "cycles_max", "interval_max")] == [schedule_told] * 3
    assert told["dsp"] == ("exact" if seen_in_rows and bits != 7 else "estimated")


@given(width, width, st.sampled_from(["latency", "resource"]), st.integers(2, 16))
def test_multipliers_times_reuse_are_the_multiplications(n_in: int, n_out: int, strategy: str, bits: int) -> None:
    valid = valid_reuse_factors(n_in, n_out)
    table = features.layers(to_frame([chain([n_in, n_out], [r], bits, strategy) for r in valid], Design))
    assert (table["multipliers"] * table["reuse"]).to_list() == [n_in * n_out] * len(valid)


@given(width, width, st.sampled_from(["latency", "resource"]), st.integers(2, 16))
def test_more_reuse_is_never_faster_and_never_takes_more_dsp_blocks(
    n_in: int, n_out: int, strategy: str, bits: int
) -> None:
    valid = valid_reuse_factors(n_in, n_out)
    found = estimate(to_frame([chain([n_in, n_out], [r], bits, strategy) for r in valid], Design))
    assert found["cycles_max"].is_sorted()
    assert found["interval_max"].is_sorted()
    assert found["dsp"].is_sorted(descending=True)


@given(reuses, st.sampled_from(["latency", "resource", "distributed_arithmetic"]))
def test_estimates_are_finite_and_never_negative(reuse: list[int], strategy: str) -> None:
    found = estimate(to_frame([chain([16] * (len(reuse) + 1), reuse, strategy=strategy)], Design))
    assert found.columns == list(TARGETS)
    assert found.select(pl.all().is_finite() & (pl.all() >= 0)).row(0) == (True,) * len(TARGETS)


def test_narrow_products_take_no_dsp_block_whatever_the_weights() -> None:
    eight = Precision(8, 2, signed=True)
    narrow = design(dense(16, 16, 32, 8, result=eight), dense(16, 16, 32, 8, inputs=(0,)))
    assert one(narrow)["dsp"] == 256 / 32  # the first reads 16 bits, the second 8
    assert verdict(narrow)["dsp"] == "estimated"


def test_weights_of_shared_multipliers_and_the_index_of_outputs_stand_in_block_ram() -> None:
    # 64 x 64 weights of 16 bits at reuse 512: 8 multipliers read 128 bits a step, a block gives 36 bits of 512 words;
    # 8 outputs share a multiplier, so 3 bits a step say which is meant.
    assert one(chain([64, 64], [512], bits=16))["bram"] == (4 + 1) / 2
    assert one(chain([64, 64], [1], bits=16))["bram"] == 0


def test_softmax_takes_a_dsp_block_a_value_and_two_cycles() -> None:
    with_it = design(dense(16, 8, 16), plain("softmax", 8, 0))
    without = design(dense(16, 8, 16))
    assert one(with_it)["dsp"] - one(without)["dsp"] == 8
    assert one(with_it)["cycles_max"] - one(without)["cycles_max"] == 2 * 8 + 9


def test_an_unshared_convolution_repeats_at_every_pixel() -> None:
    layer = Layer(
        kind="conv1d",
        inputs=(),
        in_shape=(20, 4),
        out_shape=(18, 8),
        units=8,
        kernel=(3,),
        strides=(1,),
        padding="valid",
        params=0,
        reuse_factor=24,
        weight=SIXTEEN,
    )
    row = one(design(layer, io_type="io_stream", hls4ml_version="1.1.0"))
    assert row["interval_max"] == 20 * (24 + 9 + 3) + 2
    assert row["cycles_max"] == row["interval_max"] - 1
    assert row["dsp"] == 12 * 8 / 24


def test_rows_keep_their_order_and_designs_without_layers_get_zeros() -> None:
    designs = [chain([8, 8], [4]), chain([4], []), chain([8, 8], [2])]
    assert estimate(to_frame(designs, Design))["interval_max"].to_list() == [4, 0, 2]


def test_no_designs_are_no_trouble() -> None:
    nothing = to_frame([chain([8, 8], [4])], Design).head(0)
    assert estimate(nothing).shape == (0, len(TARGETS))
    assert exactness(nothing).height == features.designs(nothing).height == 0


def test_toolchains_may_be_mixed_in_one_frame() -> None:
    ours = msgspec.structs.replace(chain([8, 8], [4]), tool="yosys")
    found = estimate(to_frame([chain([8, 8], [4]), ours, chain([8, 8], [4])], Design))
    assert found["cycles_max"].to_list() == [4 + 2, 4 + 4 + 1, 4 + 2]


@pytest.mark.parametrize(
    ("made", "unknown"),
    [
        (design(dense(8, 8, 4), plain("lstm", 8, 0)), ["lstm"]),
        (design(dense(8, 8, 4), plain("activation", 8, 0, activation="swoosh")), ["activation"]),
        (
            design(plain("layer_normalization", 8, 0), plain("lstm", 8, 0), plain("lstm", 8, 1)),
            ["layer_normalization", "lstm"],
        ),
    ],
)
def test_a_layer_of_unknown_kind_adds_nothing_and_is_named(made: Design, unknown: list[str]) -> None:
    told = verdict(made)
    assert told["unknown"] == unknown
    assert {told[name] for name in TARGETS} == {"estimated"}
    alone = [layer for layer in made.layers if layer.kind not in unknown]
    assert one(made)["dsp"] == (one(design(*alone))["dsp"] if alone else 0)
    table = features.layers(to_frame([made], Design)).filter(pl.col("role") == "unknown")
    assert table.select(pl.col("dsp", "bram", "ff", "lut", "cycles").sum()).row(0) == (0,) * 5


@pytest.mark.parametrize(
    "made",
    [
        design(dense(8, 8, 0)),
        design(dense(8, 8, 24)),
        design(dense(8, 8, 32, weight=None, bias=None), precision=None),
        design(dense(8, 8, 32), hls4ml_version="1.1.0"),
        design(dense(8, 8, 32), strategy="latency"),
        design(dense(8, 8, 32), io_type="io_stream"),
        design(dense(8, 8, 32), plain("activation", 8, 0, activation="tanh")),
        design(dense(8, 8, 32), dense(8, 8, 32)),
        design(),
    ],
    ids=["no reuse", "invalid reuse", "no widths", "hls4ml 1", "latency", "stream", "tanh", "branches", "no layers"],
)
def test_what_is_not_sure_is_not_called_exact(made: Design) -> None:
    assert {verdict(made)[name] for name in TARGETS} == {"estimated"}
    assert all(value >= 0 for value in one(made).values())


@pytest.mark.parametrize("name", ["2layer", "3layer"])
def test_exact_on_every_real_row_of_the_grid_families(name: str, mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-rows" / f"{name}.csv").frame().collect()
    estimates, told = estimate(frame), exactness(frame)
    assert frame.height > 30
    for column in ("cycles_min", "cycles_max", "dsp"):
        assert estimates[column].to_list() == frame[column].to_list()
        assert set(told[column]) == {"exact"}


@pytest.mark.parametrize("name", ["2layer", "3layer"])
def test_registers_of_real_rows_are_met_within_a_hundredth(name: str, mirror: Path) -> None:
    frame = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-rows" / f"{name}.csv").frame().collect()
    assert (estimate(frame)["ff"] / frame["ff"]).is_between(0.99, 1.01).all()


def records(mirror: Path) -> pl.DataFrame:
    return wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").frame().collect()


def test_whatever_is_called_exact_is_exact_on_real_records(mirror: Path) -> None:
    frame = records(mirror)
    estimates, told = estimate(frame), exactness(frame)
    found = {name: frame.filter(told[name] == "exact").height for name in TARGETS}
    assert found == {"bram": 0, "dsp": 4, "ff": 0, "lut": 0, "cycles_min": 4, "cycles_max": 4, "interval_max": 4}
    for name in TARGETS:
        exact = told[name] == "exact"
        assert estimates[name].filter(exact).to_list() == frame[name].filter(exact).to_list()


def test_intervals_of_real_convolutions_are_met_to_the_cycle(mirror: Path) -> None:
    frame = records(mirror).filter(pl.col("family").is_in(["conv1d", "conv2d"]))
    assert frame.height == 6
    assert estimate(frame)["interval_max"].to_list() == frame["interval_max"].to_list()


@pytest.mark.parametrize(
    ("families", "target", "bound"),
    [
        (("2layer", "3layer"), "ff", 0.01),
        (("2layer", "3layer"), "lut", 0.05),
        (("resource",), "dsp", 0.0),
        (("resource",), "ff", 0.05),
        (("resource",), "cycles_max", 0.001),
        (("conv1d", "conv2d"), "dsp", 0.0),
        (("conv1d", "conv2d"), "cycles_max", 0.001),
        (("conv1d", "conv2d"), "ff", 0.2),
        (("conv1d", "conv2d"), "lut", 0.3),
        (("latency",), "cycles_max", 0.4),
        (("latency",), "lut", 0.1),
    ],
)
def test_estimates_of_real_records_stay_within_bounds(
    families: tuple[str, ...], target: str, bound: float, mirror: Path
) -> None:
    frame = records(mirror).filter(pl.col("family").is_in(families) & pl.col(target).is_not_null())
    error = (estimate(frame)[target] / frame[target].clip(lower_bound=1) - (frame[target] > 0)).abs()
    assert frame.height >= 2
    assert error.max() <= bound


def test_every_real_record_gets_an_answer_for_every_target(mirror: Path) -> None:
    dataset = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    predictions = wb.surrogate("analytic").predict(dataset)
    assert predictions.frame().height == 22
    report = wb.evaluate(predictions, dataset)
    assert report.coverage() == report.coverage("exemplar") == 1


def test_whatever_is_called_exact_is_exact_on_opensynth(exam: wb.Dataset) -> None:
    frame = exam.frame().collect()
    estimates, told = estimate(frame), exactness(frame)
    assert told["unknown"].list.len().sum() == 0
    adders = frame["strategy"] == "distributed_arithmetic"
    for name in ("dsp", "interval_max", "cycles_min", "cycles_max"):
        exact = told[name] == "exact"
        assert estimates[name].filter(exact).to_list() == frame[name].filter(exact).to_list()
        assert exact.to_list() == (~adders if name.startswith("cycles") else exact | True).to_list()


seeds = st.sampled_from(["dense", "conv1d", "conv2d", "branched"]).flatmap(
    lambda family: st.integers(0, 5000).map(lambda i: sampling.FAMILIES.index(family) * sampling.FAMILY_SEEDS + i)
)


@settings(max_examples=40)
@given(seeds)
def test_the_rules_and_the_generator_tell_the_same_schedule(seed: int) -> None:
    network = sampling.from_seed(seed)
    row = one(as_design(network))
    assert row["cycles_max"] == schedule.latency_cycles(network)
    assert row["interval_max"] == schedule.initiation_interval(network)


def as_design(network: Network) -> Design:
    bits = network.settings.activation_bits
    return design(
        *recorded_layers(network),
        strategy=network.settings.strategy,
        precision=Precision(bits, 1, signed=True),
        io_type="io_stream" if network.is_streamed else "io_parallel",
        tool="yosys",
    )


def test_the_valid_reuse_factor_is_what_counts(design: Design) -> None:
    asked, built = design.reuse_factor, design.layers[0].reuse_factor
    assert built == closest_valid_reuse_factor(16, 8, asked) != asked
    assert one(design)["interval_max"] == built


@pytest.mark.parametrize("strategy", ["resource", "latency"])
@pytest.mark.parametrize("tool", ["vivado", "yosys"])
@given(st.lists(st.sampled_from([16, 32, 64]), min_size=2, max_size=5))
def test_branches_work_side_by_side(strategy: str, tool: str, reuse: list[int]) -> None:
    """As many cycles as the slowest branch alone, whatever the others."""
    made = [
        design(
            plain("input", 16),
            *(dense(16, 16, factor, inputs=(0,)) for factor in factors),
            plain("add", 16, *range(1, len(factors) + 1)),
            strategy=strategy,
            tool=tool,
        )
        for factors in (reuse, [max(reuse)])
    ]
    found = estimate(to_frame(made, Design))
    for name in ("cycles_min", "cycles_max", "interval_max"):
        assert found[name].n_unique() == 1


@given(
    st.sampled_from(["resource", "latency"]),
    st.sampled_from([1, 4, 12]),
    st.sampled_from([Block("dense", 8), Block("conv", 8, (3,), 2), Block("conv", 8, (4,), 1)]),
    st.integers(1, 4),
)
def test_branches_of_generated_networks_keep_their_schedule(
    strategy: str, reuse: int, block: Block, branches: int
) -> None:
    """The sampler draws skips only, so the branches are set beside one another here."""
    in_shape = (12,) if block.kind == "dense" else (12, 4)
    network = Network("branches", in_shape, (block,), Drawn(strategy, reuse, 8, 8), 0)
    source, branch = network.layers
    assert isinstance(branch, Product)
    layers = [source, branch]
    for _ in range(branches):
        layers.append(replace(branch))
        merge = (len(layers) - 2, len(layers) - 1)
        layers.append(Add(inputs=merge, in_shape=branch.out_shape, bits=8, fraction=0, shifts=(0, 0), relu=False))
    vars(network)["layers"] = tuple(layers)
    row = one(as_design(network))
    assert row["cycles_max"] == schedule.latency_cycles(network)
    assert row["interval_max"] == schedule.initiation_interval(network)


@given(st.integers(1, 8), st.sampled_from(["latency", "distributed_arithmetic", "resource"]), st.integers(8, 16))
def test_pixels_share_the_multipliers_of_a_convolution(pixels: int, strategy: str, bits: int) -> None:
    weight = Precision(bits, 1, signed=True)
    product = dense(27, 8, 1, weight=weight)
    convolution = msgspec.structs.replace(
        product, kind="conv1d", kernel=(9,), strides=(1,), in_shape=(pixels + 8, 3), out_shape=(pixels, 8)
    )
    found = estimate(to_frame([design(layer, strategy=strategy) for layer in (product, convolution)], Design))
    assert found["dsp"].n_unique() == 1
    assert (found["dsp"][0] > 0) == (strategy != "distributed_arithmetic")


def normalized(*before: Layer, **fields: object) -> list[Layer]:
    """Layers, and batch normalization of the last of them, which a dense layer reads."""
    source, width = len(before) - 1, before[-1].out_shape[0]
    weight = Precision(16, 6, signed=True)
    scaled = plain("batch_normalization", width, source, weight=weight, result=SIXTEEN)
    return [*before, msgspec.structs.replace(scaled, **fields), dense(width, 8, 1, inputs=(source + 1,))]


START = plain("input", 16, result=SIXTEEN)
INNER = dense(16, 32, 1, inputs=(0,))
RELU = plain("activation", 32, 1, activation="relu", result=SIXTEEN)


@pytest.mark.parametrize("tool", ["vivado", "yosys"])
@pytest.mark.parametrize("strategy", ["latency", "resource", "distributed_arithmetic"])
def test_normalization_behind_a_product_folds_into_it(tool: str, strategy: str) -> None:
    with_it = normalized(START, INNER)
    made = [
        design(*layers, strategy=strategy, tool=tool)
        for layers in (with_it, with_it[:-1], [START, INNER, dense(32, 8, 1, inputs=(1,))], [START, INNER])
    ]
    folded, folded_last, without, without_last = estimate(to_frame(made, Design)).rows()
    assert folded == without
    assert folded_last == without_last


@pytest.mark.parametrize(
    ("layers", "values"),
    [
        (normalized(START), 16),
        (normalized(START, INNER, RELU), 32),
        (normalized(START, INNER, RELU, reuse_factor=5), 7),
        (normalized(START, msgspec.structs.replace(INNER, activation="tanh")), 32),
        ([*normalized(START, INNER), plain("add", 32, 1)], 32),
    ],
    ids=["first", "behind ReLU", "shared", "behind a product with an activation", "product read twice"],
)
@pytest.mark.parametrize("strategy", ["latency", "resource"])
def test_normalization_that_stands_alone_multiplies_each_value(layers: list[Layer], values: int, strategy: str) -> None:
    table = features.layers(to_frame([design(*layers, strategy=strategy)], Design))
    row = table.filter(pl.col("kind") == "batch_normalization").row(0, named=True)
    assert row["dsp"] == values
    assert row["bram"] == 0
    assert row["interval"] == row["cycles"] == max(layer.reuse_factor for layer in layers)
    ours = verdict(design(*layers, strategy=strategy, tool="yosys"))
    assert {ours[name] for name in TARGETS} == {"estimated"}


@pytest.mark.parametrize(("kind", "products"), [("multiply", 32), ("dot", 32), ("add", 0), ("average", 0)])
def test_merges_that_multiply_take_a_multiplier_a_value(kind: str, products: int) -> None:
    beside = dense(16, 32, 1, inputs=(0,))
    merge = plain(kind, 32, 1, 2)
    eight = Precision(8, 4, signed=True)
    narrow = [msgspec.structs.replace(layer, result=eight) for layer in (INNER, beside)]
    wide_row, narrow_row = (
        features.layers(to_frame([design(START, *layers, merge)], Design)).row(-1, named=True)
        for layers in ([INNER, beside], narrow)
    )
    assert (wide_row["dsp"], narrow_row["dsp"]) == (products, 0)
    assert (narrow_row["lut"] > wide_row["lut"]) == (products > 0)


@pytest.mark.parametrize(
    "layer",
    [
        plain("multiply", 32, 1),
        plain("dot", 32, 1),
        plain("maximum", 32, 1),
        plain("elu", 32, 1),
        plain("global_max_pooling1d", 32, 1),
        plain("permute", 32, 1),
        plain("zero_padding1d", 32, 1),
        msgspec.structs.replace(
            INNER, inputs=(1,), kind="conv1d", kernel=(3,), in_shape=(16, 2), out_shape=(16, 2), padding="same"
        ),
    ],
    ids=lambda layer: layer.kind,
)
def test_only_what_the_generator_builds_is_called_exact(layer: Layer) -> None:
    alone = verdict(design(START, INNER, tool="yosys"))
    assert alone["dsp"] == alone["cycles_max"] == alone["interval_max"] == "exact"
    told = verdict(design(START, INNER, layer, tool="yosys"))
    assert {told[name] for name in TARGETS} == {"estimated"}


def test_fitted_constants_are_those_of_the_script_on_todays_data() -> None:
    """Where the train split changed: run ``scripts/fit_analytic.py`` and raise ``features.VERSION``."""
    file = Path(__file__).parents[2] / "scripts" / "fit_analytic.py"
    spec = importlib.util.spec_from_file_location("fit_analytic", file)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    train = wb.load("opensynth", "train").frame().collect()
    found = {name: script.fit(script.sums(train, terms), train[name]) for name, terms in script.RESOURCE_TERMS.items()}
    assert found["ff"] == pytest.approx(opensynth_rules.FF_FACTORS, abs=0.0011)
    assert found["lut"] == pytest.approx(opensynth_rules.LUT_FACTORS, abs=0.0011)
    assert script.fit_depth(train) == pytest.approx(opensynth_rules.DEPTH_FACTORS, abs=0.011)


@pytest.mark.parametrize("text", [Analytic.method, Analytic.owes], ids=["method", "owes"])
def test_the_card_says_what_the_constants_were_read_off(text: str) -> None:
    for told in ("depth of adder graphs", "train split", "block RAM and cycles", "single public records"):
        assert told in text
