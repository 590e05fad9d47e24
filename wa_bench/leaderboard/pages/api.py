"""The same content for programs: JSON and CSV below ``api/v1/``, with a schema, and the page that describes them.

Names stay as they are within a version; fields may be added. Paths are relative to the site's root. A score is
``[value, low, high]``: the ends of its interval are null where it has none, the value where it is undefined.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import msgspec
import polars as pl

from wa_bench.evaluation.metrics import parse_metric
from wa_bench.evaluation.report import EVALUATOR, MEAN
from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.versions import Bounded, Line, Version, line_of
from wa_bench.submissions.card import Card
from wa_bench.submissions.reported import Reported

API = 1
FOLDER = f"api/v{API}"


class TrackEntry(msgspec.Struct, frozen=True):
    """A track that has a board, and where its files are."""

    name: str
    title: str
    question: str
    submissions: int
    page: str
    board: str
    table: str
    reported: str


class Index(msgspec.Struct, frozen=True):
    """What there is. ``base_url`` is where the site stands, empty where that was not said."""

    api: int
    title: str
    wa_bench: str
    base_url: str
    tracks: list[TrackEntry]


class TargetEntry(msgspec.Struct, frozen=True):
    """A figure that is predicted."""

    name: str
    label: str
    unit: str
    description: str


class MetricEntry(msgspec.Struct, frozen=True):
    """A metric: ``better`` is higher, lower or zero."""

    name: str
    title: str
    better: str
    unit: str
    range: str
    formula: str


class ExamEntry(msgspec.Struct, frozen=True):
    """A split that is scored: its designs with truth, its groups, and what an interval allows for."""

    split: str
    designs: int
    groups: list[str]
    sampled: str


class LineEntry(Line, frozen=True, kw_only=True):
    """A line of the board, best first: scores over all designs of each split by metric and by target or ``mean``.

    ``rank`` to ``worst`` are the ranks that it may have; null for controls and where designs are left out. What stands
    from ``training_data`` on are the words and figures of the authors' card.
    """

    page: str
    scores_file: str
    training_data: str
    code: str | None
    weights: str | None
    paper: str | None
    parameters: int | None
    hardware: str | None
    seconds_per_design: float | None
    joules_per_design: float | None
    submitted: date | None


class BoardFile(msgspec.Struct, frozen=True):
    """A board: the question, what it is scored on and by what, and its lines, best first."""

    api: int
    track: str
    title: str
    question: str
    version: Version
    rank_by: str
    tie_breaker: str
    level: float
    targets: list[TargetEntry]
    metrics: list[MetricEntry]
    exams: list[ExamEntry]
    entries: list[LineEntry]


class GroupScores(msgspec.Struct, frozen=True):
    """Scores of one group of a split: by metric, then target, ``mean``, or ``design`` (of whole designs)."""

    split: str
    group: str
    designs: int
    answered: int
    clusters: int
    scores: dict[str, dict[str, Bounded]]


class SubmissionFile(msgspec.Struct, frozen=True):
    """A submission: its card, rank, the hash of its predictions, and all its scores."""

    api: int
    track: str
    page: str
    files: list[str]
    card: Card
    rank: int | None
    worst: int | None
    tie_group: int | None
    predictions_sha256: str
    truth_fingerprint: str
    evaluator: int
    groups: list[GroupScores]


class ReportedFile(msgspec.Struct, frozen=True):
    """Results that others published, as printed there; each names its source and the truth it was scored against."""

    api: int
    track: str
    results: list[Reported]


FILES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "index": (Index, f"{FOLDER}/index.json"),
    "board": (BoardFile, f"{FOLDER}/<track>/board.json"),
    "submission": (SubmissionFile, f"{FOLDER}/<track>/submissions/<slug>.json"),
    "reported": (ReportedFile, f"{FOLDER}/<track>/reported.json"),
}
"""Name of a kind of file, its type, and where it stands."""


def pages(boards: Sequence[Board], site: Site) -> Iterator[Page]:
    """All files, their schemas, and the page about them."""
    tracks = [_track(board) for board in boards]
    yield Page(f"{FOLDER}/index.json", _json(Index(API, site.title, site.version, site.base_url, tracks)))
    for board in boards:
        folder = f"{FOLDER}/{board.track.name}"
        yield Page(f"{folder}/board.json", partial(_board_text, board), board.state)
        yield Page(f"{folder}/board.csv", partial(_table, board), board.state)
        yield Page(f"{folder}/reported.json", _json(ReportedFile(API, board.track.name, list(board.reported))))
        yield Page(f"{folder}/reported.csv", _reported_table(board))
        for entry in board.entries:
            made = partial(_submission_text, board.track.name, entry, site)
            yield Page(f"{folder}/submissions/{entry.slug}.json", made, entry.state)
    schemas = {name: msgspec.json.schema(kind) for name, (kind, _) in FILES.items()}
    for name, schema in schemas.items():
        yield Page(f"{FOLDER}/schema/{name}.json", _json({"$schema": _DRAFT, **schema}))
    path = "about/api.html"
    yield Page(path, render("api.html.j2", path, site, boards=boards, folder=FOLDER, kinds=_kinds()))


_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _track(board: Board) -> TrackEntry:
    track, folder = board.track, f"{FOLDER}/{board.track.name}"
    return TrackEntry(
        track.name,
        track.title,
        track.question,
        len(board.entries),
        f"{track.name}/index.html",
        f"{folder}/board.json",
        f"{folder}/board.csv",
        f"{folder}/reported.json",
    )


def _board_text(board: Board) -> bytes:
    track = board.track
    metrics = [parse_metric(name) for name in track.metrics]
    made = BoardFile(
        API,
        track.name,
        track.title,
        track.question,
        board.version,
        track.rank_by,
        track.tie_breaker,
        board.settings.level,
        [TargetEntry(each.name, each.label, each.unit, each.description) for each in track.targets],
        [MetricEntry(str(each), each.title, each.better, each.unit, each.range, each.formula) for each in metrics],
        [
            ExamEntry(exam.split, board.designs.get(exam.split, 0), [group.name for group in exam.groups], exam.sampled)
            for exam in track.exams
        ],
        [_line(board, entry) for entry in board.entries],
    )
    return _json(made)


def _line(board: Board, entry: Entry) -> LineEntry:
    folder, card = board.track.name, entry.card
    return LineEntry(
        **msgspec.structs.asdict(line_of(entry, board.track)),
        page=f"{folder}/submissions/{entry.slug}.html",
        scores_file=f"{FOLDER}/{folder}/submissions/{entry.slug}.json",
        **{name: getattr(card, name) for name in _OF_THE_CARD},
    )


_OF_THE_CARD = tuple(
    name
    for name in LineEntry.__struct_fields__
    if name in Card.__struct_fields__ and name not in Line.__struct_fields__
)


def _submission_text(track: str, entry: Entry, site: Site) -> bytes:
    groups = []
    columns = ["target", "metric", "value", "low", "high"]
    for (split, group), rows in entry.rows.group_by(["split", "group"], maintain_order=True):
        scores: dict[str, dict[str, Bounded]] = {}
        for target, metric, *bounded in rows.select(columns).iter_rows():
            scores.setdefault(metric, {})[target] = (bounded[0], bounded[1], bounded[2])
        designs, answered, clusters = (rows.item(0, name) for name in ("designs", "answered", "clusters"))
        groups.append(GroupScores(str(split), str(group), designs, answered, clusters, scores))
    about = entry.digest.about
    return _json(
        SubmissionFile(
            API,
            track,
            f"{track}/submissions/{entry.slug}.html",
            [f"{track}/{file.path}" for file in entry.downloads(site)],
            entry.card,
            entry.rank,
            entry.worst,
            entry.tie_group,
            about.predictions_sha256,
            about.fingerprint,
            EVALUATOR,
            groups,
        )
    )


def _table(board: Board) -> str:
    """One row a submission: card, ranks, then mean, interval and targets of the shown metrics, ``R2@lut test``."""
    lines = []
    for entry in board.entries:
        line = _line(board, entry)
        row = {name: getattr(line, name) for name in _PLAIN}
        row["authors"] = "; ".join(line.authors)
        for split, metrics in line.scores.items():
            row[f"coverage {split}"] = line.coverage[split]
            for metric, targets in metrics.items():
                for target, (value, low, high) in targets.items():
                    row[f"{metric}@{target} {split}"] = value
                    if target == MEAN:
                        row[f"{metric}@{target} {split} low"], row[f"{metric}@{target} {split} high"] = low, high
        lines.append(row)
    return _csv(pl.DataFrame(lines, infer_schema_length=None))


_PLAIN = (
    *("rank", "worst", "tie_group", "slug", "name", "kind", "family", "authors", "licence", "labels", "training_data"),
    *("parameters", "hardware", "seconds_per_design", "joules_per_design", "submitted", "page"),
)


def _reported_table(board: Board) -> str:
    tables = [
        result.rows.with_columns(slug=pl.lit(result.slug), name=pl.lit(result.name), source=pl.lit(result.source))
        for result in board.reported
    ]
    return _csv(pl.concat(tables)) if tables else ""


def _csv(table: pl.DataFrame) -> str:
    """CSV in which text that a spreadsheet would take for a formula begins with an apostrophe."""
    texts = pl.col(pl.String)
    guarded = pl.when(texts.str.contains(r"^[=+\-@\t]")).then("'" + texts).otherwise(texts)
    return table.with_columns(guarded.name.keep()).write_csv()


def _kinds() -> list[dict[str, Any]]:
    """What the page says of each kind of file."""
    return [
        {
            "name": name,
            "path": path,
            "about": textwrap.dedent(kind.__doc__ or "").strip(),
            "fields": [field.encode_name for field in msgspec.structs.fields(kind)],
        }
        for name, (kind, path) in FILES.items()
    ]
