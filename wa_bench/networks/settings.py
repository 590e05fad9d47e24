"""hls4ml settings, and the record that a network has with them.

What is not set follows hls4ml's own defaults: ``fixed<16,6>`` for every type, strategy latency, reuse factor 1,
io_parallel, a clock of 5 ns.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from wa_bench.errors import Fault
from wa_bench.networks.network import WEIGHTED, Network, NetworkError
from wa_bench.records.columns import note
from wa_bench.records.reuse import closest_valid_reuse_factor
from wa_bench.records.schema import Design, Layer, Precision, Provenance

DEFAULT_PART = "xcu250-figd2104-2L-e"
"""The part of most wa-hls4ml records."""
Strategy = Literal["latency", "resource", "distributed_arithmetic"]
IoType = Literal["io_parallel", "io_stream"]
ReuseFactor = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Clock = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Role = Literal["weight", "bias", "result", "accum"]

_INFERS_TYPES = (1, 0)
"""First version of hls4ml that infers the types that a quantized network does not tell; records then have none."""


class LayerSettings(msgspec.Struct, frozen=True):
    """Settings of one layer or type of layer; null where the model's hold.

    ``types`` says for each role that is set which type it has, null for ``auto``: hls4ml then infers it.
    """

    types: dict[Role, Precision | None] = {}
    reuse_factor: ReuseFactor | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What hls4ml is told of a network, and what a surrogate shall assume of the tools."""

    part: Annotated[str, note("FPGA")] = DEFAULT_PART
    clock_ns: Annotated[Clock, note("clock period asked for", "ns")] = 5.0
    strategy: Strategy = "latency"
    io_type: IoType = "io_parallel"
    reuse_factor: Annotated[ReuseFactor, note("reuse factor asked for; each layer gets the closest valid one")] = 1
    precision: Annotated[Precision, note("type of everything that has none of its own")] = Precision(16, 6, signed=True)
    hls4ml_version: Annotated[str | None, note("version of hls4ml")] = "1.1.0"
    tool: Annotated[str, note("synthesis tool")] = "vivado"
    tool_version: Annotated[str | None, note("version of the tool")] = "2024.2"
    by_kind: Annotated[dict[str, LayerSettings], note("settings by kind of layer")] = {}
    by_name: Annotated[dict[str, LayerSettings], note("settings by name of layer; they win")] = {}


def design(network: Network, settings: Settings, sample_id: str = "network") -> Design:
    """The record, without figures, that ``network`` has with ``settings``.

    A type is what the settings say for the layer, else what the network tells, else the model's. In a quantized
    network hls4ml 1.0 and later infer the types that nobody tells, and they are null. Layers with weights have the
    valid reuse factor closest to the one asked for, all others the model's, as in genuine records.

    Raises:
        NetworkError: settings for layers that the network does not have, or that contradict one another.
    """
    faults = []
    if unknown := sorted(set(settings.by_name) - _known_names(network)):
        names = [layer.name for layer in network.layers if layer.params]
        faults.append(Fault("settings by name", f"layers such as {', '.join(map(str, names[:8]))}", ", ".join(unknown)))
    reuse_factors = {
        settings.reuse_factor,
        *(own.reuse_factor or 1 for own in [*settings.by_kind.values(), *settings.by_name.values()]),
    }
    if settings.strategy == "distributed_arithmetic" and max(reuse_factors) > 1:
        found = f"{max(reuse_factors)} with strategy distributed_arithmetic"
        faults.append(Fault("setting reuse_factor", "1, as it shares no multipliers", found))
    if faults:
        raise NetworkError(*faults)
    infers = network.quantized and _version(settings.hls4ml_version) >= _INFERS_TYPES
    layers = [_layer(layer, settings, None if infers else settings.precision) for layer in network.layers]
    kinds = {layer.kind for layer in layers}
    group = next((kind for kind in ("conv2d", "conv1d") if kind in kinds), "dense")
    return Design(
        sample_id=sample_id,
        split="own",
        family="own",
        group=group,
        model_name=network.name,
        source="own",
        part=settings.part,
        clock_ns=settings.clock_ns,
        tool=settings.tool,
        tool_version=settings.tool_version,
        hls4ml_version=settings.hls4ml_version,
        strategy=settings.strategy,
        io_type=settings.io_type,
        io_type_inferred=False,
        reuse_factor=settings.reuse_factor,
        precision=settings.precision,
        layers=layers,
        provenance=Provenance(),
    )


_DERIVED = ("_linear", "_alpha", "_input")
"""Endings of the entries that hls4ml's configs have beside those of the layers themselves."""


def _known_names(network: Network) -> set[str]:
    names = {str(layer.name) for layer in network.layers}
    return names | {name + ending for name in names for ending in _DERIVED}


def _version(text: str | None) -> tuple[int, int]:
    """Major and minor version; that of the newest where none is told."""
    numbers = [int(number) for number in (text or "").split(".")[:2] if number.isdecimal()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else _INFERS_TYPES


def _layer(layer: Layer, settings: Settings, untold: Precision | None) -> Layer:
    """The layer with its types and its reuse factor; ``untold`` is the type of what nobody tells."""
    own = [settings.by_kind.get(layer.kind, LayerSettings()), settings.by_name.get(str(layer.name), LayerSettings())]
    weighted = layer.kind in WEIGHTED

    def chosen(role: Role, told: Precision | None, *, exists: bool) -> Precision | None:
        if not exists:
            return None
        set_here = [settings.types[role] for settings in own if role in settings.types]
        return (set_here[-1] or told) if set_here else told or untold

    reuse_factor = settings.reuse_factor
    if weighted:
        requested = [asked.reuse_factor for asked in own if asked.reuse_factor is not None]
        n_in = layer.in_shape[-1]
        for size in layer.kernel or ():
            n_in *= size
        reuse_factor = closest_valid_reuse_factor(n_in, layer.units or 1, (requested or [reuse_factor])[-1])
    return msgspec.structs.replace(
        layer,
        reuse_factor=reuse_factor,
        weight=chosen("weight", layer.weight, exists=layer.params > 0),
        bias=chosen("bias", layer.bias, exists=weighted),
        result=chosen("result", layer.result, exists=True),
        accumulator=chosen("accum", None, exists=layer.params > 0),
    )
