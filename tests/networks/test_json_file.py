"""Networks in our own JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.shown import FILES, JET, nameless, sketch
from wa_bench.networks import json_file
from wa_bench.networks.json_file import from_json
from wa_bench.networks.network import ACTIVATIONS, KINDS, SETTINGS, NetworkError, padding_word
from wa_bench.networks.read import read_network
from wa_bench.records.schema import Precision


def layer(kind: str, name: str, **told: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, **told}


def network_of(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "layers": list(layers)}


X = layer("input", "x", shape=[16])


def test_the_example_in_the_documentation_is_read() -> None:
    text = str(json_file.__doc__)
    network = from_json(json.loads(text[text.index("{") : text.rindex("}") + 1]), "docs")
    assert [row[0] for row in sketch(network)] == ["input", "dense", "relu", "dense", "softmax"]
    assert network.layers[3].weight == Precision(6, 1, signed=True)


def test_the_jet_tagger_in_our_json_is_that_of_keras(tmp_path: Path) -> None:
    hidden = [layer("dense", f"fc{units}{i}", units=units, activation="relu") for i, units in enumerate((64, 32, 32))]
    content = network_of(X, *hidden, layer("dense", "out", units=5, activation="softmax"))
    (tmp_path / "jet.json").write_text(json.dumps(content))
    network = read_network(tmp_path / "jet.json")
    assert sketch(network) == JET
    assert nameless(network) == nameless(read_network(FILES / "jet.keras"))


def test_links_by_name_make_a_skip_connection() -> None:
    content = network_of(
        X,
        layer("dense", "a", units=16, activation="relu"),
        layer("dense", "b", units=16),
        layer("add", "sum", inputs=["b", "a"]),
        layer("concatenate", "all", inputs=["sum", "x"]),
        layer("dense", "y", units=2),
    )
    assert sketch(from_json(content, "file"))[3:] == [
        ("dense", (2,), (16,), 272),
        ("add", (3, 2), (16,), 0),
        ("concatenate", (4, 0), (32,), 0),
        ("dense", (5,), (2,), 66),
    ]


def test_a_dense_layer_on_rows_is_the_convolution_that_hls4ml_builds() -> None:
    content = network_of(layer("input", "x", shape=[10, 8]), layer("dense", "y", units=4, activation="relu"))
    made = from_json(content, "file").layers[1]
    assert (made.kind, made.kernel, made.strides, made.out_shape, made.params) == ("conv1d", (1,), (1,), (10, 4), 36)


def test_a_pooling_tells_its_strides_only_where_its_windows_overlap_or_part() -> None:
    def pooling(**told: Any) -> tuple[object, ...]:
        content = network_of(
            layer("input", "x", shape=[9, 2]),
            layer("max_pooling1d", "p", **told),
            layer("flatten", "f"),
            layer("dense", "y", units=1),
        )
        made = from_json(content, "file").layers[1]
        return made.pool, made.strides, made.padding, made.out_shape

    assert pooling() == ((2,), None, None, (4, 2))
    assert pooling(pool=[3], strides=[3]) == ((3,), None, None, (3, 2))
    assert pooling(pool=[3], strides=[2]) == ((3,), (2,), "valid", (4, 2))
    assert pooling(pool=[2], padding="same") == ((2,), (2,), "same", (5, 2))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (layer("lstm", "m"), r"'m' \(lstm\)"),
        (layer("dense", "d", units=0), "units = 0"),
        (layer("dense", "d", units="many"), "units = 'many'"),
        (layer("dense", "d"), "units for a layer of kind dense, found none"),
        (layer("dense", "d", units=3, colour="red"), r"\['colour'\]"),
        (layer("dense", "x", units=3), "each name once"),
        (layer("dense", "d", units=3, inputs=["nobody"]), "names of earlier layers, found 'nobody'"),
        (layer("dense", "d", units=3, inputs=["x", "x"]), "one input, found 2"),
        (layer("dense", "d", units=3, inputs=[]), "one input, found 0"),
        (layer("dense", "d", units=3, weight="float"), "as weight a type such as"),
        (layer("dense", "d", units=3, result="fixed<8,3,ROUND>"), "as result a type such as"),
        (
            layer("dense", "d", units=3, kernel=[3], pool=[2]),
            "the fields inputs, result, units, .*, found kernel, pool",
        ),
        (layer("add", "s", inputs=["x", "x"], activation="relu"), "the fields inputs, result, found activation"),
        (layer("activation", "a", activation="relu", weight="fixed<6,1>"), "inputs, result, activation, found weight"),
        (layer("add", "s", inputs=["x"]), "two or more inputs, found 1"),
        (layer("activation", "a"), "activation for a layer of kind activation"),
        (layer("activation", "a", activation="gelu"), "gelu"),
        (layer("reshape", "r", shape=[5, 3]), "a shape of 16 numbers, found 5 x 3"),
        (layer("conv2d", "c", units=2, kernel=[3, 3]), "2 spatial sizes"),
        (layer("dense", "d", units=2**20), None),
    ],
)
def test_a_faulty_layer_is_told_by_name_with_what_was_expected(bad: dict[str, Any], said: str | None) -> None:
    content = network_of(X, bad, layer("dense", "last", units=2, inputs=["x"]))
    if said is None:
        from_json(content | {"outputs": ["d", "last"]}, "file")
        return
    with pytest.raises(NetworkError, match=said) as error:
        from_json(content, "file")
    assert len(error.value.faults) == 1


def test_faults_of_all_layers_are_told_at_once_and_not_again_by_what_reads_them() -> None:
    content = network_of(
        X,
        layer("gru", "a"),
        layer("dense", "b", units=3),
        layer("dense", "c", units=-1, inputs=["x"]),
        layer("add", "d", inputs=["b", "c"]),
    )
    with pytest.raises(NetworkError) as error:
        from_json(content, "file")
    assert [fault.found for fault in error.value.faults] == ["unsupported layers: 'a' (gru)", "units = -1"]


TWO_HEADS = [X, layer("dense", "a", units=4), layer("dense", "b", units=2, inputs=["x"])]


def test_a_layer_that_none_reads_is_an_output_by_name_or_a_fault() -> None:
    with pytest.raises(NetworkError, match=r"layer 'a': expected a layer that another one reads.*\"outputs\": \["):
        from_json(network_of(*TWO_HEADS), "file")
    named = network_of(*TWO_HEADS) | {"outputs": ["a", "b"]}
    assert [row[0] for row in sketch(from_json(named, "file"))] == ["input", "dense", "dense"]


def test_only_what_the_outputs_follow_from_is_part_of_the_network() -> None:
    content = network_of(*TWO_HEADS, layer("activation", "c", activation="relu")) | {"outputs": ["c"]}
    assert sketch(from_json(content, "file")) == [
        ("input", (), (16,), 0),
        ("dense", (0,), (2,), 34),
        ("relu", (1,), (2,), 0),
    ]
    with pytest.raises(NetworkError, match="a network with weights, found 1 layers without any"):
        from_json(content | {"outputs": ["x"]}, "file")
    for outputs, found in ([], "none"), (["c", "d"], "'d'"):
        with pytest.raises(NetworkError, match=f"layers as outputs of the network, found {found}"):
            from_json(content | {"outputs": outputs}, "file")


def test_a_network_that_would_never_fit_a_machine_is_refused_before_anything_is_made_of_it() -> None:
    grown = [layer("concatenate", f"c{i}", inputs=[f"c{i - 1}"] * 16) for i in range(1, 20)]
    content = network_of(layer("input", "c0", shape=[2**20]), *grown, layer("dense", "y", units=1))
    with pytest.raises(NetworkError, match="at most 68,719,476,736 numbers"):
        from_json(content, "file")
    content = network_of(X, layer("dense", "a", units=2**20), layer("dense", "b", units=2**20))
    with pytest.raises(NetworkError, match="at most 68,719,476,736 weights"):
        from_json(content, "file")
    with pytest.raises(NetworkError, match="at most 4,096 layers"):
        from_json(network_of(X, *(layer("flatten", str(i)) for i in range(5000))), "file")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"layers": {}}', '{"layers": [], "x": 1}', '{"layers": []}']
)
def test_a_json_file_without_a_network_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(NetworkError):
        read_network(tmp_path / "net.json")


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl", "model.h5", "model.tflite", "model"])
def test_formats_that_could_run_code_or_hold_no_network_are_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04cposix\nsystem\n")
    with pytest.raises(NetworkError, match=r"torch\.onnx\.export|save the model again"):
        read_network(tmp_path / name)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(NetworkError, match="a path, a PyTorch module or a Keras model, found int"):
        read_network(3)


NAMES = st.sampled_from(["x", "a", "b", "c", "d"])
SIZES = st.lists(st.integers(-2, 2**21), max_size=4)
TYPES = st.sampled_from(["fixed<6,1>", "auto", "float", "fixed<0,0>"])
TOLD: dict[str, st.SearchStrategy[Any]] = {
    "inputs": st.lists(NAMES, max_size=3),
    "shape": SIZES,
    "units": st.integers(-1, 2**21),
    "kernel": SIZES,
    "strides": SIZES,
    "padding": st.sampled_from(["valid", "same", "causal"]),
    "pool": SIZES,
    "keepdims": st.booleans(),
    "axis": st.integers(-5, 5),
    "use_bias": st.booleans(),
    "activation": st.sampled_from([*ACTIVATIONS, "gelu"]),
    "params_per_channel": st.integers(0, 5),
    "weight": TYPES,
    "bias": TYPES,
    "result": TYPES | st.text(max_size=5),
}
LAYERS = st.sampled_from([*KINDS, "lstm"]).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"kind": st.just(kind), "name": NAMES},
        optional={name: told for name, told in TOLD.items() if kind in SETTINGS[name]},
    )
)


@given(st.lists(LAYERS, max_size=8), st.none() | st.lists(NAMES, max_size=2))
def test_any_layers_make_a_network_with_shapes_or_a_message(
    layers: list[dict[str, Any]], outputs: list[str] | None
) -> None:
    content = network_of(layer("input", "first", shape=[12, 12, 3]), *layers) | {"outputs": outputs}
    try:
        network = from_json(content, "file")
    except NetworkError as error:
        assert error.faults
    else:
        for index, made in enumerate(network.layers):
            assert min(made.out_shape) > 0
            assert all(source < index for source in made.inputs)
            assert not made.inputs or network.layers[made.inputs[0]].out_shape == made.in_shape


@given(st.integers(1, 64), st.integers(1, 9), st.integers(1, 5), st.integers(0, 9))
def test_the_word_for_a_padding_gives_the_sizes_that_the_padding_gives(
    size: int, window: int, step: int, pad: int
) -> None:
    reached = (size + pad - window) // step + 1
    word = padding_word([size], [window], [step], [pad])
    if pad == 0:
        assert word == "valid"
    elif word is not None:
        assert word == "same"
        assert reached == -(-size // step)
