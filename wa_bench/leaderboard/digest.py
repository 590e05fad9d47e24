"""What the site keeps of one submission: all that its pages show and its rank needs, made once and cached by content.

A digest is a folder. Its name is the hash of the predictions, of the stored scores, of what they are scored on, and of
the code that makes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from wa_bench.data.dataset import Dataset
from wa_bench.evaluation.evaluator import layout, score_exam, with_predictions
from wa_bench.evaluation.influence import Influence
from wa_bench.evaluation.parity import parity
from wa_bench.evaluation.report import EVALUATOR, Report, Scores, Settings
from wa_bench.evaluation.svg import by_itself
from wa_bench.files import sha256_of
from wa_bench.leaderboard.curves import Curves, curves, small_exams, worst_designs
from wa_bench.submissions.folder import Submission, check, verify_scores
from wa_bench.submissions.scores import SCORES_FILE, Cell, trusted
from wa_bench.tracks.track import ALL, Track

_ABOUT, _PARITY = "about.json", "parity.svg"


class About(msgspec.Struct, frozen=True):
    """Small facts of a digest.

    ``content`` is equal for equal predictions, ``answers`` for the same designs answered, ``places`` is split to the
    rows whose influences are kept, ``verified`` says whether the intervals were computed anew as well.
    """

    key: str
    predictions_file: str
    predictions_sha256: str
    content: str
    fingerprint: str
    settings: Settings
    answers: str
    places: dict[str, list[int]]
    verified: bool


class Digest:
    """A digest in its folder; every part is read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_there(self) -> bool:
        """Whether it was made."""
        return (self.folder / _ABOUT).is_file()

    @cached_property
    def about(self) -> About:
        """Small facts."""
        return msgspec.json.decode((self.folder / _ABOUT).read_bytes(), type=About)

    @property
    def key(self) -> str:
        """Hash of all that it was made from."""
        return self.about.key

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The scores: columns of ``Scores.SCHEMA``."""
        return self._table("rows")

    @property
    def curves(self) -> Curves:
        """Summaries of the errors."""
        return Curves(*(self._table(name) for name in Curves._fields))

    @property
    def worst_designs(self) -> pl.DataFrame:
        """See ``wa_bench.leaderboard.curves.worst_designs``."""
        return self._table("worst")

    @property
    def small_exams(self) -> pl.DataFrame:
        """See ``wa_bench.leaderboard.curves.small_exams``."""
        return self._table("small")

    @property
    def judged_otherwise(self) -> pl.DataFrame:
        """See ``wa_bench.leaderboard.digest.judged_otherwise``."""
        return self._table("otherwise")

    @property
    def parity(self) -> str:
        """Parity plots as SVG text."""
        return (self.folder / _PARITY).read_text(encoding="utf-8")

    @cache  # noqa: B019
    def scores(self, track: Track) -> Scores:
        """The scores, as the evaluator would give them; influences only of the ranking metric and the tie-breaker."""
        about = self.about
        return _Stored(track, self.rows, about.fingerprint, about.settings, _Influences(self), about.answers)

    def influence(self, place: int) -> Influence:
        """By how much each pool of designs moves the score in row ``place``.

        Raises:
            KeyError: that of another metric.
        """
        split, row = self._rows_of_influences[place]
        moved, strata = self._influences(split)
        return Influence(moved[row], strata)

    @cached_property
    def _rows_of_influences(self) -> dict[int, tuple[str, int]]:
        return {place: (split, row) for split, some in self.about.places.items() for row, place in enumerate(some)}

    @cache  # noqa: B019  (a digest lives as long as the build)
    def _influences(self, split: str) -> tuple[Any, Any]:
        moved = np.load(self.folder / f"influences-{split}.npy", mmap_mode="r", allow_pickle=False)
        return moved, np.load(self.folder / f"strata-{split}.npy", allow_pickle=False)

    def _table(self, name: str) -> pl.DataFrame:
        return pl.read_ipc(self.folder / f"{name}.arrow")


class _Stored(Scores):
    """Scores of a digest: on all exams of the track, in the order of the evaluator."""

    @cached_property
    def splits(self) -> list[str]:
        """See ``Scores.splits``."""
        return list(self.track.exam_splits)

    @cached_property
    def cells(self) -> dict[Cell, int]:
        """See ``Scores.cells``."""
        return _places(self.track)


@cache
def _places(track: Track) -> dict[Cell, int]:
    return {cell: place for place, cell in enumerate(layout(track))}


class _Influences(Mapping[int, Influence]):
    """Influences of the rows that a digest keeps."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest

    def __getitem__(self, place: int) -> Influence:
        return self._digest.influence(place)

    def __iter__(self) -> Iterator[int]:
        return (place for places in self._digest.about.places.values() for place in places)

    def __len__(self) -> int:
        return sum(map(len, self._digest.about.places.values()))


def key_of(predictions: Path, scores: Path, exam: Dataset, hash_of: Callable[[Path], str] = sha256_of) -> str:
    """Hash of all that a digest is made from: equal ones are made once; ``hash_of`` hashes a file."""
    hashes = [hash_of(path) if path.is_file() else "" for path in (predictions, scores)]
    parts = [*hashes, predictions.name, exam.fingerprint(), repr(exam.track), str(EVALUATOR), _code()]
    return sha256("\n".join(parts).encode()).hexdigest()


def make(folder: Path, exam: Dataset, reuse: pl.DataFrame | None, place: Path, *, verify: bool) -> None:
    """Write the digest of the submission in ``folder`` to ``place``, whole or not at all.

    The ranking metric and the tie-breaker are computed anew and compared with the stored scores; all else, the
    intervals too, with ``verify``.

    Raises:
        SubmissionError: the submission cannot be scored.
        DataError: its stored scores are missing or wrong.
    """
    submission = check(folder, exam=exam)
    if verify:
        verify_scores(submission)
    report = _trusted(submission)
    fresh = place.with_name(f".{place.name}.{os.getpid()}.partial")
    fresh.mkdir(parents=True)
    try:
        places = _write_influences(fresh, report)
        errors = report.errors()
        tables = {
            "rows": report.rows,
            "worst": worst_designs(errors, report.track),
            "small": small_exams(errors),
            "otherwise": judged_otherwise(submission),
            **curves(report.samples, report.track, reuse)._asdict(),
        }
        for name, table in tables.items():
            table.write_ipc(fresh / f"{name}.arrow", compression="zstd")
        (fresh / _PARITY).write_text(by_itself(parity(report)), encoding="utf-8")
        about = About(
            place.name,
            submission.predictions_file.name,
            sha256_of(submission.predictions_file),
            submission.predictions.content(),
            report.fingerprint,
            report.settings,
            report.answers,
            places,
            verify,
        )
        (fresh / _ABOUT).write_bytes(msgspec.json.encode(about))
        if place.exists():
            shutil.rmtree(place)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _trusted(submission: Submission) -> Report:
    """The stored scores of a submission, and what scoring it by the metrics that rank gives beside."""
    exam, track = submission.exam, submission.exam.track
    samples = with_predictions(exam.exam(), submission.predictions)
    parts = _scored(samples, track)
    computed = [row for rows, _ in parts for row in rows.drop("low", "high", "undefined").to_dicts()]
    influences = [influence for _, some in parts for influence in some]
    head = {
        "submission": submission.card.slug,
        "predictions_sha256": sha256_of(submission.predictions_file),
        "track": track.name,
        "truth": track.truth,
        "truth_fingerprint": exam.fingerprint(),
        "evaluator": EVALUATOR,
        "settings": asdict(Settings()),
    }
    remedy = f"run: wa-bench submit score {submission.folder}"
    cells = layout(track)
    rows = trusted(submission.folder / SCORES_FILE, head, cells, computed, remedy)
    place_of = {cell: place for place, cell in enumerate(cells)}
    known = {
        place_of[row["split"], row["group"], row["target"], row["metric"]]: influence
        for row, influence in zip(computed, influences, strict=True)
    }
    frame = pl.DataFrame(rows, schema=Report.SCHEMA)
    return Report(track, frame, samples.drop("cluster", "stratum"), exam.fingerprint(), Settings(), known)


def judged_otherwise(submission: Submission) -> pl.DataFrame:
    """Scores by the metrics that rank, against the other truths of the track, on the designs that have them.

    Columns: truth, split, target, metric, value.
    """
    exam = submission.exam
    tables = [pl.DataFrame(schema=_OTHERWISE)]
    for truth in exam.track.other_truths:
        judged = exam.judged_by(truth.name)
        whole = replace(judged.track, exams=tuple(replace(each, groups=(ALL,)) for each in judged.track.exams))
        designs = judged.truth().with_columns(cluster=0, stratum=0)  # no intervals, so that all may be alike
        for rows, _ in _scored(with_predictions(designs, submission.predictions), whole):
            tables.append(rows.select(pl.lit(truth.name).alias("truth"), *list(_OTHERWISE)[1:]))
    return pl.concat(tables)


_OTHERWISE = dict.fromkeys(("truth", "split", "target", "metric"), pl.String) | {"value": pl.Float64}


def _scored(samples: pl.DataFrame, track: Track) -> list[tuple[pl.DataFrame, list[Influence]]]:
    """Rows and influences of each exam by the metrics that rank, without intervals."""
    ranking = replace(track, metrics=tuple(dict.fromkeys((track.rank_by, track.tie_breaker))))
    with threadpool_limits(1, user_api="blas"):
        return [
            score_exam(samples.filter(pl.col("split") == each.split), ranking, each, Settings(resamples=0))
            for each in track.exams
        ]


def _write_influences(folder: Path, report: Report) -> dict[str, list[int]]:
    wanted = report.rows.with_row_index("place").filter(
        pl.col("metric").is_in([report.track.rank_by, report.track.tie_breaker])
    )
    places = {}
    for split in report.splits:
        places[split] = wanted.filter(pl.col("split") == split)["place"].to_list()
        moved = [report.influence(place) for place in places[split]]
        np.save(folder / f"influences-{split}.npy", np.array([each.values for each in moved]), allow_pickle=False)
        np.save(folder / f"strata-{split}.npy", moved[0].strata, allow_pickle=False)
    return places


@cache
def _code() -> str:
    """Hash of the code that a digest depends on."""
    package = Path(str(files("wa_bench")))
    paths = [path for folder in ("evaluation", "tracks") for path in (package / folder).glob("*.py")]
    paths += [package / "leaderboard" / name for name in ("digest.py", "curves.py")]
    return sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()
