"""Results that others published: their figures as data, each with its source and the truth it was scored against.

<folder>/<track>/<slug>.yaml, one file a result. Scores stand as printed: split, group, metric, then one number a target
in the track's order, null where undefined. They cannot be computed again from predictions, so they take no rank.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
import polars as pl

from wa_bench.errors import Fault, SubmissionError, UnknownNameError, shown
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.submissions.card import SLUG_PATTERN
from wa_bench.submissions.fields import Line, Link, Text, read_fields
from wa_bench.tracks.track import Track, available, track

TruthKind = Literal["post-synthesis", "hls-estimate", "other"]
_Designs = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_Cells = list[Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)] | None]


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A published result.

    ``source`` is where it stands, ``place`` the table or section there, ``retrieved`` the day it was read. ``truth``
    holds a kind for each split and target: the track's own truth (``post-synthesis``), its ``hls-estimate``, or
    another that ``note`` explains. ``note`` also names figures that cannot be right; they are kept as printed.
    ``scores`` is split to group to metric to one number a target, with the number of ``designs`` beside the metrics.
    """

    SCHEMA: ClassVar[dict[str, pl.DataType]] = {
        "split": pl.String(),
        "group": pl.String(),
        "target": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "designs": pl.Int64(),
        "truth": pl.String(),
    }

    name: Line
    slug: Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN)]
    track: Line
    authors: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=50)]
    source: Link
    place: Line
    retrieved: date
    truth: dict[str, list[TruthKind]]
    note: Text | None = None
    scores: dict[str, dict[str, dict[str, Any]]]

    @property
    def rows(self) -> pl.DataFrame:
        """One row a split, group, metric and target (columns of ``SCHEMA``); ``value`` is null where undefined."""
        targets = track(self.track).target_names
        rows = [
            (split, group, target, metric, value, cells["designs"], truth)
            for split, groups in self.scores.items()
            for group, cells in groups.items()
            for metric, values in cells.items()
            if metric != "designs"
            for target, value, truth in zip(targets, values, self.truth[split], strict=True)
        ]
        return pl.DataFrame(rows, schema=self.SCHEMA, orient="row")

    def scored_on(self, truth: str) -> pl.DataFrame:
        """The rows that were scored against this kind of truth, and no others.

        Some targets may lack in them, so that a mean over the targets of a track cannot be had.

        Raises:
            UnknownNameError: no such kind.
        """
        if truth not in get_args(TruthKind):
            raise UnknownNameError("kind of truth", truth, get_args(TruthKind))
        return self.rows.filter(pl.col("truth") == truth)


def reported(folder: str | os.PathLike[str]) -> list[Reported]:
    """All results in ``folder``, by track and slug.

    Raises:
        SubmissionError: all faults of all files at once, and whatever else is in the folder.
    """
    results: list[Reported] = []
    faults: list[Fault] = []
    for path in sorted(Path(folder).rglob("*")):
        is_result = path.suffix == ".yaml" and path.parent.parent == Path(folder)
        if path.is_symlink() or (path.is_file() and not is_result):
            faults.append(Fault(str(path), "only files <track>/<slug>.yaml", "another"))
        elif path.is_file():
            try:
                results.append(read_reported(path))
            except SubmissionError as error:
                faults += error.faults
    if faults:
        raise SubmissionError(*faults)
    return results


def read_reported(path: Path) -> Reported:
    """The published result in a file ``<track>/<slug>.yaml``.

    Raises:
        SubmissionError: all faults of the file at once.
    """
    values, faults = read_fields(path, Reported, _EXPECTED)
    for field, name in (("slug", path.stem), ("track", path.resolve().parent.name)):
        if field in values and values[field] != name:
            faults.append(Fault(f"{path.name}, field {field}", f"{name!r}, as in the path", shown(values[field])))
    if "track" in values:
        judge = available().get(values["track"])
        if judge is None:
            known = ", ".join(available())
            faults.append(Fault(f"{path.name}, field track", f"one of {known}", shown(values["track"])))
        else:
            faults += _truth_faults(values, judge, path.name)
            faults += _score_faults(values.get("scores", {}), judge, path.name)
    if faults:
        raise SubmissionError(*faults)
    return Reported(**values)


_EXPECTED = {
    "slug": "2 to 40 small letters, digits and hyphens, such as my-surrogate",
    "source": "a link that starts with https://",
    "retrieved": "a date such as 2026-11-22",
    "truth": f"for each split a list of {', '.join(get_args(TruthKind))}, one a target",
    "scores": "splits of groups of metrics",
}


def _truth_faults(values: dict[str, Any], judge: Track, file: str) -> Iterator[Fault]:
    if "truth" not in values or "scores" not in values:
        return
    if values["truth"].keys() != values["scores"].keys():
        expected = f"the splits of the scores: {shown(sorted(values['scores']))}"
        yield Fault(f"{file}, field truth", expected, shown(sorted(values["truth"])))
    for split, kinds in values["truth"].items():
        if len(kinds) != len(judge.targets):
            expected = f"{len(judge.targets)} kinds: of {', '.join(judge.target_names)}"
            yield Fault(f"{file}, truth of split {shown(split)}", expected, str(len(kinds)))


def _score_faults(scores: dict[str, dict[str, dict[str, Any]]], judge: Track, file: str) -> Iterator[Fault]:
    known = {exam.split: [group.name for group in exam.groups] for exam in judge.exams}
    if not scores:
        yield Fault(f"{file}, field scores", f"one of the splits {', '.join(known)}", "none")
    for split, groups in scores.items():
        if split not in known:
            yield Fault(f"{file}, field scores", f"the splits {', '.join(known)}", shown(split))
            continue
        for group, cells in groups.items():
            place = f"{file}, scores on {split}"
            if group not in known[split]:
                yield Fault(place, f"the groups {', '.join(known[split])}", shown(group))
                continue
            yield from _cell_faults(cells, judge, f"{place}, group {group}")


def _cell_faults(cells: dict[str, Any], judge: Track, place: str) -> Iterator[Fault]:
    if not _fits(cells.get("designs"), _Designs):
        yield Fault(f"{place}, designs", "their number", shown(cells.get("designs")))
    if not cells.keys() - {"designs"}:
        yield Fault(place, "at least one metric", "none")
    for metric, values in cells.items():
        if metric == "designs":
            continue
        if not _is_metric(metric):
            yield Fault(place, "metrics as they print, such as R2 or SMAPE(eps=1)", shown(metric))
        elif not _fits(values, _Cells) or len(values) != len(judge.targets):
            expected = f"{len(judge.targets)} finite numbers or null: of {', '.join(judge.target_names)}"
            yield Fault(f"{place}, {metric}", expected, shown(values))


def _is_metric(name: str) -> bool:
    try:
        return str(parse_metric(name)) == name
    except UnknownNameError:
        return False


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
