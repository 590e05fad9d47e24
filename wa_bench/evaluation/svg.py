"""The look of all figures, and figures as SVG text.

Text and axes take the colour of the page around them (``currentColor``); equal input gives equal bytes.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from wa_bench.errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""What text and lines are drawn with while a figure is made; a colour that nothing else has."""
_SCHEMES = "svg{color:#15191e}@media (prefers-color-scheme: dark){svg{color:#e6e9ed}}"


def style() -> AbstractContextManager[None]:
    """Settings of matplotlib while figures are drawn.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    with needs_extra("plots"):
        from matplotlib import rc_context
    return rc_context(
        {
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "font.size": 8,
            "axes.titlesize": 9,
            "axes.titleweight": "bold",
            "axes.titley": 1.0,
            "svg.hashsalt": "wa-bench",
            "svg.fonttype": "none",
        }
    )


def to_svg(figure: Figure) -> str:
    """A figure as SVG text, without a date."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    body = text.getvalue()
    return body[body.index("<svg") :].replace(INK, "currentColor")


def by_itself(svg: str) -> str:
    """A figure as a file of its own, where no page around it tells the colour of its text."""
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>{_SCHEMES}</style>{svg[end:]}"


def short(value: float, _: object = None) -> str:
    """A tick label: 0.1, 100, 1k, 1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,g}{letter}"
    return f"{value:,g}"
