"""From a seed to a checked record: synthesize, simulate, compare with the reference, describe.

The same seed, generator version and tool versions give the same record, unless a time limit ends it.
"""

from __future__ import annotations

import time
from hashlib import sha256

import msgspec

from wa_bench.errors import MissingToolError, ToolError
from wa_bench.opensynth import sampling
from wa_bench.opensynth.describe import recorded_layers
from wa_bench.opensynth.estimate import estimate
from wa_bench.opensynth.network import Network
from wa_bench.opensynth.rtl.design import GENERATOR_VERSION, verilog
from wa_bench.opensynth.sampling import from_seed
from wa_bench.opensynth.schedule import initiation_interval, latency_cycles
from wa_bench.opensynth.simulate import simulate, simulator
from wa_bench.opensynth.synthesize import (
    PART,
    SCRIPT_SHA256,
    Resources,
    has_models,
    primitives,
    resources,
    synthesize,
    tool_version,
)
from wa_bench.records.schema import Design, Precision, Provenance, Synthesis

TIME_LIMIT = 600.0
"""Seconds that a tool may take for one design."""
VECTORS = 64
"""Inputs on which the simulated Verilog must equal the reference bit for bit."""
_NETLIST_VECTORS = (4, 16)
_NETLIST_CYCLES = 256
"""The same for the mapped netlist, where all its primitives have models: inputs for so many cycles, within bounds."""


class Measurement(msgspec.Struct, frozen=True):
    """What the tools said of one design; kept on disk so that an interrupted run goes on where it stopped.

    ``operators`` and ``cells`` are Yosys's counts before and after mapping, ``seconds`` the time that it all took. A
    design that failed has the reason in ``failure`` and no counts: a missing truth is worth knowing too.
    """

    seed: int
    generator_version: str
    tool_version: str
    simulator: str
    script_sha256: str
    verilog_sha256: str
    operators: dict[str, int] = {}
    cells: dict[str, int] = {}
    cycles: int | None = None
    interval: int | None = None
    vectors: int = 0
    netlist_vectors: int = 0
    seconds: float = 0.0
    failure: str | None = None

    def is_current(self) -> bool:
        """Whether this generator and flow would make the same design; the tools' versions are not compared."""
        return (self.script_sha256, self.verilog_sha256) == (SCRIPT_SHA256, verilog_sha256(self.seed))


def verilog_sha256(seed: int) -> str:
    """Hash of the Verilog that ``seed`` stands for."""
    return _sha256(verilog(from_seed(seed)))


def measure(seed: int, time_limit: float = TIME_LIMIT) -> Measurement:
    """Synthesize the network of ``seed``, then compare its simulated Verilog with the reference.

    A tool that fails, takes longer than ``time_limit`` seconds or contradicts the reference or the schedule gives a
    measurement without figures that says so.

    Raises:
        MissingToolError: a tool is not installed.
        ValueError: there is no such seed.
    """
    network = from_seed(seed)
    started = time.monotonic()
    text = verilog(network)
    blank = Measurement(
        seed=seed,
        generator_version=GENERATOR_VERSION,
        tool_version=tool_version(),
        simulator=simulator(),
        script_sha256=SCRIPT_SHA256,
        verilog_sha256=_sha256(text),
    )
    try:
        made = synthesize(text, time_limit)
        resources(made.cells)
        estimate(made.operators)
        _compare(network, text, VECTORS, time_limit)
        checked = netlist_vectors(network) if has_models(made.cells) else 0
        if checked:
            _compare(network, made.netlist + primitives(), checked, time_limit)
    except MissingToolError:
        raise
    except ToolError as error:
        return msgspec.structs.replace(blank, failure=str(error), seconds=round(time.monotonic() - started, 1))
    return msgspec.structs.replace(
        blank,
        operators=made.operators,
        cells=made.cells,
        cycles=latency_cycles(network),
        interval=initiation_interval(network),
        vectors=VECTORS,
        netlist_vectors=checked,
        seconds=round(time.monotonic() - started, 1),
    )


def netlist_vectors(network: Network) -> int:
    """Inputs on which the mapped netlist is checked: fewer where each takes long."""
    fewest, most = _NETLIST_VECTORS
    return max(fewest, min(most, _NETLIST_CYCLES // initiation_interval(network)))


def _compare(network: Network, text: str, vectors: int, time_limit: float) -> None:
    inputs = network.inputs(vectors)
    seen = simulate(network, text, inputs, time_limit)
    place = f"design {network.name}, seed {network.seed}"
    wrong = (seen.outputs != network.outputs(inputs)).any(axis=1)
    if wrong.any():
        raise ToolError(
            f"{place}: expected the reference output on {vectors} inputs, found {int(wrong.sum())} different"
        )
    for name, expected, found in (
        ("cycles", latency_cycles(network), seen.cycles),
        ("interval", initiation_interval(network), seen.interval),
    ):
        if found != (expected, expected):
            raise ToolError(f"{place}: expected {name} {expected} by the schedule, found {found} in simulation")


def record(measurement: Measurement) -> Design:
    """The measurement as a record of the ``opensynth`` track; its figures are null if the design failed."""
    network = from_seed(measurement.seed)
    settings = network.settings
    split, family = sampling.split(network), sampling.family(network)
    failed = measurement.failure is not None
    counts = Resources() if failed else resources(measurement.cells)
    return Design(
        sample_id=f"opensynth-{measurement.seed:07d}",
        split=split,
        family=family,
        group=network.name if split == "exemplar" else network.group,
        model_name=network.name,
        source="opensynth",
        part=PART,
        tool="yosys",
        tool_version=measurement.tool_version,
        strategy=settings.strategy,
        io_type="io_stream" if network.is_streamed else "io_parallel",
        io_type_inferred=False,
        reuse_factor=settings.reuse_factor,
        precision=Precision(settings.activation_bits, 1, signed=True, saturation="SAT"),
        layers=recorded_layers(network),
        bram=counts.bram,
        dsp=counts.dsp,
        ff=counts.ff,
        lut=counts.lut,
        uram=counts.uram,
        cycles_min=measurement.cycles,
        cycles_max=measurement.cycles,
        interval_min=measurement.interval,
        interval_max=measurement.interval,
        hls_estimate=None if failed else estimate(measurement.operators),
        provenance=Provenance(
            synthesis=Synthesis(
                seed=measurement.seed,
                generator_version=measurement.generator_version,
                simulator=measurement.simulator,
                script_sha256=measurement.script_sha256,
                verilog_sha256=measurement.verilog_sha256,
                checked_vectors=measurement.vectors,
                netlist_vectors=measurement.netlist_vectors,
                failure=measurement.failure,
            )
        ),
    )


def regenerate(design: Design) -> Design:
    """The record made again from its seed alone, with the tools installed here.

    Raises:
        MissingToolError: a tool is not installed.
        ToolError: the record was not made by this generator, or making it again failed.
    """
    made = design.provenance.synthesis
    if made is None:
        raise ToolError(f"record {design.sample_id}: expected one made by opensynth, found source {design.source!r}")
    again = measure(made.seed)
    if again.failure is not None and made.failure is None:
        raise ToolError(
            f"record {design.sample_id}: expected a design that synthesizes here too, found: {again.failure}"
        )
    return record(again)


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
