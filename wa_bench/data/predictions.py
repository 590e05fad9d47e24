"""Predictions: one row a design, ``sample_id`` and one number a target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from wa_bench.errors import Fault, PredictionsError
from wa_bench.files import replacing

_EXAMPLES = 3
_LARGEST = 1e15
_MAX_BYTES = 512 * 1024 * 1024
_FIX = "write the file with Predictions.write(), or correct these rows"


class Predictions:
    """Checked predictions: unique ids and a finite number for each target. Designs may be missing.

    Args:
        frame: a ``sample_id`` column and one column a target, in any order; upper-case target names, as the
            authors' own benchmark writes them, are accepted.
        targets: the names expected.
        origin: what error messages call the table, usually its file.

    Raises:
        PredictionsError: all faults of the table at once.
    """

    def __init__(self, frame: pl.DataFrame, targets: Sequence[str], origin: str = "predictions") -> None:
        expected = ["sample_id", *targets]
        lower = {name: name.lower() for name in frame.columns if name.lower() in targets}
        faults = _column_faults(frame, lower, expected, origin)
        if not faults:
            frame = frame.rename(lower)
            ids = frame.get_column("sample_id").cast(pl.String)
            numbers = [frame.get_column(name).cast(pl.Float64, strict=False) for name in targets]
            faults = _id_faults(ids, origin)
            for raw, number in zip((frame.get_column(name) for name in targets), numbers, strict=True):
                faults += _number_faults(raw, number, ids, origin)
        if faults:
            raise PredictionsError(*faults)
        self._frame = pl.DataFrame([ids, *numbers])
        self.targets = tuple(targets)
        self.origin = origin

    @classmethod
    def read(cls, path: str | os.PathLike[str], targets: Sequence[str]) -> Predictions:
        """Predictions from a ``.parquet`` or ``.csv`` file.

        Raises:
            PredictionsError: all faults of the file at once.
        """
        path = Path(path)
        if not path.is_file():
            raise PredictionsError(Fault(str(path), "a .parquet or .csv file", "nothing"))
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise PredictionsError(Fault(str(path), f"at most {_MAX_BYTES:,} bytes", f"{size:,} bytes"))
        try:
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path, glob=False)
            elif path.suffix == ".csv":
                frame = pl.read_csv(path, infer_schema=False, glob=False)
            else:
                raise PredictionsError(Fault(str(path), "a .parquet or .csv file", f"a {path.suffix} file"))
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise PredictionsError(Fault(str(path), f"a readable {path.suffix} table", reason)) from None
        return cls(frame, targets, path.name)

    def frame(self) -> pl.DataFrame:
        """``sample_id`` and the targets as Float64."""
        return self._frame

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.parquet`` or ``.csv`` file, whole or not at all; equal predictions give equal bytes."""
        path = Path(path)
        if path.suffix not in (".parquet", ".csv"):
            raise PredictionsError(Fault(str(path), "a name ending in .parquet or .csv", path.name))
        ordered = self._frame.sort("sample_id")
        with replacing(path) as partial:
            if path.suffix == ".parquet":
                ordered.write_parquet(partial, compression="zstd")
            else:
                ordered.write_csv(partial)

    def check_ids(self, known: pl.Series) -> None:
        """Refuse predictions of designs that are not among ``known``.

        Raises:
            PredictionsError: names the first few unknown ids and their number.
        """
        ids = self._frame.get_column("sample_id")
        unknown = ids.filter(~ids.is_in(known.implode()))
        if len(unknown):
            raise PredictionsError(
                Fault(
                    f"{self.origin}, column sample_id",
                    f"ids of the {len(known):,} designs to score",
                    f"{len(unknown):,} unknown: {_listed(unknown)}",
                    "predict the splits that the track scores, and only these",
                )
            )


def _column_faults(frame: pl.DataFrame, lower: dict[str, str], expected: Sequence[str], origin: str) -> list[Fault]:
    wanted = f"the columns {', '.join(expected)}"
    names = [lower.get(name, name) for name in frame.columns]
    faults = []
    if missing := [name for name in expected if name not in names]:
        faults.append(Fault(origin, wanted, f"no column {', '.join(missing)}", "add what is missing"))
    if extra := [name for name in names if name not in expected]:
        faults.append(Fault(origin, wanted, f"unexpected columns {_listed(pl.Series(extra))}", "leave them out"))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault(origin, "each column once", f"{', '.join(twice)} in two spellings"))
    for name, dtype in zip(names, frame.dtypes, strict=True):
        fits = dtype == pl.String or dtype.is_integer() or (name != "sample_id" and dtype.is_numeric())
        if name in expected and not fits:
            kind = "text" if name == "sample_id" else "numbers"
            faults.append(Fault(f"{origin}, column {name}", kind, f"the type {dtype}"))
    return faults


def _id_faults(ids: pl.Series, origin: str) -> list[Fault]:
    place = f"{origin}, column sample_id"
    faults = []
    if ids.null_count():
        faults.append(Fault(place, "an id in every row", f"none in {_rows(ids.is_null())}", _FIX))
    duplicated = ids.drop_nulls().filter(ids.drop_nulls().is_duplicated())
    if len(duplicated):
        twice = duplicated.unique(maintain_order=True)
        first = ids.eq_missing(twice[0])
        found = f"{len(twice):,} repeated: {_listed(twice)} ({twice[0]!r} in {_rows(first)})"
        faults.append(Fault(place, "each id once", found, _FIX))
    return faults


def _number_faults(raw: pl.Series, number: pl.Series, ids: pl.Series, origin: str) -> list[Fault]:
    bad = ~(number.is_finite() & (number.abs() <= _LARGEST)).fill_null(value=False)
    if not bad.any():
        return []
    first = int(bad.arg_true()[0])
    found = f"{raw[first]!r} for {ids[first]!r} ({_rows(bad)})"
    remedy = "leave out the rows of designs that you do not predict"
    return [Fault(f"{origin}, column {raw.name}", f"a number within ±{_LARGEST:g} in every row", found, remedy)]


def _rows(mask: pl.Series) -> str:
    """``row 3``, or ``rows 3, 7, 9 and 12 more``; the first row is row 1."""
    rows = [str(int(row) + 1) for row in mask.arg_true()[:_EXAMPLES]]
    more = int(mask.sum()) - len(rows)
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(rows)}" + (f" and {more:,} more" if more else "")


def _listed(values: pl.Series) -> str:
    shown = [repr(value)[:80] for value in values[:_EXAMPLES]]
    return ", ".join(shown) + (", ..." if len(values) > len(shown) else "")
