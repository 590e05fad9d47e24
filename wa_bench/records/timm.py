"""The results of timm (pytorch-image-models): benchmark tables, and tables of the accuracies that belong to them.

A benchmark table is one session on one device: its name tells phase, precision, memory layout, versions and device,
each row is a model. Known traps: columns come in any order, or not at all; batch sizes differ by row, and are blank
with the times where none fitted; the GPUs ``4090`` and ``rtx4090`` are one; tables of PyTorch 2.1 count fused attention
as zero, in MACs and in activations, so theirs stand in columns of their own.

A benchmark names an architecture; accuracies belong to an architecture with trained weights, of which there may be
several: a row has those with the best ImageNet top-1 at its image size. ``model_metadata-in1k.csv`` (how models of old
names were trained) is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.schema import LARGEST_COUNT
from wa_bench.records.vit import complete, device_name

COUNTED = "fvcore"
UNCOUNTED = "fvcore, fused attention as zero"

_BENCHMARK = re.compile(
    r"(?P<session>benchmark-(?P<phase>infer|train)-(?P<precision>\w+)-(?P<layout>nchw|nhwc)-pt(?P<torch>\d{3,})"
    r"-(?P<backend>cpu|cu\d{2,})-(?P<device>[\w.-]+?)(?P<dynamo>-dynamo)?)\.csv"
)
_NAME = "benchmark-{infer|train}-{precision}-{nchw|nhwc}-pt{version}-{cu{version}|cpu}-{device}[-dynamo].csv"
_UNCOUNTED_IN = ("2.1.0",)

_IMAGENET = "results-imagenet.csv"
_SHIFTED = {
    "results-imagenet-real.csv": "top1_real",
    "results-imagenetv2-matched-frequency.csv": "top1_v2",
    "results-sketch.csv": "top1_sketch",
    "results-imagenet-a.csv": "top1_a",
    "results-imagenet-a-clean.csv": "top1_a_clean",
    "results-imagenet-r.csv": "top1_r",
    "results-imagenet-r-clean.csv": "top1_r_clean",
}
_UNUSED = "model_metadata-in1k.csv"
_KEY = ("model", "image_size")


class _Figure(NamedTuple):
    """A column of numbers: its name here and upstream, and how many of our units make one of theirs."""

    name: str
    column: str
    scale: int = 1
    whole: bool = False
    percent: bool = False
    optional: bool = False

    @property
    def expected(self) -> str:
        return "a percentage" if self.percent else f"a positive {'whole ' * self.whole}number"

    def value(self) -> pl.Expr:
        """The figure, null where the text is none."""
        value = pl.col(self.column).cast(pl.Float64, strict=False) * self.scale
        if self.percent:
            return pl.when(value.is_between(0, 100)).then(value).alias(self.name)
        good = (value > 0) & (value <= LARGEST_COUNT) & ((value == value.floor()) | (not self.whole))
        value = pl.when(good).then(value).alias(self.name)
        return value.round().cast(pl.Int64) if self.whole or self.scale > 1 else value


def read(files: Mapping[str, Path]) -> pl.DataFrame:
    """The rows of the benchmark tables, in order of the tables' names, as columns of ``VitRun``.

    Args:
        files: where each table is, by its upstream name.

    Raises:
        RecordError: all faults at once: unknown names, damaged tables, missing columns, cells without the number that
            belongs there, models that occur twice.
    """
    faults: list[Fault] = []
    runs, accuracies = [], {}
    for name, path in sorted(files.items()):
        if session := _BENCHMARK.fullmatch(name):
            runs.append(_runs(name, path, session, faults))
        elif name == _IMAGENET or name in _SHIFTED:
            accuracies[name] = _accuracies(name, path, faults)
        elif name != _UNUSED:
            faults.append(Fault(name, f"the name {_NAME}, or of a known table of accuracies", "another name"))
    if faults:
        raise RecordError(*faults)
    if not runs:
        return complete(pl.DataFrame())
    table = pl.concat(runs, how="diagonal")
    if _IMAGENET in accuracies:
        table = table.join(_best_weights(accuracies), ["architecture", "image_size"], "left", maintain_order="left")
    return complete(table)


def _runs(name: str, path: Path, session: re.Match[str], faults: list[Fault]) -> pl.DataFrame:
    """A benchmark table's rows, with what its name tells."""
    phase, torch, cuda = session["phase"], _torch_version(session["torch"]), _cuda_version(session["backend"])
    counts_attention = torch not in _UNCOUNTED_IN
    suffix = "" if counts_attention else "_without_attention"
    figures = [
        _Figure("image_size", f"{phase}_img_size", whole=True),
        _Figure("batch_size", f"{phase}_batch_size", whole=True),
        _Figure("throughput", f"{phase}_samples_per_sec"),
        _Figure("step_time_ms", f"{phase}_step_time"),
        _Figure("params", "param_count", 10**6, optional=True),
        _Figure(f"macs{suffix}", f"{phase}_gmacs", 10**9, optional=True),
        _Figure(f"activations{suffix}", f"{phase}_macts", 10**6, optional=True),
    ]
    convention = pl.lit(COUNTED if counts_attention else UNCOUNTED)
    return _table(name, path, figures, faults).with_columns(
        sample_id=pl.format(f"timm/{session['session']}/{{}}/{{}}", *_KEY),
        source=pl.lit("timm"),
        file=pl.lit(name),
        row=pl.int_range(pl.len()),
        architecture=pl.col("model").str.split(".").list.first(),
        device=pl.lit(device_name(re.sub(r"^(?=\d)", "rtx" if cuda else "", session["device"]))),
        device_kind=pl.lit("gpu" if cuda else "cpu"),
        phase=pl.lit(phase),
        precision=pl.lit(session["precision"]),
        memory_layout=pl.lit(session["layout"]),
        torch_version=pl.lit(torch),
        cuda_version=pl.lit(cuda, pl.String),
        compiled=pl.lit(bool(session["dynamo"])),
        macs_convention=pl.when(pl.col(f"macs{suffix}").is_not_null()).then(convention),
    )


def _torch_version(digits: str) -> str:
    """What a table's name means: ``113`` is 1.13, ``291`` is 2.9.1, ``2100`` is 2.10.0."""
    end = 3 if digits[0] == "1" else len(digits) - 1
    return ".".join(filter(None, (digits[0], digits[1:end], digits[end:])))


def _cuda_version(backend: str) -> str | None:
    """What a table's name means: ``cu117`` is 11.7, ``cpu`` is none."""
    return None if backend == "cpu" else f"{backend[2:-1]}.{backend[-1]}"


def _accuracies(name: str, path: Path, faults: list[Fault]) -> pl.DataFrame:
    """Accuracies on one test set, by trained weights and image size."""
    figures = [_Figure("image_size", "img_size", whole=True)]
    if name == _IMAGENET:
        figures += [_Figure("top1", "top1", percent=True), _Figure("top5", "top5", percent=True)]
    else:
        figures += [_Figure(_SHIFTED[name], "top1", percent=True)]
    return _table(name, path, figures, faults)


def _best_weights(accuracies: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Accuracies by architecture and image size, on all test sets of the weights with the best ImageNet top-1."""
    joined = accuracies[_IMAGENET]
    for name in accuracies.keys() - {_IMAGENET}:
        joined = joined.join(accuracies[name], _KEY, "left")
    tagged = pl.col("model").str.splitn(".", 2).struct.rename_fields(["architecture", "pretrained_tag"])
    best = joined.sort("top1", "model", descending=[True, False], nulls_last=True).select(tagged, pl.exclude("model"))
    return best.unnest("model").unique(["architecture", "image_size"], keep="first", maintain_order=True)


def _table(name: str, path: Path, figures: Sequence[_Figure], faults: list[Fault]) -> pl.DataFrame:
    """The models and figures of a table; no rows where it cannot be read."""
    text = _text(name, path, figures, faults)
    table = text.select("model", *(figure.value() for figure in figures))
    for column, ours, expected in [("model", "model", "a model"), *((f.column, f.name, f.expected) for f in figures)]:
        bad = table[ours].is_null() & (text[column].is_not_null() | (ours in _KEY))
        for row in bad.arg_true():
            faults.append(Fault(f"{name}, row {row}, column {column}", expected, repr(text[column][row] or "")))
    for row in table.select(~pl.struct(_KEY).is_first_distinct()).to_series().arg_true():
        faults.append(Fault(f"{name}, row {row}", "each model once by image size", f"{table['model'][row]} again"))
    return table


def _text(name: str, path: Path, figures: Sequence[_Figure], faults: list[Fault]) -> pl.DataFrame:
    """The cells that figures are read from, null where blank or missing; no rows where the table cannot be read."""
    nothing = pl.DataFrame(schema=dict.fromkeys(["model", *(figure.column for figure in figures)], pl.String))
    needed = ["model", *(figure.column for figure in figures if not figure.optional)]
    try:
        raw = pl.read_csv(path, infer_schema=False).filter(~pl.all_horizontal(pl.all().is_null()))
    except pl.exceptions.PolarsError as error:
        faults.append(Fault(name, "a CSV table in UTF-8", f"none: {str(error).splitlines()[0]}"))
        return nothing
    if missing := [column for column in needed if column not in raw.columns]:
        faults.append(Fault(name, f"the columns {', '.join(needed)}", f"no {', '.join(missing)}"))
        return nothing
    cells = pl.concat([nothing, raw], how="diagonal").select(nothing.columns)
    return cells.with_columns(pl.all().str.strip_chars().replace("", None))
