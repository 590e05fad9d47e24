"""hls4ml's config files, YAML or JSON, as settings. Nothing in them runs; hls4ml is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from wa_bench.errors import Fault
from wa_bench.networks.keras_file import kind_of
from wa_bench.networks.network import KINDS, NetworkError
from wa_bench.networks.settings import Clock, IoType, LayerSettings, ReuseFactor, Role, Settings, Strategy
from wa_bench.plain_yaml import read_yaml
from wa_bench.records.hls4ml import parse_precision
from wa_bench.records.schema import Precision

_MOST_BYTES = 1 << 20

_TOP = {"Part": "part", "XilinxPart": "part", "ClockPeriod": "clock_ns", "clock_period": "clock_ns"} | {
    "IOType": "io_type",
    "io_type": "io_type",
}
_SECTIONS = ("Model", "LayerType", "LayerName")
_TOP_WITHOUT_COST = {
    *("OutputDir", "ProjectName", "ProjectDir", "Stamp", "Version", "WriterConfig", "InputShape"),
    *("KerasJson", "KerasH5", "KerasModel", "OnnxModel", "PytorchModel", "PytorchDict", "TensorFlowModel"),
    *("InputData", "OutputPredictions", "ClockUncertainty", "HLSConfig", "AcceleratorConfig"),
}
"""Entries that stand in config files and do not change what a surrogate is told."""
_BACKENDS = ("Vivado", "Vitis")
"""Backends that the records come from."""
_LAYER_WITHOUT_COST = {
    *("Trace", "TraceOutput", "BramFactor", "TableSize", "TableRangePower2", "ConvImplementation", "Implementation"),
    *("Skip", "AccelFactor", "PipelineStyle", "TargetCycles"),
}
_FIXED = {"ParallelizationFactor": 1, "Compression": False}
"""Entries that the records know with one value only."""


def read_config(path: Path) -> Settings:
    """The settings in an hls4ml config file.

    Raises:
        NetworkError: all faults of the file at once.
    """
    return from_config(read_yaml(path, NetworkError, _MOST_BYTES, _Loader, tags=True), path.name)


def from_config(content: dict[Any, Any], place: str = "hls4ml config") -> Settings:
    """The settings in hls4ml's config: a whole file, or what ``config_from_keras_model`` gives.

    Raises:
        NetworkError: all faults of the config at once.
    """
    return _Reader(place).read(content)


class _Reader:
    def __init__(self, place: str) -> None:
        self.place = place
        self.faults: list[Fault] = []

    def read(self, content: dict[Any, Any]) -> Settings:
        told: dict[str, Any] = {}
        for key, value in content.items():
            if key in _TOP:
                told[_TOP[key]] = value
            elif key == "Backend":
                if str(value).lower() not in map(str.lower, _BACKENDS):
                    self._fault(key, f"{' or '.join(_BACKENDS)}, as no record has another", ascii(value)[:80])
            elif key not in _TOP_WITHOUT_COST and key not in _SECTIONS:
                expected = ", ".join(("HLSConfig", *_SECTIONS, *_TOP))
                self._fault("", f"entries such as {expected}", ascii(key))
        inner = content.get("HLSConfig")
        sections = inner if isinstance(inner, dict) else content
        for key in sections:
            if inner is sections and key not in _SECTIONS and key not in {"Optimizers", "SkipOptimizers", "Flows"}:
                self._fault("HLSConfig", f"entries {', '.join(_SECTIONS)}", ascii(key))
        told |= self._model(self._mapping(sections, "Model"))
        strategies: dict[str, str] = {}
        told["by_kind"] = self._by_kind(self._mapping(sections, "LayerType"), strategies)
        told["by_name"] = {
            str(name): self._layer(entry, f"LayerName.{name}", strategies)
            for name, entry in self._mapping(sections, "LayerName").items()
        }
        strategy = told.get("strategy", "latency")
        if odd := {place: value for place, value in strategies.items() if value != strategy}:
            expected = f"one strategy in the whole network, here {strategy}"
            self._fault("", expected, ", ".join(f"{value} for {place}" for place, value in odd.items()))
        checked = {name: self._checked(name, value) for name, value in told.items()}
        if self.faults:
            raise NetworkError(*self.faults)
        return Settings(**checked)

    def _fault(self, where: str, expected: str, found: str) -> None:
        self.faults.append(Fault(f"{self.place}, {where[:100]}" if where else self.place, expected, found[:200]))

    def _mapping(self, holder: dict[Any, Any], key: str) -> dict[Any, Any]:
        value = holder.get(key) or {}
        if isinstance(value, dict):
            return value
        self._fault(key, "entries", ascii(value)[:80])
        return {}

    def _checked(self, name: str, value: Any) -> Any:
        """The value of a setting, converted to its type."""
        kinds: dict[str, Any] = {"clock_ns": Clock, "io_type": IoType, "strategy": Strategy} | {
            "reuse_factor": ReuseFactor,
            "part": str,
        }
        if name not in kinds:
            return value
        try:
            return msgspec.convert(value, kinds[name], strict=False)
        except msgspec.ValidationError as error:
            choices = get_args(kinds[name]) if name in {"io_type", "strategy"} else ()
            self._fault(name, " or ".join(choices) or str(error).removeprefix("Expected "), ascii(value)[:80])
            return None

    def _model(self, entry: dict[Any, Any]) -> dict[str, Any]:
        strategies: dict[str, str] = {}
        settings = self._layer(entry, "Model", strategies)
        told: dict[str, Any] = dict.fromkeys(["strategy"], strategies["Model"]) if strategies else {}
        if settings.reuse_factor is not None:
            told["reuse_factor"] = settings.reuse_factor
        types = set(settings.types.values())
        if len(types) == 1 and None not in types:
            told["precision"] = types.pop()
        elif types and not self.faults:
            self._fault("Model.Precision", "one type such as fixed<16,6>", ascii(entry.get("Precision")))
        return told

    def _by_kind(self, entries: dict[Any, Any], strategies: dict[str, str]) -> dict[str, LayerSettings]:
        found = {}
        for name, entry in entries.items():
            kind = name if name in KINDS else kind_of(str(name))
            if kind is None:
                self._fault(f"LayerType.{name}", "types of layers such as Dense, Conv2D, Activation", ascii(name))
            else:
                found[kind] = self._layer(entry, f"LayerType.{name}", strategies)
        return found

    def _layer(self, entry: Any, where: str, strategies: dict[str, str]) -> LayerSettings:
        """Settings of a layer; the strategy that it asks for goes to ``strategies``."""
        if not isinstance(entry, dict):
            self._fault(where, "entries such as Precision, ReuseFactor, Strategy", ascii(entry)[:80])
            return LayerSettings()
        types: dict[Role, Precision | None] = {}
        reuse_factor = None
        for key, value in entry.items():
            match key:
                case "Precision":
                    types = self._types(value, f"{where}.Precision")
                case "ReuseFactor":
                    reuse_factor = self._checked("reuse_factor", value)
                case "Strategy":
                    text = str(value).lower()
                    strategies[where] = "distributed_arithmetic" if text == "da" else text
                case _ if key in _FIXED:
                    if value != _FIXED[key]:
                        self._fault(f"{where}.{key}", f"{_FIXED[key]}, as no record has another", ascii(value)[:80])
                case _ if key not in _LAYER_WITHOUT_COST:
                    self._fault(where, "entries such as Precision, ReuseFactor, Strategy", ascii(key)[:80])
        return LayerSettings(types, reuse_factor)

    def _types(self, told: Any, where: str) -> dict[Role, Precision | None]:
        """Types by role; one text, or ``default``, is the type of every role without its own."""
        by_role = told if isinstance(told, dict) else {"default": told}
        read = {
            str(role): self._type(text, f"{where}.{role}" if isinstance(told, dict) else where)
            for role, text in by_role.items()
            if role in {"default", *get_args(Role)}
        }
        return {role: read.get(role, read.get("default")) for role in get_args(Role) if {role, "default"} & set(read)}

    def _type(self, text: Any, where: str) -> Precision | None:
        try:
            return parse_precision(str(text))
        except ValueError as error:
            self._fault(where, str(error), ascii(text)[:80])
            return None


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a tag of hls4ml's own, such as ``!keras_model``, stands for nothing."""


def _nothing(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> None:
    """What a tag stands for."""


_Loader.add_multi_constructor("!", _nothing)
