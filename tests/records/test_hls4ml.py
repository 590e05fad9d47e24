from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.errors import RecordError
from wa_bench.records.hls4ml import _pool, parse_precision, read_designs
from wa_bench.records.json_array import Position
from wa_bench.records.schema import Design, Precision


def decoded(raw: dict[str, Any], family: str | None = None, split: str = "test") -> Design:
    text = io.BytesIO(json.dumps([raw]).encode())
    text.seek(1)
    chunks = read_designs(text, split=split, family=family, file="records.json", resume=Position(index=3, offset=1))
    ((design,),) = [chunk.records for chunk in chunks]
    return design


def test_numbers_in_strings_become_numbers(raw: dict[str, Any]) -> None:
    design = decoded(raw)
    assert (design.bram, design.dsp, design.ff, design.lut, design.uram) == (1.5, 0, 1200, 900, 0)
    assert (design.cycles_min, design.cycles_max, design.interval_min, design.interval_max) == (67, 69, 32, 32)
    assert design.clock_ns == 5.0


def test_layers_carry_the_precision_of_their_own_entry(raw: dict[str, Any]) -> None:
    first, second = decoded(raw).layers
    assert (first.name, second.name) == ("net_dense_1", "net_dense_2")
    assert first.weight == second.weight == Precision(6, 1, signed=True)
    assert first.result == Precision(16, 6, signed=True)
    assert second.result is None
    assert (first.kind, first.in_shape, first.units, first.reuse_factor) == ("dense", (16,), 8, 32)


def test_family_is_found_from_the_content(raw: dict[str, Any]) -> None:
    assert decoded(raw).family == "2layer"
    raw["hls4ml_version"] = "1.1.0"
    assert decoded(raw).family == "resource"
    raw["meta_data"]["model_name"] = "Jet_8b_128rf_L"
    assert (decoded(raw).family, decoded(raw).group) == ("exemplar", "Jet")


@pytest.mark.parametrize("missing", [{}, None])
def test_a_missing_report_is_null_and_never_zero(raw: dict[str, Any], missing: dict[str, str] | None) -> None:
    raw |= dict.fromkeys(("resource_report", "hls_resource_report", "latency_report"), missing)
    design = decoded(raw)
    assert {design.bram, design.dsp, design.ff, design.lut, design.uram} == {None}
    assert {design.cycles_min, design.cycles_max, design.interval_min, design.interval_max} == {None}
    assert design.hls_estimate is None
    assert design.clock_ns is None


def test_estimates_stay_apart_from_truth(raw: dict[str, Any]) -> None:
    raw["resource_report"] = {}
    design = decoded(raw)
    assert design.lut is None
    assert design.hls_estimate is not None
    assert design.hls_estimate.lut == 1500


def test_input_shapes_may_be_nested_once_more(raw: dict[str, Any]) -> None:
    layer = {"class_name": "InputLayer", "input_shape": [[None, 16]], "output_shape": [[None, 16]], "reuse_factor": 1}
    raw["model_config"].insert(0, {**layer, "inbound_layers": []})
    raw["hls_config"]["LayerName"] = {
        name.removesuffix("_dense_1_input"): entry for name, entry in raw["hls_config"]["LayerName"].items()
    }
    raw["model_config"][1]["inbound_layers"] = ["net"]
    first, second, third = decoded(raw).layers
    assert (first.kind, first.out_shape, first.inputs) == ("input", (16,), ())
    assert (second.inputs, third.inputs) == ((0,), (1,))


def test_skip_connections_are_derived_where_the_record_does_not_tell_them(raw: dict[str, Any]) -> None:
    def layer(class_name: str, *shapes: int, **more: Any) -> dict[str, Any]:
        shape: list[Any] = [[None, n] for n in shapes]
        joined = {"input_shape": shape if len(shapes) > 1 else shape[0], "output_shape": [None, shapes[0]]}
        return {"class_name": class_name, "reuse_factor": 1, **joined, **more}

    dense = {"neurons": 8, "use_bias": False, "parameters": 64}
    raw["model_config"] = [
        {**layer("InputLayer", 8), "input_shape": [[None, 8]], "output_shape": [[None, 8]]},
        layer("Dense", 8, **dense),
        layer("Activation", 8, activation="relu"),
        layer("Dense", 8, **dense),
        layer("Add", 8, 8),
        layer("Activation", 8, activation="relu"),
    ]
    names = ["input_1", "dense", "activation", "dense_1", "add", "activation_1"]
    raw["hls_config"]["LayerName"] = {name: {"Precision": {"result": "fixed<8,3>"}} for name in names}
    layers = decoded(raw).layers
    assert [layer.inputs for layer in layers] == [(), (0,), (1,), (2,), (3, 2), (4,)]
    assert layers[2].activation == "relu"


def test_layers_without_entries_take_the_model_precision(raw: dict[str, Any]) -> None:
    del raw["hls_config"]["LayerName"]
    raw["meta_data"] = {"model_id": "0" * 32, "model_name": "model"}
    raw["hls_config"] |= {"clock_period": 10.0, "io_type": "io_parallel"}
    raw["hls_config"]["Model"]["Precision"] = {"default": "ap_fixed<8, 3>"}
    for layer, name in zip(raw["model_config"], ("dense", "dense_1"), strict=True):
        layer["name"] = name
    raw["model_config"][1]["inbound_layers"] = ["dense"]
    design = decoded(raw)
    assert design.family == "2_20"
    assert not design.io_type_inferred
    assert design.layers[1].weight == Precision(8, 3, signed=True)


def test_branches_of_named_layers_follow_their_names(raw: dict[str, Any]) -> None:
    def layer(class_name: str, name: str, inbound: list[str], *shapes: int, out: int, **more: Any) -> dict[str, Any]:
        shape: list[Any] = [[None, n] for n in shapes]
        given = {"input_shape": shape if len(shapes) > 1 else shape[0], "output_shape": [None, out]}
        return {"class_name": class_name, "name": name, "inbound_layers": inbound, "reuse_factor": 2, **given, **more}

    raw["meta_data"] = {"model_id": "0" * 32, "model_name": "model"}
    del raw["hls_config"]["LayerName"]
    raw["model_config"] = [
        layer("InputLayer", "input_1", [], 8, out=8),
        layer("Dense", "dense", ["input_1"], 8, out=4, neurons=4, use_bias=True, parameters=36),
        layer("BatchNormalization", "batch_normalization", ["dense"], 4, out=4, parameters=16),
        layer("Concatenate", "concatenate", ["batch_normalization", "input_1"], 4, 8, out=12),
        layer("Dense", "dense_1", ["concatenate"], 12, out=2, neurons=2, use_bias=True, parameters=26),
    ]
    design = decoded(raw)
    assert [layer.inputs for layer in design.layers] == [(), (0,), (1,), (2, 0), (3,)]
    assert [layer.kind for layer in design.layers][2:4] == ["batch_normalization", "concatenate"]
    assert design.layers[3].in_shape == (4,)
    assert design.layers[3].out_shape == (12,)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("fixed<16,6>", Precision(16, 6, signed=True)),
        ("ap_fixed<2, 1>", Precision(2, 1, signed=True)),
        ("ufixed<8,0,RND_CONV,SAT,0>", Precision(8, 0, signed=False, rounding="RND_CONV", saturation="SAT")),
        ("ap_ufixed<8,-1,AP_RND,AP_SAT>", Precision(8, -1, signed=False, rounding="RND", saturation="SAT")),
        ("ap_int<4>", Precision(4, 4, signed=True)),
        ("uint<1>", Precision(1, 1, signed=False)),
        ("ac_fixed<8,3>", Precision(8, 3, signed=True)),
        ("ac_fixed<8,3,true,AC_RND_INF,AC_SAT_SYM>", Precision(8, 3, True, "RND_INF", "SAT_SYM")),
        ("ac_fixed<8, 3, False>", Precision(8, 3, signed=False)),
        ("ac_int<6,0>", Precision(6, 6, signed=False)),
        ("auto", None),
    ],
)
def test_precisions_parse(text: str, precision: Precision | None) -> None:
    assert parse_precision(text) == precision


@pytest.mark.parametrize(
    "text",
    ["fixed<8>", "fixed<8,3,false>", "fixed<8,3,SAT>", "fixed<8,3,RND,RND>", "int<8,3>", "ac_fixed<8,3,RND>", "float"],
)
def test_a_type_with_a_word_that_hls4ml_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a type such as"):
        parse_precision(text)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("resource_report", "lut"), "many", r"resource_report\.lut: expected whole number \| null, found str 'many'"),
        (
            ("resource_report", "dsp"),
            "1.5",
            r"resource_report\.dsp: expected whole number \| null, found str '1\.5'",
        ),
        (("resource_report", "bram"), "nan", r"resource_report\.bram: expected number >= 0\.0, found str 'nan'"),
        (("latency_report", "cycles_max"), "-3", r"latency_report\.cycles_max: expected whole number >= 0"),
        (
            ("model_config", 1, "parameters"),
            "lots",
            r"model_config\[1\]\.parameters: expected whole number, found str 'lots'",
        ),
        (("model_config", 0, "input_shape"), [None, 0], r"model_config\[0\]\.input_shape: expected a shape"),
        (("model_config", 0, "output_shape"), [None, 2**70], r"model_config\[0\]\.output_shape"),
        (("model_config", 1, "inbound_layers"), ["nobody"], r"model_config\[1\]\.inbound_layers.*'nobody'"),
        (
            ("hls_config", "Model", "ReuseFactor"),
            None,
            r"hls_config\.Model\.ReuseFactor: expected whole number, found NoneType",
        ),
        (("hls_config", "Model", "Precision"), "float", r"Precision: expected a type such as fixed<16,6>"),
        (("resource_report", "ff"), "1e30", r"resource_report\.ff: expected whole number \| null"),
        (("latency_report", "target_clock"), "-1", r"latency_report\.target_clock: expected number > 0"),
        (
            ("model_config", 0, "reuse_factor"),
            0,
            r"model_config\[0\]\.reuse_factor: expected whole number >= 1, found int 0",
        ),
        (("model_config",), [], r"model_config: expected array of length >= 1"),
        (
            ("hls_config", "Model"),
            {"ReuseFactor": 1, "Strategy": "resource"},
            r"expected the field Precision, found none",
        ),
        (("hls_config", "LayerName", "net_dense_2"), {"Precision": "fixed<0,0>"}, r"expected a width from 1 to 4096"),
        (("meta_data", "uuid"), None, r"meta_data: expected uuid or model_id, found neither"),
    ],
)
def test_a_misfit_names_file_record_field_expected_and_found(
    raw: dict[str, Any], path: tuple[Any, ...], value: object, message: str
) -> None:
    place: Any = raw
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(RecordError, match=r"^records\.json, record 3, (byte 1, )?field .*" + message):
        decoded(raw)


def test_all_bad_records_of_a_dataset_are_reported_at_once_or_skipped_and_listed(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    bad = {**raw, "resource_report": {"lut": "text"}}
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_2layer_merged.json").write_text(json.dumps([bad, raw, bad]))
    with pytest.raises(RecordError) as caught:
        wb.load("hls4ml", "test", source=tmp_path).frame()
    assert [fault.place.split(",")[1] for fault in caught.value.faults] == [" record 0", " record 2"]
    tolerant = wb.load("hls4ml", "test", source=tmp_path, on_bad="skip")
    assert tolerant.frame().collect().height == len(list(tolerant.stream())) == 1
    assert len(tolerant.skipped) == 2


def test_a_layer_with_weights_needs_its_entry(raw: dict[str, Any]) -> None:
    raw["hls_config"]["LayerName"] = {"net_dense_1": {"Precision": {"weight": "fixed<6,1>"}}, "other": {}, "third": {}}
    raw["model_config"][1]["inbound_layers"] = ["net_dense_one"]
    with pytest.raises(RecordError, match=r"model_config\[0\]: expected an entry .*found none called 'net_dense_one'"):
        decoded(raw)


@pytest.mark.parametrize(
    ("size", "pooled", "window"),
    [(128, 64, (2,)), (123, 61, (2,)), (9, 3, (3,)), (3, 1, None), (8, 2, None), (5, 5, (1,))],
)
def test_a_pooling_window_follows_from_the_sizes_only_where_one_fits(
    raw: dict[str, Any], size: int, pooled: int, window: tuple[int, ...] | None
) -> None:
    pooling = {
        "class_name": "MaxPooling1D",
        "input_shape": [None, size, 4],
        "output_shape": [None, pooled, 4],
        "reuse_factor": 1,
    }
    raw["model_config"] = [pooling]
    del raw["hls_config"]["LayerName"]
    (layer,) = decoded(raw).layers
    assert (layer.kind, layer.pool) == ("max_pooling1d", window)


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["same", "valid"]))
def test_the_window_is_the_only_one_that_gives_the_pooled_size(size: int, pooled: int, padding: str) -> None:
    fits = [w for w in range(1, size + 1) if (-(-size // w) if padding == "same" else size // w) == pooled]
    window = _pool(None, "max_pooling1d", padding, (size, 4), (pooled, 4))
    assert window == (tuple(fits) if len(fits) == 1 else None)


def test_an_exemplar_is_known_by_its_split_and_its_folder_is_left_out(raw: dict[str, Any]) -> None:
    raw["meta_data"]["model_name"] = "/runs/7/Bipc_2b_1rf_R"
    design = decoded(raw, split="exemplar")
    assert (design.family, design.group, design.model_name) == ("exemplar", "BiPC", "Bipc_2b_1rf_R")
    raw["meta_data"]["model_name"] = "nonsense"
    with pytest.raises(RecordError, match="expected an exemplar's name such as Jet_8b_128rf_L, found 'nonsense'"):
        decoded(raw, split="exemplar")


def test_every_real_record_decodes(mirror: Path) -> None:
    designs = list(wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").stream())
    families = {
        "2_20": 2,
        "2layer": 2,
        "3layer": 2,
        "conv1d": 3,
        "conv2d": 3,
        "exemplar": 4,
        "latency": 3,
        "resource": 3,
    }
    assert Counter(design.family for design in designs) == families
    assert sum(design.lut is None for design in designs) == 2
    for design in designs:
        for i, layer in enumerate(design.layers):
            if layer.units is not None:
                assert layer.weight is not None
            assert len(layer.inputs) == (2 if layer.kind == "add" else 0 if i == 0 else 1)
            if layer.inputs:
                assert layer.in_shape == design.layers[layer.inputs[0]].out_shape


def test_family_from_the_content_agrees_with_the_file_name(mirror: Path) -> None:
    for file in sorted((mirror / "wa-hls4ml-excerpt" / "test").glob("*.json")):
        expected = file.stem.removeprefix("test_").removesuffix("_merged")
        for raw_record in json.loads(file.read_text()):
            assert decoded(raw_record).family == expected


def test_bipc_adds_join_a_layer_with_the_input_of_its_block(mirror: Path) -> None:
    designs = wb.load("hls4ml", "exemplar", source=mirror / "wa-hls4ml-excerpt").stream()
    bipc = next(design for design in designs if design.group == "BiPC")
    adds = [(i, layer.inputs) for i, layer in enumerate(bipc.layers) if layer.kind == "add"]
    assert adds == [(4, (3, 2)), (7, (6, 5)), (10, (9, 8)), (13, (12, 11)), (16, (15, 14))]
