"""Reads a network from whatever it is given as."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wa_bench.errors import Fault
from wa_bench.networks.json_file import from_json
from wa_bench.networks.keras_file import from_keras, legacy_fault, read_keras
from wa_bench.networks.network import Network, NetworkError
from wa_bench.networks.onnx_file import read_onnx
from wa_bench.networks.torch_module import Shape, from_torch

_MOST_BYTES = 16 << 20
_FORMATS = ".keras, .onnx, or .json (of Keras's model.to_json(), or our own)"
_REFUSED = {
    **dict.fromkeys([".pt", ".pth", ".pkl", ".bin"], "a pickle, which could run anything"),
    ".safetensors": "weights without a network",
    ".pb": "a TensorFlow graph",
    ".tflite": "a TensorFlow Lite graph",
}


def read_network(
    model: Network | str | os.PathLike[str] | Any, input_shape: Shape | Sequence[Shape] | None = None
) -> Network:
    """The network in a file, or of a PyTorch module or a Keras model in memory.

    Args:
        model: path of a ``.keras``, ``.onnx`` or ``.json`` file; a ``torch.nn.Module``; anything with ``to_json()``,
            such as a Keras model; a network that was read before.
        input_shape: for a module: the shape of its input without the batch (see ``from_torch``).

    Raises:
        NetworkError: all faults of the network at once, or a format that is not read.
        MissingToolError: the package that reads the format is not installed.
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, str | os.PathLike):
        return _read_file(Path(model))
    if callable(to_json := getattr(model, "to_json", None)):
        return from_keras(msgspec.json.decode(to_json(), type=dict[str, Any]), "model")
    if any(kind.__module__.startswith("torch.nn.") for kind in type(model).__mro__):
        return from_torch(model, input_shape)
    raise NetworkError(Fault("model", "a path, a PyTorch module or a Keras model", type(model).__name__))


def _read_file(path: Path) -> Network:
    if not path.is_file():
        raise NetworkError(Fault(str(path), f"a file: {_FORMATS}", "a folder" if path.is_dir() else "nothing"))
    match path.suffix.lower():
        case ".keras":
            return read_keras(path)
        case ".onnx":
            return read_onnx(path)
        case ".json":
            return _read_json(path)
        case ".h5" | ".hdf5":
            raise NetworkError(legacy_fault(path))
        case suffix:
            found = _REFUSED.get(suffix, f"the ending {suffix or '(none)'}")
            remedy = "export a PyTorch module: torch.onnx.export(module.eval(), example_inputs, 'model.onnx')"
            raise NetworkError(Fault(str(path), _FORMATS, found, remedy))


def _read_json(path: Path) -> Network:
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise NetworkError(Fault(str(path), f"at most {_MOST_BYTES:,} bytes", f"{size:,} bytes"))
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NetworkError(Fault(str(path), "a JSON object", str(error)[:200])) from None
    return from_keras(content, path.name) if "class_name" in content else from_json(content, path.name)
