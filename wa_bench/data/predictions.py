"""Predictions: one row a design, ``sample_id`` and one number a target."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

import polars as pl

from wa_bench.data import axess
from wa_bench.data.limits import MOST_BYTES
from wa_bench.data.tables import ID, Column, Kind, Table, csv_table, parquet_table
from wa_bench.errors import Fault, PredictionsError, shown
from wa_bench.files import replacing

if TYPE_CHECKING:
    from wa_bench.data.dataset import Dataset

_EXAMPLES = 3
LARGEST = 1e15
"""Of what size a prediction may be, below zero or above."""
_FIX = "write the file with Predictions.write(), or correct these rows"


class Predictions:
    """Checked predictions: unique ids and a finite number for each target. Designs may be missing.

    Nothing is ever clipped or rounded.

    Args:
        frame: a ``sample_id`` column and one column a target, in any order; upper-case target names, as the
            authors' own benchmark writes them, are accepted.
        targets: the names expected.
        origin: what error messages call the table, usually its file.

    Raises:
        PredictionsError: all faults of the table at once.
    """

    def __init__(self, frame: pl.DataFrame, targets: Sequence[str], origin: str = "predictions") -> None:
        columns = tuple(_column(name, dtype) for name, dtype in frame.schema.items())
        table = Table(columns, lambda names: iter([frame.select(names)]))
        self._set(_checked(table, targets, origin), targets, origin)

    def _set(
        self,
        frame: pl.DataFrame,
        targets: Sequence[str],
        origin: str,
        *,
        ignores_unknown: bool = False,
        passed_over: int = 0,
    ) -> Self:
        self._frame = frame
        self.targets = tuple(targets)
        self.origin = origin
        self._ignores_unknown = ignores_unknown
        self._passed_over = passed_over
        return self

    @classmethod
    def read(cls, path: str | os.PathLike[str], targets: Sequence[str]) -> Predictions:
        """Predictions from a ``.parquet`` or ``.csv`` file, or from a ``.zip`` of the authors' own benchmark.

        Files are taken for hostile: see ``wa_bench.data.limits`` for what is read at most. In a zip, as in that
        benchmark (``wa_bench.data.axess``), rows of unknown ids and rows without finite numbers count as not there.

        Raises:
            PredictionsError: all faults of the file at once.
        """
        path = Path(path)
        if not path.is_file():
            raise PredictionsError(Fault(str(path), "a .parquet, .csv or .zip file", "nothing"))
        if (size := path.stat().st_size) > MOST_BYTES:
            raise PredictionsError(Fault(str(path), f"at most {MOST_BYTES:,} bytes", f"{size:,} bytes"))
        if path.suffix == ".zip":
            return cls._read_zip(path, targets)
        if path.suffix == ".parquet":
            table = parquet_table(path)
        elif path.suffix == ".csv":
            table = csv_table(lambda: path.open("rb"), path.name)
        else:
            raise PredictionsError(Fault(str(path), "a .parquet, .csv or .zip file", f"a {path.suffix} file"))
        return cls.__new__(cls)._set(_checked(table, targets, path.name), targets, path.name)

    @classmethod
    def _read_zip(cls, path: Path, targets: Sequence[str]) -> Predictions:
        axess.require_its_targets(targets, path.name)
        frames, passed_over = [], 0
        faults: list[Fault] = []
        with axess.tables(path) as tables:
            for name, table in tables.items():
                try:
                    frame, without_number = _lenient(table, targets, f"{path.name}, {name}")
                except PredictionsError as error:
                    faults += error.faults
                else:
                    frames.append(frame)
                    passed_over += without_number
        if faults:
            raise PredictionsError(*faults)
        both = pl.concat(frames).unique(maintain_order=True)
        if faults := _id_faults(both.get_column(ID), path.name):
            raise PredictionsError(*faults)
        return cls.__new__(cls)._set(both, targets, path.name, ignores_unknown=True, passed_over=passed_over)

    def __repr__(self) -> str:
        return f"Predictions({self._frame.height:,} designs, {', '.join(self.targets)}; {self.origin})"

    def frame(self) -> pl.DataFrame:
        """``sample_id`` and the targets as Float64."""
        return self._frame

    def only(self, ids: pl.Series) -> Predictions:
        """The same predictions, of the designs among ``ids``."""
        chosen = self._frame.filter(pl.col(ID).is_in(ids.implode()))
        return (
            type(self)
            .__new__(type(self))
            ._set(
                chosen, self.targets, self.origin, ignores_unknown=self._ignores_unknown, passed_over=self._passed_over
            )
        )

    def content(self) -> str:
        """Hash of ids and numbers, whatever the order of the rows and the kind of file."""
        return sha256(self._frame.sort(ID).write_csv().encode()).hexdigest()

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
        """Refuse predictions of designs that are not among ``known``; those of a zip only if none is.

        Raises:
            PredictionsError: names the first few unknown ids and their number.
        """
        unknown = self._unknown(known)
        if len(unknown) and not (self._ignores_unknown and len(unknown) < self._frame.height):
            raise PredictionsError(
                Fault(
                    f"{self.origin}, column sample_id",
                    f"ids of the {len(known):,} designs to score",
                    f"{len(unknown):,} unknown: {_listed(unknown)}",
                    "predict the splits that the track scores, and only these",
                )
            )

    def notes(self, exam: Dataset) -> list[str]:
        """What is worth knowing though it is no fault. None of it is altered: nothing is clipped, rounded or filled.

        Args:
            exam: the designs to score.
        """
        notes = []
        for target in self.targets:
            below = self._frame.filter(pl.col(target) < 0)
            if below.height:
                example = f"{below.item(0, target)!r} for {shown(below.item(0, ID))}"
                notes.append(
                    f"{self.origin}, column {target}: {below.height:,} below zero, kept as they are ({example})"
                )
        if unknown := len(self._unknown(exam.sample_ids())):
            notes.append(f"{self.origin}: rows of ids that are not scored, ignored: {unknown:,}")
        if self._passed_over:
            notes.append(f"{self.origin}: rows without a finite number for each target, ignored: {self._passed_over:,}")
        for split, missing, scored in self._left_out(exam):
            if len(missing):
                share = f"{scored - len(missing):,} of the {scored:,} designs that are scored have predictions"
                notes.append(f"{self.origin}, split {split}: {share}, so no rank; left out: {_listed(missing)}")
        return notes

    @property
    def must_be_complete(self) -> bool:
        """Whether each design that is scored needs a prediction, as in a zip of the authors' benchmark."""
        return self._ignores_unknown

    def left_out_faults(self, exam: Dataset) -> list[Fault]:
        """A fault for each split with designs that are scored and have no prediction."""
        return [
            Fault(
                f"{self.origin}, split {split}",
                f"finite numbers for each of the {scored:,} designs that have all targets",
                f"none for {len(missing):,}: {_listed(missing)}",
            )
            for split, missing, scored in self._left_out(exam)
            if len(missing)
        ]

    def _left_out(self, exam: Dataset) -> Iterator[tuple[str, pl.Series, int]]:
        """Of each split: its name, ids of the designs that have truth and no prediction, number that have truth."""
        scored = exam.truth().select(ID, "split")
        missing = scored.join(self._frame.select(ID), on=ID, how="anti", maintain_order="left")
        for split in exam.splits:
            lacking = missing.filter(pl.col("split") == split).get_column(ID)
            yield split, lacking, scored.filter(pl.col("split") == split).height

    def _unknown(self, known: pl.Series) -> pl.Series:
        ids = self._frame.get_column(ID)
        return ids.filter(~ids.is_in(known.implode()))


@dataclass
class _BadNumbers:
    """Rows of a column that hold no number to score, as they turn up block by block."""

    rows: list[int] = field(default_factory=list)
    count: int = 0
    example: str = ""

    def fault(self, target: str, origin: str) -> Fault:
        rows = _rows(self.rows, self.count)
        remedy = "leave out the rows of designs that you do not predict"
        expected = f"a number within ±{LARGEST:g} in every row"
        return Fault(f"{origin}, column {target}", expected, f"{self.example} ({rows})", remedy)


def _checked(table: Table, targets: Sequence[str], origin: str) -> pl.DataFrame:
    """``sample_id`` and the targets as Float64, if the table has no fault."""
    names = _names(table.columns, targets, origin, others=False)
    bad = {target: _BadNumbers() for target in targets}
    blocks = []
    seen = 0
    for block in _converted(table, names):
        for target, wrong in bad.items():
            mask = ~_is_good(block, target)
            if mask.any():
                rows = mask.arg_true()
                if not wrong.count:
                    raw, sample = block.item(int(rows[0]), f"raw {target}"), block.item(int(rows[0]), ID)
                    wrong.example = f"{_number_shown(raw)} for {shown(sample)}"
                wrong.rows += [seen + int(row) + 1 for row in rows[: _EXAMPLES - len(wrong.rows)]]
                wrong.count += len(rows)
        blocks.append(block.select(ID, *targets))
        seen += block.height
    frame = pl.concat(blocks) if blocks else _empty(targets)
    faults = _id_faults(frame.get_column(ID), origin)
    faults += [wrong.fault(names[target], origin) for target, wrong in bad.items() if wrong.count]
    if faults:
        raise PredictionsError(*faults)
    return frame


def _lenient(table: Table, targets: Sequence[str], origin: str) -> tuple[pl.DataFrame, int]:
    """The rows that have a number for each target, and how many have not; other columns are left unread."""
    names = _names(table.columns, targets, origin, others=True)
    blocks = list(_converted(table, names))
    whole = pl.concat(blocks) if blocks else _empty(targets)
    if faults := _id_faults(whole.get_column(ID), origin):
        raise PredictionsError(*faults)
    good = whole.filter(pl.all_horizontal(_is_good(whole, target) for target in targets))
    return good.select(ID, *targets), whole.height - good.height


def _converted(table: Table, names: dict[str, str]) -> Iterable[pl.DataFrame]:
    """Blocks of ids as text and of targets as Float64, null where they are no numbers; ``raw lut`` as it was read."""
    for block in table.blocks(list(names.values())):
        yield pl.DataFrame(
            [
                block.get_column(names[ID]).cast(pl.String).alias(ID),
                *(
                    block.get_column(name).cast(pl.Float64, strict=False).alias(target)
                    for target, name in names.items()
                    if target != ID
                ),
                *(block.get_column(name).alias(f"raw {target}") for target, name in names.items() if target != ID),
            ]
        )


def _is_good(block: pl.DataFrame, target: str) -> pl.Series:
    number = block.get_column(target)
    return (number.is_finite() & (number.abs() <= LARGEST)).fill_null(value=False)


def _empty(targets: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={ID: pl.String, **dict.fromkeys(targets, pl.Float64)})


def _names(columns: Sequence[Column], targets: Sequence[str], origin: str, *, others: bool) -> dict[str, str]:
    """The table's own names of ``sample_id`` and the targets; ``others`` says whether there may be other columns.

    Raises:
        PredictionsError: all faults of the columns at once.
    """
    expected = [ID, *targets]
    wanted = f"the columns {', '.join(expected)}"
    names = [column.name.lower() if column.name.lower() in targets else column.name for column in columns]
    faults = []
    if missing := [name for name in expected if name not in names]:
        faults.append(Fault(origin, wanted, f"no column {', '.join(missing)}", "add what is missing"))
    if not others and (extra := [name for name in names if name not in expected]):
        faults.append(Fault(origin, wanted, f"unexpected columns {_listed(pl.Series(extra))}", "leave them out"))
    if twice := sorted({name for name in names if name in expected and names.count(name) > 1}):
        faults.append(Fault(origin, "each column once", f"{', '.join(twice)} in two spellings"))
    for name, column in zip(names, columns, strict=True):
        fits = column.kind in ("text", "integer") or (name != ID and column.kind == "number")
        if name in expected and not fits:
            expected_kind = "text" if name == ID else "numbers"
            faults.append(Fault(f"{origin}, column {name}", expected_kind, f"the type {column.type}"))
    if faults:
        raise PredictionsError(*faults)
    return {name: column.name for name, column in zip(names, columns, strict=True) if name in expected}


def _column(name: str, dtype: pl.DataType) -> Column:
    kind: Kind = "text" if dtype == pl.String else "integer" if dtype.is_integer() else "other"
    if kind == "other" and dtype.is_numeric():
        kind = "number"
    return Column(name, kind, str(dtype))


def _id_faults(ids: pl.Series, origin: str) -> list[Fault]:
    place = f"{origin}, column sample_id"
    faults = []
    if ids.null_count():
        faults.append(Fault(place, "an id in every row", f"none in {_rows_of(ids.is_null())}", _FIX))
    if (twice := _repeated(ids)) is not None:
        found = f"{len(twice):,} repeated: {_listed(twice)} ({shown(twice[0])} in {_rows_of(ids.eq_missing(twice[0]))})"
        faults.append(Fault(place, "each id once", found, _FIX))
    return faults


def _repeated(ids: pl.Series) -> pl.Series | None:
    """Ids that occur more than once. Their hashes are looked at first: a million texts take much memory to compare."""
    if ids.hash().n_unique() == len(ids):
        return None
    known = ids.drop_nulls()
    repeated = known.filter(known.is_duplicated()).unique(maintain_order=True)
    return repeated if len(repeated) else None


def _number_shown(value: object) -> str:
    return shown(value, 40) if isinstance(value, str) else repr(value)


def _rows_of(mask: pl.Series) -> str:
    return _rows([int(row) + 1 for row in mask.arg_true()[:_EXAMPLES]], int(mask.sum()))


def _rows(first: Sequence[int], count: int) -> str:
    """``row 3``, or ``rows 3, 7, 9 and 12 more``; the first row is row 1."""
    more = count - len(first)
    listed = f"row{'s' if len(first) > 1 else ''} {', '.join(map(str, first))}"
    return listed + (f" and {more:,} more" if more else "")


def _listed(values: pl.Series) -> str:
    examples = [shown(value) for value in values[:_EXAMPLES]]
    return ", ".join(examples) + (", ..." if len(values) > len(examples) else "")
