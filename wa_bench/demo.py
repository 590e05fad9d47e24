"""The demo: from the embedded track to a ranked site, through the same doors that every submission takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wa_bench.data.dataset import load
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import boards
from wa_bench.submissions.folder import create, score
from wa_bench.submissions.reference import reference_card
from wa_bench.surrogates.estimator import surrogate
from wa_bench.tracks.track import track

TRACK = "opensynth"
SURROGATES = ("oracle", "trees", "analytic", "constant")
"""Those that take seconds to train."""


def run(out: str | os.PathLike[str], say: Callable[[str], None] = lambda _: None) -> tuple[Board, Path]:
    """Train the reference surrogates, score them and build the site under ``out``.

    Args:
        out: receives ``submissions/<track>/<name>/`` and ``site/``.
        say: told of each step.

    Returns:
        The board and the path of ``site/index.html``.
    """
    out = Path(out)
    judge = track(TRACK)
    train, val = load(TRACK, "train"), load(TRACK, "val")
    exam = load(TRACK, judge.exam_splits)
    for name in SURROGATES:
        say(f"{name}: fit, predict, score")
        model = surrogate(name).fit(train, val)
        folder = out / "submissions" / TRACK / name
        create(folder, reference_card(model, judge, reproduce="wa-bench demo"), model.predict(exam))
        score(folder)
    say("building the site")
    found = boards(out / "submissions")
    page = build(found, out / "site").front_page
    return next(board for board in found if board.track.name == TRACK), page
