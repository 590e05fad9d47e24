"""Figures of a report as SVG text: parity plots and percent-error boxes, one panel a target.

Text and axes take the colour of the page around them (``currentColor``); equal input gives equal bytes.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from wa_bench.errors import needs_extra
from wa_bench.evaluation.metrics import Floats, relative_percent_error
from wa_bench.evaluation.report import Report, prediction_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2F8FCE", "#E07020", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""One colour a split: after the colour-blind-safe palette of Okabe and Ito, to be seen on light and dark paper."""

_INK = "#010203"
_MARKERS = ("o", "^", "s", "D")
_MOST_VECTOR_POINTS = 3000


def parity(report: Report) -> str:
    """Prediction against truth on logarithmic axes (symlog, so that zero has a place), coloured by split."""
    with _style():
        figure, panels = _panels(report)
        for panel, target in zip(panels, report.track.targets, strict=True):
            pairs = [_pairs(report, split, target.name) for split in report.splits]
            for split, (truth, prediction), colour, marker in zip(
                report.splits, pairs, cycle(COLOURS), cycle(_MARKERS), strict=False
            ):
                panel.scatter(
                    truth,
                    prediction,
                    s=10,
                    alpha=0.75,
                    color=colour,
                    marker=marker,
                    linewidths=0,
                    label=split,
                    rasterized=len(truth) > _MOST_VECTOR_POINTS,
                )
            values = np.concatenate([values for pair in pairs for values in pair])
            smallest, largest = (values.min(), values.max()) if values.size else (0.0, 1.0)
            low = smallest / 1.5 if smallest >= 2 else min(-0.3, smallest * 1.5)
            high = max(largest * 1.5, 2.0)
            panel.plot([low, high], [low, high], color=_INK, linewidth=0.8, alpha=0.6)
            panel.set(xscale="symlog", yscale="symlog", xlim=(low, high), ylim=(low, high))
            panel.set(title=target.label, xlabel=f"truth [{target.unit}]", ylabel="prediction")
        panels[0].legend(loc="upper left", fontsize=7, frameon=False)
        return _svg(figure)


def percent_error(report: Report) -> str:
    """Boxes of the signed percent error by split: quartiles, whiskers at 1.5 times their distance, symlog axis."""
    ink = {"color": _INK}
    with _style():
        figure, panels = _panels(report)
        for panel, target in zip(panels, report.track.targets, strict=True):
            errors = [relative_percent_error(*_pairs(report, split, target.name)) for split in report.splits]
            boxes = panel.boxplot(
                errors,
                tick_labels=report.splits,
                patch_artist=True,
                widths=0.55,
                flierprops={"markersize": 2.5, "markeredgecolor": _INK, "alpha": 0.5},
                medianprops=ink,
                whiskerprops=ink,
                capprops=ink,
            )
            for box, colour in zip(boxes["boxes"], cycle(COLOURS), strict=False):
                box.set(facecolor=colour, edgecolor=_INK, alpha=0.75)
            panel.axhline(0, color=_INK, linewidth=0.8, alpha=0.6)
            panel.set_yscale("symlog", linthresh=10)
            reach = max(10.0, *(float(np.abs(values).max(initial=0)) for values in errors)) * 1.3
            panel.set(title=target.label, ylabel="percent error", ylim=(-reach, reach))
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        return _svg(figure)


def _pairs(report: Report, split: str, target: str) -> tuple[Floats, Floats]:
    """Truth and prediction of the answered designs of a split."""
    column = prediction_column(target)
    rows = report.samples.filter(pl.col("split") == split).drop_nulls(column)
    return rows.get_column(target).to_numpy(), rows.get_column(column).to_numpy()


def _style() -> AbstractContextManager[None]:
    with needs_extra("plots"):
        from matplotlib import rc_context
    return rc_context(
        {
            "text.color": _INK,
            "axes.edgecolor": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "font.size": 8,
            "axes.titlesize": 9,
            "svg.hashsalt": "wa-bench",
            "svg.fonttype": "none",
        }
    )


def _panels(report: Report) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    columns = 3
    lines = -(-len(report.track.targets) // columns)
    figure = Figure(figsize=(9, 2.7 * lines), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in axes:
        panel.patch.set_alpha(0)
        panel.spines[["top", "right"]].set_visible(False)
    for spare in axes[len(report.track.targets) :]:
        spare.set_visible(False)
    return figure, list(axes[: len(report.track.targets)])


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    body = text.getvalue()
    return body[body.index("<svg") :].replace(_INK, "currentColor")
