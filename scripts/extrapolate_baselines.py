"""How the reference surrogates of opensynth fare on networks unlike those that they learned from.

    python scripts/extrapolate_baselines.py
    python scripts/extrapolate_baselines.py --work runs gnn trees

Trains each after its recipe in baselines/<name>/, with each family and each depth left out in its turn, and writes the
tables to baselines/extrapolation.md: those of the surrogates that are named, or of all but the oracle and the networks
of the paper, which take too long for it. Those that are in the work folder already are not trained again. One thread;
about ten minutes of CPU.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from make_baselines import BASELINES, ONE_THREAD, TRACK

if TYPE_CHECKING:
    from wa_bench.extrapolation import Trial

NAMES = ("constant", "nearest", "analytic", "trees", "gnn", "transformer", "ensemble")
DEPTHS = (3, 4)


def main() -> None:
    os.environ.update(ONE_THREAD)
    import wa_bench as wb
    from wa_bench.extrapolation import deeper, extrapolate, families
    from wa_bench.files import write_text

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=f"default: {', '.join(NAMES)}")
    work = Path(tempfile.gettempdir()) / "wa-bench-extrapolation"
    parser.add_argument("--work", type=Path, default=work, help=f"where trained surrogates are kept (default: {work})")
    arguments = parser.parse_args()
    judge = wb.track(TRACK)
    train, val, exam = (wb.load(TRACK, split) for split in ("train", "val", judge.exams[0].split))
    unseen = [*families(exam), *map(deeper, DEPTHS)]
    found = {}
    for name in arguments.names:
        recipe = yaml.safe_load((BASELINES / name / "recipe.yaml").read_text())
        started = time.process_time()
        found[name] = extrapolate(
            recipe["surrogate"], recipe["settings"], train, val, exam, unseen, arguments.work / name
        )
        print(f"{name}: {time.process_time() - started:.0f} CPU s", flush=True)
    write_text(BASELINES / "extrapolation.md", page(found, judge.rank_by, judge.tie_breaker))


def page(found: dict[str, list[Trial]], rank_by: str, tie_breaker: str) -> str:
    """All tables."""
    from wa_bench.evaluation.report import number

    def both(metric: str) -> Callable[[Trial], str]:
        return lambda trial: f"{number(trial.ordinary.means[metric])} → {number(trial.without.means[metric])}"

    return "\n".join(
        [
            "# Networks unlike those of the training set",
            "",
            "Written by `python scripts/extrapolate_baselines.py`. Each line scores the same test designs twice: as a",
            "surrogate answers that learned from everything → as it answers when networks like these were left out of",
            "training and validation. The constants of the analytic rules were fitted on all families and depths, so",
            "`analytic` does not change, and what builds on it has seen something of each.",
            "",
            f"## {rank_by}, mean over the targets",
            "",
            *table(found, both(rank_by)),
            "",
            f"## {tie_breaker}, mean over the targets",
            "",
            *table(found, both(tie_breaker)),
            "",
            f"## The worst target when left out, and its {rank_by}",
            "",
            *table(found, lambda trial: f"{trial.without.worst} {number(trial.without.lowest)}"),
            "",
        ]
    )


def table(found: dict[str, list[Trial]], cell: Callable[[Trial], str]) -> list[str]:
    """A line a trial, a column a surrogate."""
    lines: list[Sequence[str]] = [
        ["left out", "designs scored", "designs learned from", *(f"`{name}`" for name in found)],
        ["---"] * (3 + len(found)),
    ]
    for trials in zip(*found.values(), strict=True):
        of = trials[0]
        counts = [of.unseen, f"{of.asked}", f"{of.learned:,} → {of.learned_without:,}"]
        lines.append([*counts, *map(cell, trials)])
    return ["| " + " | ".join(line) + " |" for line in lines]


if __name__ == "__main__":
    main()
