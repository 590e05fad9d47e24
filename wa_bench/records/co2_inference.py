"""The measurements of co2_inference (Luccioni et al.): energy of 1,000 queries to each of 92 models, ten times.

The archive holds a small table a run (``data/emissions/base``, a row a phase), a table a task with a row a run
(``data/emissions/complete``), and parameter counts. The measured phase is ``query model``: one input after the other,
through pipelines that load weights as 32-bit floats. Known traps:

- GPU energy sums all GPUs of the box, although one works: seven idle A100s are inside.
- Processor and memory figures are CodeCarbon's guesses (42.5 W, 3/8 W a GB). So are emissions, which moreover assume
  Quebec's power grid where geolocation failed.
- Runs that no task's table lists, a third, do not tell their inputs; they are left out.
- A task's table names ``distilbart-xsum-12-6`` where the run itself and the parameter count tell
  ``distilbart-cnn-6-6``; the run is believed.
- The parameter counts hold some models twice, lack one, and of ``vit-gpt2-coco-en`` tell the decoder alone; it is the
  network of ``vit-gpt2-image-captioning``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path

import polars as pl

from wa_bench.errors import Fault, RecordError
from wa_bench.records.archive import members
from wa_bench.records.energy import complete, with_rates
from wa_bench.records.vit import device_name

FOLDER = "data"
"""Folder of the archive that is read."""

_RUN_TABLES = f"{FOLDER}/emissions/base/"
_TASK_TABLES = f"{FOLDER}/emissions/complete/"
_PARAMETER_TABLE = f"{FOLDER}/model_parameters.csv"
_QUERIES = 1000
_JOULES = 3.6e6
_FIGURES = ("duration", "gpu_energy", "cpu_energy", "ram_energy", "emissions")
_TEXTS = (
    "task_name",
    "run_id",
    "project_name",
    "timestamp",
    "cpu_model",
    "gpu_model",
    "os",
    "country_iso_code",
    "region",
)
_COUNTED_AS = {"ydshieh/vit-gpt2-coco-en": "nlpconnect/vit-gpt2-image-captioning"}
_GPUS = r"^([1-9]\d*) x (.+)$"
_GROUPS = {
    "fillmask": "fill-mask",
    "image_class": "image-classification",
    "itt": "image-to-text",
    "obj_detection": "object-detection",
    "qa": "question-answering",
    "summarize": "summarization",
    "text_classif": "text-classification",
    "textgen": "text-generation",
    "token_classif": "token-classification",
    "tti": "text-to-image",
    "zeroshot_qa": "question-answering",
    "zeroshot_sentiment": "text-classification",
    "zeroshot_summarize": "summarization",
}
_TASK_TABLE = rf"/({'|'.join(_GROUPS)})_([^/]+?)(_resized|_bloomz|_\d+)?\.csv$"
"""Task and inputs as a table's name tells them; ``_bloomz`` marks models, ``_15`` the length of summaries."""


def read(files: Mapping[str, Path]) -> pl.DataFrame:
    """The runs in upstream's archive as columns of ``EnergyRun``.

    Args:
        files: where the archive is, by its upstream name.

    Raises:
        RecordError: all faults of the tables at once, else all faults of the runs: missing columns, damaged rows;
            cells without the number that belongs there, runs that are listed but not there, or there twice.
    """
    return complete(pl.concat([_runs(path) for _, path in sorted(files.items())]))


def _runs(path: Path) -> pl.DataFrame:
    faults: list[Fault] = []
    texts = members(path, FOLDER)
    phases = _table(texts, _RUN_TABLES, (*_TEXTS, *_FIGURES), faults)
    sessions = _table(texts, _TASK_TABLES, ("run_id", "project_name"), faults)
    counts = _table(texts, _PARAMETER_TABLE, ("model_name", "num_parameters"), faults)
    if faults:
        raise RecordError(*faults)
    queries = _queries(phases.filter(pl.col("task_name") == "query model"), faults)
    runs = _joined(_sessions(sessions, faults), queries, _counts(counts, faults), faults)
    if faults:
        raise RecordError(*faults)
    return with_rates(runs)


def _table(texts: Mapping[str, bytes], place: str, columns: tuple[str, ...], faults: list[Fault]) -> pl.DataFrame:
    """The columns of all tables at ``place`` as text, with ``file`` and ``row``."""
    rows: list[tuple[str | int, ...]] = []
    tables = [name for name in texts if name.startswith(place) and name.endswith(".csv")]
    if not tables:
        faults.append(Fault(place, "tables (.csv)", "none"))
    for name in tables:
        try:
            head, *lines = csv.reader(texts[name].decode("utf-8-sig").splitlines(), strict=True)
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            faults.append(Fault(name, "CSV text in UTF-8 with a head", str(error)))
            continue
        if missing := [column for column in columns if column not in head]:
            faults.append(Fault(name, f"the columns {', '.join(columns)}", f"no {', '.join(missing)}"))
            continue
        cells = itemgetter(*map(head.index, columns))
        for row, line in enumerate(lines):
            if len(line) == len(head):
                rows.append((name, row, *cells(line)))
            else:
                faults.append(Fault(f"{name}, row {row}", f"{len(head)} cells", f"{len(line)}"))
    schema = {"file": pl.String, "row": pl.Int64} | dict.fromkeys(columns, pl.String)
    return pl.DataFrame(rows, schema, orient="row")


def _queries(phases: pl.DataFrame, faults: list[Fault]) -> pl.DataFrame:
    """The measured phase of each run, in SI units."""
    phases = _numbers(phases, _FIGURES, faults)
    _require(pl.col("gpu_model").str.contains(_GPUS), phases, "gpu_model", "such as 8 x NVIDIA A100-SXM4-80GB", faults)
    _require(pl.col("run_id").is_unique(), phases, "run_id", "one phase query model a run", faults)
    gpus = pl.col("gpu_model").str.extract(_GPUS, 1).cast(pl.Int64)
    device = pl.col("gpu_model").str.extract(_GPUS, 2)
    return phases.select(
        "run_id",
        "file",
        "row",
        sample_id=pl.format("co2-inference/{}", "run_id"),
        model="project_name",
        measured_at="timestamp",
        device=device.map_elements(device_name, pl.String),
        devices=gpus,
        devices_idle=gpus - 1,
        cpu="cpu_model",
        platform="os",
        gpu_energy_j=pl.col("gpu_energy") * _JOULES,
        duration_s="duration",
        estimated_cpu_energy_j=pl.col("cpu_energy") * _JOULES,
        estimated_ram_energy_j=pl.col("ram_energy") * _JOULES,
        estimated_emissions_kg="emissions",
        estimated_region=pl.concat_str("country_iso_code", "region", separator="/"),
    )


def _sessions(sessions: pl.DataFrame, faults: list[Fault]) -> pl.DataFrame:
    """Task and inputs of each run."""
    name = pl.col("file").str
    for (file,) in sessions.filter(~name.contains(_TASK_TABLE)).select(pl.col("file").unique().sort()).iter_rows():
        faults.append(Fault(file, f"a name {{task}}_{{inputs}}.csv, task one of {', '.join(_GROUPS)}", "another name"))
    _require(pl.col("run_id").is_unique(), sessions, "run_id", "each run once", faults)
    task, resized = name.extract(_TASK_TABLE, 1), name.extract(_TASK_TABLE, 3) == "_resized"
    return sessions.select(
        "run_id",
        listed_in="file",
        listed_as="project_name",
        task=task,
        group=task.replace(_GROUPS),
        input_set=name.extract(_TASK_TABLE, 2).str.to_lowercase().replace("squad2", "squadv2"),
        width=pl.when(resized).then(640),
        height=pl.when(resized).then(480),
    )


def _counts(counts: pl.DataFrame, faults: list[Fault]) -> dict[str, float]:
    """Parameters by model."""
    counts = _numbers(counts, ("num_parameters",), faults).unique(["model_name", "num_parameters"], maintain_order=True)
    _require(pl.col("model_name").is_unique(), counts, "model_name", "one number of parameters a model", faults)
    known = dict(counts.select("model_name", "num_parameters").iter_rows())
    return known | {model: known[other] for model, other in _COUNTED_AS.items() if other in known}


def _joined(
    sessions: pl.DataFrame, queries: pl.DataFrame, counts: dict[str, float], faults: list[Fault]
) -> pl.DataFrame:
    for file, run in sessions.join(queries, "run_id", "anti").select("listed_in", "run_id").iter_rows():
        faults.append(Fault(file, f"a phase query model in {_RUN_TABLES}", f"none of run {run}"))
    names = (pl.col("model"), pl.col("listed_as"))
    return (
        sessions.join(queries, "run_id")
        .sort("measured_at", "sample_id")
        .with_columns(
            source=pl.lit("co2-inference"),
            repeat=pl.int_range(pl.len()).over("model", "task", "input_set", "width"),
            device_kind=pl.lit("gpu"),
            framework=pl.lit("pytorch"),
            precision=pl.lit("fp32"),
            batch_size=1,
            phase=pl.lit("query model"),
            work_unit=pl.lit("query"),
            units=_QUERIES,
            params=pl.coalesce(name.replace_strict(counts, default=None, return_dtype=pl.Float64) for name in names),
        )
    )


def _numbers(table: pl.DataFrame, names: tuple[str, ...], faults: list[Fault]) -> pl.DataFrame:
    """The table with the named columns as numbers; what is no positive number is a fault."""
    for name in names:
        number = pl.col(name).cast(pl.Float64, strict=False)
        _require(number.is_finite() & (number > 0), table, name, "a positive number", faults)
    return table.with_columns(pl.col(names).cast(pl.Float64, strict=False))


def _require(holds: pl.Expr, table: pl.DataFrame, field: str, expected: str, faults: list[Fault]) -> None:
    """Add a fault for each row of which ``holds`` is not true."""
    for file, row, found in table.filter(~holds.fill_null(value=False)).select("file", "row", found=field).iter_rows():
        faults.append(Fault(f"{file}, row {row}, field {field}", expected, repr(found)))
