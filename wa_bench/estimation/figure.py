"""A sweep as a picture: cycles against the resource that is used most, one front for each precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from wa_bench.errors import Fault, needs_extra
from wa_bench.estimation.sweep import Sweep
from wa_bench.files import replacing
from wa_bench.networks.network import NetworkError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_LABELS_A_FRONT = 4
_MARKS = {"fits": ("o", True), "unsure": ("o", False), "does not fit": ("x", True)}
"""Mark of each verdict, and whether it is filled."""


def check_format(path: Path) -> str:
    """The format that the ending of ``path`` names.

    Raises:
        NetworkError: it is none that can be drawn.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise NetworkError(Fault(f"plot {path}", f"a file ending in {', '.join(FORMATS)}", ascii(ending)))
    return ending


def plot(sweep: Sweep, path: Path) -> None:
    """Draw the sweep to ``path``, whole or not at all.

    A filled mark fits, a hollow one may fit, a cross does not; numbers are reuse factors.

    Raises:
        NetworkError: a format that cannot be drawn.
        MissingToolError: matplotlib is not installed.
    """
    ending = check_format(path)
    with needs_extra("plots"):
        from matplotlib import rc_context
    with rc_context({"svg.hashsalt": "wa-bench", "font.size": 9}), replacing(path) as partial:
        _figure(sweep).savefig(partial, format=ending, dpi=150, metadata={"Date": None} if ending == "svg" else None)


def _figure(sweep: Sweep) -> Figure:
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import LogFormatter

    def plain(value: float) -> str:
        return f"{value:,.10g}"

    class Between(LogFormatter):
        """Labels between powers of ten, where the range is so narrow that there are some."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return plain(x) if super().__call__(x, pos) else ""

    figure = Figure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    fronts = [*sweep.frame.sort("width", "precision").group_by("precision", maintain_order=True)]
    colours = colormaps["viridis"]
    for number, ((precision,), designs) in enumerate(fronts):
        colour = colours(0.9 * number / max(1, len(fronts) - 1))
        front = designs.filter("pareto").sort("cycles_max")
        axes.plot(front["cycles_max"], front["utilization"] * 100, color=colour, linewidth=1, label=str(precision))
        for verdict, (marker, is_filled) in _MARKS.items():
            chosen = designs.filter(pl.col("verdict") == verdict)
            axes.plot(
                chosen["cycles_max"],
                chosen["utilization"] * 100,
                linestyle="none",
                marker=marker,
                markersize=5,
                color=colour,
                markerfacecolor=colour if is_filled else "white",
            )
    labelled = {0: (0, -13), len(fronts) - 1: (0, 7)}  # the narrowest type below, the widest above
    for number, offset in labelled.items():
        front = fronts[number][1].filter("pareto").sort("cycles_max")
        for row in front.gather_every(max(1, (front.height - 1) // (_LABELS_A_FRONT - 1))).iter_rows(named=True):
            place = (row["cycles_max"], row["utilization"] * 100)
            text = f"reuse {row['reuse_factor']}"
            axes.annotate(text, place, offset, textcoords="offset points", ha="center", fontsize=7)
    axes.axhline(100, color="black", linewidth=0.8, linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="latency [clock cycles]")
    axes.set_ylabel(f"most used resource [% of {sweep.base.settings.part}]")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: plain(value))
        axis.set_minor_formatter(Between())
    axes.set_title(
        f"{ascii(sweep.base.network.name)[1:-1]}: estimated by {sweep.base.estimator.title}, not synthesized",
        fontsize=10,
    )
    marks = [
        Line2D([], [], linestyle="none", marker=marker, color="grey", label=verdict)
        for verdict, (marker, is_filled) in _MARKS.items()
    ]
    for mark, (_, is_filled) in zip(marks, _MARKS.values(), strict=True):
        mark.set_markerfacecolor("grey" if is_filled else "white")
    lines, _ = axes.get_legend_handles_labels()
    axes.legend(handles=[*lines, *marks], fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
