"""Networks of real Keras 2, Keras 3 and QKeras files (see ``make_files.py``), and of hostile ones."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.shown import FILES, JET, nameless, sketch
from wa_bench.networks.keras_file import from_keras, read_keras
from wa_bench.networks.network import NetworkError
from wa_bench.networks.qkeras import activation_type, read_quantizer, weight_type
from wa_bench.networks.read import read_network
from wa_bench.records.schema import Precision


def config_of(name: str) -> dict[str, Any]:
    with zipfile.ZipFile(FILES / name) as archive:
        return json.loads(archive.read("config.json"))


def test_a_sequential_model_becomes_its_layers_with_fused_activations_as_layers_of_their_own() -> None:
    network = read_network(FILES / "jet.keras")
    assert network.name == "jet"
    assert sketch(network) == JET
    assert [layer.name for layer in network.layers][:3] == ["x", "fc1", "fc1_relu"]
    assert not network.quantized


def test_skip_connections_are_read_as_links_to_both_inputs() -> None:
    network = read_network(FILES / "skip.keras")
    assert [layer.inputs for layer in network.layers if layer.kind == "add"] == [(i, i - 1) for i in (3, 6, 9, 12, 15)]
    assert sum(layer.params for layer in network.layers) == 6 * 36 * 36


def test_shapes_and_parameters_of_a_convolutional_model_are_those_that_keras_reports() -> None:
    content = config_of("conv2d.keras")
    built = {
        layer["name"]: layer["build_config"]["input_shape"]
        for layer in content["config"]["layers"]
        if "build_config" in layer
    }
    network = read_network(FILES / "conv2d.keras")
    compared = 0
    for layer in network.layers:
        if layer.name in built:
            shape = built[layer.name][0] if isinstance(built[layer.name][0], list) else built[layer.name]
            assert [None, *layer.in_shape] == shape
            compared += 1
    assert compared == 7
    assert sketch(network) == [
        ("input", (), (12, 12, 1), 0),
        ("conv2d", (0,), (10, 10, 4), 40),
        ("relu", (1,), (10, 10, 4), 0),
        ("max_pooling2d", (2,), (5, 5, 4), 0),
        ("conv2d", (3,), (5, 5, 4), 144),
        ("conv2d", (3,), (5, 5, 2), 10),
        ("concatenate", (4, 5), (5, 5, 6), 0),
        ("batch_normalization", (6,), (5, 5, 6), 24),
        ("global_average_pooling2d", (7,), (1, 1, 6), 0),
        ("flatten", (8,), (6,), 0),
        ("dense", (9,), (2,), 14),
        ("sigmoid", (10,), (2,), 0),
    ]


def test_dropout_stays_a_layer_as_in_genuine_records() -> None:
    assert sketch(read_network(FILES / "conv1d.keras")) == [
        ("input", (), (32, 4), 0),
        ("conv1d", (0,), (30, 8), 104),
        ("batch_normalization", (1,), (30, 8), 32),
        ("relu", (2,), (30, 8), 0),
        ("average_pooling1d", (3,), (15, 8), 0),
        ("conv1d", (4,), (8, 4), 100),
        ("tanh", (5,), (8, 4), 0),
        ("flatten", (6,), (32,), 0),
        ("dropout", (7,), (32,), 0),
        ("dense", (8,), (3,), 99),
        ("softmax", (9,), (3,), 0),
    ]


def test_the_json_of_a_model_gives_the_network_of_its_archive() -> None:
    assert nameless(read_network(FILES / "conv2d.json")) == nameless(read_network(FILES / "conv2d.keras"))


def test_a_model_in_memory_is_read_through_its_json() -> None:
    class Model:
        def to_json(self) -> str:
            return (FILES / "conv2d.json").read_text()

    assert read_network(Model()) == read_network(FILES / "conv2d.json")


def test_qkeras_quantizers_become_types() -> None:
    network = read_network(FILES / "qjet.keras")
    assert network.quantized
    types = {layer.name: (layer.weight, layer.bias, layer.result) for layer in network.layers}
    six = Precision(6, 1, signed=True)
    assert types["fc1"] == (six, six, None)
    assert types["relu1"] == (None, None, Precision(6, 0, False, "RND_CONV", "SAT"))
    assert types["fc2"] == (Precision(2, 2, True), Precision(4, 4, True), None)
    assert types["fc2_tanh"] == (None, None, Precision(6, 1, True, "RND_CONV", "SAT"))
    assert types["out"] == (None, None, None)


def test_a_functional_qkeras_model_of_keras_2_is_read() -> None:
    assert sketch(read_network(FILES / "qconv.keras")) == [
        ("input", (), (12, 12, 3), 0),
        ("conv2d", (0,), (10, 10, 4), 112),
        ("batch_normalization", (1,), (10, 10, 4), 16),
        ("relu", (2,), (10, 10, 4), 0),
        ("max_pooling2d", (3,), (5, 5, 4), 0),
        ("conv2d", (4,), (5, 5, 4), 148),
        ("relu", (5,), (5, 5, 4), 0),
        ("add", (6, 4), (5, 5, 4), 0),
        ("flatten", (7,), (100,), 0),
        ("dense", (8,), (2,), 202),
        ("sigmoid", (9,), (2,), 0),
    ]


@pytest.mark.parametrize(
    ("told", "weights", "activation"),
    [
        ("quantized_bits(6,0,alpha=1)", "fixed<6,1>", ("linear", "fixed<6,1,RND_CONV,SAT>")),
        ("quantized_bits(bits=4, integer=4)", "int<4>", ("linear", "int<5>")),
        ("quantized_relu(8,1)", None, ("relu", "ufixed<8,1,RND_CONV,SAT>")),
        ("quantized_tanh(16,1)", None, ("tanh", "fixed<16,1,RND_CONV,SAT>")),
        ("quantized_tanh(8, symmetric=True)", None, ("tanh", "fixed<8,1,RND_CONV,SAT_SYM>")),
        ("quantized_sigmoid(4,1)", None, ("sigmoid", "ufixed<4,0,RND_CONV,SAT>")),
        ("binary()", "uint<1>", None),
        ("stochastic_ternary(alpha=1)", "int<2>", None),
        ("quantized_po2(4)", None, None),
        ("quantized_relu(8, 1, 0, 0.25)", None, None),
    ],
)
def test_a_quantizer_in_words_is_the_type_that_hls4ml_makes_of_it(
    told: str, weights: str | None, activation: tuple[str, str] | None
) -> None:
    quantizer = read_quantizer(told)
    assert quantizer is not None
    for expected, convert in (
        (weights, lambda: weight_type(quantizer, is_kernel=True)),
        (activation, lambda: activation_type(quantizer)),
    ):
        if expected is None:
            with pytest.raises(ValueError, match=quantizer.name):
                convert()
        else:
            assert convert() == expected


def test_all_unsupported_layers_are_named_at_once_with_their_types_and_what_is_supported() -> None:
    with pytest.raises(NetworkError) as error:
        read_network(FILES / "unsupported.keras")
    text = str(error.value)
    assert "'lstm' (LSTM), 'layer_normalization' (LayerNormalization)" in text
    assert "InputLayer, Dense, QDense, Conv1D" in text
    assert "Dense with activation gelu, which is not supported" in text
    assert len(error.value.faults) == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unbuilt.keras", "put keras.Input"),
        ("shared.keras", "found 2 calls"),
        ("scaled.keras", "found the argument 2.0"),
        ("qjet.h5", "save the model again with Keras"),
    ],
)
def test_a_model_that_no_record_describes_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        read_network(FILES / name)


@pytest.mark.parametrize(
    ("layer", "setting", "value"),
    [
        ("conv2d", "dilation_rate", [2, 2]),
        ("conv2d", "groups", 2),
        ("conv2d", "data_format", "channels_first"),
        ("conv2d", "padding", "causal"),
        ("conv2d", "filters", 0),
        ("conv2d", "filters", 2**40),
        ("conv2d", "kernel_size", [30, 30]),
        ("conv2d", "kernel_size", [3]),
        ("conv2d", "strides", [0, 1]),
    ],
)
def test_a_setting_that_no_record_has_is_refused_by_name(layer: str, setting: str, value: object) -> None:
    content = config_of("conv2d.keras")
    for told in content["config"]["layers"]:
        if told["name"].startswith(layer):
            told["config"][setting] = value
    with pytest.raises(NetworkError, match=f"layer '{layer}"):
        from_keras(content, "file")


def test_sizes_that_are_not_fixed_are_asked_for() -> None:
    content = config_of("conv1d.keras")
    content["config"]["layers"][0]["config"]["batch_shape"] = [None, None, 4]
    with pytest.raises(
        NetworkError, match=r"fixed sizes, all but the batch, found None x 4; .*keras\.Input\(\(32, 4\)"
    ):
        from_keras(content, "file")


def test_outputs_that_are_joined_along_the_batch_are_refused() -> None:
    content = config_of("conv2d.keras")
    for layer in content["config"]["layers"]:
        if layer["class_name"] == "Concatenate":
            layer["config"]["axis"] = 0
    with pytest.raises(NetworkError, match="not joined along the batch, found axis = 0"):
        from_keras(content, "file")


def test_an_hdf5_file_that_is_called_keras_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "old.keras").write_bytes((FILES / "qjet.h5").read_bytes())
    with pytest.raises(NetworkError, match="save the model again"):
        read_network(tmp_path / "old.keras")


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def test_an_archive_that_unpacks_to_far_more_than_a_network_is_refused(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "bomb.keras", {"config.json": b" " * (64 << 20)})
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(NetworkError, match="at most 16,777,216 bytes"):
        read_keras(bomb)


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "liar.keras", {"config.json": b" " * (64 << 20)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 64 << 20), struct.pack("<I", 10)))
    with pytest.raises(NetworkError):
        read_keras(path)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"other": b"{}"},
        {"config.json": b"[1]"},
        {"config.json": b"{"},
        {"config.json": b"[" * 100_000},
        {"config.json": b"\xff"},
        {"config.json": b'{"class_name": "Sequential", "config": {"layers": 3}}'},
        {"config.json": b'{"class_name": "MyModel", "config": {}}'},
    ],
)
def test_an_archive_without_a_network_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(NetworkError):
        read_keras(archive(tmp_path / "odd.keras", members))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(NetworkError, match=r"a \.keras archive"):
        read_keras(tmp_path / "odd.keras")


def test_a_class_path_in_the_file_is_never_imported(tmp_path: Path) -> None:
    content = config_of("jet.keras")
    content["config"]["layers"][1] |= {
        "module": "os",
        "class_name": "system",
        "config": {"name": "run", "command": "x"},
    }
    with pytest.raises(NetworkError, match=r"'run' \(system\)"):
        from_keras(content, "file")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["jet.keras", "skip.keras", "conv2d.keras", "qconv.keras", "qjet.keras"])
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_read_or_refused_with_a_message(name: str, data: st.DataObject) -> None:
    content = config_of(name)
    for _ in range(data.draw(st.integers(1, 3))):
        *inside, last = data.draw(st.sampled_from(places(content)[1:]))
        holder = content
        for key in inside:
            holder = holder[key]
        holder[last] = data.draw(ODD)
    try:
        network = from_keras(content, "file")
    except NetworkError as error:
        assert error.faults
    else:
        assert all(min(layer.out_shape) > 0 for layer in network.layers)
