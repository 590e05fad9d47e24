"""When things happen in a design: what simulation must find.

A layer answers a fixed number of cycles after its input, so there is no handshake between layers. Instead the top
paces the input: one pixel every ``pixel_interval`` cycles, one input every ``initiation_interval`` cycles.
"""

from __future__ import annotations

import numpy as np

from wa_bench.opensynth.arithmetic import Integers, log2_ceil
from wa_bench.opensynth.layers import Convolution, Flatten, Layer, Pooling, Product, Sliding, Softmax, Source
from wa_bench.opensynth.network import Network

WINDOW_CYCLES = 1
"""Cycles from the last pixel of a window to the window."""


def products_per_lane(layer: Product) -> int:
    """Multipliers that feed one accumulator in the resource strategy."""
    return max(1, layer.n_in // layer.reuse_factor)


def product_cycles(layer: Product, strategy: str) -> int:
    """Cycles of a matrix product."""
    if strategy == "latency":
        return 2 + log2_ceil(layer.n_in)
    if strategy == "distributed_arithmetic":
        return 1 + layer.adders.depth
    return layer.reuse_factor + 4 + log2_ceil(products_per_lane(layer))


def layer_cycles(layer: Layer, strategy: str) -> int:
    """Cycles from the last input that a result of the layer needs to that result."""
    match layer:
        case Source():
            return 0
        case Convolution():
            return WINDOW_CYCLES + product_cycles(layer, strategy)
        case Product():
            return product_cycles(layer, strategy)
        case Softmax():
            return 5 + 2 * log2_ceil(layer.in_shape[0])
        case Pooling():
            return WINDOW_CYCLES + 1
        case _:
            return 1


def arrivals(network: Network) -> list[int]:
    """For each layer, the cycles from the pixel that completes an output to that output."""
    found: list[int] = []
    for layer in network.layers:
        found.append(max((found[i] for i in layer.inputs), default=0) + layer_cycles(layer, network.settings.strategy))
    return found


def triggers(network: Network) -> list[Integers]:
    """For each layer, the pixel that completes each of its outputs, counted from 0 within one input."""
    found: list[Integers] = []
    for layer in network.layers:
        match layer:
            case Source():
                found.append(np.arange(network.pixels))
            case Sliding():
                found.append(found[layer.inputs[0]][layer.last_pixels()])
            case Flatten():
                found.append(found[layer.inputs[0]][-1:])
            case _:
                found.append(found[layer.inputs[0]])
    return found


def pixel_interval(network: Network) -> int:
    """Cycles between two pixels of one input: no convolution gets windows faster than its reuse factor."""
    slowest = 1
    for layer, pixels in zip(network.layers, triggers(network), strict=True):
        if isinstance(layer, Convolution):
            gaps = np.diff(pixels, append=pixels[0] + network.pixels)
            slowest = max(slowest, -(-layer.reuse_factor // int(gaps.min())))
    return slowest


def latency_cycles(network: Network) -> int:
    """Cycles from the first accepted pixel of an input to its output."""
    return int(triggers(network)[-1][-1]) * pixel_interval(network) + arrivals(network)[-1]


def initiation_interval(network: Network) -> int:
    """Cycles between the first pixels of two inputs."""
    whole = [layer.reuse_factor for layer in network.products if not isinstance(layer, Convolution)]
    return max(network.pixels * pixel_interval(network), *whole, 1)
