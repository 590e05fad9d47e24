"""Write many submissions of made-up surrogates, to see how the site bears them.

    python scripts/make_submissions.py OUT --track opensynth --count 300
    python scripts/make_submissions.py OUT --track hls4ml --source REPLICA --count 300 --jobs 2

A surrogate's answer is the truth times a factor of its own, of the network and of the design, so that some are hard to
tell apart. Cards leave out what real ones leave out; a few controls, incomplete submissions and names with markup are
among them. Submission k is a function of the seed, k and the records alone. Those that stand there already are kept.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

import wa_bench as wb
from wa_bench.data.dataset import load
from wa_bench.data.held import HeldExam
from wa_bench.submissions.card import Card, Family
from wa_bench.submissions.folder import create, score
from wa_bench.submissions.scores import SCORES_FILE

CONTROLS, INCOMPLETE, HOSTILE = 101, 37, 50
"""One submission of so many is a control, leaves designs out, has markup in its card."""
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}\"'&amp;"
_WORDS = ("Aspen", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Heath", "Inlet", "Juniper", "Kelp", "Larch")
_STYLES = ("deep", "wide", "small", "pruned", "boosted", "tuned", "joint", "layered", "quantized", "pooled")


def predictions(exam: wb.Dataset, number: int, seed: int) -> pl.DataFrame:
    """Answers of surrogate ``number`` for each design of the exam."""
    truth = exam.exam()
    rng = np.random.default_rng((seed, number))
    skill = 0.03 + 0.5 * rng.beta(1.2, 3)
    cluster = truth.get_column("cluster").to_numpy() + (truth.get_column("split") != exam.splits[0]).to_numpy() * 10**6
    of_cluster = np.unique(cluster, return_inverse=True)[1]
    columns = []
    for name in exam.track.target_names:
        factor = rng.lognormal(0, skill, of_cluster.max() + 1)[of_cluster] * rng.lognormal(0, skill / 2, len(truth))
        columns.append(pl.Series(name, truth.get_column(name).to_numpy() * factor * rng.lognormal(0, 0.05)))
    answers = truth.select("sample_id").with_columns(columns)
    return answers.head(int(len(answers) * 0.9)) if number % INCOMPLETE == INCOMPLETE - 1 else answers


def card(number: int, track: str, seed: int) -> Card:
    """The card of surrogate ``number``."""
    rng = np.random.default_rng((seed, number, 1))
    hostile = number % HOSTILE == HOSTILE - 1
    name = f"{_WORDS[number % len(_WORDS)]} {_STYLES[number // len(_WORDS) % len(_STYLES)]} {number}"
    families = get_args(Family)

    def some(value: Any) -> Any:
        return value if rng.random() < 0.6 else None

    return Card(
        name=f"<b>{name}</b>" if hostile else name,
        slug=f"made-{number:03}",
        track=track,
        kind="control" if number % CONTROLS == CONTROLS - 1 else "surrogate",
        family=families[number % len(families)],
        authors=[MARKUP] if hostile else [f"Author {number % 17}", "A. N. Other"],
        licence=MARKUP if hostile else str(rng.choice(["Apache-2.0", "MIT", "GPL-3.0", "closed"])),
        method=MARKUP if hostile else "Made up: the truth times a factor of the network and one of the design.",
        training_data=MARKUP if hostile else str(rng.choice(["train split", "train split and own designs", "none"])),
        labels=str(rng.choice(["post-synthesis", "HLS estimates", "none"])),
        code=some(f"https://example.org/code/{number}"),
        weights=some(f"https://example.org/weights/{number}"),
        paper=some(f"https://example.org/paper/{number}"),
        parameters=some(int(10 ** rng.uniform(2, 8))),
        hardware=some("one made-up accelerator"),
        seconds_per_design=some(float(10 ** rng.uniform(-6, 0))),
        joules_per_design=some(float(10 ** rng.uniform(-4, 2))),
    )


def write(folder: Path, number: int, seed: int) -> None:
    """One submission, scored."""
    made = card(number, _exam.track.name, seed)
    place = folder / _exam.track.name / made.slug
    if not (place / SCORES_FILE).is_file():
        create(place, made, wb.Predictions(predictions(_exam, number, seed), _exam.track.target_names))
        score(place, exam=_exam)


_exam: HeldExam


def begin(track: str, source: str | None) -> None:
    """Read the exam, once a process."""
    global _exam  # noqa: PLW0603
    _exam = HeldExam(load(track, wb.track(track).exam_splits, source))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--track", default="opensynth")
    parser.add_argument("--source")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    start = (given.track, given.source)
    with ProcessPoolExecutor(given.jobs, get_context("spawn"), begin, start) as pool:
        waiting = [pool.submit(write, given.out, number, given.seed) for number in range(given.count)]
        for done in waiting:
            done.result()


if __name__ == "__main__":
    main()
