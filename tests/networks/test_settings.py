"""hls4ml settings, from fields and from config files, and the records that networks have with them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.shown import FILES
from wa_bench.networks.hls4ml_config import from_config, read_config
from wa_bench.networks.keras_file import from_keras
from wa_bench.networks.network import NetworkError
from wa_bench.networks.read import read_network
from wa_bench.networks.settings import LayerSettings, Settings, design
from wa_bench.records.hls4ml import parse_precision, read_designs
from wa_bench.records.reuse import is_valid_reuse_factor
from wa_bench.records.schema import Design, Layer, Precision

JET = read_network(FILES / "jet.keras")
QJET = read_network(FILES / "qjet.keras")


def test_untold_settings_are_hls4mls_own_defaults() -> None:
    made = design(JET, Settings())
    default = Precision(16, 6, signed=True)
    assert (made.strategy, made.io_type, made.clock_ns, made.reuse_factor) == ("latency", "io_parallel", 5.0, 1)
    assert made.precision == default
    dense = made.layers[1]
    assert (dense.weight, dense.bias, dense.result, dense.accumulator) == (default,) * 4
    assert made.layers[2].weight is None
    assert made.layers[2].result == default


@given(st.integers(1, 10_000))
def test_every_layer_with_weights_gets_a_valid_reuse_factor_and_all_others_the_one_asked_for(asked: int) -> None:
    made = design(JET, Settings(strategy="resource", reuse_factor=asked))
    for layer in made.layers:
        if layer.kind == "dense":
            assert is_valid_reuse_factor(layer.in_shape[0], layer.units or 0, layer.reuse_factor)
        else:
            assert layer.reuse_factor == asked


def test_types_of_a_quantized_network_are_told_by_it_and_inferred_from_hls4ml_1_on() -> None:
    old, new = (design(QJET, Settings(hls4ml_version=version)).layers[1] for version in ("0.8.1", "1.1.0"))
    six, default = Precision(6, 1, signed=True), Precision(16, 6, signed=True)
    assert (old.weight, old.bias, old.result, old.accumulator) == (six, six, default, default)
    assert (new.weight, new.bias, new.result, new.accumulator) == (six, six, None, None)


def test_the_name_wins_over_the_type_and_the_type_over_the_model() -> None:
    settings = from_config(
        {
            "Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 4, "Strategy": "Resource"},
            "LayerType": {"Dense": {"Precision": "fixed<8,3>", "ReuseFactor": 8}},
            "LayerName": {"fc2": {"Precision": {"weight": "fixed<4,1>"}, "ReuseFactor": 2}, "fc3_linear": {}},
        }
    )
    fc1, fc2 = (design(JET, settings).layers[index] for index in (1, 3))
    assert (fc1.weight, fc1.result, fc1.reuse_factor) == (Precision(8, 3, signed=True), Precision(8, 3, signed=True), 8)
    assert (fc2.weight, fc2.result, fc2.reuse_factor) == (Precision(4, 1, signed=True), Precision(8, 3, signed=True), 2)
    assert design(JET, settings).layers[2].result == Precision(16, 6, signed=True)


YAML = """\
KerasModel: !keras_model model.keras
OutputDir: firmware
Part: xczu9eg-ffvb1156-2-e
ClockPeriod: 4
IOType: io_stream
HLSConfig:
  Model:
    Precision: {default: "fixed<12,4>"}
    ReuseFactor: 16
    Strategy: Resource
    TraceOutput: false
  LayerName:
    fc1:
      Precision: {weight: "fixed<6,2>", result: auto}
"""


@pytest.mark.parametrize("ending", ["yml", "json"])
def test_a_config_file_of_hls4ml_gives_its_settings(tmp_path: Path, ending: str) -> None:
    import yaml

    path = tmp_path / f"config.{ending}"
    path.write_text(YAML if ending == "yml" else json.dumps(yaml.safe_load(YAML.replace("!keras_model ", ""))))
    settings = read_config(path)
    assert settings == Settings(
        part="xczu9eg-ffvb1156-2-e",
        clock_ns=4.0,
        io_type="io_stream",
        precision=Precision(12, 4, signed=True),
        reuse_factor=16,
        strategy="resource",
        by_name={"fc1": LayerSettings({"weight": Precision(6, 2, signed=True), "result": None})},
    )
    made = design(JET, settings).layers[1]
    assert (made.weight, made.bias, made.result) == (Precision(6, 2, signed=True), Precision(12, 4, signed=True), None)


@pytest.mark.parametrize("backend", ["Vivado", "vitis", "Quartus", "Catapult", "VivadoAccelerator", None])
def test_a_backend_that_no_record_comes_from_is_refused(backend: str | None) -> None:
    config = {"Backend": backend, "Part": "xc7z020"}
    if backend in {"Vivado", "vitis"}:
        assert from_config(config) == Settings(part="xc7z020")
    else:
        with pytest.raises(NetworkError, match=f"Backend: expected Vivado or Vitis, as no record.*{backend}"):
            from_config(config)


def test_all_faults_of_a_config_are_told_at_once() -> None:
    with pytest.raises(NetworkError) as error:
        from_config(
            {
                "Prat": "xc7z020",
                "IOType": "io_serial",
                "HLSConfig": {
                    "Model": {"Precision": "float32", "ReuseFactor": 0, "Stratgey": "Latency"},
                    "LayerType": {"LSTM": {}, "Dense": {"Strategy": "Resource"}},
                    "LayerName": {"fc1": {"Precision": {"weight": "fixed<0,0>"}, "ParallelizationFactor": 4}},
                },
            }
        )
    text = str(error.value)
    for said in (
        "found 'Prat'",
        "io_type: expected io_parallel or io_stream, found 'io_serial'",
        "Model.Precision: expected a type such as",
        "reuse_factor: expected `int` >= 1, found 0",
        "found 'Stratgey'",
        "LayerType.LSTM",
        "one strategy in the whole network, here latency, found resource for LayerType.Dense",
        "LayerName.fc1.Precision.weight",
        "LayerName.fc1.ParallelizationFactor: expected 1, as no record has another, found 4",
    ):
        assert said in text
    assert len(error.value.faults) == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x\n", "an anchor or alias"),
        ("Model: !!python/object/apply:os.system [echo]\n", "readable YAML"),
        ("[" * 50, "at most 16 levels"),
        ("- 1\n", "fields such as"),
        ("a: [1\n", "readable YAML"),
        ("#" * (2 << 20), "at most 1,048,576 bytes"),
    ],
)
def test_a_hostile_config_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(NetworkError, match=said):
        read_config(tmp_path / "c.yml")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("fixed<8,3>"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Model", "LayerName", "LayerType", "Dense", "fc1", "Precision", "ReuseFactor", "Strategy", "weight"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["HLSConfig", "Model", "LayerName", "Part", "ClockPeriod", "IOType"]), ANYTHING))
def test_whatever_stands_in_a_config_it_is_settings_or_a_message(content: dict[Any, Any]) -> None:
    try:
        settings = from_config(content)
    except NetworkError as error:
        assert error.faults
    else:
        assert msgspec.convert(msgspec.to_builtins(settings), Settings) == settings


def test_settings_for_layers_that_are_not_there_and_shared_multipliers_without_sharing_are_refused() -> None:
    settings = Settings(strategy="distributed_arithmetic", reuse_factor=2, by_name={"fc9": LayerSettings()})
    with pytest.raises(NetworkError) as error:
        design(JET, settings)
    assert "layers such as fc1, fc2, fc3, out, found fc9" in str(error.value)
    assert "2 with strategy distributed_arithmetic" in str(error.value)


def keras_of(record: dict[str, Any], decoded: Design) -> dict[str, Any]:
    """A Keras model's JSON that has the architecture of a genuine record, and says nothing that follows from it.

    Shapes but the input's, parameters, reuse factors and all types but those of quantizers are left out. Genuine
    records do not tell the windows of poolings either; they are taken from the decoded record.
    """
    names = [layer.name or f"layer_{index}" for index, layer in enumerate(decoded.layers)]
    layers = []
    first = decoded.layers[0]
    if first.kind != "input":
        config = {"name": "x", "batch_shape": [None, *first.in_shape]}
        layers.append({"class_name": "InputLayer", "config": config, "inbound_nodes": []})
    told = {
        "neurons": "units",
        **{name: name for name in ("filters", "kernel_size", "strides", "padding", "use_bias", "activation")},
    }
    for raw, layer, name in zip(record["model_config"], decoded.layers, names, strict=True):
        config = {"name": name, **{setting: raw[field] for field, setting in told.items() if field in raw}}
        if layer.kind == "input":
            config["batch_shape"] = [None, *layer.out_shape]
        if layer.pool is not None:
            config["pool_size"] = list(layer.pool)
        if raw["class_name"] in {"QDense", "QConv1D", "QConv2D"}:
            config |= {
                f"{role}_quantizer": quantizer(kind)
                for role, kind in (("kernel", layer.weight), ("bias", layer.bias))
                if kind
            }
        sources = [names[index] for index in layer.inputs] or (["x"] if layer.kind != "input" else [])
        calls = [[[source, 0, 0, {}] for source in sources]] if sources else []
        layers.append({"class_name": raw["class_name"], "config": config, "inbound_nodes": calls})
    return {"class_name": "Functional", "config": {"name": "rebuilt", "layers": layers}}


def quantizer(kind: Precision) -> dict[str, Any]:
    return {"class_name": "quantized_bits", "config": {"bits": kind.width, "integer": kind.integer - 1}}


def genuine(mirror: Path) -> Iterator[tuple[dict[str, Any], Design]]:
    for path in sorted((mirror / "wa-hls4ml-excerpt").glob("*/*.json")):
        text = path.read_bytes()
        (chunk,) = read_designs(io.BytesIO(text), split=path.parent.name, file=path.name)
        yield from zip(json.loads(text), chunk.records, strict=True)


def own_settings(decoded: Design) -> dict[str, Any]:
    names = (
        "part",
        "clock_ns",
        "strategy",
        "io_type",
        "reuse_factor",
        "precision",
        "hls4ml_version",
        "tool",
        "tool_version",
    )
    return {name: getattr(decoded, name) for name in names if getattr(decoded, name) is not None}


def comparable(layers: list[Layer], *, ours: bool) -> list[Layer]:
    """Layers without names; without the input that 2layer and 3layer records leave out, if these are ours.

    Records of the family 2_20 have no type for a bias that is not there, all others do, and so have ours.
    """
    shift = 1 if ours else 0
    return [
        msgspec.structs.replace(
            layer,
            name=None,
            inputs=tuple(source - shift for source in layer.inputs if source >= shift),
            bias=layer.bias if layer.use_bias else None,
        )
        for layer in layers[shift:]
    ]


def test_all_genuine_records_are_rebuilt_layer_by_layer_from_the_architecture_and_the_settings(mirror: Path) -> None:
    compared = 0
    for record, decoded in genuine(mirror):
        network = from_keras(keras_of(record, decoded), decoded.model_name)
        made = design(network, Settings(**own_settings(decoded)))
        lacks_input = decoded.layers[0].kind != "input"
        assert comparable(made.layers, ours=lacks_input) == comparable(decoded.layers, ours=False)
        assert {name: getattr(made, name) for name in own_settings(decoded)} == own_settings(decoded)
        compared += 1
    assert compared == 22


def test_the_config_in_a_genuine_record_gives_its_layers(mirror: Path) -> None:
    for record, decoded in genuine(mirror):
        network = from_keras(keras_of(record, decoded), decoded.model_name)
        settings = msgspec.structs.replace(
            from_config(record["hls_config"]),
            **{name: value for name, value in own_settings(decoded).items() if name in {"hls4ml_version", "io_type"}},
        )
        assert design(network, settings).layers == design(network, Settings(**own_settings(decoded))).layers
        assert (settings.strategy, settings.reuse_factor) == (decoded.strategy, decoded.reuse_factor)


def test_a_type_prints_and_parses_back() -> None:
    from wa_bench.estimation.estimate import precision_text

    for text in ("fixed<16,6>", "ufixed<8,0,RND_CONV,SAT>", "fixed<8,-2>"):
        precision = parse_precision(text)
        assert precision is not None
        assert precision_text(precision) == text
