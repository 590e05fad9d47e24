"""Stored scores against computed ones, whatever keys and columns they have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wa_bench.data.limits import LARGEST_SCORES
from wa_bench.errors import DataError, Fault, shown

SCORES_FILE = "scores.json"
_VERSION = "wa_bench"
_ROWS = "scores"
_TOLERANCE = 1e-9
_LARGEST = 1e300

Cell = tuple[str, str, str, str]
"""Split, group, target and metric of a score."""


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of ``scores.json``: columns of ``Scores.SCHEMA``."""

    split: str
    group: str
    target: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    undefined: str | None
    designs: int
    answered: int
    clusters: int


def verify(file: Path, compute: Callable[[], dict[str, Any]], remedy: str) -> None:
    """Compare a file of scores with what is computed now: every key, and every column of every row.

    Numbers may differ by one part in 1e9 (other machine, other library). The version of this package is not compared;
    it is named where something differs. Nothing is computed where the file is damaged.

    Raises:
        DataError: the file is missing, damaged, too large, or differs: all differences at once.
    """
    stored = _read(file, remedy)
    ours = msgspec.json.decode(msgspec.json.encode(compute()), type=dict[str, Any])
    theirs_by, ours_by = stored.pop(_VERSION, None), ours.pop(_VERSION)
    if theirs_by != ours_by:
        remedy = f"they were made by wa-bench {shown(theirs_by, 40)}, this is {ours_by}; {remedy}"
    theirs_rows, ours_rows = stored.pop(_ROWS, None), ours.pop(_ROWS)
    found = list(_differences(stored, ours, str(file)))
    if not isinstance(theirs_rows, list) or len(theirs_rows) != len(ours_rows):
        count = f"{len(theirs_rows)} scores" if isinstance(theirs_rows, list) else "no list of scores"
        found.append((str(file), f"{len(ours_rows)} scores", count))
    else:
        for theirs, row in zip(theirs_rows, ours_rows, strict=True):
            found += _differences(theirs, row, f"{file}, {_place(row)}")
    if found:
        raise DataError(*(Fault(place, expected, actual, remedy) for place, expected, actual in found))


def trusted(
    file: Path, head: Mapping[str, Any], layout: Sequence[Cell], known: Sequence[Mapping[str, Any]], remedy: str
) -> list[dict[str, Any]]:
    """The rows of a file of scores, if they are those of a set of predictions as far as that is known.

    Args:
        file: the file.
        head: what it must hold beside the scores; the version of this package may differ.
        layout: split, group, target and metric of each row that it must have, in order.
        known: some rows, of which the columns given must be right.
        remedy: the command that makes the file anew.

    Raises:
        DataError: the file is missing, damaged, too large, or differs: all differences at once.
    """
    stored = _read(file, remedy)
    try:
        rows = msgspec.convert(stored.pop(_ROWS, None), list[_Row])
    except msgspec.ValidationError as error:
        raise DataError(Fault(str(file), "scores as wa-bench writes them", shown(str(error)), remedy)) from None
    stored.pop(_VERSION, None)
    found = list(_differences(stored, dict(head), str(file)))
    places = {(row.split, row.group, row.target, row.metric): row for row in rows}
    if list(places) != list(layout) or len(places) != len(rows):
        found.append((str(file), f"the {len(layout)} scores of this evaluator, in its order", f"{len(rows)} others"))
    else:
        for ours in known:
            theirs = msgspec.structs.asdict(places[ours["split"], ours["group"], ours["target"], ours["metric"]])
            chosen = {name: theirs[name] for name in ours}
            found += _differences(chosen, dict(ours), f"{file}, {_place(chosen)}")
    if found:
        raise DataError(*(Fault(place, expected, actual, remedy) for place, expected, actual in found))
    return [msgspec.structs.asdict(row) for row in rows]


def _read(file: Path, remedy: str) -> dict[str, Any]:
    if not file.is_file():
        raise DataError(Fault(str(file), "scores", "nothing", remedy))
    if (size := file.stat().st_size) > LARGEST_SCORES:
        raise DataError(Fault(str(file), f"at most {LARGEST_SCORES:,} bytes", f"{size:,} bytes", remedy))
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DataError(Fault(str(file), "scores as wa-bench writes them", shown(str(error)), remedy)) from None


def _differences(stored: Any, computed: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Place, computed and stored text of each difference. Descends no deeper than the computed value does."""
    if isinstance(computed, dict) and isinstance(stored, dict):
        for key in [*computed, *(key for key in stored if key not in computed)]:
            inner = f"{place}, {key if key in computed else shown(key)}"
            if key not in stored or key not in computed:
                ours, theirs = (_text(side[key]) if key in side else "nothing" for side in (computed, stored))
                yield inner, ours, theirs
            else:
                yield from _differences(stored[key], computed[key], inner)
    elif isinstance(computed, list) and isinstance(stored, list) and len(stored) == len(computed):
        for number, (theirs, ours) in enumerate(zip(stored, computed, strict=True), 1):
            yield from _differences(theirs, ours, f"{place}, {number}")
    elif not _agree(stored, computed):
        yield place, _text(computed), _text(stored)


def _agree(stored: Any, computed: Any) -> bool:
    numbers = (int, float)
    if type(stored) in numbers and type(computed) in numbers:
        return stored == computed or (
            abs(stored) < _LARGEST and math.isclose(stored, computed, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        )
    return type(stored) is type(computed) and not isinstance(stored, dict | list) and stored == computed


def _text(value: Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, dict | list) else shown(value)


def _place(row: dict[str, Any]) -> str:
    return f"{row['metric']}@{row['target']} of {row['group']} on {row['split']}"
