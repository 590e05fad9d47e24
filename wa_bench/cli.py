"""The command line: one thin command a verb. Modules are imported when a command runs.

Exit codes: 0 good, 1 the input is at fault, 2 usage.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wa_bench.errors import WaBenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wa_bench.evaluation.report import Report
    from wa_bench.extrapolation import Scores
    from wa_bench.leaderboard.board import Board
    from wa_bench.leaderboard.gather import Sources
    from wa_bench.learning_curve import Held
    from wa_bench.opensynth.queue import Queue

app = typer.Typer(
    help="Load, predict, score and rank: a benchmark for surrogates of neural-network accelerator cost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Datasets: what there is, and what is in it.", no_args_is_help=True)
submit_app = typer.Typer(help="Submissions: begin, check, score, pack and review.", no_args_is_help=True)
leaderboard_app = typer.Typer(help="The leaderboard site.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(submit_app, name="submit")
app.add_typer(leaderboard_app, name="leaderboard")
synth_app = typer.Typer(help="Synthesis: make records of the opensynth track and check them.", no_args_is_help=True)
app.add_typer(synth_app, name="synth")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Work = Annotated[Path, typer.Argument(help="Folder of the work queue.")]
Jobs = Annotated[int, typer.Option(min=1, help="Designs at once.")]
WithRay = Annotated[bool, typer.Option("--ray", help="Spread the designs with Ray; RAY_ADDRESS names a cluster.")]
Memory = Annotated[int, typer.Option(min=1, help="With --ray: MB of memory that a node must have free for a design.")]
SampleSize = Annotated[int, typer.Option(min=1, help="Records to synthesize again.")]
TrackName = Annotated[str, typer.Argument(help="Name of the track.")]
Splits = Annotated[list[str] | None, typer.Option("--split", help="Split; may be given again. All of them by default.")]
Records = Annotated[str | None, typer.Option("--source", help="Folder or file with the track's records.")]
OfTrack = Annotated[str, typer.Option("--track", help="Name of the track.")]
OtherTruth = Annotated[str | None, typer.Option("--truth", help="Another truth than the track's own: hls-estimate.")]
PredictionsPath = Annotated[Path, typer.Argument(help="A .parquet or .csv file, or the dataset authors' .zip.")]
Resampled = Annotated[int, typer.Option("--resamples", min=0, help="Resamples for intervals; 0 for none.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the resamples.")]
Submissions = Annotated[Path, typer.Argument(help="Holds <track>/<name>/ submissions.")]
TrackRecords = Annotated[
    list[str] | None,
    typer.Option("--source", help="Where a track's records are, TRACK=FOLDER; may be given again. One track: FOLDER."),
]
Reported = Annotated[Path | None, typer.Option(help="Published results; by default 'reported' beside the submissions.")]
Versions = Annotated[Path | None, typer.Option(help="Frozen boards; by default 'versions' beside the submissions.")]
SurrogateSettings = Annotated[
    list[str] | None, typer.Option("--set", help="Setting of the surrogate, key=value; may be given again.")
]
SubmissionPath = Annotated[Path, typer.Argument(help="A submission folder, or a .zip that 'submit pack' wrote.")]


def main() -> None:
    """Run the command line; a fault of the input is one message and exit code 1."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads stop each other where cores are shared
    try:
        app()
    except (WaBenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Print the version and stop, if asked to."""
    if show:
        import wa_bench

        print(wa_bench.__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where submissions and site go.")] = Path("wa-bench-demo"),
    as_json: AsJson = False,
) -> None:
    """Load the embedded track, fit the reference surrogates, score them and build the site."""
    from rich.console import Console

    from wa_bench import demo

    notes = Console(stderr=True)
    with notes.status("") as status:
        board, page = demo.run(out, say=status.update)
    _print_boards([board], page, as_json)


@app.command()
def evaluate(
    predictions: PredictionsPath,
    track: OfTrack,
    split: Annotated[list[str] | None, typer.Option(help="Split to score instead of all; may be given again.")] = None,
    truth: OtherTruth = None,
    source: Records = None,
    form: Annotated[
        str, typer.Option("--format", help="table, markdown, csv, json, or axess: as the dataset authors' benchmark.")
    ] = "table",
    figures: Annotated[Path | None, typer.Option(help="Folder to write figures to, as .svg.")] = None,
    resamples: Resampled = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score a predictions file."""
    import wa_bench as wb
    from wa_bench.evaluation.axess import axess_scores
    from wa_bench.evaluation.report import Settings
    from wa_bench.files import write_text

    shapes: dict[str, Callable[[Report], str]] = {
        "table": str,
        "markdown": wb.Report.to_markdown,
        "csv": wb.Report.to_csv,
        "json": wb.Report.to_json,
        "axess": lambda report: json.dumps(axess_scores(report), indent=1),
    }
    form = "json" if as_json else form
    if form not in shapes:
        raise typer.BadParameter(f"expected one of {', '.join(shapes)}, found {form!r}", param_hint="--format")
    judge = wb.track(track)
    table = wb.Predictions.read(predictions, judge.target_names)
    exam = wb.load(track, judge.exam_splits, source, truth=truth)
    table.check_ids(exam.sample_ids())
    if split:
        exam = wb.load(track, split, source, truth=truth)
        table = table.only(exam.sample_ids())
    report = wb.evaluate(table, exam, Settings(resamples, seed))
    for note in table.notes(exam):
        print(f"note: {note}", file=sys.stderr)
    if figures:
        for name, svg in report.figures().items():
            write_text(figures / f"{name}.svg", svg)
    print(shapes[form](report))


@app.command()
def compare(
    predictions: Annotated[list[Path], typer.Argument(help="Two to five predictions files.")],
    track: OfTrack,
    truth: OtherTruth = None,
    source: Records = None,
    resamples: Resampled = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Say on what some predictions are better than others, worse, or cannot be told apart."""
    import wa_bench as wb
    from wa_bench.evaluation.comparison import differences
    from wa_bench.evaluation.report import Settings

    if not 2 <= len(predictions) <= 5:
        raise typer.BadParameter(f"expected two to five files, found {len(predictions)}", param_hint="predictions")
    judge = wb.track(track)
    exam = wb.load(track, judge.exam_splits, source, truth=truth)
    settings = Settings(resamples, seed)
    tables = [wb.Predictions.read(path, judge.target_names) for path in predictions]
    reports = {letter: wb.evaluate(table, exam, settings) for letter, table in zip("ABCDE", tables, strict=False)}
    for letter, table in zip(reports, tables, strict=True):
        for note in table.notes(exam):
            print(f"note on {letter}: {note}", file=sys.stderr)
    found = differences(reports)
    if as_json:
        print(json.dumps({"files": dict(zip(reports, map(str, predictions), strict=True)), "rows": found.to_dicts()}))
        return
    for letter, path in zip(reports, predictions, strict=True):
        print(f"{letter}: {path}")
    print(f"{judge.rank_by}: who is better, and the difference; ? where one cannot tell")
    for each in judge.exams:
        rows = found.filter(split=each.split, metric=judge.rank_by)
        targets = rows.get_column("target").unique(maintain_order=True).to_list()
        lines = [
            [*map(str, about), *(_verdict(cell) for cell in cells.iter_rows(named=True))]
            for about, cells in rows.group_by(["group", "a", "b"], maintain_order=True)
        ]
        print(f"\n{each.split} (allows for {each.sampled})")
        _print_table(["group", "", "", *targets], lines)


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """What the judge measures: formula, range, which values are good, and who defined it."""
    from wa_bench.evaluation.metrics import kinds

    names = ("title", "formula", "better", "unit", "range", "missing", "source")
    known = [{"metric": str(kind()), **{name: getattr(kind, name) for name in names}} for kind in kinds().values()]
    if as_json:
        print(json.dumps(known))
        return
    for metric in known:
        good = "nearer to zero" if metric["better"] == "zero" else metric["better"]
        print(f"{metric['metric']}: {metric['title']} = {metric['formula']}")
        print(f"    in {metric['range']}, {good} is better; source: {metric['source']}")
    print(f"In all: {known[0]['missing']}.")


@app.command()
def estimate(
    model: Annotated[Path, typer.Argument(help="A .keras, .onnx or .json file.")],
    surrogate: Annotated[
        str, typer.Option(help="Name of a surrogate without training, or folder of a saved one.")
    ] = "analytic",
    config: Annotated[Path | None, typer.Option(help="hls4ml config, YAML or JSON; the options below win.")] = None,
    part: Annotated[str | None, typer.Option(help="FPGA, such as xcu250-figd2104-2L-e.")] = None,
    clock: Annotated[float | None, typer.Option(help="Clock period in ns.")] = None,
    strategy: Annotated[str | None, typer.Option(help="latency, resource or distributed_arithmetic.")] = None,
    io_type: Annotated[str | None, typer.Option(help="io_parallel or io_stream.")] = None,
    reuse_factor: Annotated[int | None, typer.Option(help="Reuse factor to ask for.")] = None,
    precision: Annotated[str | None, typer.Option(help="Default type, such as fixed<16,6>.")] = None,
    hls4ml_version: Annotated[str | None, typer.Option(help="Version of hls4ml to assume.")] = None,
    tool: Annotated[str | None, typer.Option(help="Synthesis tool to assume.")] = None,
    tool_version: Annotated[str | None, typer.Option(help="Version of the tool.")] = None,
    sweep: Annotated[str | None, typer.Option(help="What to vary: reuse, precision, or reuse,precision.")] = None,
    plot: Annotated[Path | None, typer.Option(help="With --sweep: an .svg, .png or .pdf file to draw.")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what your own network costs on an FPGA, and whether it fits."""
    from rich.console import Console

    import wa_bench as wb
    from wa_bench.estimation.figure import check_format
    from wa_bench.estimation.figure import plot as draw

    varied = set(sweep.split(",")) if sweep else set()
    if not varied <= {"reuse", "precision"}:
        raise typer.BadParameter(f"expected reuse, precision or reuse,precision, found {sweep!r}", param_hint="--sweep")
    if plot is not None and not varied:
        raise typer.BadParameter("expected --sweep beside it", param_hint="--plot")
    if plot is not None:
        check_format(plot)
    made = wb.estimate(
        model,
        surrogate,
        config=config,
        part=part,
        clock_ns=clock,
        strategy=strategy,
        io_type=io_type,
        reuse_factor=reuse_factor,
        precision=precision,
        hls4ml_version=hls4ml_version,
        tool=tool,
        tool_version=tool_version,
    )
    grid = None
    if varied:
        reuse_factors = None if "reuse" in varied else [made.settings.reuse_factor]
        grid = made.sweep(reuse_factors, None if "precision" in varied else [made.settings.precision])
    if as_json:
        print((grid or made).to_json())
    else:
        console = Console()
        Console(width=None if console.is_terminal else 160).print(grid or made)
    if grid is not None and plot is not None:
        draw(grid, plot)
        print(f"wrote {plot}", file=sys.stderr)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="Name of the surrogate.")],
    track: Annotated[str, typer.Option(help="Name of the track.")],
    out: Annotated[Path, typer.Option(help="Folder for the surrogate; holds the checkpoints until it is done.")],
    settings: SurrogateSettings = None,
    fraction: Annotated[
        str | None, typer.Option(help="Learning curve: shares of the training set, such as 0.1,0.3,1.")
    ] = None,
    source: Records = None,
    as_json: AsJson = False,
) -> None:
    """Train a surrogate on the train split, watched on val; interrupted, the same command goes on."""
    import wa_bench as wb
    from wa_bench.evaluation.report import number
    from wa_bench.learning_curve import learning_curve
    from wa_bench.surrogates.estimator import settings_of

    given = settings_of(name, settings or [])
    shares = [1.0] if fraction is None else _shares(fraction)
    folders = [out if fraction is None else out / f"fraction-{share:g}" for share in shares]
    exam = wb.load(track, wb.track(track).exam_splits, source)
    train_set, val = wb.load(track, "train", source), wb.load(track, "val", source)
    points = learning_curve(name, given, train_set, val, exam, dict(zip(folders, shares, strict=True)))
    if as_json:
        print(json.dumps([point.to_dict() for point in points]))
        return
    metrics = [f"{metric} {split}" for split in exam.splits for metric in points[0].scores[split]]
    rows = [
        [
            f"{p.designs:,}",
            *(number(value) for split in exam.splits for value in p.scores[split].values()),
            str(p.folder),
        ]
        for p in points
    ]
    _print_table(["designs", *metrics, "folder"], rows)
    print("Share of designs whose truth lies in the 90% interval, lowest and highest of the targets:")
    rows = [[f"{p.designs:,}", *(_range(p.held.get(split, {})) for split in exam.splits)] for p in points]
    _print_table(["designs", *exam.splits], rows)


@app.command()
def extrapolate(
    name: Annotated[str, typer.Argument(help="Name of the surrogate.")],
    track: OfTrack,
    out: Annotated[Path, typer.Option(help="Folder for the surrogates; those that are there are not trained again.")],
    settings: SurrogateSettings = None,
    deeper_than: Annotated[
        list[int] | None, typer.Option(min=1, help="Leave out networks with more layers with weights; again for more.")
    ] = None,
    families: Annotated[bool, typer.Option(help="Leave out each family in its turn.")] = True,
    source: Records = None,
    as_json: AsJson = False,
) -> None:
    """Say how a surrogate fares on networks unlike those that it learned from: other families, deeper ones."""
    import wa_bench as wb
    from wa_bench import extrapolation
    from wa_bench.surrogates.estimator import settings_of

    judge = wb.track(track)
    exam = wb.load(track, judge.exams[0].split, source)
    unseen = extrapolation.families(exam) if families else []
    unseen += [extrapolation.deeper(layers) for layers in deeper_than or []]
    if not unseen:
        raise typer.BadParameter("expected --deeper-than beside it", param_hint="--no-families")
    train_set, val = wb.load(track, "train", source), wb.load(track, "val", source)
    trials = extrapolation.extrapolate(name, settings_of(name, settings or []), train_set, val, exam, unseen, out)
    if as_json:
        print(json.dumps([trial.to_dict() for trial in trials]))
        return
    metrics = (judge.rank_by, judge.tie_breaker)
    rows = [
        [trial.unseen, str(trial.asked), learned, f"{count:,}", *_scores(scores, metrics)]
        for trial in trials
        for learned, count, scores in (
            ("all", trial.learned, trial.ordinary),
            ("others", trial.learned_without, trial.without),
        )
    ]
    _print_table(["scored", "designs", "learned from", "designs", *metrics, "worst target", judge.rank_by], rows)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="Folder of a trained surrogate.")],
    track: Annotated[str, typer.Option(help="Name of the track.")],
    out: Annotated[Path, typer.Option(help="The .parquet or .csv file to write.")],
    split: Annotated[list[str] | None, typer.Option(help="Split; may be given again. The exams by default.")] = None,
    intervals: Annotated[Path | None, typer.Option(help="Also write intervals, to this .parquet file.")] = None,
    level: Annotated[float, typer.Option(help="Share of designs whose truth the intervals shall hold.")] = 0.9,
    source: Records = None,
) -> None:
    """Predict designs with a trained surrogate."""
    import wa_bench as wb
    from wa_bench.files import replacing
    from wa_bench.surrogates import Estimator

    model = Estimator.load(folder)
    designs = wb.load(track, split or wb.track(track).exam_splits, source)
    answers = model.predict(designs)
    if intervals is not None:
        with replacing(intervals) as partial:
            model.interval(designs, level).write_parquet(partial)
    answers.write(out)
    print(f"wrote {answers.frame().height:,} predictions to {out}")


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """The datasets of the catalogue."""
    import msgspec

    from wa_bench.data.catalogue import catalogue

    if as_json:
        print(msgspec.json.encode(catalogue()).decode())
        return
    columns = {"dataset": "name", "title": "title", "licence": "licence", "home": "homepage"}
    lines = [{"name": name, **msgspec.structs.asdict(entry)} for name, entry in catalogue().items()]
    _print_table(list(columns), [[line[key] for key in columns.values()] for line in lines])


@data_app.command("show")
def data_show(
    track: TrackName,
    split: Annotated[list[str], typer.Option(help="Split to show; may be given again.")],
    source: Records = None,
    limit: Annotated[int, typer.Option(min=1, help="Most designs to show.")] = 50,
    skip_bad: Annotated[bool, typer.Option(help="Pass over records that do not fit, and list them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Designs as they were decoded: family, network, settings, targets."""
    from itertools import islice

    import msgspec

    import wa_bench as wb

    dataset = wb.load(track, split, source, on_bad="skip" if skip_bad else "raise")
    designs = list(islice(dataset.stream(), limit))
    for fault in dataset.skipped:
        print(f"skipped: {fault}", file=sys.stderr)
    if as_json:
        print(msgspec.json.encode(designs).decode())
        return
    targets = [target.name for target in dataset.track.targets]
    print(f"{dataset.track.title}. Targets: {dataset.track.truth}.")
    if designs and not hasattr(designs[0], "layers"):
        names = ["family", "group", "source", *targets]
        _print_table(names, [[_shown(getattr(record, name)) for name in names] for record in designs])
        return
    rows = []
    for design in designs:
        weighted = [layer for layer in design.layers if layer.units is not None]
        widths = sorted({layer.weight.width for layer in weighted if layer.weight})
        rows.append(
            [
                design.family,
                design.group,
                design.strategy,
                str(len(design.layers)),
                ",".join(map(str, widths)),
                _runs([layer.reuse_factor for layer in weighted]),
                *(_shown(getattr(design, name)) for name in targets),
            ]
        )
    _print_table(["family", "group", "strategy", "layers", "bits", "valid reuse", *targets], rows)


@data_app.command("card")
def data_card(
    name: Annotated[str, typer.Argument(help="Track or dataset.")],
    croissant: Annotated[bool, typer.Option("--croissant", help="As Croissant (JSON-LD), for machines.")] = False,
) -> None:
    """The data card: columns, units, provenance, splits, files, licence, citation."""
    from wa_bench.data.cards import card
    from wa_bench.data.catalogue import datasets_of
    from wa_bench.data.croissant import croissant_text

    for dataset in datasets_of(name):
        print(croissant_text(dataset) if croissant else card(dataset), end="")


@data_app.command("fetch")
def data_fetch(track: TrackName, split: Splits = None, source: Records = None, as_json: AsJson = False) -> None:
    """Download a track's records, convert them once, and count them; goes on where it was interrupted."""
    import polars as pl

    import wa_bench as wb
    from wa_bench.data.catalogue import entry

    counts = (
        wb.load(track, split or wb.track(track).splits, source)
        .frame()
        .group_by("source", "split", maintain_order=True)
        .agg(pl.len().alias("records"))
        .collect()
        .rows(named=True)
    )
    for row in counts:
        row["published"] = entry(row["source"]).rows.get(row["split"])
    if as_json:
        print(json.dumps(counts))
        return
    rows = [[row["source"], row["split"], *(_shown(row[name]) for name in ("records", "published"))] for row in counts]
    _print_table(["dataset", "split", "records", "published"], rows)


@data_app.command("verify")
def data_verify(name: Annotated[str, typer.Argument(help="Track or dataset.")]) -> None:
    """Compare what is kept of a dataset with the counts and hashes taken when it was converted."""
    from wa_bench.data.cache import cache_folder
    from wa_bench.data.catalogue import datasets_of
    from wa_bench.data.store import folders, manifest_in, verify
    from wa_bench.errors import DataError, Fault

    kept = [folder for dataset in datasets_of(name) for folder in folders(cache_folder() / "store", dataset)]
    faults: list[Fault] = []
    for folder in kept:
        try:
            faults += verify(folder)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(*faults)
    manifests = [manifest_in(folder) for folder in kept]
    columns = ["file", "split", "records", "faulty", "complete"]
    _print_table(
        columns, [[m.raw, m.split, f"{m.rows:,}", str(m.faulty), "yes" if m.complete else "no"] for m in manifests]
    )
    print(f"good: {sum(m.rows for m in manifests):,} records in {len(kept)} converted files are as they were")


@data_app.command("leaks")
def data_leaks(track: TrackName, split: Splits = None, source: Records = None, as_json: AsJson = False) -> None:
    """Say which splits hold the same network with the same settings, by a hash of the content."""
    import wa_bench as wb
    from wa_bench.data.leaks import leaks

    found = leaks(wb.load(track, split or wb.track(track).splits, source))
    if as_json:
        tables = {"shared": found.shared.to_dicts(), "examples": found.examples.to_dicts()}
        print(json.dumps({"records": found.records, **tables}))
        return
    print(f"{found.records:,} records compared; the same network with the same settings in two splits:")
    if found.shared.is_empty():
        print("none")
        return
    for table in (found.shared, found.examples):
        _print_table(table.columns, [[_shown(value) for value in row] for row in table.rows()])


@submit_app.command("schema")
def submit_schema() -> None:
    """The JSON Schema of a card, for editors and other tools."""
    from wa_bench.submissions.card import schema_text

    print(schema_text(), end="")


@submit_app.command("init")
def submit_init(
    folder: Annotated[Path, typer.Argument(help="The submission to begin; its name becomes the slug.")],
    track: Annotated[str, typer.Option(help="Name of the track.")],
    predictions: Annotated[Path | None, typer.Option(help="A .parquet, .csv or .zip file to copy into it.")] = None,
) -> None:
    """Begin a submission: a card to fill in, its schema, and the predictions. Overwrites nothing."""
    from wa_bench.submissions.start import start

    for path in start(folder, track, predictions):
        print(f"wrote {path}")
    print(f"Fill in the card, then run: wa-bench submit check {folder}")


@submit_app.command("check")
def submit_check(folder: SubmissionPath, source: Records = None, as_json: AsJson = False) -> None:
    """Say whether a submission, a folder or a packed .zip, can be scored: all faults at once."""
    from dataclasses import asdict

    from wa_bench.errors import FaultyInputError
    from wa_bench.submissions.folder import check
    from wa_bench.submissions.pack import unpacked

    try:
        with unpacked(folder) as plain:
            submission = check(plain, source)
            rows, notes = submission.predictions.frame().height, submission.notes
    except FaultyInputError as error:
        if not as_json:
            raise
        print(json.dumps({"verdict": "faulty", "faults": [asdict(fault) for fault in error.faults]}))
        raise typer.Exit(1) from None
    card = submission.card
    if as_json:
        good = {"verdict": "good", "slug": card.slug, "track": card.track, "predictions": rows, "notes": notes}
        print(json.dumps(good))
        return
    print(
        "\n".join([f"good: {card.name}, {rows:,} predictions for track {card.track}", *(f"note: {n}" for n in notes)])
    )


@submit_app.command("score")
def submit_score(
    folder: Path,
    verify: Annotated[bool, typer.Option("--verify", help="Write nothing; compare with the stored scores.")] = False,
    source: Records = None,
    as_json: AsJson = False,
) -> None:
    """Score a submission folder and write its scores.json, or verify the one that is there."""
    from wa_bench.submissions.folder import check, score, verify_scores
    from wa_bench.submissions.scores import SCORES_FILE

    if verify:
        submission = check(folder, source)
        verify_scores(submission)
        report = submission.report
    else:
        report = score(folder, source)
    if as_json:
        print(report.to_json())
        return
    print(report)
    print(f"{'true:' if verify else 'wrote'} {folder / SCORES_FILE}")


@submit_app.command("pack")
def submit_pack(
    folder: Path,
    out: Annotated[Path | None, typer.Option(help="The .zip file to write; by default named after the slug.")] = None,
    form: Annotated[
        str, typer.Option("--format", help="wa-bench, or axess: the zip that the dataset authors' benchmark takes.")
    ] = "wa-bench",
    source: Records = None,
) -> None:
    """Pack a submission as one .zip: card, predictions and scores, or the authors' two files."""
    from wa_bench.submissions.folder import check
    from wa_bench.submissions.pack import pack

    submission = check(folder, source)
    out = out or Path(f"{submission.card.slug}{'' if form == 'wa-bench' else f'-{form}'}.zip")
    pack(submission, out, form)
    print(f"wrote {out}")


@submit_app.command("review")
def submit_review(
    changed: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Changed files, as 'git diff --name-only -z' prints them.")
    ],
    root: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The proposed state of the repository; nothing in it is run."),
    ],
    base: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="The state before, to see whose submission it is.")
    ] = None,
    summary: Annotated[Path | None, typer.Option(help="File to append the verdict to, as HTML.")] = None,
    source: Records = None,
) -> None:
    """Judge a proposal: one submission and nothing else, without fault, with true scores."""
    from wa_bench.submissions.review import review

    verdict = review(changed.read_bytes(), root, source, base)
    print("\n".join(verdict.lines()))
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(verdict.summary())
    if not verdict.good:
        raise typer.Exit(1)


@leaderboard_app.command("build")
def leaderboard_build(
    folder: Submissions,
    site: Annotated[Path, typer.Option(help="Where the site goes.")],
    source: TrackRecords = None,
    reported: Reported = None,
    versions: Versions = None,
    base_url: Annotated[str, typer.Option(help="Where the site will stand, such as https://lab.example/board.")] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Compute all stored scores anew, with intervals.")] = False,
    predictions: Annotated[bool, typer.Option(help="Whether predictions can be downloaded from the site.")] = True,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the submissions and build the static site; what did not change is kept."""
    from wa_bench.leaderboard.build import build
    from wa_bench.leaderboard.gather import Work, boards

    with _uncollected():
        found = boards(_sources(folder, source, reported, versions), work=Work(jobs or os.cpu_count() or 1, verify))
        built = build(found, site, base_url, downloads=predictions)
    _print_boards(found, built.front_page, as_json)
    print(f"{built.files:,} files, {built.changed:,} of them new or changed", file=sys.stderr)
    for board in found:
        if board.entries and board.absent_splits:
            print(f"note: {board.track.name}: no records of {', '.join(board.absent_splits)} are here", file=sys.stderr)
        if board.snapshots and not board.version.frozen:
            frozen, now = board.snapshots[-1].number, board.version.number
            print(
                f"{board.track.name}: other truth, records or evaluator than version {frozen}; this is {now}, "
                f"to keep it: wa-bench leaderboard freeze {folder} --track {board.track.name} --note TEXT",
                file=sys.stderr,
            )


@leaderboard_app.command("serve")
def leaderboard_serve(
    site: Annotated[Path, typer.Argument(help="The folder that 'leaderboard build' wrote.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
) -> None:
    """Show a built site to browsers, until interrupted."""
    from wa_bench.leaderboard.serve import server

    with server(site, host, port) as serving:
        print(f"http://{host}:{serving.server_port}/  (Ctrl-C stops it)", flush=True)
        with suppress(KeyboardInterrupt):
            serving.serve_forever()


@leaderboard_app.command("freeze")
def leaderboard_freeze(
    folder: Submissions,
    track_name: OfTrack,
    note: Annotated[str, typer.Option(help="What is new in this version, for readers.")],
    source: TrackRecords = None,
    versions: Versions = None,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Its date; today by default.")] = None,
) -> None:
    """Write the board as it is to a small file, from which it can always be shown."""
    from wa_bench.errors import UnknownNameError
    from wa_bench.leaderboard.gather import boards
    from wa_bench.leaderboard.versions import freeze

    sources = _sources(folder, source, None, versions)
    found = {board.track.name: board for board in boards(sources)}
    if track_name not in found:
        raise UnknownNameError("board", track_name, list(found))
    place = sources.frozen or folder.parent / "versions"
    print(f"wrote {freeze(found[track_name], place, note, day.date() if day else date.today())}")


@synth_app.command("run")
def synth_run(
    work: Work,
    seeds: Annotated[list[str], typer.Option(help="First seed and the one after the last, 0:100; may be given again.")],
    jobs: Jobs = 1,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that a tool may take for a design.")] = 600,
    ray: WithRay = False,
    memory: Memory = 1000,
    as_json: AsJson = False,
) -> None:
    """Plan designs and synthesize them; stopped at any moment, it goes on where it was."""
    from wa_bench.opensynth.queue import Queue

    _work_on(Queue.create(work, [_seed_range(text) for text in seeds], time_limit), jobs, memory if ray else None)
    synth_status(work, as_json)


@synth_app.command("resume")
def synth_resume(
    work: Work,
    jobs: Jobs = 1,
    retry_failed: Annotated[bool, typer.Option(help="Also make the designs again that failed.")] = False,
    ray: WithRay = False,
    memory: Memory = 1000,
    as_json: AsJson = False,
) -> None:
    """Go on with a plan, or help others with it: any number may work on one folder."""
    from wa_bench.opensynth.queue import Queue

    _work_on(Queue.load(work), jobs, memory if ray else None, retry_failed=retry_failed)
    synth_status(work, as_json)


@synth_app.command("status")
def synth_status(work: Work, as_json: AsJson = False) -> None:
    """How far a queue is, what failed and why, and what is left."""
    import msgspec

    from wa_bench.opensynth.queue import Queue

    status = Queue.load(work).status()
    if as_json:
        print(msgspec.json.encode(status).decode())
        return
    print(
        f"{status.designs:,} designs: {status.done:,} done, {len(status.failed):,} failed, "
        f"{len(status.in_work):,} in work, {status.open:,} open"
    )
    left = "unknown" if status.hours_left is None else f"{status.hours_left:,.2f} h"
    print(f"{status.hours:,.2f} hours of work, one job after another; left for one job: {left}")
    for seed, reason in status.failed.items():
        print(f"seed {seed} failed: {reason.splitlines()[0]}")


@synth_app.command("merge")
def synth_merge(
    sources: Annotated[list[Path], typer.Argument(help="Work queues, accepted bundles and .parquet files of records.")],
    out: Annotated[Path, typer.Option(help="The .parquet file to write; it may be one of the sources.")],
    as_json: AsJson = False,
) -> None:
    """Write all records in order of the seed, failed designs too."""
    from wa_bench.opensynth.contribution import gather
    from wa_bench.opensynth.queue import write_records

    designs = gather(sources)
    write_records(out, designs)
    failed = sum(design.lut is None for design in designs)
    result = {"file": str(out), "records": len(designs), "failed": failed}
    print(json.dumps(result) if as_json else f"wrote {len(designs):,} records, {failed:,} of them failed, to {out}")


@synth_app.command("check")
def synth_check(
    file: Annotated[Path, typer.Argument(help="A .parquet file of records.")],
    sample: SampleSize = 10,
    seed: Annotated[int, typer.Option(help="Seed of the choice.")] = 0,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """Synthesize random records again and compare."""
    import wa_bench as wb
    from wa_bench.opensynth.contribution import recheck

    records = list(wb.load("opensynth", wb.track("opensynth").splits, str(file)).stream())
    found = {}
    for design, names in recheck(records, sample, seed, jobs):
        found[design.sample_id] = names
        verdict = f"DIFFERENT in {', '.join(names)}" if names else "identical"
        print(f"{design.sample_id}  {design.model_name}, {design.strategy}: {verdict}", file=sys.stderr)
    same = sum(not names for names in found.values())
    print(json.dumps({"seed": seed, "different": found}) if as_json else f"{same} of {len(found)} records identical")
    if same < len(found):
        raise typer.Exit(1)


@synth_app.command("contribute")
def synth_contribute(
    work: Work,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    author: Annotated[str, typer.Option(help="Your name; giving it, you dedicate the records under CC0-1.0.")],
    as_json: AsJson = False,
) -> None:
    """Pack the new records of a queue, to be sent in."""
    import msgspec

    from wa_bench.opensynth.contribution import contribute

    made = contribute(work, out, author)
    print(msgspec.json.encode(made).decode() if as_json else f"wrote {made.records:,} records under CC0-1.0 to {out}")


@synth_app.command("accept")
def synth_accept(
    bundle: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder that 'contribute' wrote.")],
    sample: SampleSize = 10,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice; by default one that nobody foresees.")] = None,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """Say whether a contribution can be accepted: trusts nothing, synthesizes a random sample again."""
    import secrets

    from wa_bench.errors import DataError
    from wa_bench.opensynth.contribution import accept

    seed = secrets.randbelow(2**32) if seed is None else seed
    try:
        compared = accept(bundle, sample, seed, jobs)
        faults = [f"{d.sample_id}: synthesis here gives another {', '.join(names)}" for d, names in compared if names]
    except DataError as error:
        compared, faults = [], [str(fault) for fault in error.faults]
    verdict = "REJECTED" if faults else "ACCEPTED"
    if as_json:
        made_again = [design.sample_id for design, _ in compared]
        print(json.dumps({"verdict": verdict, "seed": seed, "compared": made_again, "faults": faults}))
    else:
        how = f"{len(compared)} records synthesized again, chosen with --sample {sample} --seed {seed}"
        print("\n".join([f"{verdict}: {how}", *faults]))
    if faults:
        raise typer.Exit(1)


def _seed_range(text: str) -> range:
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise typer.BadParameter(f"expected FIRST:END with FIRST below END, such as 0:100, found {text!r}")
    return range(int(first), int(end))


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise typer.BadParameter(f"expected shares above 0 and up to 1, such as 0.1,0.3,1, found {text!r}")
    return shares


def _work_on(queue: Queue, jobs: int, ray_memory: int | None, *, retry_failed: bool = False) -> None:
    """Work on a queue until it is done, with a progress bar; ``ray_memory`` in MB asks for Ray."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from wa_bench.opensynth import cluster
    from wa_bench.opensynth.queue import run

    queue.discard_stale(failed=retry_failed)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=3600) as progress:
        total = len(queue.plan.seeds)
        bar = progress.add_task("", total=total, completed=total - len(queue.open_seeds()))

        def say(done: int) -> None:
            progress.update(bar, completed=done)

        if ray_memory is None:
            run(queue, jobs, say)
        else:
            cluster.run(queue, jobs, ray_memory, say)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, for work whose objects nearly all last to its end: it would take a tenth of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _sources(folder: Path, records: list[str] | None, reported: Path | None, versions: Path | None) -> Sources:
    """Where the parts of a board are; what stands beside the submissions under its usual name is found there."""
    from wa_bench.leaderboard.gather import Sources
    from wa_bench.tracks.track import track

    places = dict(_source(text) for text in records or ())
    if "" in places:
        tracks = [path.name for path in folder.glob("*/") if path.is_dir()]
        if len(tracks) != 1:
            raise typer.BadParameter(f"expected --source TRACK=FOLDER for the tracks {', '.join(tracks)}")
        places[tracks[0]] = places.pop("")
    for name in places:
        track(name)
    beside = [folder.resolve().parent / name for name in ("reported", "versions")]
    published, frozen = (path if path.is_dir() else None for path in beside)
    return Sources(folder, reported or published, versions or frozen, places)


def _source(text: str) -> tuple[str, str]:
    """Track and place of ``TRACK=PLACE``; no track where none is named."""
    name, equals, place = text.partition("=")
    return (name, place) if equals and name.isidentifier() else ("", text)


_PRINTED = 20
"""Lines of a board that are printed."""


def _print_boards(boards: list[Board], page: Path, as_json: bool) -> None:
    from wa_bench.evaluation.report import number
    from wa_bench.leaderboard.versions import ranks

    boards = [board for board in boards if board.entries]
    if as_json:
        print(json.dumps({"site": str(page), "boards": [_ranking(board) for board in boards]}))
        return
    for board in boards:
        track = board.track
        print(f"{track.title}: {track.judged(track.rank_by)}. Truth: {track.truth}.")
        rows = [
            [ranks(entry), entry.card.name, *(number(entry.mean(track.rank_by, split)) for split in board.designs)]
            for entry in board.entries[:_PRINTED]
        ]
        _print_table(["rank", "surrogate", *board.designs], rows)
        if len(board.entries) > _PRINTED:
            print(f"  and {len(board.entries) - _PRINTED:,} more, on the site and with --json")
    print(f"Open {page}")


def _ranking(board: Board) -> dict[str, Any]:
    """A board as plain values."""
    track = board.track
    lines = [
        {
            "rank": entry.rank,
            "worst_rank": entry.worst,
            "tie_group": entry.tie_group,
            "slug": entry.slug,
            "name": entry.card.name,
            "kind": entry.card.kind,
            "mean": {split: entry.mean(track.rank_by, split) for split in board.designs},
        }
        for entry in board.entries
    ]
    return {"track": track.name, "by": track.rank_by, "ranking": lines}


def _print_table(headings: list[str], rows: list[list[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)


def _runs(values: list[int]) -> str:
    """``64 64 64 48`` as ``64x3 48``."""
    from itertools import groupby

    runs = [(value, len(list(run))) for value, run in groupby(values)]
    return " ".join(f"{value}x{count}" if count > 1 else str(value) for value, count in runs)


def _verdict(cell: dict[str, Any]) -> str:
    """``A +0.031``, or ``? +0.002`` where one cannot tell."""
    from wa_bench.evaluation.report import number

    difference = cell["difference"]
    if difference is None:
        return "-"
    winner = {"better": cell["a"], "worse": cell["b"]}.get(cell["verdict"], "?")
    return f"{winner} {'+' if difference > 0 else ''}{number(difference)}"


def _range(held: dict[str, Held]) -> str:
    """The lowest and the highest share of the targets."""
    shares = [each["coverage"] for each in held.values()]
    return f"{min(shares):.0%} to {max(shares):.0%}" if shares else "-"


def _scores(scores: Scores, metrics: tuple[str, ...]) -> list[str]:
    """Cells of a table: means, and the worst target with its score."""
    from wa_bench.evaluation.report import number

    return [*(number(scores.means[metric]) for metric in metrics), scores.worst or "-", number(scores.lowest)]


def _shown(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:,g}" if value < 1e6 else f"{value:,.0f}"
