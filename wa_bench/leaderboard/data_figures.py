"""Figures of a dataset as SVG files: how targets, settings and networks are spread over the splits.

They stand in pages as images and follow the reader's light or dark scheme by themselves. Equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wa_bench.errors import needs_extra
from wa_bench.evaluation.metrics import Floats
from wa_bench.evaluation.svg import by_itself, short, style, to_svg
from wa_bench.tracks.track import Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#7d8894", "#2f8fce", "#d9661f", "#0a9b72", "#c0659b")
"""To be told apart by colour-blind readers, on light and dark paper."""
_DASHES: tuple[str | tuple[float, tuple[float, ...]], ...] = ("-", "--", "-", (0, (1, 1.2)), "-.")
_BINS_A_DECADE = 4
_DARKEST = 0.22
"""Where the shades of a count begin, so that one design is still seen on dark paper."""
_COLUMNS = 3


def spread_of_targets(targets: Sequence[Target], values: Mapping[str, Mapping[str, Floats]]) -> str:
    """A panel a target: share of the designs by size, a line a split; zeros stand apart at the left.

    Args:
        targets: in order.
        values: by split and name of the target, (n,), those that are known.
    """
    lines = -(-len(targets) // _COLUMNS)
    with style():
        figure, panels = _panels(lines, min(_COLUMNS, len(targets)), 2.35)
        for panel, target in zip(panels, targets, strict=False):
            _spread(panel, {split: of[target.name] for split, of in values.items()})
            panel.set_title(target.label)
            panel.set_xlabel(target.unit)
        for spare in panels[len(targets) :]:
            spare.set_visible(False)
        _legend(figure, panels[0])
        return by_itself(to_svg(figure))


def spread_of_networks(sizes: Mapping[str, tuple[Floats, Floats]]) -> str:
    """Two panels: number of layers, and of parameters, of the designs (n,) of each split."""
    with needs_extra("plots"):
        from matplotlib.ticker import MaxNLocator
    with style():
        figure, panels = _panels(1, 2, 2.5)
        _spread(panels[1], {split: parameters for split, (_, parameters) in sizes.items()})
        panels[1].set(title="Parameters", xlabel="weights and biases")
        most = int(max((layers.max() for layers, _ in sizes.values() if layers.size), default=1))
        edges = np.arange(0.5, most + 1.5)
        for (split, (layers, _)), colour, dash in zip(sizes.items(), _COLOURS, _DASHES, strict=False):
            share = 100 * np.histogram(layers, edges)[0] / max(len(layers), 1)
            panels[0].stairs(share, edges, color=colour, linestyle=dash, linewidth=1.5, label=split)
        panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0].set(title="Layers", xlabel="layers, activations included", ylabel="designs [%]", ylim=(0, None))
        _legend(figure, panels[0])
        return by_itself(to_svg(figure))


def coverage_of_settings(bits: Mapping[str, Floats], reuse: Mapping[str, Floats]) -> str:
    """A panel a split: number of designs by width of the default type (n,) and reuse factor (n,), by powers of two."""
    with needs_extra("plots"):
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap, LogNorm
    widths = np.unique(np.concatenate(list(bits.values())))
    most = max((values.max() for values in reuse.values() if values.size), default=1.0)
    powers = np.arange(0, np.ceil(np.log2(max(most, 1))) + 2)
    with style():
        figure, panels = _panels(1, len(bits), 2.7)
        counts = {}
        for split, values in bits.items():
            places = np.searchsorted(widths, values)
            factor = np.floor(np.log2(np.maximum(reuse[split], 1)))
            counts[split] = np.histogram2d(places, factor, [np.arange(len(widths) + 1) - 0.5, powers - 0.5])[0]
        shades = ListedColormap(colormaps["cividis"](np.linspace(_DARKEST, 1, 256)))
        norm = LogNorm(1, max(float(max(count.max() for count in counts.values())), 2.0))
        for panel, (split, count) in zip(panels, counts.items(), strict=True):
            cells = np.ma.masked_equal(count, 0)
            image = panel.imshow(cells, norm=norm, cmap=shades, aspect="auto", origin="lower", interpolation="nearest")
            panel.set(title=split, xlabel="reuse factor, from")
            shown = powers[:-1].astype(int)[:: max(1, len(powers) // 4)]
            panel.set_xticks(shown, [f"{2**power}" for power in shown])
            every = max(1, len(widths) // 8)
            panel.set_yticks(np.arange(len(widths))[::every], [f"{width:g}" for width in widths[::every]])
        panels[0].set_ylabel("bits of the default type")
        bar = figure.colorbar(image, ax=panels, shrink=0.9, pad=0.015)
        bar.set_label("designs")
        return by_itself(to_svg(figure))


def _spread(panel: Axes, values: Mapping[str, Floats]) -> None:
    """Lines over bins of equal width in the logarithm, and a bin for zero."""
    known = np.concatenate(list(values.values())) if values else np.empty(0)
    positive = known[known > 0]
    low, high = (np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))) if positive.size else (0.0, 1.0)
    high = max(high, low + 1)
    has_zeros = bool((known <= 0).any())
    inner = np.linspace(low, high, int((high - low) * _BINS_A_DECADE) + 1)
    edges = np.concatenate([[low - 0.75, low - 0.25], inner]) if has_zeros else inner
    for (split, some), colour, dash in zip(values.items(), _COLOURS, _DASHES, strict=False):
        places = np.where(some > 0, np.log10(np.where(some > 0, some, 1)), low - 0.5)
        share = 100 * np.histogram(places, edges)[0] / max(len(some), 1)
        panel.stairs(share, edges, color=colour, linestyle=dash, linewidth=1.5, label=split)
    ticks = np.arange(low, high + 1, 1 if high - low <= 5 else 2)
    names = [short(10.0**tick) for tick in ticks]
    panel.set_xticks([low - 0.5, *ticks] if has_zeros else ticks, ["0", *names] if has_zeros else names)
    panel.set(ylim=(0, None), ylabel="designs [%]")


def _panels(lines: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height * lines), layout="constrained")
    figure.patch.set_alpha(0)
    axes = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for panel in axes:
        panel.patch.set_alpha(0)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(handles), frameon=False)
