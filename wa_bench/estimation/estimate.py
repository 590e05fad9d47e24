"""What a network would cost, estimated by a surrogate: figures, intervals, and whether it fits the part."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, Fault, NotFittedError
from wa_bench.estimation.intervals import with_intervals
from wa_bench.estimation.own import as_dataset
from wa_bench.networks.hls4ml_config import from_config, read_config
from wa_bench.networks.network import Network, NetworkError
from wa_bench.networks.read import read_network
from wa_bench.networks.settings import IoType, Settings, Strategy, design
from wa_bench.records.hls4ml import parse_precision
from wa_bench.records.parts import PARTS, find_part
from wa_bench.records.schema import Design, Precision
from wa_bench.surrogates.estimator import Estimator
from wa_bench.surrogates.estimator import surrogate as by_name
from wa_bench.tracks.fpga import TARGETS

if TYPE_CHECKING:
    from rich.console import Group

    from wa_bench.estimation.sweep import Sweep

Verdict = Literal["fits", "does not fit", "unsure"]


class Figure(msgspec.Struct, frozen=True):
    """One figure of an estimate.

    ``low`` and ``high`` are null where no error is known, the last three where it is no resource, or the part is not
    known.
    """

    target: str
    label: str
    unit: str
    value: float
    low: float | None
    high: float | None
    capacity: int | None = None
    utilization: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Estimate:
    """An estimate of one network with one set of settings.

    ``design`` is what the surrogate was given: the record, without figures, of the network with its settings.
    ``intervals`` says where the intervals come from; ``known`` are the designs that they were measured on, if some
    were handed over.
    """

    network: Network
    settings: Settings
    estimator: Estimator
    design: Design
    figures: tuple[Figure, ...]
    intervals: str
    known: Dataset | None = None

    def __getitem__(self, target: str) -> Figure:
        """The figure of a target such as ``lut``."""
        return next(figure for figure in self.figures if figure.target == target)

    @property
    def verdict(self) -> Verdict | None:
        """Whether the network fits the part: the worst verdict on a resource; None where the part is not known."""
        return worst([figure.verdict for figure in self.figures])

    def sweep(
        self, reuse_factors: Sequence[int] | None = None, precisions: Sequence[str | Precision] | None = None
    ) -> Sweep:
        """The same network over a grid of settings, predicted in one batch (see ``wa_bench.estimation.sweep``)."""
        from wa_bench.estimation.sweep import sweep

        return sweep(self, reuse_factors, precisions)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "verdict": self.verdict,
            "figures": msgspec.to_builtins(self.figures),
            "latency_us": self["cycles_max"].value * self.settings.clock_ns / 1000,
            "estimated_by": {
                "surrogate": self.estimator.name,
                "title": self.estimator.title,
                "settings": self.estimator.settings(),
                "trained_on": self.estimator.trained_on,
                "intervals": self.intervals,
                "wa_bench": version("wa-bench"),
            },
            "settings": msgspec.to_builtins(self.settings),
            "network": {
                "name": self.network.name,
                "parameters": sum(layer.params for layer in self.network.layers),
                "layers": msgspec.to_builtins(self.design.layers),
            },
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return msgspec.json.encode(self.to_dict()).decode()

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        return Group(Text(self.heading()), self._layers(), self._figures(), Text(self._closing()))

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def heading(self) -> str:
        """What was estimated: network, surrogate, settings."""
        settings = self.settings
        parameters = sum(layer.params for layer in self.network.layers)
        tools = f"{settings.tool} {settings.tool_version or ''}".strip()
        hls4ml = f", hls4ml {settings.hls4ml_version}" if settings.hls4ml_version else ""
        return (
            f"{ascii(self.network.name)[1:-1]}: {len(self.network.layers)} layers, {parameters:,} parameters. "
            f"Estimated by {self.estimator.title}, not synthesized.\n"
            f"{settings.part}, clock {settings.clock_ns:g} ns, strategy {settings.strategy}, {settings.io_type}, "
            f"reuse factor {settings.reuse_factor}, {precision_text(settings.precision)}; "
            f"as of {tools}{hls4ml}."
        )

    def _layers(self) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("layer", "kind", "reads", "output"):
            table.add_column(heading, no_wrap=True)
        for heading in ("parameters", "reuse", "weight", "result"):
            table.add_column(heading, no_wrap=True, justify="right")
        layers = self.design.layers
        for layer in layers:
            cells = (
                ascii(layer.name)[1:-1],
                layer.activation or layer.kind,
                ", ".join(ascii(layers[index].name)[1:-1] for index in layer.inputs),
                " x ".join(map(str, layer.out_shape)),
                f"{layer.params:,}" if layer.params else "",
                str(layer.reuse_factor) if layer.units else "",
                precision_text(layer.weight) if layer.weight else "",
                precision_text(layer.result),
            )
            table.add_row(*map(Text, cells))
        return table

    def _figures(self) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("figure", no_wrap=True)
        for heading in ("estimate", "interval", "of the part", "utilization", "verdict"):
            table.add_column(heading, no_wrap=True, justify="right")
        for figure in self.figures:
            cells = (
                f"{figure.label} [{figure.unit}]",
                _count(figure.value),
                "" if figure.low is None or figure.high is None else f"{_count(figure.low)} to {_count(figure.high)}",
                "" if figure.capacity is None else f"{figure.capacity:,}",
                "" if figure.utilization is None else _percent(figure.utilization),
                figure.verdict or "",
            )
            table.add_row(*map(Text, cells))
        return table

    def _closing(self) -> str:
        microseconds = self["cycles_max"].value * self.settings.clock_ns / 1000
        known = {
            None: (
                f"Whether it fits is not known: no capacities of {self.settings.part} at hand. "
                f"Known are parts that begin with {known_parts()}."
            ),
            "fits": f"It fits {self.settings.part}: the whole interval of each resource lies within the part.",
            "does not fit": f"It does not fit {self.settings.part}: the interval of a resource lies beyond the part.",
            "unsure": f"Unsure whether it fits {self.settings.part}: an interval reaches beyond, or is not known.",
        }
        return (
            f"{known[self.verdict]} Latency {microseconds:,.3g} µs at this clock.\n"
            f"Intervals: {self.intervals}.\n"
            "Capacities are those of the whole part; place and route needs some room, and so does a shell."
        )


def estimate(
    model: Any,
    surrogate: str | os.PathLike[str] | Estimator = "analytic",
    *,
    config: Settings | dict[Any, Any] | str | os.PathLike[str] | None = None,
    input_shape: Sequence[Any] | None = None,
    known: Dataset | None = None,
    **settings: Any,
) -> Estimate:
    """Estimate what a network would cost on an FPGA.

    Args:
        model: path of a ``.keras``, ``.onnx`` or ``.json`` file, a PyTorch module or a Keras model.
        surrogate: name of a surrogate without training, folder of a saved one, or a fitted one.
        config: hls4ml settings: ``Settings``, hls4ml's config as a dictionary, or the path of its YAML or JSON file.
        input_shape: for a PyTorch module: the shape of its input without the batch.
        known: designs with truth to measure the error of a surrogate without intervals on (see ``with_intervals``).
        settings: fields of ``wa_bench.networks.settings.Settings``, such as ``part``, ``strategy``, ``reuse_factor``,
            ``precision="fixed<8,3>"``; they win over ``config``. A ``tool`` brings the versions of its own records,
            where none is named.

    Raises:
        NetworkError: all faults of the network, or of the settings.
        UnknownNameError: no such surrogate.
        NotFittedError: the surrogate needs training.
        DataError: the folder holds no saved surrogate, or the surrogate answers with truth alone.
        MissingToolError: the package that reads the format is not installed.
    """
    estimator = _estimator(surrogate)
    network = read_network(model, input_shape)
    chosen = settings_of(config, **settings)
    made = design(network, chosen)
    rows, source = with_intervals(estimator, as_dataset([made]), known)
    row = rows.row(0, named=True)
    part = find_part(chosen.part)
    figures = []
    for target in TARGETS:
        value, low, high = (row[f"{target.name}{end}"] for end in ("", "_low", "_high"))
        capacity = getattr(part, target.name, None)
        utilization = None if capacity is None else value / capacity
        verdict = None if capacity is None else _verdict(low, high, capacity)
        figures.append(Figure(target.name, target.label, target.unit, value, low, high, capacity, utilization, verdict))
    return Estimate(network, chosen, estimator, made, tuple(figures), source, known)


def settings_of(config: Settings | dict[Any, Any] | str | os.PathLike[str] | None = None, **settings: Any) -> Settings:
    """Settings from a config and single fields, which win over it.

    Raises:
        NetworkError: all faults of the config, or of the fields.
    """
    if isinstance(config, Settings):
        base = config
    elif isinstance(config, dict):
        base = from_config(config)
    else:
        base = Settings() if config is None else read_config(Path(config))
    known = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    faults: list[Fault] = []
    checked: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None:
            continue
        try:
            checked[name] = _checked(name, value, known)
        except NetworkError as error:
            faults += error.faults
    if faults:
        raise NetworkError(*faults)
    of_tool = {} if checked.get("tool", base.tool) == base.tool else _VERSIONS[checked["tool"]]
    return msgspec.structs.replace(base, **(of_tool | checked))


_VERSIONS: dict[str, dict[str, str | None]] = {
    "vivado": {"tool_version": Settings().tool_version, "hls4ml_version": Settings().hls4ml_version},
    "yosys": {"tool_version": "0.70", "hls4ml_version": None},
}
"""Synthesis tools of the records that there are, and versions to assume; those of opensynth know no hls4ml."""
_CHOICES = {"strategy": get_args(Strategy), "io_type": get_args(IoType), "tool": tuple(_VERSIONS)}
_TEXTS = {
    "part": (r"\w[\w.+-]*", "a part number such as xcu250-figd2104-2L-e"),
    "tool_version": (r"\d[\w.+-]*", "a version such as 2024.2"),
    "hls4ml_version": (r"\d[\w.+-]*", "a version such as 1.1.0"),
}


def _checked(name: str, value: Any, known: dict[str, Any]) -> Any:
    """The value of a setting, converted to its type."""
    place = f"setting {name}"
    if name not in known:
        raise NetworkError(Fault(place, f"one of {', '.join(known)}", "an unknown setting"))
    if name == "precision" and isinstance(value, str):
        return read_precision(value, place)
    if name in _CHOICES and isinstance(value, str):
        value = value.lower()
        if value not in _CHOICES[name]:
            raise NetworkError(Fault(place, " or ".join(_CHOICES[name]), ascii(value)[:80]))
    pattern, expected = _TEXTS.get(name, ("", ""))
    if pattern and isinstance(value, str) and not re.fullmatch(pattern, value, re.ASCII):
        raise NetworkError(Fault(place, expected, ascii(value)[:80]))
    try:
        return msgspec.convert(value, known[name])
    except msgspec.ValidationError as error:
        expected = expected or " or ".join(_CHOICES.get(name, ())) or str(error).removeprefix("Expected ")
        raise NetworkError(Fault(place, expected, ascii(value)[:80])) from None


def read_precision(text: str, place: str) -> Precision:
    """A type such as ``fixed<8,3>``.

    Raises:
        NetworkError: it is none, or ``auto``.
    """
    try:
        found = parse_precision(text)
    except ValueError:
        found = None
    if found is None:
        raise NetworkError(Fault(place, "a type such as fixed<16,6>", ascii(text)[:80]))
    return found


def precision_text(precision: Precision | None) -> str:
    """A type as hls4ml writes it; ``auto`` for None."""
    if precision is None:
        return "auto"
    sign = "" if precision.signed else "u"
    modes = [precision.rounding, precision.saturation]
    shown = "" if modes == ["TRN", "WRAP"] else "," + ",".join(modes)
    return f"{sign}fixed<{precision.width},{precision.integer}{shown}>"


def known_parts() -> str:
    """First letters of the parts whose capacities are known, for a message."""
    return ", ".join(part.prefix for part in PARTS)


def worst(verdicts: Sequence[Verdict | None]) -> Verdict | None:
    """The worst of some verdicts, those that are not known left out; None if there is none."""
    order: tuple[Verdict, ...] = ("does not fit", "unsure", "fits")
    return next((verdict for verdict in order if verdict in verdicts), None)


def _verdict(low: float | None, high: float | None, capacity: int) -> Verdict:
    if low is None or high is None:
        return "unsure"
    if high <= capacity:
        return "fits"
    return "does not fit" if low > capacity else "unsure"


def _estimator(surrogate: str | os.PathLike[str] | Estimator) -> Estimator:
    if isinstance(surrogate, Estimator):
        return surrogate
    if isinstance(surrogate, os.PathLike) or os.sep in surrogate or Path(surrogate).is_dir():
        return Estimator.load(surrogate)
    found = by_name(surrogate)
    if found.sees_truth:
        raise DataError(
            Fault("surrogate", "one that predicts", f"{surrogate}, which answers with the truth it is told")
        )
    if found.needs_training:
        raise NotFittedError(f"surrogate {surrogate!r} needs training; give the folder of a saved one")
    return found


def _count(value: float) -> str:
    return f"{value:,.1f}" if value < 100 and value % 1 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{share:,.1%}" if share < 1 else f"{share:,.0%}"
