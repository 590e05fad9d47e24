"""What the browser tests know of the site that they look at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wa_bench.leaderboard.board import Board

INCOMPLETE, HOSTILE, CONTROL = "made-036", "made-049", "made-100"
NUMBERS = (*range(32), 36, 49, 100)
"""Those of ``scripts/make_submissions.py`` that the site has, some of each sort."""
KINDS = (
    "index.html",
    "opensynth/index.html",
    "opensynth/submissions/made-001.html",
    f"opensynth/submissions/{HOSTILE}.html",
    f"opensynth/submissions/{INCOMPLETE}.html",
    "opensynth/compare.html?a=made-000&b=made-001",
    "opensynth/exemplars/Jet.html",
    "opensynth/data.html",
    "opensynth/pareto.html",
    "opensynth/versions.html",
    "hls4ml/index.html",
    "about/api.html",
)
"""A page of each kind."""


class Served(NamedTuple):
    """A built site: its folder, the submissions it was made from, its boards, and where it is served."""

    folder: Path
    submissions: Path
    boards: dict[str, Board]
    url: str
