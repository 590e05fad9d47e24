"""Figures of percent errors as SVG text, one panel a target.

Text and axes take the colour of the page around them (``currentColor``); equal input gives equal bytes. What has
thousands of points is drawn as pixels or as a summary, so that no figure grows with the number of designs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from wa_bench.evaluation.metrics import Floats, relative_percent_error
from wa_bench.evaluation.report import Report, prediction_column
from wa_bench.evaluation.svg import INK, short, style, to_svg
from wa_bench.tracks.track import Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
COLOURS = ("#2F8FCE", "#E07020", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""One colour a split: after the colour-blind-safe palette of Okabe and Ito, to be seen on light and dark paper."""

Pairs = dict[str, tuple[Floats, Floats]]
"""Truth (n,) and prediction (n,) of the answered designs of each split."""

_MARKERS = ("o", "^", "s", "D")
_MOST_VECTOR_POINTS = 300
_MOST_PERCENT = 10_000.0
_SIZE_BINS = 12
_LEAST_IN_BIN = 15


def percent_error(report: Report) -> str:
    """Boxes of the signed percent error by split: quartiles, whiskers at 1.5 times their distance, symlog axis.

    Designs beyond the whiskers are dots; errors beyond 10,000 % stand there.
    """
    return _drawn(report, _draw_percent_error)


def error_cdf(report: Report) -> str:
    """Share of the designs whose absolute percent error is at most x, a line a split.

    The axis runs from 0.1 % to 10,000 %: a line starts above zero by the designs that are better, and ends below one
    by those that are worse.
    """
    return _drawn(report, _draw_error_cdf)


def error_against_size(report: Report) -> str:
    """Absolute percent error against the truth: median and quartiles of up to 12 bins of as many designs each.

    A bin stands at its median truth. Designs whose truth is zero are a bin of their own.
    """
    return _drawn(report, _draw_error_against_size)


def _draw_percent_error(panel: Axes, target: Target, pairs: Pairs) -> None:
    errors = [np.clip(relative_percent_error(*pair), -_MOST_PERCENT, _MOST_PERCENT) for pair in pairs.values()]
    ink = {"color": INK}
    boxes = panel.boxplot(
        errors,
        tick_labels=list(pairs),
        patch_artist=True,
        widths=0.55,
        flierprops={"marker": ".", "markersize": 4, "alpha": 0.5},
        medianprops=ink,
        whiskerprops=ink,
        capprops=ink,
    )
    for box, fliers, colour in zip(boxes["boxes"], boxes["fliers"], cycle(COLOURS), strict=False):
        box.set(facecolor=colour, edgecolor=INK, alpha=0.75)
        fliers.set(markerfacecolor=colour, markeredgewidth=0, rasterized=len(fliers.get_ydata()) > _MOST_VECTOR_POINTS)
    panel.axhline(0, color=INK, linewidth=0.8, alpha=0.6)
    panel.set_yscale("symlog", linthresh=10)
    lowest, highest = (float(end(np.concatenate([(-10, 10), *errors]))) for end in (np.min, np.max))
    panel.set(ylabel="percent error", ylim=(1.3 * lowest, 1.3 * highest))
    panel.yaxis.set_major_formatter(short)


def _draw_error_cdf(panel: Axes, target: Target, pairs: Pairs) -> None:
    grid = np.geomspace(0.1, _MOST_PERCENT, 251)
    for (split, pair), colour in _coloured(pairs):
        errors = np.sort(np.abs(relative_percent_error(*pair)))
        share = 100 * np.searchsorted(errors, grid, side="right") / (len(errors) or np.nan)
        panel.plot(grid, share, color=colour, linewidth=1.5, label=split)
    panel.set_xscale("log")
    panel.set(xlim=(grid[0], grid[-1]), ylim=(0, 102), xlabel="absolute percent error", ylabel="designs [%]")
    panel.set_xticks([0.1, 1, 10, 100, 1000, 10_000])
    panel.xaxis.set_major_formatter(short)
    panel.grid(color=INK, alpha=0.15, linewidth=0.6)


def _draw_error_against_size(panel: Axes, target: Target, pairs: Pairs) -> None:
    from matplotlib.ticker import FixedLocator

    for ((split, pair), colour), marker in zip(_coloured(pairs), cycle(_MARKERS), strict=False):
        sizes, lower, median, upper = _by_size(*pair)
        panel.fill_between(sizes, lower, upper, color=colour, alpha=0.25, linewidth=0)
        panel.plot(sizes, median, color=colour, marker=marker, markersize=3.5, linewidth=1.2, label=split)
    threshold, low, high = symlog_range(pairs)
    panel.set_xscale("symlog", linthresh=threshold)
    panel.set_yscale("symlog", linthresh=10)
    panel.set(xlim=(low, high), xlabel=f"truth [{target.unit}]", ylabel="absolute percent error")
    panel.set_ylim(bottom=0)
    panel.yaxis.set_major_locator(
        FixedLocator([0, 5, *(step * 10.0**power for power in range(1, 10) for step in (1, 3))])
    )
    panel.yaxis.set_major_formatter(short)
    panel.grid(color=INK, alpha=0.15, linewidth=0.6)


def _by_size(truth: Floats, prediction: Floats) -> Floats:
    """Median truth, and lower quartile, median and upper quartile of the error, of each bin: (4, bins)."""
    errors = np.abs(relative_percent_error(truth, prediction))
    positive = truth[truth > 0]
    bins = np.clip(len(positive) // _LEAST_IN_BIN, 1, _SIZE_BINS)
    inner = np.unique(np.quantile(positive, np.arange(bins) / bins)) if len(positive) else np.empty(0)
    bin_of = np.searchsorted(inner, truth, side="right")
    summaries = [
        (np.median(truth[bin_of == index]), *np.quantile(errors[bin_of == index], (0.25, 0.5, 0.75)))
        for index in np.unique(bin_of)
    ]
    return np.array(summaries).reshape(-1, 4).T


def symlog_range(pairs: Pairs) -> tuple[float, float, float]:
    """Where a scale for the truth of all splits begins to be logarithmic, at one or below, and the ends of an axis."""
    truth = np.concatenate([truth for truth, _ in pairs.values()])
    positive = truth[truth > 0]
    smallest, largest = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    threshold = min(1.0, 10 ** np.ceil(np.log10(smallest)))
    low = smallest / 2 if len(positive) == len(truth) else -0.3 * threshold
    return threshold, low, 2 * largest


def _coloured(pairs: Pairs) -> Iterator[tuple[tuple[str, tuple[Floats, Floats]], str]]:
    return zip(pairs.items(), cycle(COLOURS), strict=False)


def pairs_of(report: Report) -> Iterator[Pairs]:
    """Truths and predictions of each target, in order."""
    parts = {split: report.samples.filter(pl.col("split") == split) for split in report.splits}
    for target in report.track.target_names:
        columns = target, prediction_column(target)
        answered = {split: rows.select(columns).drop_nulls() for split, rows in parts.items()}
        yield {split: (rows[columns[0]].to_numpy(), rows[columns[1]].to_numpy()) for split, rows in answered.items()}


def _drawn(report: Report, draw: Callable[[Axes, Target, Pairs], None]) -> str:
    with style():
        figure, panels = _panels(report)
        for panel, target, pairs in zip(panels, report.track.targets, pairs_of(report), strict=True):
            draw(panel, target, pairs)
            panel.set_title(target.label)
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="upper left", ncols=len(handles), frameon=False)
        return to_svg(figure)


def _panels(report: Report) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    lines = -(-len(report.track.targets) // COLUMNS)
    height = 2.7 * lines
    figure = Figure(figsize=(9, height))
    # Margins in inches: to find them from the text would draw everything twice.
    figure.subplots_adjust(0.08, 0.45 / height, 0.995, 1 - 0.5 / height, wspace=0.3, hspace=0.45)
    figure.patch.set_alpha(0)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for panel in axes:
        panel.patch.set_alpha(0)
        panel.spines[["top", "right"]].set_visible(False)
    for spare in axes[len(report.track.targets) :]:
        spare.set_visible(False)
    return figure, list(axes[: len(report.track.targets)])
