"""PyTorch modules and their real ONNX exports (see ``make_files.py``) give the network that Keras gives."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.shown import FILES, JET, nameless, sketch
from wa_bench.networks.network import Network, NetworkError
from wa_bench.networks.read import read_network
from wa_bench.networks.torch_module import from_torch

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from networks import modules  # noqa: E402

if TYPE_CHECKING:
    from torch import nn

EXPORTERS = ("dynamo", "script")


def without(network: Network, *kinds: str) -> Network:
    """The network without layers of some kinds, each of which reads one."""
    kept, place = [], {}
    for index, layer in enumerate(network.layers):
        inputs = tuple(place[source] for source in layer.inputs)
        if layer.kind in kinds:
            place[index] = inputs[0]
        else:
            place[index] = len(kept)
            kept.append(msgspec.structs.replace(layer, inputs=inputs))
    return Network(network.name, tuple(kept))


def test_the_jet_tagger_is_the_same_network_as_a_keras_file_onnx_files_and_a_pytorch_module() -> None:
    keras = read_network(FILES / "jet.keras")
    assert sketch(keras) == JET
    assert nameless(read_network(modules.JET[0])) == nameless(keras)
    for exporter in EXPORTERS:
        assert nameless(read_network(FILES / f"jet_{exporter}.onnx")) == nameless(keras)


@pytest.mark.parametrize("name", ["skip", "conv1d", "conv2d"])
def test_a_pytorch_module_is_the_network_of_its_keras_twin(name: str) -> None:
    module, shape = getattr(modules, name.upper())
    assert nameless(from_torch(module, shape)) == nameless(read_network(FILES / f"{name}.keras"))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", ["skip", "conv2d"])
def test_an_onnx_export_is_the_network_of_its_keras_twin(name: str, exporter: str) -> None:
    assert nameless(read_network(FILES / f"{name}_{exporter}.onnx")) == nameless(read_network(FILES / f"{name}.keras"))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_what_an_export_folds_away_is_all_that_it_lacks(exporter: str) -> None:
    """PyTorch folds a batch normalization into the convolution before it and drops dropout."""
    keras = without(read_network(FILES / "conv1d.keras"), "batch_normalization", "dropout")
    assert nameless(read_network(FILES / f"conv1d_{exporter}.onnx")) == nameless(keras)


def test_the_files_hold_no_weights() -> None:
    model = onnx.load(FILES / "jet_dynamo.onnx", load_external_data=False)
    stored = [tensor.data_location for tensor in model.graph.initializer]
    assert stored == [onnx.TensorProto.EXTERNAL] * 7 + [onnx.TensorProto.DEFAULT]


def test_tracing_leaves_the_module_as_it_is() -> None:
    module = copy.deepcopy(modules.CONV1D[0]).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    from_torch(module, (4, 32))
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_the_shape_of_an_input_is_asked_for_where_no_linear_layer_tells_it() -> None:
    with pytest.raises(NetworkError, match=r"input_shape=\(channels, rows, columns\)"):
        from_torch(modules.CONV2D[0])


def _module(body: Any, **children: nn.Module) -> nn.Module:
    class Made(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, child in children.items():
                setattr(self, name, child)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return body(self, x)

    return Made()


def test_all_unsupported_parts_of_a_module_are_named_at_once() -> None:
    nn = torch.nn
    module = _module(
        lambda self, x: self.head(torch.sin(self.norm(self.act(self.first(x))))) * 2,
        first=nn.Linear(4, 4),
        act=nn.GELU(),
        norm=nn.LayerNorm(4),
        head=nn.Linear(4, 2),
    )
    with pytest.raises(NetworkError) as error:
        from_torch(module)
    assert "'act' (GELU), 'norm' (LayerNorm), 'sin' (sin)" in str(error.value)
    assert "Linear, Conv1d, Conv2d" in str(error.value)
    assert "layer 'mul': expected multiply of outputs of other layers, found a constant" in str(error.value)


@pytest.mark.parametrize(
    ("body", "child", "shape", "said"),
    [
        (lambda self, x: self.f(self.f(x)), "Linear(4, 4)", (4,), "f called again"),
        (lambda self, x: self.f(x) if x.sum() > 0 else x, "Linear(4, 4)", (4,), "take branches on values out"),
        (lambda self, x: self.f(x), "Linear(4, 4)", (5,), "a layer for 5 inputs"),
        (lambda self, x: self.f(x), "Linear(4, 4)", (3, 4), "put nn.Flatten before it"),
        (lambda self, x: self.f(x), "Conv2d(1, 1, 3, dilation=2)", (1, 9, 9), "without dilation"),
        (lambda self, x: self.f(x), "Conv2d(2, 2, 3, groups=2)", (2, 9, 9), "groups=2"),
        (lambda self, x: self.f(x), "Conv2d(1, 1, 5, padding=1)", (1, 9, 9), "words valid or same"),
        (lambda self, x: self.f(x), "Conv2d(1, 1, 3)", (1, 9), "a window of 1 sizes, found 2"),
        (lambda self, x: self.f(x), "Conv2d(1, 1, 3)", (1, 2, 2), "a window within the input"),
        (lambda self, x: self.f(x), "AdaptiveAvgPool2d(2)", (1, 4, 4), "adaptive pooling to size 1"),
        (lambda self, x: self.f(x), "MaxPool1d(3, ceil_mode=True)", (1, 4), "without ceil_mode"),
        (lambda self, x: self.f(x), "BatchNorm1d(4, track_running_stats=False)", (4,), "running statistics"),
        (lambda self, x: torch.cat([x, x], 0), "Linear(4, 4)", (4,), "not joined along the batch"),
        (lambda self, x: torch.cat(self.f(x), 1), "Linear(4, 4)", (4,), "two or more inputs, found 1"),
        (lambda self, x: x.view(-1), "Linear(4, 4)", (4,), "all but the batch"),
        (lambda self, x: self.f(x).view(-1, 7), "Conv2d(1, 4, 3)", (1, 9, 9), "to -1 or 196, found to 7"),
        (lambda self, x: x.view(x.size(1), -1), "Linear(4, 4)", (1, 2, 2), "all but the batch"),
        (lambda self, x: x.reshape(2, -1), "Linear(4, 4)", (4,), "all but the batch"),
        (lambda self, x: x.reshape(), "Linear(4, 4)", (4,), "all but the batch"),
        (lambda self, x: self.f(x[:, :4]), "Linear(4, 4)", (8,), "'getitem' (a slice)"),
        (lambda self, x: self.f(x.T), "Linear(4, 4)", (4,), "(an attribute)"),
        (lambda self, x: self.f(x.chunk(2, 1)[0]), "Linear(4, 4)", (8,), "'chunk' (chunk)"),
        (lambda self, x: self.f(x.size(0)), "Linear(4, 4)", (4,), "outputs of other layers, found sizes"),
        (lambda self, x: self.f(x) * x.shape[1], "Linear(4, 4)", (4,), "multiply of outputs of other layers"),
        (lambda self, x: torch.add(self.f(x), x, alpha=2), "Linear(4, 4)", (4,), "add of outputs of other layers"),
        (lambda self, x: torch.max(self.f(x), 1), "Linear(4, 4)", (4,), "maximum of outputs of other layers"),
        (lambda self, x: self.f(x).mean(1), "Conv2d(1, 1, 1)", (1, 4, 4), "a mean over rows and columns"),
        (lambda self, x: x.shape, "Linear(4, 4)", (4,), "layers as outputs of the network"),
    ],
)
def test_a_module_that_no_record_describes_is_refused_with_the_reason(
    body: Any, child: str, shape: tuple[int, ...], said: str
) -> None:
    kind, _, arguments = child.partition("(")
    made = eval(f"nn.{kind}({arguments}", {"nn": torch.nn})  # noqa: S307 (the table above)
    with pytest.raises(NetworkError, match=re.escape(said)):
        from_torch(_module(body, f=made), shape)


@pytest.mark.parametrize(
    ("spelling", "usual"),
    [
        (lambda a, b: torch.cat((a, b), axis=1), lambda a, b: torch.cat([a, b], 1)),
        (torch.max, torch.maximum),
        (lambda a, b: torch.min(a, other=b), torch.minimum),
    ],
)
def test_a_function_by_another_of_its_names_is_the_same_layer(spelling: Any, usual: Any) -> None:
    nn = torch.nn
    made, expected = (
        from_torch(_module(lambda self, x, join=join: join(self.f(x), self.g(x)), f=nn.Linear(4, 4), g=nn.Linear(4, 4)))
        for join in (spelling, usual)
    )
    assert nameless(made) == nameless(expected)


@pytest.mark.parametrize(
    ("channels", "mean", "shape"),
    [
        ((1, 9, 9), lambda x: x.mean((2, 3)), (4,)),
        ((1, 9, 9), lambda x: torch.mean(x, dim=[-1, -2], keepdim=True), (1, 1, 4)),
        ((1, 9), lambda x: x.mean(axis=2), (4,)),
    ],
)
def test_a_mean_over_rows_and_columns_is_a_global_pooling(
    channels: tuple[int, ...], mean: Any, shape: tuple[int, ...]
) -> None:
    rank = len(channels) - 1
    module = _module(lambda self, x: mean(self.f(x)), f=getattr(torch.nn, f"Conv{rank}d")(1, 4, 3))
    assert sketch(from_torch(module, channels))[-1] == (f"global_average_pooling{rank}d", (1,), shape, 0)


@pytest.mark.parametrize(
    "flat", [lambda x: x.view(x.size(0), -1), lambda x: x.reshape(x.shape[0], 196), lambda x: x.view(-1, 4 * 49)]
)
def test_a_reshape_that_keeps_the_batch_is_read(flat: Any) -> None:
    module = _module(lambda self, x: flat(self.f(x)), f=torch.nn.Conv2d(1, 4, 3))
    assert sketch(from_torch(module, (1, 9, 9)))[-1] == ("flatten", (1,), (196,), 0)


def test_a_bare_layer_is_a_network_of_its_own() -> None:
    network = from_torch(torch.nn.Linear(16, 1, bias=False))
    assert network.name == "Linear"
    assert sketch(network) == [("input", (), (16,), 0), ("dense", (0,), (1,), 16)]


def test_a_layer_whose_result_is_dropped_is_no_part_of_the_network() -> None:
    nn = torch.nn

    def body(self: Any, x: Any) -> Any:
        self.g(x)
        return self.f(x)

    module = _module(body, f=nn.Linear(8, 8), g=nn.Linear(8, 800))
    assert sketch(from_torch(module)) == [("input", (), (8,), 0), ("dense", (0,), (8,), 72)]


@pytest.mark.parametrize("change", [lambda self, y: self.act(y), lambda _, y: torch.relu_(y), lambda _, y: y.relu_()])
def test_what_is_changed_in_place_is_changed_for_all_who_read_it_later(change: Any) -> None:
    def body(self: Any, x: Any) -> Any:
        y = self.f(x)
        change(self, y)
        return self.g(y)

    nn = torch.nn
    module = _module(body, f=nn.Linear(4, 4), g=nn.Linear(4, 2), act=nn.ReLU(inplace=True))
    assert [row[:2] for row in sketch(from_torch(module))] == [
        ("input", ()),
        ("dense", (0,)),
        ("relu", (1,)),
        ("dense", (2,)),
    ]


def onnx_model(nodes: list[Any], weights: dict[str, Any], shape: tuple[Any, ...]) -> Any:
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    initializers = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", real, shape)],
        [helper.make_tensor_value_info("y", real, None)],
        initializers,
    )
    return helper.make_model(graph)


def saved(model: Any, folder: Path) -> Path:
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_a_channels_last_model_is_read_through_its_transposes(tmp_path: Path) -> None:
    """As tf2onnx writes convolutions of Keras, and a product with its bias added behind it."""
    import numpy as np

    node = onnx.helper.make_node
    weights = {"k": np.zeros((4, 3, 3, 3), "f"), "m": np.zeros((400, 7), "f"), "b": np.zeros(7, "f")}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "k"], ["c"], auto_pad="SAME_UPPER", name="conv"),
        node("Transpose", ["c"], ["u"], perm=[0, 2, 3, 1]),
        node("Relu", ["u"], ["r"]),
        node("Reshape", ["r", "flat"], ["f"]),
        node("MatMul", ["f", "m"], ["p"], name="dense"),
        node("Add", ["p", "b"], ["y"]),
    ]
    model = onnx_model(nodes, weights | {"flat": np.array([-1, 400])}, ("batch", 10, 10, 3))
    assert sketch(read_network(saved(model, tmp_path))) == [
        ("input", (), (10, 10, 3), 0),
        ("conv2d", (0,), (10, 10, 4), 108),
        ("relu", (1,), (10, 10, 4), 0),
        ("flatten", (2,), (400,), 0),
        ("dense", (3,), (7,), 2807),
    ]


def test_a_product_that_two_nodes_read_keeps_its_addition(tmp_path: Path) -> None:
    import numpy as np

    node = onnx.helper.make_node
    nodes = [
        node("MatMul", ["x", "m"], ["p"]),
        node("Relu", ["p"], ["r"]),
        node("Add", ["p", "r"], ["y"]),
    ]
    network = read_network(saved(onnx_model(nodes, {"m": np.zeros((4, 4), "f")}, (1, 4)), tmp_path))
    assert [row[:2] for row in sketch(network)] == [("input", ()), ("dense", (0,)), ("relu", (1,)), ("add", (1, 2))]


def test_a_node_that_no_output_follows_from_is_no_part_of_the_network(tmp_path: Path) -> None:
    import numpy as np

    node = onnx.helper.make_node
    weights = {"m": np.zeros((8, 4), "f"), "w": np.zeros((8, 400), "f")}
    model = onnx_model([node("MatMul", ["x", "m"], ["y"]), node("MatMul", ["x", "w"], ["q"])], weights, ("n", 8))
    assert sketch(read_network(saved(model, tmp_path))) == [("input", (), (8,), 0), ("dense", (0,), (4,), 32)]
    model.graph.output[0].name = "z"
    with pytest.raises(NetworkError, match="layers as outputs of the network, found 'z'"):
        read_network(saved(model, tmp_path))


@pytest.mark.parametrize(
    ("sizes", "batch", "is_read"),
    [
        ([-1, 32], "n", True),
        ([0, -1], "n", True),
        ([1, -1], "n", True),
        ([4, -1], 4, True),
        ([4, -1], "n", False),
        ([1, -1], 4, False),
        ([-1, 4], "n", False),
        ([-1], 1, False),
    ],
)
def test_a_reshape_is_read_where_it_keeps_the_batch(
    tmp_path: Path, sizes: list[int], batch: int | str, is_read: bool
) -> None:
    import numpy as np

    node = onnx.helper.make_node
    weights = {"k": np.zeros((2, 1, 3, 3), "f"), "s": np.array(sizes)}
    nodes = [node("Conv", ["x", "k"], ["c"]), node("Reshape", ["c", "s"], ["y"])]
    path = saved(onnx_model(nodes, weights, (batch, 1, 6, 6)), tmp_path)
    if is_read:
        assert sketch(read_network(path))[-1] == ("flatten", (1,), (32,), 0)
    else:
        with pytest.raises(NetworkError, match="a reshape to a constant shape, batch first"):
            read_network(path)


def test_all_unsupported_nodes_are_named_at_once(tmp_path: Path) -> None:
    import numpy as np

    node = onnx.helper.make_node
    nodes = [
        node("LSTM", ["x", "m", "m"], ["l"], name="memory"),
        node("Gemm", ["l", "m"], ["g"], alpha=2.0),
        node("Gemm", ["x", "m"], ["h"], alpha=2.0, name="scaled"),
        node("Erf", ["g"], ["y"], name="erf"),
    ]
    with pytest.raises(NetworkError) as error:
        read_network(saved(onnx_model(nodes, {"m": np.zeros((4, 4), "f")}, (1, 4)), tmp_path))
    assert "'memory' (LSTM), 'erf' (Erf)" in str(error.value)
    assert "layer 'scaled': expected a plain Gemm" in str(error.value)
    assert len(error.value.faults) == 2


def test_sizes_that_are_not_fixed_are_asked_for(tmp_path: Path) -> None:
    import numpy as np

    model = onnx_model([onnx.helper.make_node("MatMul", ["x", "m"], ["y"])], {"m": np.zeros((4, 4), "f")}, (1, "n"))
    with pytest.raises(NetworkError, match="fixed sizes, all but the batch"):
        read_network(saved(model, tmp_path))


def test_weights_in_a_file_elsewhere_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "jet.onnx").write_bytes((FILES / "jet_script.onnx").read_bytes())
    model = onnx.load(tmp_path / "jet.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "/dev/zero"
    onnx.save(model, tmp_path / "jet.onnx")
    assert sketch(read_network(tmp_path / "jet.onnx")) == JET


@pytest.mark.parametrize("name", ["jet_script", "conv2d_dynamo"])
@given(data=st.data())
def test_a_damaged_onnx_file_is_read_or_refused_with_a_message(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray((FILES / f"{name}.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"{name}.onnx"
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        network = read_network(path)
    except NetworkError as error:
        assert error.faults
    else:
        assert all(min(layer.out_shape) > 0 for layer in network.layers)
