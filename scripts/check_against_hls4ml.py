"""Compare the integer reference of opensynth networks with hls4ml's own fixed-point emulation, bit for bit.

    python -m venv build/hls4ml && build/hls4ml/bin/pip install . hls4ml==1.3.0
    build/hls4ml/bin/python scripts/check_against_hls4ml.py --count 20

Needs g++, but no TensorFlow. hls4ml gets every type, the strategy and the requested reuse factor from the record of a
network, writes its C++, compiles it and computes the outputs of seeded inputs; the reference must give the same ones.
The reuse factors that hls4ml settles on must be those of the record. Networks that are more than a chain of dense
layers and ReLU are passed over.

With ``--flip`` hls4ml gets one wrong number a network, and the check must fail. A wrong bias of the last layer shows
unless its output is saturated; a wrong weight does not show where the neuron that it reads is always zero.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hls4ml.model import ModelGraph

from wa_bench.opensynth.arithmetic import Integers
from wa_bench.opensynth.generate import Measurement, record
from wa_bench.opensynth.network import Network
from wa_bench.opensynth.sampling import from_seed
from wa_bench.records.schema import Design, Precision

FEW = 10
"""Networks with fewer distinct outputs are counted: that both agree on them says little."""

Parameters = list[dict[str, Integers]]


def described(seed: int) -> tuple[Network, Design]:
    """The network of ``seed`` and its record, without figures."""
    return from_seed(seed), record(Measurement(seed, "", "", "", "", ""))


def parameters_of(network: Network) -> Parameters:
    """Weights, shape (inputs, outputs), and biases of the dense layers, in integers."""
    return [{"weight": layer.weights.T.copy(), "bias": layer.bias.copy()} for layer in network.products]


def is_fully_connected(design: Design) -> bool:
    """Whether the network is a chain of dense layers and ReLU."""
    kinds = {("input", None), ("dense", None), ("activation", "relu")}
    return all(
        (layer.kind, layer.activation) in kinds and layer.inputs == ([index - 1] if index else [])
        for index, layer in enumerate(design.layers)
    )


def fully_connected_seeds(first: int) -> Iterator[int]:
    """Seeds of fully connected networks from ``first`` on."""
    return (seed for seed in itertools.count(first) if is_fully_connected(described(seed)[1]))


def ap_fixed(precision: Precision) -> str:
    """The type as hls4ml writes it."""
    name = "ap_fixed" if precision.signed else "ap_ufixed"
    return f"{name}<{precision.width},{precision.integer},{precision.rounding},{precision.saturation}>"


def real(values: Integers, precision: Precision) -> np.ndarray:
    """The numbers that integers of this type stand for: exact, up to 53 bits."""
    return np.ldexp(values.astype(float), precision.integer - precision.width)


def hls4ml_model(design: Design, parameters: Parameters, folder: Path) -> ModelGraph:
    """The network in hls4ml. There is no default type: hls4ml would fail if it needed one."""
    dense = iter(parameters)
    layers: list[dict[str, Any]] = []
    settings = {}
    for index, layer in enumerate(design.layers):
        types = {"result": layer.result}
        made: dict[str, Any] = {"name": f"layer_{index}", "inputs": [f"layer_{source}" for source in layer.inputs]}
        if layer.kind == "input":
            made |= {"class_name": "InputLayer", "input_shape": layer.out_shape}
        elif layer.kind == "dense":
            types |= {"weight": layer.weight, "bias": layer.bias, "accum": layer.accumulator}
            made |= {"class_name": "Dense", "n_in": layer.in_shape[0], "n_out": layer.out_shape[0]}
            made |= {f"{name}_data": real(values, types[name]) for name, values in next(dense).items()}
        else:
            made |= {"class_name": "Activation", "activation": layer.activation, "n_in": layer.in_shape[0]}
        layers.append(made)
        settings[made["name"]] = {"Precision": {name: ap_fixed(precision) for name, precision in types.items()}}
    model = {"ReuseFactor": design.reuse_factor, "Strategy": design.strategy}
    config = {
        "OutputDir": str(folder),
        "ProjectName": "network",
        "Backend": "Vitis",
        "IOType": "io_parallel",
        "HLSConfig": {"Model": model, "LayerName": settings},
    }
    return ModelGraph.from_layer_list(config, layers, [layers[0]["name"]], [layers[-1]["name"]])


def compare(seed: int, vectors: int, flip: str | None) -> tuple[bool, int, str]:
    """Whether both agree on the network of ``seed``, its number of distinct outputs, and a line that says it all."""
    started = time.monotonic()
    network, design = described(seed)
    first, last = design.layers[0], design.layers[-1]
    inputs = network.inputs(vectors)
    expected = network.outputs(inputs)
    parameters = parameters_of(network)
    if flip:
        parameters[-1][flip].flat[0] ^= -1 << (last.weight.width - 1)
    with TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        model = hls4ml_model(design, parameters, Path(folder))
        model.compile()
        found = model.predict(real(inputs, first.result)).reshape(expected.shape)
    wrong = int((found != real(expected, last.result)).any(axis=1).sum())
    chosen = [layer.get_attr("reuse_factor") for layer in model.get_layers() if layer.class_name == "Dense"]
    recorded = [layer.reuse_factor for layer in design.layers if layer.kind == "dense"]
    distinct = len(np.unique(expected, axis=0))
    problems = []
    if wrong:
        problems.append(f"DIFFERENT on {wrong} of {vectors} inputs")
    if chosen != recorded:
        problems.append(f"DIFFERENT reuse factors, {chosen} in hls4ml and {recorded} in the record")
    verdict = "; ".join(problems) or f"equal, distinct outputs {distinct}"
    line = (
        f"seed {seed}  {design.model_name}, {design.strategy} {design.reuse_factor}, {ap_fixed(first.result)} to "
        f"{ap_fixed(last.result)}, weights of {last.weight.width} bits: {verdict}  {time.monotonic() - started:.0f} s"
    )
    return not problems, distinct, line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="networks")
    parser.add_argument("--first", type=int, default=0, help="seed to start at")
    parser.add_argument("--vectors", type=int, default=500, help="inputs a network")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--flip", choices=["weight", "bias"], help="give hls4ml one wrong number of the last layer")
    arguments = parser.parse_args()
    seeds = list(itertools.islice(fully_connected_seeds(arguments.first), arguments.count))
    equal = poor = 0
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
        one = partial(compare, vectors=arguments.vectors, flip=arguments.flip)
        for agrees, distinct, line in pool.map(one, seeds):
            equal += agrees
            poor += distinct < FEW
            print(line, flush=True)
    print(f"{equal} of {len(seeds)} networks equal on {arguments.vectors} inputs each")
    if poor:
        print(f"{poor} of the {len(seeds)} have fewer than {FEW} distinct outputs, so that equality says little there")
    if not seeds or equal < len(seeds):
        sys.exit(1)


if __name__ == "__main__":
    main()
