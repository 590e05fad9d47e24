"""The page of one submission: its card, its scores, where it errs, and how to make it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import polars as pl

from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.report import DESIGN, MEAN, number, prediction_column
from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.pages import Page, citation, plots, previews, render, scales
from wa_bench.leaderboard.pages.board import rank_text
from wa_bench.records.schema import Design
from wa_bench.tracks.track import Exam

_SETTINGS = ("strategy", "io_type", "reuse_factor", "precision")
_WORST = 5
_EXEMPLARS = "exemplar"

# Thousands of cells stand on a page: tuples, since a template reads them several times faster than fields.
_Cell = tuple[str, str | None, int | None, str | None]
"""Score, interval, shade, why it is undefined."""
_NONE: _Cell = ("–", None, None, None)
_Pair = tuple[str, str, int | None]
"""Prediction, truth, shade."""


def pages(board: Board, site: Site) -> Iterator[Page]:
    """``<track>/submissions/<slug>.html``."""
    for entry in board.entries:
        path = f"{board.track.name}/submissions/{entry.slug}.html"
        yield Page(path, partial(_page, board, entry, path, site), entry.state)


def _page(board: Board, entry: Entry, path: str, site: Site) -> str:
    track, card, curves = board.track, entry.card, entry.curves
    exams = [exam for exam in track.exams if exam.split in entry.scores.splits]
    metrics = board.metrics
    metric = parse_metric(track.rank_by)
    return render(
        "submission.html.j2",
        path,
        site,
        board=board,
        nav="",
        preview=previews.place_of(entry),
        entry=entry,
        card=card,
        metric=metric,
        standing=_standing(entry),
        head=[_headline(entry, exam) for exam in exams],
        facts=_facts(entry),
        scores=[{"split": exam.split, "blocks": list(_blocks(metrics, entry, exam))} for exam in exams],
        options=[(str(each), scales.option(each)) for each in metrics],
        explained={str(each): scales.explained(each) for each in metrics},
        splits=[exam.split for exam in exams],
        figures=[
            {
                "title": "Signed percent error by group",
                "about": "Half of the designs lie in a box, nine of ten within its whiskers; the stroke is the median. "
                "The error is 100 (truth − prediction) / (truth + 1): right of zero the prediction is too small.",
                "panels": plots.error_boxes(curves, track),
            },
            {
                "title": "How many designs are how wrong",
                "about": "The higher a line, the more designs it gets right to within the error below.",
                "panels": plots.error_cdfs(curves, track),
            },
            {
                "title": "Error against size",
                "about": "Median absolute percent error of designs of a like truth, with quartiles around it.",
                "panels": plots.errors_against(curves.by_size, track, "truth [{unit}]"),
            },
            {
                "title": "Error against reuse factor",
                "about": "The same by the reuse factor that was asked for.",
                "panels": plots.errors_against(curves.by_reuse, track, "reuse factor"),
            },
        ],
        drill=[drill for exam in exams if (drill := _drill_down(board, entry, exam))],
        worst=_worst(board, entry),
        citation=citation.of_submission(entry, site.absolute(path) if site.base_url else ""),
    )


def _standing(entry: Entry) -> str:
    rank = rank_text(entry)
    if entry.is_control:
        return "A control: it bounds the scale and takes no rank."
    if rank is None:
        return "No rank: it leaves designs out."
    if entry.rank == entry.worst:
        return f"Rank {rank}."
    return f"Rank {rank}: the paired test cannot tell it from some of its neighbours."


def _headline(entry: Entry, exam: Exam) -> dict[str, Any]:
    track = entry.scores.track
    metric = parse_metric(track.rank_by)
    row = entry.scores.row((f"{metric}@{MEAN}", exam.split))
    worst = entry.worst_group(exam.split)
    return {
        "split": exam.split,
        "value": number(row["value"]),
        "interval": _interval(row),
        "second": number(entry.mean(track.tie_breaker, exam.split)),
        "second_metric": parse_metric(track.tie_breaker),
        "worst": worst and (worst[0], number(worst[1])),
        "answered": row["answered"],
        "designs": row["designs"],
        "clusters": row["clusters"],
        "sampled": exam.sampled,
    }


def _facts(entry: Entry) -> list[tuple[str, Any]]:
    card = entry.card
    facts = [
        ("Authors", ", ".join(card.authors)),
        ("Submitted", card.submitted),
        ("Kind of model", card.family),
        ("Licence", card.licence),
        ("Training data", card.training_data),
        ("Labels learned", card.labels),
        ("Parameters", f"{card.parameters:,}" if card.parameters is not None else None),
        ("Inference time of one design", scales.quantity(card.seconds_per_design, "s")),
        ("Energy of one inference", scales.quantity(card.joules_per_design, "J")),
        ("Inference hardware", card.hardware),
    ]
    return [(name, value) for name, value in facts if value]


def _blocks(metrics: Sequence[Metric], entry: Entry, exam: Exam) -> Iterator[dict[str, Any]]:
    """The scores on an exam: a block a metric, a line a group, a cell a target and the whole before them."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in entry.rows.filter(pl.col("split") == exam.split).iter_rows(named=True):
        found.setdefault((row["metric"], row["group"]), {})[row["target"]] = row
    targets = entry.scores.track.target_names
    for metric in metrics:
        most = scales.limits(metric)
        whole = MEAN if metric.averages else DESIGN if metric.joint else ""
        lines = []
        for group in exam.groups:
            rows = found[str(metric), group.name]
            cells = [_cell(rows[target], metric, most) if target in rows else _NONE for target in (whole, *targets)]
            counts = next(iter(rows.values()))
            lines.append(
                {"group": group.name, "designs": counts["designs"], "answered": counts["answered"], "cells": cells}
            )
        yield {"name": str(metric), "whole": whole, "lines": lines}


def _cell(row: dict[str, Any], metric: Metric, most: tuple[float, ...] | None) -> _Cell:
    value = row["value"]
    shade = scales.shade(metric.badness(value), most) if most and value is not None else None
    return number(value), _interval(row), shade, row["undefined"]


def _interval(row: Mapping[str, Any]) -> str:
    return "" if row["low"] is None else f"[{number(row['low'])}, {number(row['high'])}]"


def _drill_down(board: Board, entry: Entry, exam: Exam) -> dict[str, Any] | None:
    """Every design of the exemplar models: its settings, and for each target the prediction beside the truth."""
    errors = entry.design_errors(exam.split)
    if exam.split != _EXEMPLARS or errors.is_empty():
        return None
    percent = f"{board.track.target_names[0]}_percent_error" in errors.columns
    exemplars = _exemplars(board, exam)
    designs = exemplars.ids.join(errors, on="sample_id", how="left", maintain_order="left")
    pairs = zip(*(_pairs(designs, *truth, percent) for truth in exemplars.truths.items()), strict=True)
    parts: dict[str | None, list[tuple[list[str], tuple[_Pair, ...]]]] = {}
    for model, settings, cells in zip(exemplars.models, exemplars.settings, pairs, strict=True):
        parts.setdefault(model, []).append((settings, cells))
    models = [
        {"name": group.name, "lines": parts.get(group.value, [])} for group in exam.groups if group.column is not None
    ]
    return {"split": exam.split, "settings": [name.replace("_", " ") for name in _SETTINGS], "models": models}


class _Exemplars(NamedTuple):
    """The designs of an exam as all submissions show them: ``sample_id``, model, settings, truth by target."""

    ids: pl.DataFrame
    models: list[str | None]
    settings: list[list[str]]
    truths: dict[str, list[str]]


@cache
def _exemplars(board: Board, exam: Exam) -> _Exemplars:
    frame = board.exam.frame() if board.exam is not None else pl.LazyFrame({"sample_id": []})
    names = [name for name in _SETTINGS if name in frame.collect_schema().names()]
    known = frame.filter(pl.col("split") == exam.split).select("sample_id", *names).collect()
    column = next(group.column for group in exam.groups if group.column)
    designs = board.truth.filter(pl.col("split") == exam.split).join(known, on="sample_id", how="left")
    designs = designs.sort(*_SETTINGS[:3], "sample_id")
    return _Exemplars(
        designs.select("sample_id"),
        designs[column].to_list(),
        [[_setting(design.get(name)) for name in _SETTINGS] for design in designs.iter_rows(named=True)],
        {name: [figure(truth) for truth in designs[name].to_list()] for name in board.track.target_names},
    )


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return precision(value)
    return "–" if value is None else str(value).replace("_", " ")


def precision(value: Mapping[str, Any]) -> str:
    """A fixed-point type: ``16,6``."""
    return f"{'' if value['signed'] else 'u'}fixed<{value['width']},{value['integer']}>"


def _pairs(designs: pl.DataFrame, target: str, truths: Sequence[str], percent: bool) -> list[_Pair]:
    """The cells of a target, one a design."""
    shades: Sequence[int | None] = [None] * designs.height
    if percent:
        errors = designs[f"{target}_percent_error"].abs().cast(pl.Float64).to_numpy()
        shades = (errors[:, None] <= scales.PERCENT_ERROR).sum(axis=1).tolist()
    return [
        ("–", truth, None) if predicted is None else (figure(predicted), truth, shade)
        for predicted, truth, shade in zip(designs[prediction_column(target)].to_list(), truths, shades, strict=True)
    ]


def figure(value: float) -> str:
    """A truth or a prediction: whole where it is, else with one decimal, or three digits where that tells more."""
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _worst(board: Board, entry: Entry) -> list[dict[str, Any]]:
    """By exam, the designs that it errs most on."""
    found = board.worst_designs(entry)
    has_layers = board.exam is not None and board.exam.kind is Design
    names = _SETTINGS if has_layers else board.track.content
    exams = []
    for split in entry.scores.splits:
        designs = [
            {
                **design,
                "name": design.get("model_name") or design["sample_id"],
                "settings": [
                    (name.replace("_", " "), _setting(design[name])) for name in names if design.get(name) is not None
                ],
                "chain": chain(design.get("layers") or []),
                "pairs": [
                    (figure(design["truth"][name]), _or_dash(design["predicted"][name]))
                    for name in board.track.target_names
                ],
            }
            for design in found
            if design["split"] == split
        ]
        exams.append({"split": split, "designs": designs[:_WORST]})
    return exams


def _or_dash(value: float | None) -> str:
    return "–" if value is None else figure(value)


def chain(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """A network's layers in short, in order: ``dense 16 → 64 relu``."""
    parts: list[str] = []
    for layer in layers:
        kind = str(layer["kind"]).removeprefix("q").replace("_", " ")
        before, after = (" × ".join(str(side) for side in layer[end] or ()) for end in ("in_shape", "out_shape"))
        words = [layer["activation"] if kind == "activation" and layer["activation"] else kind]
        if kind == "input":
            words.append(after)
        elif before != after or layer["units"]:
            words.append(f"{before} → {after}")
        if layer["kernel"]:
            words.append(f"kernel {'×'.join(map(str, layer['kernel']))}")
        if kind != "activation" and layer["activation"] not in (None, "linear"):
            words.append(layer["activation"])
        parts.append(" ".join(words))
    return parts
