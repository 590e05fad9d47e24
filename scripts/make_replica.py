"""Write a synthetic replica of wa-hls4ml in the Hub's layout: its size, families, nesting and quirks, none of its data.

    python scripts/make_replica.py OUT                                  684,059 records, about 5 GB
    python scripts/make_replica.py OUT --records 20000 --only test/conv1d exemplar/exemplar --indent none

To rehearse at full scale what the genuine records are read for, without their licence to heed.

What fits the published dataset: records by split, exemplars by architecture, test records by group and how many of them
have post-synthesis truth, bytes by file within 3 %, order and nesting of keys, spelling of numbers. What does not: the
records of each dense family are not published and follow here from the sizes of the files (which tell an indent of 4,
in the exemplars' of 2), and the figures follow simple rules of hardware (multipliers = inputs * outputs / reuse).

A record is a function of seed, records, split, family and index alone: neither ``--processes`` nor ``--only`` changes
it. Each network, but for 2_20 and the exemplars, comes with every requested reuse factor of its family, scattered over
the splits. Record 500 of every thousand of a val or test file repeats network and settings of a train record: leaks to
find.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from hashlib import blake2b
from math import exp, log2, prod
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import Progress

from wa_bench.records.reuse import closest_valid_reuse_factor

VERSION = 1
"""Of the generator: rises whenever the same arguments would give other bytes."""

FAMILIES = ("2_20", "2layer", "3layer", "latency", "resource", "conv1d", "conv2d")
FULL = {
    "train": dict(zip(FAMILIES, (6_800, 45_400, 338_956, 20_900, 14_000, 21_900, 30_260), strict=True)),
    "val": dict(zip(FAMILIES, (1_460, 9_730, 72_625, 4_480, 3_000, 4_693, 6_484), strict=True)),
    "test": dict(zip(FAMILIES, (1_460, 9_730, 72_637, 4_480, 3_000, 4_693, 6_484), strict=True)),
    "exemplar": {"exemplar": 887},
}
"""Records by split and family."""

FILES = {(split, family): f"{split}/{split}_{family}_merged.json" for split in FULL for family in FULL[split]}
FILES["exemplar", "exemplar"] = "exemplar/exemplar_models.json"
TOTAL = sum(FULL[split][family] for split, family in FILES)

EXEMPLARS = {
    "Jet": (124, (16, 32, 32, 32, 5)),
    "Quarks": (126, (10, 32, 1)),
    "Anomaly": (133, (128, 8, 4, 128, 4, 128)),
    "Bipc": (119, (36,) * 7),
    "Cookie": (130, (512, 4, 32, 32, 5)),
    "Automlp": (127, (7, 12, 16, 12, 2)),
    "Particle": (128, (14, 32, 32, 32, 3)),
}
"""Records and widths by architecture."""
UNMEASURED = ("exemplar", 5)
"""The one exemplar without post-synthesis figures, of Particle."""

XCU250, XCU200 = "xcu250-figd2104-2L-e", "xcu200-fsgd2104-2-e"
LIMITS = {"bram": 2_688, "dsp": 12_288, "ff": 1_600_000, "lut": 2_300_000}
BUILD_STEPS = ("reset", "csim", "synth", "cosim", "validation", "export", "vsynth", "fifo_opt", "bitfile")
INDENTS = {"4": (4, 2), "none": (0, 0)}
"""Of the splits and of the exemplars."""
BLOCK = 256

Object = dict[str, Any]
valid_reuse = cache(closest_valid_reuse_factor)


@dataclass(frozen=True)
class Plan:
    """What a replica is a function of."""

    seed: int
    records: int

    def count(self, split: str, family: str) -> int:
        """Records of a file: at least one, and at least one of each exemplar."""
        return max(round(FULL[split][family] * self.records / TOTAL), len(EXEMPLARS) if split == family else 1)

    def number(self, *key: object) -> int:
        """128 bits that belong to ``key``."""
        text = "/".join(map(str, (VERSION, self.seed, self.records, *key)))
        return int.from_bytes(blake2b(text.encode(), digest_size=16).digest())


@dataclass
class Net:
    """A network in the raw layout, built layer by layer: ``layers`` is ``model_config``, ``entries`` ``LayerName``.

    ``counters`` holds the numbers at which Keras's names of layers go on, ``products`` for each layer with weights its
    inputs, outputs, valid reuse factor and positions. Only ``named`` layers tell their name, only ``linked`` ones what
    they read.
    """

    name: str
    reuse: int
    bits: int
    strategy: str
    precision: str | Object
    tools: Object
    counters: dict[str, int]
    clock: str = "5.00"
    named: bool = False
    linked: bool = True
    layers: list[Object] = field(default_factory=list)
    entries: dict[str, Object] = field(default_factory=dict)
    products: list[tuple[int, int, int, int]] = field(default_factory=list)
    last: str = ""
    shape: list[int] = field(default_factory=list)

    def called(self, base: str) -> str:
        """The next name Keras gives: ``dense``, ``dense_1``, ..."""
        number = self.counters.get(base, 0)
        self.counters[base] = number + 1
        return f"{base}_{number}" if number else base

    def add(self, class_name: str, name: str, shape: list[int], entry: Object | None = None, **fields: Any) -> None:
        """Append a layer; ``fields`` follow its parameters, but for ``reads``: names and shapes of several inputs."""
        reads = fields.pop("reads", [(self.last, self.shape)])
        total, trainable, reuse = fields.pop("weights", (0, 0, self.reuse))
        out: list[Any] = [None, *shape]
        shapes = [[None, *sizes] for _, sizes in reads]
        if class_name == "InputLayer":
            out = out if self.named else [out]
            reads, shapes = [], [out]
        layer: Object = {"class_name": class_name} | ({"name": name} if self.named else {})
        layer |= {"input_shape": shapes if len(shapes) > 1 else shapes[0], "output_shape": out}
        layer |= {"inbound_layers": [source for source, _ in reads]} if self.linked else {}
        layer |= {"parameters": total, "trainable_parameters": trainable, **fields}
        self.layers.append(layer | {"dtype": "float32", "reuse_factor": reuse})
        if entry is not None:
            self.entries[name] = entry
        self.last, self.shape = name, shape

    def add_dense(self, class_name: str, name: str, units: int, bias: bool, entry: Object | None = None) -> None:
        """Append a dense layer."""
        inputs = self.shape[-1]
        reuse, weights = valid_reuse(inputs, units, self.reuse), (inputs + bias) * units
        self.products.append((inputs, units, reuse, 1))
        fields = {"weights": (weights, weights, reuse), "neurons": units, "use_bias": bias}
        self.add(class_name, name, [units], entry, **fields)

    def add_conv(
        self, name: str, filters: int, kernel: int, stride: int, same: bool, bias: bool, entry: Object
    ) -> None:
        """Append a convolution with a square kernel."""
        *sizes, channels = self.shape
        rank, edge = len(sizes), kernel - 1 if same else 0
        inputs = channels * kernel**rank
        reuse, weights = valid_reuse(inputs, filters, self.reuse), (inputs + bias) * filters
        self.products.append((inputs, filters, reuse, prod(size + edge for size in sizes)))
        fields: Object = {"weights": (weights, weights, reuse), "channels": channels, "filters": filters}
        fields |= {"kernel_size": [kernel] * rank, "strides": [stride] * rank}
        fields |= {"padding": "same" if same else "valid", "use_bias": bias}
        reached = [-(-(size + edge - kernel + 1) // stride) for size in sizes]
        self.add(f"QConv{rank}D", name, [*reached, filters], entry, **fields)


def entry(reuse: int | None, **precision: str) -> Object:
    """An entry of ``LayerName``."""
    found: Object = {"Trace": False, "Precision": precision} | ({"ReuseFactor": reuse} if reuse else {})
    found |= {"TableSize": 1024} if "table" in precision else {}
    return found | ({"Implementation": "stable", "Skip": False} if "exp_table" in precision else {})


def shuffled(index: int, size: int, key: int) -> int:
    """The place of ``index`` in a permutation of ``range(size)``."""
    bits = max((size - 1).bit_length(), 2)
    while True:
        for turn in range(3):
            index = (index * 0x9E3779B97F4A7C15 + (key >> turn)) & (1 << bits) - 1
            index ^= index >> bits // 2
        if index < size:
            return index


def grid(depth: int, plan: Plan, number: int, reuse: int) -> Net:
    """Network ``number`` of the 2layer or 3layer grid: widths 8, 16, ... 128 and weights of 2, 4, ... 16 bits."""
    point = shuffled(number, 8 * 16 ** (depth + 1), plan.number(depth, "grid"))
    bits, widths = point % 8 * 2 + 2, [(point >> 3 + 4 * place) % 16 * 8 + 8 for place in range(depth + 1)]
    stem, result = f"dense_{'_'.join(map(str, widths))}_{bits}b", "fixed<16,6>"
    tools = {"target_part": XCU250, "vivado_version": "2023.2", "hls4ml_version": "0.8.1"}
    name, weight = f"/replica/{depth}layer_run/raw_reports/replica_{stem}", f"fixed<{bits},1>"
    net = Net(name, reuse, bits, "resource", result, tools, {})
    net.last, net.shape = f"{stem}_dense_1_input", widths[:1]
    net.entries[net.last] = entry(reuse, result=result)
    for place, units in enumerate(widths[1:], start=1):
        types = entry(reuse, result=result, weight=weight, bias=weight, accum=result)
        net.add_dense("QDense", f"{stem}_dense_{place}", units, True, types)
        net.entries[f"{net.last}_linear"] = entry(reuse, result=result, table="fixed<18,8>")
    return net


def quantized(family: str, rng: Random, number: int, reuse: int, shape: list[int]) -> Net:
    """The input of a network of a family that hls4ml 1.1.0 built."""
    start = rng.randrange(130)
    counters = {"input": start // 5 + 1, "q_dense": start * 5, "q_activation": start * 4, "flatten": start // 5}
    counters |= {"q_conv1d": start, "q_conv2d": start}
    tools = {"target_part": XCU250, "vivado_version": "2024.2", "hls4ml_version": "1.1.0"}
    name = f"/replica/wa-hls4ml-search/output/{family}_run/raw_reports/replica_{family}_{number}"
    strategy, precision = "latency" if "latency" in family else "resource", {"default": "fixed<16,6>"}
    net = Net(name, reuse, rng.choice((4, 8, 16)), strategy, precision, tools, counters)
    net.add("InputLayer", net.called("input"), shape, entry(None, result="auto"))
    return net


def add_weighted(net: Net, rng: Random, base: str, *sizes: Any) -> None:
    """Append a quantized layer, its linear activation and often another one."""
    name, table, bias = net.called(base), "fixed<18,8,TRN,WRAP,0>", rng.random() < 0.5
    types = entry(net.reuse, result="auto", weight=f"fixed<{net.bits},2,TRN,WRAP,0>", bias="auto", accum="auto")
    if base == "q_dense":
        net.add_dense("QDense", name, *sizes, bias, types)
    else:
        types |= {"ParallelizationFactor": 1, "ConvImplementation": "LineBuffer"}
        net.add_conv(name, *sizes, bias, types)
    net.entries[f"{name}_linear"] = entry(net.reuse, result="auto", table=table)
    if rng.random() < 0.75:
        function, sign, integer = rng.choice((("relu", "u", 1), ("tanh", "", 1), ("sigmoid", "u", 0)))
        slopes = {} if function == "relu" else {"slope": "auto", "shift": "auto"}
        types = entry(1, result=f"{sign}fixed<{net.bits},{integer},RND_CONV,SAT,0>", **slopes, table=table)
        activation = f"quantized_{function}({net.bits},1)"
        net.add("QActivation", net.called("q_activation"), net.shape, types, activation=activation)


def add_alphas(net: Net) -> Net:
    """Append the entries of the quantizers' scales, which hls4ml 1.1.0 lists last."""
    scaled = [name for name, types in net.entries.items() if "weight" in types["Precision"]]
    net.entries |= {f"{name}_alpha": {"Precision": "auto"} for name in scaled}
    return net


def dense(family: str, depths: tuple[int, int], widths: tuple[int, ...], plan: Plan, number: int, reuse: int) -> Net:
    """A network of the latency or the resource family."""
    rng = Random(plan.number(family, number))
    net = quantized(f"dense_{family}", rng, number, reuse, [rng.choice(widths)])
    for _ in range(rng.randint(*depths)):
        add_weighted(net, rng, "q_dense", rng.choice(widths))
    return add_alphas(net)


def conv(rank: int, depths: tuple[int, int], plan: Plan, number: int, reuse: int) -> Net:
    """A network of the conv1d or the conv2d family: convolutions, some of them pooled, then dense layers."""
    rng = Random(plan.number(f"conv{rank}d", number))
    shape = [rng.choice((32, 64, 128)), rng.randint(2, 64)] if rank == 1 else [*rng.choices(range(9, 65), k=2), 16]
    net, depth = quantized(f"conv{rank}d", rng, number, reuse, shape), rng.randint(*depths)
    convolutions = rng.randint(1, min(depth - 1, 5))
    for _ in range(convolutions):
        filters, kernel = rng.choice((4, 8, 16)), min(rng.randint(1, 6), *net.shape[:-1])
        add_weighted(net, rng, f"q_conv{rank}d", filters, kernel, rng.randint(1, 3), rng.random() < 0.5)
        if min(net.shape[:-1]) >= 4 and rng.random() < 0.3:
            kind, shape = rng.choice(("Average", "Max")), [*(size // 2 for size in net.shape[:-1]), filters]
            types = entry(1, result="auto", accum="auto") | {"ConvImplementation": "LineBuffer"}
            net.add(f"{kind}Pooling{rank}D", net.called(f"{kind.lower()}_pooling{rank}d"), shape, types)
    net.add("Flatten", net.called("flatten"), [prod(net.shape)], entry(None, result="auto"))
    for _ in range(depth - convolutions):
        add_weighted(net, rng, "q_dense", rng.choice((16, 32, 64)))
    return add_alphas(net)


def rule4ml(plan: Plan, number: int, _: int) -> Net:
    """A network of the 2_20 family: many kinds of layers, which tell their names; no ``LayerName``."""
    rng = Random(plan.number("2_20", number))
    bits, integer = rng.choice(((2, 1), (8, 3), (8, 4), (16, 6)))
    precision, strategy = f"ap_fixed<{bits}, {integer}>", rng.choice(("Latency", "Resource"))
    tools = {"target_part": rng.choice((XCU200, "xc7z020clg400-1", "xczu9eg-ffvb1156-2-e"))}
    tools |= {"backend": "VivadoAccelerator", "backend_version": "2019.1", "hls4ml_version": "0.8.1"}
    net = Net("", 1 << rng.randrange(7), bits, strategy, precision, tools, {"input": 1}, "10.0", named=True)
    net.add("InputLayer", net.called("input"), [1 << rng.randint(4, 9)])
    seen: list[tuple[str, list[int]]] = []
    depth = rng.randint(2, 20)
    for place in range(1, depth + 1):
        units = 1 << rng.randint(2, 9) if place < depth else rng.randint(1, 200)
        net.add_dense("Dense", net.called("dense"), units, rng.random() < 0.9)
        add_extras(net, rng, seen)
    told = [layer for layer in net.layers if layer["class_name"] in ("Dense", "Dropout")]
    path = "_".join(f"{layer['class_name']}_{layer['input_shape'][-1]}in" for layer in told)
    net.name = f"replica_model_{path}_{net.shape[-1]}out_{precision}_{net.reuse}rf_{strategy[0]}"
    return net


def add_extras(net: Net, rng: Random, seen: list[tuple[str, list[int]]]) -> None:
    """Append what may follow a dense layer; a merge reads one of the layers ``seen``."""
    if rng.random() < 0.1:
        weights = (4 * net.shape[0], 2 * net.shape[0], net.reuse)
        net.add("BatchNormalization", net.called("batch_normalization"), net.shape, weights=weights)
    if rng.random() < 0.5:
        function = rng.choice(("relu", "tanh", "sigmoid", "softmax"))
        net.add("Activation", net.called("activation"), net.shape, activation=function)
    if rng.random() < 0.1:
        net.add("Dropout", net.called("dropout"), net.shape, dropout_rate=rng.uniform(0.1, 0.8))
    here = (net.last, net.shape)
    if seen and rng.random() < 0.1:
        other = rng.choice(seen)
        kind, width = ("Add", 0) if other[1] == net.shape else ("Concatenate", other[1][0])
        net.add(kind, net.called(kind.lower()), [net.shape[0] + width], reads=[other, here])
    seen.append(here)


def exemplar(plan: Plan, number: int, _: int) -> Net:
    """The exemplar at place ``number``: the architectures in turn, each with some of its 144 settings."""
    turns = sorted((turn, model) for model, (count, _) in EXEMPLARS.items() for turn in range(count))
    turn, model = turns[number]
    choice = shuffled(turn, 144, plan.number("exemplar", model))
    bits, integer = ((2, 1), (8, 3), (16, 6))[choice % 3]
    reuse, strategy = (1, 128, 1024)[choice // 3 % 3], ("Latency", "Resource")[choice // 9 % 2]
    part, version, clock = choice // 18 % 2, choice // 36 % 2, choice // 72
    tools = {"target_part": (XCU200, XCU250)[part], "vivado_version": ("2019.1", "2020.1")[version]}
    tools |= {"hls4ml_version": "0.8.1"}
    name, precision = f"/replica/{model}_{bits}b_{reuse}rf_{strategy[0]}", f"fixed<{bits}, {integer}>"
    net = Net(name, reuse, bits, strategy, precision, tools, {"input": 1}, ("5.0", "10.0")[clock], linked=False)
    fill_exemplar(net, model, precision.replace(" ", ""))
    return net


def fill_exemplar(net: Net, model: str, result: str) -> None:
    """Append the layers of an exemplar."""
    (width, *widths), plain = EXEMPLARS[model][1], entry(net.reuse, result=result)
    types = entry(net.reuse, result=result, weight=result, bias=result, accum=result)
    final = {"Bipc": "relu", "Quarks": "sigmoid"}.get(model, "softmax")
    net.add("InputLayer", net.called("input"), [width], plain)
    for place, units in enumerate(widths, start=1):
        skipped = (net.last, net.shape)
        net.add_dense("Dense", net.called("dense"), units, model != "Bipc", types)
        if model == "Bipc" and place > 1:
            net.add("Add", net.called("add"), net.shape, plain, reads=[(net.last, net.shape), skipped])
        function = final if place == len(widths) else "relu"
        tables = dict.fromkeys(("exp_table", "inv_table"), "fixed<18,8,RND,SAT>") if function == "softmax" else {}
        activated = entry(net.reuse, result=result, table="fixed<18,8>", **tables)
        net.add("Activation", net.called("activation"), net.shape, activated, activation=function)


@dataclass(frozen=True)
class Family:
    """How a family is made: its networks, requested reuse factors, and what became of its designs.

    ``unmeasured`` is the share without post-synthesis figures, ``estimated`` the share of those that have an estimate;
    ``lut`` and ``ff`` are the ranges of post-synthesis over estimate.
    """

    build: Callable[[Plan, int, int], Net]
    reuses: tuple[int, ...]
    unmeasured: float
    estimated: float
    lut: tuple[float, float]
    ff: tuple[float, float]


_GRID = ((1024, 2047, 3070, 4093), 0.0195, 0.05, (0.98, 1.2), (1.06, 1.1))
_CONV = (8192, 16383, 24574, 32765)
_LATENCY = partial(dense, "latency", (4, 7), (8, 16, 32, 64))
_RESOURCE = partial(dense, "resource", (5, 8), (8, 16, 32, 64, 128))
RECIPES = {
    "2_20": Family(rule4ml, (0,), 0.019, 0.9, (0.01, 0.4), (0.1, 1.5)),
    "2layer": Family(partial(grid, 2), *_GRID),
    "3layer": Family(partial(grid, 3), *_GRID),
    "latency": Family(_LATENCY, (32, 64), 0.1, 0.05, (0.4, 0.6), (0.85, 0.95)),
    "resource": Family(_RESOURCE, (1024, 1536), 0.05, 0.05, (0.44, 0.71), (0.6, 0.9)),
    "conv1d": Family(partial(conv, 1, (3, 7)), _CONV, 0.575, 0.185, (0.55, 0.71), (0.6, 0.7)),
    "conv2d": Family(partial(conv, 2, (3, 7)), _CONV, 0.712, 0.185, (0.21, 0.57), (0.65, 0.85)),
    "exemplar": Family(exemplar, (0,), 0.0, 1.0, (0.3, 0.9), (0.4, 0.9)),
}


def resource_reports(net: Net, rng: Random, family: str) -> tuple[dict[str, float], dict[str, float]]:
    """Figures after logic synthesis and after C synthesis.

    Multipliers are in DSPs or in logic, registers and logic grow with the widths, weights lie in memories of 18 kbit.
    """
    recipe, in_latency = RECIPES[family], net.strategy.lower() == "latency"
    inputs, outputs, _, _ = (sum(column) for column in zip(*net.products, strict=True))
    multipliers = sum(-(-n * m // reuse) for n, m, reuse, _ in net.products)
    memories = 0 if in_latency else sum(-(-n * m * net.bits // 18432) for n, m, _, _ in net.products)
    in_dsp = 1.0 if net.bits >= (8 if "layer" in family else 16) else 0.5 if net.bits >= 8 else 0.0
    built = sum(n * m for n, m, _, _ in net.products) if in_latency else multipliers
    logic, noise = 0.6 * net.bits**2 * (1 - in_dsp) * built, exp(rng.gauss(0, 0.04))
    estimate = {"bram": memories, "dsp": int(multipliers * in_dsp), "ff": int(noise * (26 * inputs + 51 * outputs))}
    estimate |= {"lut": int(noise * (35 * inputs + 80 * outputs + logic))}
    estimate = {name: min(value, LIMITS[name]) for name, value in estimate.items()} | {"uram": 0}
    figures: dict[str, float] = estimate | {"bram": memories / 2}
    figures |= {name: int(estimate[name] * rng.uniform(*getattr(recipe, name))) for name in ("ff", "lut")}
    if family == "conv2d" and rng.random() < 0.3:
        figures["uram"] = rng.randint(1, 8)
    if family == "2_20" and rng.random() < 0.3:
        del figures["uram"]
    return figures, dict(estimate)


def latency_report(net: Net, rng: Random, family: str) -> dict[str, str]:
    """The report of C synthesis; cycles and intervals of the grid families as in the genuine ones."""
    reuses, depth = [reuse for _, _, reuse, _ in net.products], len(net.products)
    first = last = max(reuses)
    low, high = sum(reuses) + 2 * depth - 1, sum(reuses) + 3 * depth - 1
    if net.strategy.lower() == "latency":
        low = high = sum(reuse // 8 + int(log2(n)) + 2 for n, _, reuse, _ in net.products)
        first = last = max(last // 2, 1)
    elif family.startswith("conv"):
        high = int(max(reuse * places for _, _, reuse, places in net.products) * rng.uniform(1.005, 1.05))
        low, first, last = high - high // 500, int(reuses[-1] * 1.01) + 1, high
    period = {"target_clock": net.clock, "estimated_clock": f"{float(net.clock) * rng.uniform(0.74, 1.04):.3f}"}
    is_old = family in ("2_20", "exemplar")
    intervals = {"interval_min": first, "interval_max": last}
    ordered = intervals if is_old else dict(reversed(intervals.items()))
    cycles = spelled({"cycles_min": low, "cycles_max": high}, family == "2_20")
    return {**cycles, **period, **spelled(ordered, is_old)}


def spelled(figures: Mapping[str, float], as_decimal: bool) -> dict[str, str]:
    """Numbers as the reports spell them: ``6``, ``1.5`` and in some places ``6.0``."""
    return {name: str(float(value) if as_decimal or value % 1 else int(value)) for name, value in figures.items()}


def synthesis_info(rng: Random, steps: Iterable[str]) -> list[Object]:
    """The tool runs that a 2_20 record tells."""
    cpu: Object = {"brand": "Replica CPU", "architecture": "X86_64", "base_frequency": "3.0000 GHz"}
    cpu |= {"logical_count": 16, "physical_count": 8}
    runs = []
    for step in steps:
        start = datetime(2024, 11, 1) + timedelta(seconds=rng.randrange(10**7))
        end = start + timedelta(seconds=rng.randint(60, 9000))
        run: Object = {"start_time": f"{start:%Y%m%d-%H%M%S}", "end_time": f"{end:%Y%m%d-%H%M%S}", "cpu": cpu}
        runs.append(run | {"build_args": {name: name == step for name in BUILD_STEPS}})
    return runs


def point(plan: Plan, split: str, family: str, index: int) -> int:
    """Place of a record among the designs of its family; now and then that of a train record."""
    if family == "exemplar":
        return index
    if split != "train" and index % 1000 == 500:
        split, index = "train", plan.number(split, family, index, "repeats") % plan.count("train", family)
    counts = {name: plan.count(name, family) for name in ("train", "val", "test")}
    before = {"train": 0, "val": counts["train"], "test": counts["train"] + counts["val"]}
    return shuffled(before[split] + index, sum(counts.values()), plan.number(family, "order"))


def record(plan: Plan, split: str, family: str, index: int) -> Object:
    """Record ``index`` of a file."""
    key, recipe, is_2_20 = plan.number(split, family, index), RECIPES[family], family == "2_20"
    rng = Random(key)
    number, choice = divmod(point(plan, split, family, index), len(recipe.reuses))
    net = recipe.build(plan, number, recipe.reuses[choice])
    is_measured = rng.random() >= recipe.unmeasured and (family, index) != UNMEASURED
    is_estimated = is_measured or rng.random() < recipe.estimated
    measured, estimate = (spelled(figures, is_2_20) for figures in resource_reports(net, rng, family))
    sample_id = f"{key:032x}" if is_2_20 else str(UUID(int=key, version=4))
    meta: Object = {"model_id" if is_2_20 else "uuid": sample_id, "model_name": net.name}
    meta |= {"artifacts_file": f"replica-{sample_id}.tar.gz"}
    model = {"Precision": net.precision, "ReuseFactor": net.reuse, "Strategy": net.strategy}
    config: Object = {"Model": model | {"BramFactor": 1000000000, "TraceOutput": False}}
    config |= {"clock_period": 10.0, "io_type": "io_parallel"} if is_2_20 else {"LayerName": net.entries}
    reports = {"resource_report": measured if is_measured else {}}
    if is_2_20:
        meta |= {"synthesis_info": synthesis_info(rng, ("synth", "vsynth") if is_measured else ("synth",))}
        reports = {"hls_resource_report": estimate if is_estimated else {}, **reports}
    elif family != "exemplar":
        reports |= {"hls_resource_report": estimate if is_estimated else {}}
    reports |= {"latency_report": latency_report(net, rng, family) if is_estimated else {}}
    return {"meta_data": meta, "model_config": net.layers, "hls_config": config, **reports, **net.tools}


def block(plan: Plan, split: str, family: str, start: int, indent: int) -> tuple[int, bytes]:
    """Number and text of the records from ``start`` on, without the brackets of the array."""
    gc.disable()
    records = [record(plan, split, family, i) for i in range(start, min(start + BLOCK, plan.count(split, family)))]
    gc.enable()
    text = msgspec.json.encode(records)
    return len(records), msgspec.json.format(text, indent=indent)[1:-2] if indent else text[1:-1]


def in_order(pool: ProcessPoolExecutor, jobs: Iterable[tuple[Any, ...]], ahead: int) -> Iterator[tuple[int, bytes]]:
    """The blocks that ``jobs`` ask for, in order; at most ``ahead`` of them are made before they are taken."""
    waiting: deque[Future[tuple[int, bytes]]] = deque()
    for job in jobs:
        waiting.append(pool.submit(block, *job))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def write_array(path: Path, parts: Iterable[tuple[int, bytes]], end: bytes, advance: Callable[[int], object]) -> None:
    """Write one JSON array under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, opening = path.with_name(f"{path.name}.part"), b"["
    with temporary.open("wb") as file:
        for count, text in parts:
            file.write(opening + text)
            opening = b","
            advance(count)
        file.write(end)
    temporary.replace(path)


def readme(plan: Plan) -> str:
    """What says that this is no data."""
    counts = "\n".join(f"{path:<40}{plan.count(*key):>10,}" for key, path in FILES.items())
    return (
        "This is a synthetic replica of wa-hls4ml, made by wa-bench's scripts/make_replica.py.\n"
        "It is not data: the networks are random and the figures come from simple rules with noise. It has the\n"
        "layout, the size and the quirks of the genuine records and holds none of them. Use it to rehearse, never\n"
        "to train, score or publish.\n\n"
        f"generator version {VERSION}, seed {plan.seed}, records {plan.records:,}\n\n{counts}\n"
    )


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    names = ["/".join(key) for key in FILES]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="a new or empty folder, or a replica of this seed and size")
    parser.add_argument("--records", type=int, default=TOTAL, help=f"about how many in all, at most {TOTAL:,}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--indent", choices=INDENTS, default="4", help="4: as published; none: minified")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FILE", help=", ".join(names))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    if not 1 <= options.records <= TOTAL or options.processes < 1:
        parser.error(f"expected 1 to {TOTAL:,} records and at least 1 process")
    told = options.out / "README.txt"
    is_own = told.exists() and told.read_text() == readme(Plan(options.seed, options.records))
    if options.out.exists() and any(options.out.iterdir()) and not is_own:
        parser.error(
            f"{options.out}: expected a new or empty folder or a replica of this seed and size, found other files"
        )
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parsed(arguments)
    plan = Plan(options.seed, options.records)
    chosen = {key: plan.count(*key) for key in FILES if "/".join(key) in options.only}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "README.txt").write_text(readme(plan))
    console = Console(stderr=True)
    progress = Progress(console=console, disable=not console.is_terminal)
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool, progress:
        task = progress.add_task("records", total=sum(chosen.values()))
        for key, count in chosen.items():
            path, indent = options.out / FILES[key], INDENTS[options.indent]["exemplar" in key]
            jobs = ((plan, *key, start, indent) for start in range(0, count, BLOCK))
            parts = in_order(pool, jobs, 4 * options.processes)
            write_array(path, parts, b"\n]" if indent else b"]", partial(progress.advance, task))
            print(f"{FILES[key]:<40}{count:>10,} records{path.stat().st_size / 1e6:>10,.1f} MB", flush=True)


if __name__ == "__main__":
    main()
