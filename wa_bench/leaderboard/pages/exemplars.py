"""Pages of the exemplar models: the network, its settings, and how every submission errs on it.

A model is a group of an exam that is drawn stratum by stratum (``Exam.strata``). How submissions err at each setting
stands in ``<track>/exemplars/errors/<slug>.json``: by model, the mean over the targets and each target, a number a cell
of the settings table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.evaluation.metrics import SMAPE, Metric, parse_metric
from wa_bench.evaluation.report import MEAN, number
from wa_bench.leaderboard.board import Board, Entry, Site, ranked
from wa_bench.leaderboard.network_drawing import draw
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.board import rank_text
from wa_bench.leaderboard.pages.embedded import embedded
from wa_bench.leaderboard.pages.reported import published
from wa_bench.leaderboard.pages.scales import shade_of
from wa_bench.records.schema import Design
from wa_bench.tracks.track import ALL, Exam

STEPS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0)
"""From which error on a cell of the settings table is darker."""

_SETTINGS = ("strategy", "bits", "reuse_factor")
_CELL = ("split", "model", *_SETTINGS)

# Hundreds of lines stand on a page: tuples, since a template reads them several times faster than fields.
_Cell = tuple[str, str, int | None, str]
"""Score, interval, shade, and by what it is sorted."""


def models(board: Board) -> list[tuple[Exam, str]]:
    """The exemplar models of a board, with their exam: none where its records have no layers."""
    if board.exam is None or board.exam.kind is not Design or not board.entries:
        return []
    return [
        (exam, group.name)
        for exam in board.track.exams
        if exam.strata is not None and exam.split in board.exam.splits
        for group in exam.groups
        if group != ALL and group.column == exam.strata
    ]


def pages(board: Board, site: Site) -> Iterator[Page]:
    """A page a model, and the errors of each submission."""
    found = models(board)
    if not found or board.exam is None:
        return
    settings = _Settings(board.exam, found)
    folder = f"{board.track.name}/exemplars"
    for exam, model in found:
        path = f"{folder}/{model}.html"
        yield Page(path, partial(_page, board, site, path, exam, model, settings), board.state)
    if _smape(board) is not None:
        for entry in board.entries:
            path = f"{folder}/errors/{entry.slug}.json"
            yield Page(path, partial(_errors_file, board, entry, settings), entry.digest.key)


class _Settings:
    """The designs of the models, and the cells of their settings tables."""

    def __init__(self, exam: Dataset, models: list[tuple[Exam, str]]) -> None:
        self._exam = exam
        self._models = models

    @cached_property
    def designs(self) -> pl.DataFrame:
        """Records of the models, with the bits of their default type in ``bits``."""
        splits = sorted({exam.split for exam, _ in self._models})
        chosen = self._exam.frame().filter(pl.col("split").is_in(splits)).drop_nulls(self._exam.track.target_names)
        return chosen.with_columns(bits=pl.col("precision").struct.field("width")).sort("sample_id").collect()

    def of(self, exam: Exam, model: str) -> pl.DataFrame:
        """Records of one model."""
        return self.designs.filter(pl.col("split") == exam.split, pl.col(exam.strata or "group") == model)

    @cached_property
    def asked(self) -> pl.DataFrame:
        """split, sample_id, model, strategy, bits and reuse_factor of each design."""
        strata = {exam.strata for exam, _ in self._models}
        column = next(name for name in strata if name is not None)
        return self.designs.select("split", "sample_id", pl.col(column).alias("model"), *_SETTINGS)

    @cached_property
    def cells(self) -> pl.DataFrame:
        """split, model, strategy, bits, reuse_factor and number of designs of each cell, in the order of all tables."""
        return self.asked.group_by(_CELL).len("designs").sort(_CELL, nulls_last=True)

    def table(self, exam: Exam, model: str) -> dict[str, Any]:
        """Rows (strategy, bits) and columns (reuse factors) of a model's table, and the place of each cell."""
        cells = self.cells.filter(split=exam.split, model=model)
        place = {cell[:3]: number for number, cell in enumerate(cells.select(*_SETTINGS).iter_rows())}
        rows = cells.select("strategy", "bits").unique(maintain_order=True).rows()
        return {
            "rows": rows,
            "columns": sorted(cells.get_column("reuse_factor").unique().to_list()),
            "place": place,
            "designs": cells.get_column("designs").to_list(),
        }

    def errors(self, board: Board, entry: Entry) -> dict[str, list[list[float | None]]]:
        """By model: mean term of SMAPE over the designs of each cell, first the mean over the targets, then each."""
        terms = [f"{name}_smape" for name in board.track.target_names]
        errors = entry.digest.small_exams.select("split", "sample_id", *terms)
        joined = self.asked.join(errors, on=["split", "sample_id"], how="left")
        means = joined.group_by(_CELL).agg(pl.mean_horizontal(terms).mean().alias(MEAN), pl.col(terms).mean())
        tables = means.sort(_CELL, nulls_last=True).partition_by("split", "model", as_dict=True)
        return {
            model: [
                [None if value is None else round(value, 1) for value in column.to_list()]
                for column in tables.get((exam.split, model), means.clear()).select(MEAN, *terms)
            ]
            for exam, model in self._models
        }


def _smape(board: Board) -> str | None:
    """The track's SMAPE, whose terms are the errors of designs."""
    return next((name for name in board.track.metrics if isinstance(parse_metric(name), SMAPE)), None)


def _errors_file(board: Board, entry: Entry, settings: _Settings) -> bytes:
    return msgspec.json.encode(settings.errors(board, entry))


def _page(board: Board, site: Site, path: str, exam: Exam, model: str, settings: _Settings) -> str:
    designs = settings.of(exam, model)
    layers = designs.row(0, named=True)["layers"]
    table = settings.table(exam, model)
    shown = (ranked(board.entries) or list(board.entries))[0]
    smape = _smape(board)
    first = settings.errors(board, shown)[model] if smape else [[None] * len(table["designs"])]
    return render(
        "exemplar.html.j2",
        path,
        site,
        board=board,
        nav="data",
        exam=exam,
        model=model,
        models=models(board),
        drawing=draw(layers),
        layers=layers,
        facts=_facts(designs, layers),
        metric=parse_metric(board.track.rank_by),
        second=parse_metric(board.track.tie_breaker),
        lines=_lines(board, exam, model),
        reported=_reported(board, exam, model),
        table=table,
        smape=smape,
        shown=shown,
        first=first[0],
        step=step,
        steps=STEPS,
        embedded=embedded(
            {
                "model": model,
                "steps": STEPS,
                "shown": shown.slug,
                "first": first,
                "targets": [MEAN, *board.track.target_names],
            }
        ),
    )


def step(error: float | None) -> int:
    """How dark a cell with this error is."""
    return sum(error >= limit for limit in STEPS) if error is not None else 0


def _facts(designs: pl.DataFrame, layers: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the model's designs have in common, and what varies."""
    names = {
        "bits of the default type": "bits",
        "reuse factors": "reuse_factor",
        "strategies": "strategy",
        "interface": "io_type",
        "parts": "part",
        "clock [ns]": "clock_ns",
        "tool versions": "tool_version",
    }
    varied = [(title, _values(designs.get_column(column))) for title, column in names.items()]
    kinds = [layer["kind"] for layer in layers]
    return [
        ("designs with truth", f"{designs.height:,}"),
        ("layers", f"{len(kinds)}"),
        ("parameters", f"{sum(layer['params'] for layer in layers):,}"),
        ("input", "×".join(map(str, layers[0]["in_shape"]))),
        ("output", "×".join(map(str, layers[-1]["out_shape"]))),
        *((title, values) for title, values in varied if values),
    ]


def _values(column: pl.Series) -> str:
    return ", ".join(
        f"{value:g}" if isinstance(value, float) else str(value) for value in column.drop_nulls().unique().sort()
    )


def _lines(board: Board, exam: Exam, model: str) -> list[dict[str, Any]]:
    """Every submission on this model, the smallest error first; what has none comes last.

    ``first`` is the mean of the metric that ranks, ``cells`` are of the tie-breaker, that of the mean before those of
    the targets.
    """
    metric, second = parse_metric(board.track.rank_by), parse_metric(board.track.tie_breaker)
    first, *others = [
        board.entries[0].scores.place((key, exam.split, model))
        for key in (f"{metric}@{MEAN}", *(f"{second}@{target}" for target in (MEAN, *board.track.target_names)))
    ]
    lines = []
    for entry in board.entries:
        bounds = [entry.rows.get_column(name) for name in ("value", "low", "high")]
        means = [(bounds[0][place], bounds[1][place], bounds[2][place]) for place in (first, others[0])]
        values = [bounds[0][place] for place in others]
        lines.append(
            {
                "entry": entry,
                "rank": rank_text(entry),
                "first": _cell(*means[0]),
                "cells": [
                    _cell(*means[1], shaded=second),
                    *(_cell(value, None, None, shaded=second) for value in values[1:]),
                ],
                "order": math.inf if values[0] is None else second.badness(values[0]),
            }
        )
    return sorted(lines, key=lambda line: line["order"])


def _cell(value: float | None, low: float | None, high: float | None, shaded: Metric | None = None) -> _Cell:
    between = "" if low is None else f"{number(low)} to {number(high)}"
    shade = None if shaded is None else shade_of(shaded, value)
    return number(value), between, shade, "" if value is None else f"{value:.6g}"


def _reported(board: Board, exam: Exam, model: str) -> list[dict[str, Any]]:
    """Published figures on this model, by kind of truth."""
    found = []
    for table in published(board):
        for kind in table["kinds"] if table["split"] == exam.split else ():
            lines = [
                {"block": block, "line": line}
                for block in kind["blocks"]
                for line in block["lines"]
                if line["group"] == model
            ]
            if lines:
                found.append({"title": kind["title"], "lines": lines})
    return found
