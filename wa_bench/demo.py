"""The demo: from the embedded track to a ranked site, through the same doors that every submission takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wa_bench.data.catalogue import entry
from wa_bench.data.dataset import load
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import boards
from wa_bench.submissions.card import Card, Family
from wa_bench.submissions.folder import create, score
from wa_bench.surrogates.estimator import Estimator, surrogate
from wa_bench.tracks.track import track

TRACK = "opensynth"
_METHODS = {
    "oracle": "Answers with the truth of each design. A control: it shows that the judge gives full marks.",
    "trees": "Histogram gradient boosting (scikit-learn) on physics features of the layers; learns the logarithm "
    "of the ratio to the analytic estimate, one ensemble a target.",
    "analytic": "Closed-form counts and cycles from the tools' own rules, hls4ml's and those of the generator of these "
    "designs: reuse factors, multipliers, memory words, tables, pipelines. Nothing is trained; constants of LUTs and "
    "flip-flops were fitted once on the train split.",
    "constant": "Answers with the mean of each target over the training set. A control: the floor of the scale.",
}
_CONTROLS = {"oracle", "constant"}
_FAMILY: dict[str, Family] = {"trees": "trees", "analytic": "analytic"}
_FITTED_ONCE = {
    "analytic": "constants of LUTs and flip-flops only: opensynth, train split, and public rows of wa-hls4ml"
}
"""What untrained surrogates owe to data nevertheless."""


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
    for name in _METHODS:
        say(f"{name}: fit, predict, score")
        model = surrogate(name).fit(train, val)
        folder = out / "submissions" / TRACK / name
        create(folder, _card(model), model.predict(exam))
        score(folder)
    say("building the site")
    found = boards(out / "submissions")
    page = build(found, out / "site").front_page
    return next(board for board in found if board.track.name == TRACK), page


def _card(model: Estimator) -> Card:
    fitted = _FITTED_ONCE.get(model.name, "none")
    return Card(
        name=model.title,
        slug=model.name,
        track=TRACK,
        family=_FAMILY.get(model.name, "other"),
        kind="control" if model.name in _CONTROLS else "surrogate",
        authors=["The wa-bench authors"],
        licence="Apache-2.0",
        method=_METHODS[model.name],
        training_data=f"{entry(TRACK).title}, train split" if model.needs_training else fitted,
        labels="none" if not model.needs_training and fitted == "none" else track(TRACK).truth,
    )
