"""Make the reference surrogates of opensynth: train, predict, write the submission, score it.

    python scripts/make_baselines.py                     # all that are not up to date
    python scripts/make_baselines.py gnn trees           # only these
    python scripts/make_baselines.py --work runs --anew  # from nothing

What each is follows from baselines/<name>/recipe.yaml. Its submission goes to the folder of that name in
leaderboard/submissions/opensynth/; what it took and how often its intervals held the truth to
baselines/<name>/result.json; the table of all of them to baselines/results.md. One that was made from the same recipe,
the same data and the same version of the package is passed over; a training that was interrupted goes on where it was.
Each is made in a process of its own with one thread, and its CPU seconds are printed: trust ratios, not third digits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from datetime import date
from hashlib import sha256
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
BASELINES = ROOT / "baselines"
TRACK = "opensynth"
SUBMISSIONS = ROOT / "leaderboard" / "submissions"
RESULT_FILE = "result.json"
TOOK_FILE = "took.json"
NO_WIDTH = 1e-6
"""Of intervals, on the logarithm."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "POLARS_MAX_THREADS": "1",
}


def main() -> None:
    names = sorted(file.parent.name for file in BASELINES.glob("*/recipe.yaml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, of {', '.join(names)} (default: all)")
    work = Path(tempfile.gettempdir()) / "wa-bench-baselines"
    parser.add_argument("--work", type=Path, default=work, help=f"where trained surrogates are kept (default: {work})")
    parser.add_argument("--anew", action="store_true", help="also those that are up to date, and train them again")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(made(arguments.child, arguments.work, arguments.anew), flush=True)
        return
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no recipe of {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options = ["--work", str(arguments.work.resolve()), *(["--anew"] if arguments.anew else [])]
    failed = []
    for name in arguments.names or names:
        command = [sys.executable, __file__, "--child", name, *options]
        if subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=False).returncode:
            failed.append(name)
    write_table()
    if failed:
        sys.exit(f"not made: {', '.join(failed)}")


def made(name: str, work: Path, anew: bool) -> str:
    """Make one, and say what it took."""
    import shutil

    import wa_bench as wb
    from wa_bench.files import sha256_of, write_text
    from wa_bench.learning_curve import held
    from wa_bench.submissions.folder import create, score
    from wa_bench.submissions.reference import reference_card
    from wa_bench.surrogates.estimator import CHECKPOINT_FILE, fitted

    judge = wb.track(TRACK)
    train, val, exam = (wb.load(TRACK, splits) for splits in ("train", "val", judge.exam_splits))
    recipe = yaml.safe_load((BASELINES / name / "recipe.yaml").read_text())
    of = {
        "recipe": recipe,
        "data": {"train": train.fingerprint(), "val": val.fingerprint(), "exam": exam.fingerprint()},
        "wa_bench": wb.__version__,
    }
    submission, result = SUBMISSIONS / TRACK / name, BASELINES / name / RESULT_FILE
    predictions = submission / "predictions.parquet"
    if not anew and result.exists() and predictions.exists():
        found = json.loads(result.read_text())
        if all(found[key] == value for key, value in of.items()) and found["predictions"] == sha256_of(predictions):
            return f"{name}: up to date"
    learned = {**of, "recipe": {key: recipe[key] for key in ("surrogate", "settings")}}
    folder = work / f"{name}-{sha256(json.dumps(learned).encode()).hexdigest()[:12]}"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    wb.surrogate(recipe["surrogate"], **recipe["settings"])  # its packages are imported before the clock starts
    resumed, before = (folder / CHECKPOINT_FILE).exists(), written(folder)
    started = time.process_time()
    model = fitted(recipe["surrogate"], recipe["settings"], train, val, folder)
    spent = {"cpu_seconds": round(time.process_time() - started, 1), "resumed": resumed}
    trained = written(folder) != before
    if trained:
        write_text(folder / TOOK_FILE, json.dumps(spent))
    spent = json.loads((folder / TOOK_FILE).read_text())
    seconds, designs = seconds_per_design(model)
    hardware = f"one core of {processor()}, batches of {designs:,} designs"
    measured = {"seconds_per_design": float(f"{seconds:.2g}"), "hardware": hardware}
    again = f"# in a checkout of wa-bench {wb.__version__}\npython scripts/make_baselines.py {name} --anew"
    submitted = date.fromisoformat(recipe["submitted"])
    card = reference_card(model, judge, recipe.get("note", ""), submitted=submitted, reproduce=again, **measured)
    create(submission, card, model.predict(exam))
    report = score(submission)
    about = {
        **of,
        "predictions": sha256_of(predictions),
        "training": {"designs": train.truth().height, "parameters": model.parameters, **spent},
        "prediction": {"seconds_per_design": card.seconds_per_design, "hardware": hardware},
        "in_90_percent_interval": held(model, exam),
    }
    write_text(result, json.dumps(about, indent=1) + "\n")
    means = ", ".join(f"mean {judge.rank_by} {split} {report.mean(judge.rank_by, split):.4f}" for split in exam.splits)
    training = f"{spent['cpu_seconds']} CPU s to train{' since it was resumed' if spent['resumed'] else ''}"
    return f"{name}: {training}{'' if trained else ' (earlier)'}, {1e6 * seconds:.0f} us a design; {means}"


def written(folder: Path) -> int | None:
    """When the surrogate in a folder was saved."""
    file = folder / "surrogate.json"
    return file.stat().st_mtime_ns if file.exists() else None


def seconds_per_design(model: Any) -> tuple[float, int]:
    """CPU seconds from records to figures, least of three, over all designs of the track; and how many these are."""
    import wa_bench as wb

    everything = wb.load(TRACK, wb.track(TRACK).splits)
    taken = []
    for _ in range(3):
        started = time.process_time()
        count = model.predict(everything).frame().height
        taken.append(time.process_time() - started)
    return min(taken) / count, count


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_table() -> None:
    """The table of all submissions of the track that have a recipe: scores with intervals, ranks, cost."""
    import wa_bench as wb
    from wa_bench.evaluation.report import MEAN, number
    from wa_bench.files import write_text
    from wa_bench.leaderboard.gather import boards
    from wa_bench.leaderboard.versions import ranks

    def cell(row: dict[str, Any]) -> str:
        low, high = row["low"], row["high"]
        return number(row["value"]) + ("" if low is None else f" ({number(low)} to {number(high)})")

    def shares(of_targets: dict[str, Any]) -> str:
        wide = [found["coverage"] for found in of_targets.values() if found["width"] > NO_WIDTH]
        return f"{mean(wide):.1%} ({min(wide):.0%} to {max(wide):.0%})" if wide else "–"

    judge = wb.track(TRACK)
    columns = [(metric, split) for split in judge.exam_splits for metric in (judge.rank_by, judge.tie_breaker)]
    headings = [
        "rank",
        "surrogate",
        *(f"{metric}, {split}" for metric, split in columns),
        *(f"in 90 % interval, {split}" for split in judge.exam_splits),
        "CPU s to train",
        "µs a design",
    ]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    entries = (entry for board in boards(SUBMISSIONS) if board.track == judge for entry in board.entries)
    for entry in entries:
        file = BASELINES / entry.card.slug / RESULT_FILE
        if not file.exists():
            continue
        result = json.loads(file.read_text())
        held = result["in_90_percent_interval"]
        cells = [
            ranks(entry),
            f"[{entry.card.name}](../leaderboard/submissions/{TRACK}/{entry.card.slug}/card.yaml)",
            *(cell(entry.scores.row((f"{metric}@{MEAN}", split))) for metric, split in columns),
            *(shares(held.get(split, {})) for split in judge.exam_splits),
            f"{result['training']['cpu_seconds']:,.0f}" + (" (resumed)" if result["training"]["resumed"] else ""),
            f"{1e6 * result['prediction']['seconds_per_design']:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    sizes = dict(wb.load(TRACK, judge.splits).truth().get_column("split").value_counts().iter_rows())
    designs = " and ".join(f"{sizes[split]} of {split}" for split in judge.exam_splits)
    error = 100 * sqrt(0.9 * 0.1 * (1 / sizes["val"] + 1 / sizes["test"]))
    about = (
        "Written by `python scripts/make_baselines.py`. Means over the six targets, with 95 % intervals; a rank is a "
        "range where the paired test cannot part submissions, controls have none. *In 90 % interval*: of how many "
        "designs a surrogate's own interval holds the truth: mean, lowest and highest of the targets, without those "
        "whose intervals are points for most designs. By the numbers of designs that it is made and tested with, one "
        f"share on test has a standard error of {error:.1f} points. Scored on {designs}. Truth: {judge.truth}. CPU "
        "seconds are of one thread."
    )
    text = f"# Reference surrogates on {TRACK}\n\n{textwrap.fill(about, 120)}\n\n"
    write_text(BASELINES / "results.md", text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
