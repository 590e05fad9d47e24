"""Rows of the older tabular export of wa-hls4ml: fully connected designs as one CSV line each.

A row tells widths (``model_string`` such as ``80-24-120``), weight bits, requested reuse factor, strategy,
cycles and post-synthesis resources; the layers follow from hls4ml's rules. Convolution rows do not tell their
kernels, so their networks cannot be rebuilt. The export does not tell initiation intervals; they are null.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from hashlib import md5
from itertools import pairwise
from pathlib import Path
from typing import Any

from wa_bench.errors import Fault, RecordError
from wa_bench.records.reuse import closest_valid_reuse_factor
from wa_bench.records.schema import LARGEST_COUNT, Design, Layer, Precision, Provenance

_COUNTS = ("dsp", "ff", "lut", "uram", "cycles_min", "cycles_max")
_COLUMNS = ("model_name", "prec", "model_string", "rf", "strategy", "target_clock", "bram", *_COUNTS)


def read_tabular(path: Path, split: str) -> Iterator[Design]:
    """The designs of a 2layer or 3layer export.

    Raises:
        RecordError: all faulty rows, with the row's index, expected and found.
    """
    faults: list[Fault] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise RecordError(Fault(path.name, "CSV text in UTF-8", str(error))) from None
    if missing := [name for name in _COLUMNS if rows and name not in rows[0]]:
        raise RecordError(Fault(path.name, f"the columns {', '.join(_COLUMNS)}", f"no {', '.join(missing)}"))
    for index, row in enumerate(rows):
        try:
            yield _design(row, split, Provenance(path.name, index))
        except (ValueError, TypeError) as error:
            expected = "a fully connected design with whole numbers"
            faults.append(Fault(f"{path.name}, row {index}", expected, str(error)))
    if faults:
        raise RecordError(*faults)


def _design(row: dict[str, str], split: str, provenance: Provenance) -> Design:
    name, bits = row["model_name"], int(row["prec"])
    if not name.startswith("dense_"):
        raise ValueError(f"{name} is not fully connected; its layers cannot be rebuilt from the row")
    widths = [int(width) for width in row["model_string"].split("-")]
    requested = int(row["rf"])
    if len(widths) < 2 or min(*widths, bits, requested) < 1:
        raise ValueError(f"widths {row['model_string']}, bits {bits}, reuse factor {requested}")
    counts: dict[str, Any] = {name: int(row[name]) for name in _COUNTS}
    if not all(0 <= count <= LARGEST_COUNT for count in (*counts.values(), float(row["bram"]))):
        raise ValueError(f"resources or cycles outside 0 to 2^53: {row}")
    weight = Precision(bits, 1, signed=True)
    default = Precision(16, 6, signed=True)
    layers = [
        Layer(
            kind="dense",
            inputs=(i - 1,) if i else (),
            in_shape=(n_in,),
            out_shape=(n_out,),
            units=n_out,
            use_bias=True,
            params=(n_in + 1) * n_out,
            reuse_factor=closest_valid_reuse_factor(n_in, n_out, requested),
            weight=weight,
            bias=weight,
            result=default,
            accumulator=default,
        )
        for i, (n_in, n_out) in enumerate(pairwise(widths))
    ]
    identity = f"{provenance.index},{name},{requested},{row['strategy']}"
    return Design(
        sample_id=md5(identity.encode(), usedforsecurity=False).hexdigest(),
        split=split,
        family=f"{len(layers)}layer",
        group="dense",
        model_name=name,
        source="wa-hls4ml",
        clock_ns=float(row["target_clock"]),
        tool="vivado",
        strategy=row["strategy"].lower(),
        io_type="io_parallel",
        io_type_inferred=True,
        reuse_factor=requested,
        precision=default,
        layers=layers,
        bram=float(row["bram"]),
        **counts,
        provenance=provenance,
    )
