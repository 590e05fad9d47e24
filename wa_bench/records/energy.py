"""A run of a model whose energy was measured: what was run, on what, and the joules, time and accuracy that came of it.

``EnergyRun`` is the one definition; columns, units and descriptions follow from it. Energies are those of the devices'
own counters. What an upstream guessed stands in columns whose names say ``estimated``, and enters no other column.
What was not measured or not told is null, never zero.

Rules that hold for every source live here: ``network_name`` spells a model's network one way, ``with_rates`` derives
energy per unit of work, power and throughput from totals, ``complete`` adds what follows: families, splits, order.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.columns import arrow_schema, note
from wa_bench.records.holdout import components, split_by

R = TypeVar("R", bound=msgspec.Struct)


class EnergyRun(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run. Fields from ``params`` on are its figures; those before say what was run."""

    sample_id: Annotated[str, note("source, and what tells its runs apart")]
    split: Annotated[str, note("train, val, test (models that train never sees) or device (devices it never sees)")]
    family: Annotated[str, note("models held out together: one network at any precision, backend, tuning and task")]
    group: Annotated[
        str, note("kind of work, as the Hugging Face Hub names tasks: text-generation, text-to-image, ...")
    ]
    family_split: Annotated[str, note("where the family falls on devices that train sees: train, val or test")]
    source: Annotated[str, note("dataset")]
    file: Annotated[str, note("upstream file")]
    row: Annotated[int, note("index in the file")]
    model: Annotated[str, note("model as the source names it")]
    architecture: Annotated[str | None, note("Dense Transformer, MoE, diffusion, where told")] = None
    task: Annotated[str, note("task as the source names it")]
    modality: Annotated[str, note("what goes in and what comes out")]
    input_set: Annotated[str, note("inputs, as the source names them")]
    repeat: Annotated[int, note("number of the run among those of the same configuration, from 0, in order of time")]
    measured_at: Annotated[str | None, note("when the run was logged, ISO 8601, in the time zone of the machine")] = (
        None
    )
    device: Annotated[str, note("device that does the work, spelled one way: h100, a100_sxm4_80gb, intel_xeon_w_2155")]
    device_kind: Annotated[str, note("gpu or cpu")]
    devices: Annotated[int, note("devices of this name whose energy is counted", "devices")]
    devices_idle: Annotated[int, note("of these, the ones that do no work; their idle energy is counted", "devices")]
    measured_parts: Annotated[str, note("parts of the machine whose energy is counted: gpu, cpu+dram or gpu+cpu+dram")]
    cpu: Annotated[str | None, note("processor of the host, as the source names it")] = None
    host: Annotated[str | None, note("name of the host")] = None
    platform: Annotated[str | None, note("operating system of the host")] = None
    framework: Annotated[str, note("what executes the model: pytorch, tensorflow, onnx_pytorch, vllm, xdit, ...")]
    precision: Annotated[str, note("number format of the weights: fp32, bf16, fp8, mxfp4")]
    batch_size: Annotated[int | None, note("inputs worked on at once, over all devices; the setting", "inputs")] = None
    tensor_parallel: Annotated[int | None, note("devices that share each layer", "devices")] = None
    expert_parallel: Annotated[int | None, note("devices that share the experts", "devices")] = None
    data_parallel: Annotated[int | None, note("copies of the attention layers", "copies")] = None
    ulysses_degree: Annotated[int | None, note("devices that share attention heads (sequence parallel)", "devices")] = (
        None
    )
    ring_degree: Annotated[int | None, note("devices that share the sequence in a ring", "devices")] = None
    phase: Annotated[str, note("part of the run that was measured: query model, validation or steady state")]
    work_unit: Annotated[str, note("what is counted as work: query, image, token or video")]
    width: Annotated[int | None, note("width of the image or video, in or out; null where not told", "px")] = None
    height: Annotated[int | None, note("height of the image or video, in or out; null where not told", "px")] = None
    frames: Annotated[int | None, note("frames of a video", "frames")] = None
    frame_rate: Annotated[float | None, note("frames a second of a video", "1/s")] = None
    steps: Annotated[int | None, note("denoising steps of a diffusion model", "steps")] = None
    params: Annotated[int | None, note("parameters, all experts included", "parameters")] = None
    active_params: Annotated[int | None, note("parameters that work on a token", "parameters")] = None
    macs: Annotated[
        int | None, note("multiply-adds of one unit of work; upstream calls them FLOPs", "multiply-adds")
    ] = None
    file_bytes: Annotated[int | None, note("size of the file of weights", "bytes")] = None
    units: Annotated[int | None, note("units of work in the measured phase", "units of work")] = None
    tokens_per_request: Annotated[float | None, note("mean number of tokens put out a request", "tokens")] = None
    mean_batch_size: Annotated[float | None, note("mean number of requests worked on at once", "requests")] = None
    gpu_energy_j: Annotated[float | None, note("energy of all counted GPUs over the phase", "J")] = None
    cpu_energy_j: Annotated[float | None, note("energy of the processor package over the phase, by RAPL", "J")] = None
    dram_energy_j: Annotated[float | None, note("energy of the memory over the phase, by RAPL", "J")] = None
    energy_per_unit_j: Annotated[float, note("energy of the measured parts per unit of work", "J")]
    energy_per_request_j: Annotated[float | None, note("energy per request, where that is many units of work", "J")] = (
        None
    )
    duration_s: Annotated[float | None, note("duration of the phase", "s")] = None
    mean_power_w: Annotated[float, note("mean power of the measured parts", "W")]
    throughput_per_s: Annotated[float, note("units of work a second", "1/s")]
    batch_latency_s: Annotated[float | None, note("mean time of one batch", "s")] = None
    itl_p50_s: Annotated[float | None, note("median time between two tokens of a request", "s")] = None
    itl_p90_s: Annotated[float | None, note("90th percentile of the time between two tokens", "s")] = None
    itl_p95_s: Annotated[float | None, note("95th percentile of the time between two tokens", "s")] = None
    itl_p99_s: Annotated[float | None, note("99th percentile of the time between two tokens", "s")] = None
    gpu_utilization: Annotated[float | None, note("mean share of time that the counted GPUs were busy", "%")] = None
    gpu_temperature_mean_c: Annotated[float | None, note("mean temperature of the counted GPUs", "°C")] = None
    gpu_temperature_max_c: Annotated[float | None, note("highest temperature of any counted GPU", "°C")] = None
    top1: Annotated[float | None, note("top-1 accuracy", "%")] = None
    top5: Annotated[float | None, note("top-5 accuracy", "%")] = None
    estimated_cpu_energy_j: Annotated[float | None, note("processor energy that upstream guessed", "J")] = None
    estimated_ram_energy_j: Annotated[float | None, note("memory energy that upstream guessed", "J")] = None
    estimated_emissions_kg: Annotated[float | None, note("CO2e by upstream, from its guesses too", "kg")] = None
    estimated_region: Annotated[str | None, note("region whose power grid upstream's CO2e assumes")] = None


FIGURES = EnergyRun.__struct_fields__[EnergyRun.__struct_fields__.index("params") :]
"""Columns of what a run costs and yields; the catalogue says of each how it came about."""

SEEN_DEVICES = frozenset({"h100", "a100_sxm4_80gb", "a100_sxm4_40gb", "intel_xeon_w_2155"})
"""Devices whose rows train, val and test are made of; every other one, known or yet to come, is held out.

Of each source with several devices one is held out: the B200, newer than the H100, and the Quadro RTX 5000.
"""

MODALITIES = {
    "audio-text-to-text": "audio and text to text",
    "fill-mask": "text to text",
    "image-classification": "image to label",
    "image-text-to-text": "image and text to text",
    "image-to-text": "image to text",
    "image-to-video": "image to video",
    "object-detection": "image to boxes",
    "question-answering": "text to text",
    "summarization": "text to text",
    "text-classification": "text to label",
    "text-generation": "text to text",
    "text-to-image": "text to image",
    "text-to-video": "text to video",
    "token-classification": "text to labels",
    "video-text-to-text": "video and text to text",
}
"""What goes in and comes out, by group."""

_SALT = "energy5"
"""Goes before a family's name when its split is drawn: the first of ``energy1``, ``energy2``, ... that gives train and
test models of every kind of work of every source. It was picked before any surrogate was fitted."""
_PARTS = ("gpu", "cpu", "dram")
_PRECISION = re.compile(r"[-_](?:(?:mx|nv)?fp(?:4|8|16|32)|bf16|int[48]|nf4|awq|gptq)(?![a-z0-9])")
_ROUND = 10_000_000
"""Parameter counts that are multiples of this are rounded; any other tells one network from all others."""


def network_name(model: str, params: int | None = None) -> str:
    """The network of a model: ``microsoft/resnet-50`` and ``ResNet50`` are ``resnet50``.

    Organisation and number format are left out. Where parameters are rounded, as those of language models are, it is
    the name's first word with their number: ``Qwen/Qwen3-VL-30B-A3B-Instruct`` is ``qwen-30b``.
    """
    name = _PRECISION.sub("", model.rsplit("/", 1)[-1].lower()).replace("_", "-")
    if params is not None and params % _ROUND == 0:
        return f"{re.split('[^a-z]', name, maxsplit=1)[0]}-{params / 1e9:g}b"
    return re.sub(r"(?<=[a-z])-(?=\d)", "", name)


def with_rates(runs: pl.DataFrame) -> pl.DataFrame:
    """``runs`` with energy per unit, power, throughput and latency, from energies, duration, units and batch size."""
    energies = {part: pl.col(f"{part}_energy_j") for part in _PARTS if f"{part}_energy_j" in runs.columns}
    parts = [pl.when(energy.is_not_null()).then(pl.lit(part)) for part, energy in energies.items()]
    energy, throughput = pl.sum_horizontal(energies.values()), pl.col("units") / pl.col("duration_s")
    return runs.with_columns(
        measured_parts=pl.concat_str(parts, separator="+", ignore_nulls=True),
        energy_per_unit_j=energy / pl.col("units"),
        mean_power_w=energy / pl.col("duration_s"),
        throughput_per_s=throughput,
        batch_latency_s=pl.col("batch_size") / throughput,
    )


def complete(runs: pl.DataFrame) -> pl.DataFrame:
    """The columns of ``EnergyRun``, rows in order of their ids: those of ``runs``, what follows, null for the rest.

    Models are held out together that have one network: by their names, or as they have the same number of parameters
    to the last digit.

    Raises:
        RecordError: two runs with one id.
    """
    table = _columns(runs)
    twice = table.filter(pl.col("sample_id").is_duplicated()).unique("sample_id", maintain_order=True)
    if twice.height:
        rows = twice.select("file", "sample_id").iter_rows()
        raise RecordError(*(Fault(file, "each run once", f"{sample} more than once") for file, sample in rows))
    families = _families(table)
    salted = families.to_frame("family").select(pl.format(f"{_SALT}/{{}}", "family")).to_series()
    return table.with_columns(
        split_by(salted, table.get_column("device").is_in(SEEN_DEVICES)),
        split_by(salted).alias("family_split"),
        family=families,
        modality=pl.col("group").replace_strict(MODALITIES, return_dtype=pl.String),
    ).sort("sample_id")


def convert(raw: Any, kind: type[R], place: str) -> R:
    """Decoded JSON as a typed struct.

    Raises:
        RecordError: names ``place``, field, what was expected and found.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        complaint, _, path = str(error).partition(" - at ")
    field = path.strip("`").removeprefix("$").removeprefix(".")
    where = f"{place}, field {field}" if field else place
    if missing := re.match(r"Object missing required field `(.+)`", complaint):
        raise RecordError(Fault(where, f"the field {missing[1]}", "none"))
    expected, _, found = complaint.removeprefix("Expected ").replace("`", "").partition(", got ")
    raise RecordError(Fault(where, expected.replace("float", "number"), found or _shown(raw, field)))


def _shown(raw: Any, path: str) -> str:
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            raw = raw[int(step)] if isinstance(raw, list) else raw[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return "another value"
    return repr(raw)[:60]


def _columns(runs: pl.DataFrame) -> pl.DataFrame:
    """``runs`` with all columns of ``EnergyRun``, in order and of its types."""
    schema = pl.DataFrame(arrow_schema(EnergyRun).empty_table()).schema
    return runs.select(
        (pl.col(name) if name in runs.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    )


def _families(runs: pl.DataFrame) -> pl.Series:
    pairs = runs.select("model", "params").unique()
    names = pl.Series("name", [network_name(model, params) for model, params in pairs.iter_rows()], pl.String)
    named = runs.join(pairs.with_columns(names), ["model", "params"], "left", nulls_equal=True, maintain_order="left")
    exact = named.select(pl.when(pl.col("params") % _ROUND != 0).then("params")).to_series()
    return components(named.get_column("name"), exact)
