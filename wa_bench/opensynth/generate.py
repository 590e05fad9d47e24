"""From a seed to a checked record: synthesize, simulate, compare with the reference, describe.

The same seed, generator version and tool versions give the same record.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from wa_bench.errors import ToolError
from wa_bench.opensynth import rtl
from wa_bench.opensynth.network import Network, from_seed
from wa_bench.opensynth.simulate import simulate, simulator
from wa_bench.opensynth.synthesize import PART, SCRIPT_SHA256, resources, synthesize, tool_version
from wa_bench.records.schema import Design, Layer, Precision, Provenance, Synthesis

VECTORS = 64
"""Inputs on which the simulated Verilog must equal the reference bit for bit."""


class Measurement(msgspec.Struct, frozen=True):
    """What the tools said of one design; kept on disk so that an interrupted run goes on where it stopped."""

    seed: int
    generator_version: str
    tool_version: str
    simulator: str
    script_sha256: str
    verilog_sha256: str
    cells: dict[str, int]
    cycles: int
    interval: int
    vectors: int

    def is_current(self) -> bool:
        """Whether this generator and flow would make the same design; the tools' versions are not compared."""
        return (self.script_sha256, self.verilog_sha256) == (SCRIPT_SHA256, _sha256(rtl.verilog(from_seed(self.seed))))


def measure(seed: int, time_limit: float | None = None) -> Measurement:
    """Synthesize the network of ``seed``, then compare its simulated Verilog with the reference.

    Raises:
        ToolError: a tool is missing or failed, an output differs from the reference, or the simulated cycles
            or initiation interval differ from the schedule.
    """
    network = from_seed(seed)
    verilog = rtl.verilog(network)
    cells = synthesize(verilog, time_limit)
    _compare(network, verilog)
    return Measurement(
        seed=seed,
        generator_version=rtl.GENERATOR_VERSION,
        tool_version=tool_version(),
        simulator=simulator(),
        script_sha256=SCRIPT_SHA256,
        verilog_sha256=_sha256(verilog),
        cells=cells,
        cycles=rtl.latency_cycles(network),
        interval=rtl.initiation_interval(network),
        vectors=VECTORS,
    )


def _compare(network: Network, verilog: str) -> None:
    inputs = network.inputs(VECTORS)
    seen = simulate(network, verilog, inputs)
    place = f"design {network.name}, seed {network.seed}"
    wrong = (seen.outputs != network.outputs(inputs)).any(axis=1)
    if wrong.any():
        raise ToolError(
            f"{place}: expected the reference output on {VECTORS} inputs, found {int(wrong.sum())} different"
        )
    for name, expected, found in (
        ("cycles", rtl.latency_cycles(network), seen.cycles),
        ("interval", rtl.initiation_interval(network), seen.interval),
    ):
        if found != (expected, expected):
            raise ToolError(f"{place}: expected {name} {expected} by the schedule, found {found} in simulation")


def record(measurement: Measurement) -> Design:
    """The measurement as a record of the ``opensynth`` track."""
    network = from_seed(measurement.seed)
    settings = network.settings
    split = network.split
    counts = resources(measurement.cells)
    return Design(
        sample_id=f"opensynth-{measurement.seed:07d}",
        split=split,
        family="exemplar" if split == "exemplar" else settings.strategy,
        group=network.name if split == "exemplar" else "dense",
        model_name=network.name,
        source="opensynth",
        part=PART,
        tool="yosys",
        tool_version=measurement.tool_version,
        strategy=settings.strategy,
        io_type="io_parallel",
        io_type_inferred=False,
        reuse_factor=settings.reuse_factor,
        precision=Precision(settings.activation_bits, 1, signed=True, saturation="SAT"),
        layers=_layers(network),
        bram=counts["bram"],
        dsp=int(counts["dsp"]),
        ff=int(counts["ff"]),
        lut=int(counts["lut"]),
        uram=int(counts["uram"]),
        cycles_min=measurement.cycles,
        cycles_max=measurement.cycles,
        interval_min=measurement.interval,
        interval_max=measurement.interval,
        provenance=Provenance(
            synthesis=Synthesis(
                seed=measurement.seed,
                generator_version=measurement.generator_version,
                simulator=measurement.simulator,
                script_sha256=measurement.script_sha256,
                verilog_sha256=measurement.verilog_sha256,
                checked_vectors=measurement.vectors,
            )
        ),
    )


def regenerate(design: Design) -> Design:
    """The record made again from its seed alone, with the tools installed here.

    Raises:
        ToolError: as :func:`measure`; also where the record was not made by this generator.
    """
    made = design.provenance.synthesis
    if made is None:
        raise ToolError(f"record {design.sample_id}: expected one made by opensynth, found source {design.source!r}")
    return record(measure(made.seed))


def differences(design: Design, other: Design) -> list[str]:
    """Names of the fields in which two records differ, but for the simulator: any will do that agrees."""
    ours, theirs = _flat(design), _flat(other)
    return [name for name, value in ours.items() if name != "simulator" and value != theirs[name]]


def _flat(design: Design) -> dict[str, object]:
    fields = msgspec.structs.asdict(design)
    made = fields.pop("provenance").synthesis
    return {**fields, **msgspec.structs.asdict(made)}


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _layers(network: Network) -> list[Layer]:
    """Input, dense and ReLU layers with their fixed-point types."""
    weight_bits, bits = network.settings.weight_bits, network.settings.activation_bits
    fraction = bits - 1
    layers = [_plain("input", "input", [], network.widths[0], _quantized(bits, fraction))]
    for index, dense in enumerate(network.layers):
        total = network.accumulator_bits(dense)
        product_fraction = weight_bits - 1 + fraction
        accumulator = Precision(total, total - product_fraction, signed=True)
        fraction = product_fraction - dense.shift
        layers.append(
            Layer(
                kind="dense",
                name=f"dense_{index}",
                inputs=[len(layers) - 1],
                in_shape=[dense.n_in],
                out_shape=[dense.n_out],
                units=dense.n_out,
                use_bias=True,
                params=(dense.n_in + 1) * dense.n_out,
                reuse_factor=dense.reuse_factor,
                weight=Precision(weight_bits, 1, signed=True),
                bias=Precision(weight_bits, weight_bits - product_fraction + dense.bias_shift, signed=True),
                result=accumulator if dense.relu else _quantized(bits, fraction),
                accumulator=accumulator,
            )
        )
        if dense.relu:
            previous = len(layers) - 1
            relu = _plain("activation", f"relu_{index}", [previous], dense.n_out, _quantized(bits, fraction), "relu")
            layers.append(relu)
    return layers


def _quantized(bits: int, fraction: int) -> Precision:
    return Precision(bits, bits - fraction, signed=True, saturation="SAT")


def _plain(
    kind: str, name: str, inputs: list[int], width: int, result: Precision, activation: str | None = None
) -> Layer:
    """A layer without weights."""
    return Layer(
        kind=kind,
        name=name,
        inputs=inputs,
        in_shape=[width],
        out_shape=[width],
        activation=activation,
        params=0,
        reuse_factor=1,
        result=result,
    )
