"""Makes the files of ``files/`` with the real tools, each in an environment that has them, and takes the weights out.

    KERAS_BACKEND=torch python make_files.py keras3     (keras 3.15.1, torch 2.13.0)
    python make_files.py keras2                         (tensorflow-cpu 2.15.1, qkeras 0.9.0, pyparsing)
    python make_files.py onnx                           (torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2)

It is not run by the tests.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

FILES = Path(__file__).parent / "files"


def without_weights(name: str) -> None:
    """Leave the JSON in a .keras archive and drop the weights, which no reader looks at."""
    path = FILES / name
    with zipfile.ZipFile(path) as archive:
        kept = {member: archive.read(member) for member in archive.namelist() if member.endswith(".json")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in kept.items():
            archive.writestr(member, content)


def keras3() -> None:
    import keras
    from keras import layers

    def save(model: keras.Model, name: str) -> None:
        model.save(FILES / name)
        without_weights(name)

    jet = [layers.Dense(units, activation="relu", name=f"fc{i}") for i, units in enumerate((64, 32, 32), 1)]
    out = layers.Dense(5, activation="softmax", name="out")
    save(keras.Sequential([keras.Input((16,), name="x"), *jet, out], name="jet"), "jet.keras")

    x = keras.Input((36,), name="x")
    h = layers.Activation("relu")(layers.Dense(36, use_bias=False)(x))
    for _ in range(5):
        h = layers.Activation("relu")(layers.Add()([layers.Dense(36, use_bias=False)(h), h]))
    save(keras.Model(x, h, name="skip"), "skip.keras")

    x = keras.Input((32, 4), name="x")
    h = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(8, 3)(x)))
    h = layers.Conv1D(4, 3, strides=2, padding="same", activation="tanh")(layers.AveragePooling1D(2)(h))
    h = layers.Softmax()(layers.Dense(3)(layers.Dropout(0.2)(layers.Flatten()(h))))
    save(keras.Model(x, h, name="conv1d"), "conv1d.keras")

    x = keras.Input((12, 12, 1), name="x")
    h = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    h = layers.Concatenate()([layers.Conv2D(4, 3, padding="same", use_bias=False)(h), layers.Conv2D(2, 1)(h)])
    h = layers.GlobalAveragePooling2D(keepdims=True)(layers.BatchNormalization()(h))
    model = keras.Model(x, layers.Dense(2, activation="sigmoid")(layers.Flatten()(h)), name="conv2d")
    save(model, "conv2d.keras")
    (FILES / "conv2d.json").write_text(model.to_json())

    rnn = [keras.Input((8, 4)), layers.LSTM(3), layers.Dense(2, activation="gelu"), layers.LayerNormalization()]
    save(keras.Sequential(rnn), "unsupported.keras")
    save(keras.Sequential([layers.Dense(3)]), "unbuilt.keras")
    x, dense = keras.Input((6,)), layers.Dense(6)
    save(keras.Model(x, dense(dense(x))), "shared.keras")
    x = keras.Input((6,))
    save(keras.Model(x, (layers.Dense(6)(x) + x) * 2.0), "scaled.keras")


def keras2() -> None:
    import qkeras
    from qkeras import QActivation, QConv2D, QDense, quantized_bits
    from tensorflow.keras import Input, Model, Sequential, layers

    def save(model: Model, name: str) -> None:
        model.save(FILES / name)
        without_weights(name)

    six = quantized_bits(6, 0, alpha=1)
    model = Sequential(
        [
            QDense(32, input_shape=(16,), kernel_quantizer=six, bias_quantizer=six, name="fc1"),
            QActivation("quantized_relu(6)", name="relu1"),
            QDense(
                8,
                kernel_quantizer="ternary(alpha=1)",
                bias_quantizer="quantized_bits(4,4,alpha=1)",
                activation="quantized_tanh(6)",
                name="fc2",
            ),
            layers.Dense(5, name="out"),
            layers.Activation("softmax", name="softmax"),
        ],
        name="qjet",
    )
    save(model, "qjet.keras")
    model.save(FILES / "qjet.h5")
    content = (FILES / "qjet.h5").read_bytes()
    (FILES / "qjet.h5").write_bytes(content[:64])

    x = Input((12, 12, 3), name="image")
    four = quantized_bits(4, 1, alpha=1)
    h = QConv2D(4, (3, 3), kernel_quantizer=four, bias_quantizer=four, name="conv1")(x)
    h = QActivation(qkeras.quantized_relu(4, 1), name="act")(layers.BatchNormalization(name="bn")(h))
    h = layers.MaxPooling2D(2, name="pool")(h)
    h = layers.Add(name="add")([layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(h), h])
    h = layers.Dense(2, activation="sigmoid", name="out")(layers.Flatten(name="flat")(h))
    save(Model(x, h, name="qconv"), "qconv.keras")


def onnx() -> None:
    import onnx
    import torch
    from modules import CONV1D, CONV2D, JET, SKIP

    for name, (module, shape) in {"jet": JET, "skip": SKIP, "conv1d": CONV1D, "conv2d": CONV2D}.items():
        module.eval()
        for exporter, dynamo in (("dynamo", True), ("script", False)):
            path = FILES / f"{name}_{exporter}.onnx"
            torch.onnx.export(module, (torch.zeros(1, *shape),), path, dynamo=dynamo)
            model = onnx.load(path)
            for tensor in model.graph.initializer:
                if len(tensor.raw_data) > 64:
                    tensor.ClearField("raw_data")
                    tensor.data_location = onnx.TensorProto.EXTERNAL
                    tensor.external_data.add(key="location", value="weights")
            for holder in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.value_info):
                del holder.metadata_props[:]
            for node in model.graph.node:
                node.ClearField("doc_string")
            del model.functions[:]
            onnx.save(model, path)
            path.with_name(f"{path.name}.data").unlink(missing_ok=True)


if __name__ == "__main__":
    {"keras3": keras3, "keras2": keras2, "onnx": onnx}[sys.argv[1]]()
