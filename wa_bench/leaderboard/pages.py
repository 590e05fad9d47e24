"""Pages of the site as HTML text. Everything that comes from a submission is escaped by the templates."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from wa_bench.evaluation import figures
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import DESIGN, MEAN, Report, number
from wa_bench.leaderboard.ranking import Entry
from wa_bench.tracks.track import Track


def index(boards: list[tuple[Track, list[Entry]]]) -> str:
    """The front page: one ranked table a track."""
    return _page(
        "index.html.j2",
        root="",
        boards=[
            {
                "track": track,
                "metric": parse_metric(track.rank_by),
                "second": parse_metric(track.tie_breaker),
                "exams": [
                    {
                        "split": exam.split,
                        "sampled": exam.sampled,
                        "designs": entries[0].report.samples.filter(pl.col("split") == exam.split).height,
                    }
                    for exam in track.exams
                ],
                "settings": entries[0].report.settings,
                "lines": [
                    {"rank": _rank(entry), "card": entry.card, "exams": _summaries(entry.report)} for entry in entries
                ],
            }
            for track, entries in boards
        ],
    )


def submission(entry: Entry) -> str:
    """The page of one submission."""
    card, report = entry.card, entry.report
    facts = [
        ("rank", "none (control)" if card.kind == "control" else _rank(entry) or "none (designs left out)"),
        ("authors", ", ".join(card.authors)),
        ("licence", card.licence),
        ("training data", card.training_data),
        ("labels learned from", card.labels),
        ("parameters", card.parameters),
        ("inference hardware", card.hardware),
        ("seconds per design (reported by the authors)", card.seconds_per_design),
        ("truth scored against", report.track.truth),
        ("fingerprint of the truth", report.fingerprint[:16]),
    ]
    return _page(
        "submission.html.j2",
        root="../",
        card=card,
        track=report.track,
        facts=[(name, value) for name, value in facts if value is not None],
        figures=[
            {
                "title": "Parity plots",
                "caption": "Prediction against truth, one point a design; on the line they agree. "
                "Logarithmic axes with room for zero.",
                "svg": figures.parity(report),
            },
            {
                "title": "Percent error",
                "caption": "Signed percent error, 100 (truth − prediction) / (truth + 1): above zero the prediction "
                "is too small. Boxes hold the middle half, whiskers reach 1.5 box lengths.",
                "svg": figures.percent_error(report),
            },
        ],
        exams=[{"split": split, "lines": _lines(report, split)} for split in report.splits],
        metrics=[parse_metric(name) for name in report.track.metrics],
    )


def _summaries(report: Report) -> list[dict[str, Any]]:
    metric = report.track.rank_by
    return [
        {
            "mean": report.mean(metric, split),
            "interval": _interval(report.row((f"{metric}@{MEAN}", split))),
            "cells": [report[f"{metric}@{name}", split] for name in report.track.target_names],
            "second": report.mean(report.track.tie_breaker, split),
        }
        for split in report.splits
    ]


def _rank(entry: Entry) -> str | None:
    """The rank, or the range of ranks that it may have."""
    if entry.rank is None:
        return None
    return str(entry.rank) if entry.rank == entry.worst else f"{entry.rank}–{entry.worst}"


def _interval(row: dict[str, Any]) -> str | None:
    return None if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"


def _lines(report: Report, split: str) -> list[dict[str, Any]]:
    lines = []
    rows = report.rows.filter(pl.col("split") == split)
    for (group, metric), cells in rows.group_by(["group", "metric"], maintain_order=True):
        by_target = {cell["target"]: {**cell, "interval": _interval(cell)} for cell in cells.to_dicts()}
        lines.append(
            {
                "group": group,
                "metric": metric,
                "cells": [by_target.get(name) for name in report.track.target_names],
                "whole": by_target.get(MEAN) or by_target.get(DESIGN),
                "designs": cells.item(0, "designs"),
                "answered": cells.item(0, "answered"),
            }
        )
    return lines


def _page(template: str, **values: Any) -> str:
    css = (files("wa_bench") / "leaderboard" / "assets" / "site.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(version=version("wa-bench"), css=css, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wa_bench.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = number
    return environment
