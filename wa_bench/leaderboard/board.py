"""What every page is made from: a board of ranked entries, one a submission."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.data.predictions import Predictions
from wa_bench.errors import DataError
from wa_bench.evaluation.influence import Influence
from wa_bench.evaluation.metrics import Metric, parse_metric
from wa_bench.evaluation.report import EVALUATOR, MEAN, Scores, Settings, prediction_column
from wa_bench.files import replacing
from wa_bench.leaderboard.curves import Curves
from wa_bench.leaderboard.digest import Digest
from wa_bench.leaderboard.versions import Snapshot, Version
from wa_bench.submissions.card import CARD_FILE, Card
from wa_bench.submissions.reported import Reported
from wa_bench.submissions.scores import SCORES_FILE
from wa_bench.tracks.track import Track


@dataclass(frozen=True)
class Site:
    """What all pages of a site share.

    ``base_url`` is where it will stand, with a slash at its end, or empty where nobody knows. ``tracks`` are those that
    have a board, in their order; ``downloads`` whether predictions are part of the site.
    """

    title: str
    version: str
    base_url: str = ""
    tracks: tuple[Track, ...] = ()
    cache: Path | None = None
    downloads: bool = True

    def absolute(self, path: str) -> str:
        """The address of a page; only its path where the site's place is not known."""
        return self.base_url + path.removesuffix("index.html")

    def cached(self, key: Sequence[str], make: Callable[[], bytes]) -> bytes:
        """What ``make`` gives, from the cache where it was made before for an equal key.

        The key names all that the content depends on, beside the code of this package.
        """
        if self.cache is None:
            return make()
        place = self.cache / _hash(code(), *key)
        if not place.is_file():
            made = make()
            with replacing(place) as partial:
                partial.write_bytes(made)
        return place.read_bytes()


class Download(NamedTuple):
    """A file of a submission: what it is, where it stands below the track's folder, bytes, and its origin."""

    title: str
    path: str
    size: int
    origin: Path


class Picture(NamedTuple):
    """An SVG file: where it stands below the track's folder, width and height in pixels, and the text itself."""

    path: str
    width: int
    height: int
    text: str

    @classmethod
    def of(cls, path: str, text: str) -> Self:
        """A picture whose first tag states its size in points."""
        head = text[: text.index(">")]
        width, height = (round(float(re.findall(rf' {side}="([\d.]+)pt"', head)[0]) * 4 / 3) for side in _SIDES)
        return cls(path, width, height, text)


_SIDES = ("width", "height")


@dataclass(frozen=True, eq=False)
class Entry:
    """A line of the board.

    ``rank`` is one more than the number of submissions that the paired test finds better, ``worst`` the number of
    those that it does not find worse: the submission may truly have any rank between. ``tie_group`` numbers the groups
    that it cannot part. All are None for controls and for submissions that leave designs out.
    """

    folder: Path
    card: Card
    digest: Digest
    exam: Dataset = field(repr=False)
    rank: int | None = None
    worst: int | None = None
    tie_group: int | None = None

    @property
    def slug(self) -> str:
        """Name of its folder and of its page."""
        return self.card.slug

    @property
    def is_control(self) -> bool:
        """Whether it only bounds the scale."""
        return self.card.kind == "control"

    @cached_property
    def scores(self) -> Scores:
        """``scores["R2@lut", "test", "conv1d"]``, ``.row(...)``, ``.mean(...)``, ``.coverage()``, ..."""
        return self.digest.scores(self.exam.track)

    @property
    def rows(self) -> pl.DataFrame:
        """One row a split, group, target and metric: columns of ``Scores.SCHEMA``."""
        return self.scores.rows

    @property
    def is_complete(self) -> bool:
        """Whether it answers every design."""
        return all(self.scores.coverage(split) in (None, 1.0) for split in self.scores.splits)

    def mean(self, metric: str, split: str | None = None, group: str = "all") -> float | None:
        """Mean of a metric over the targets."""
        return self.scores.mean(metric, split, group)

    def coverage(self, split: str | None = None) -> float | None:
        """Share of the designs that it answers; None where there are none."""
        return self.scores.coverage(split)

    def worst_group(self, split: str | None = None) -> tuple[str, float] | None:
        """The group with the worst mean of the ranking metric, and that."""
        return self.scores.worst_group(split)

    @cached_property
    def curves(self) -> Curves:
        """Summaries of its errors: ``cdf``, ``boxes``, ``by_size``, ``by_reuse``."""
        return self.digest.curves

    def design_errors(self, split: str) -> pl.DataFrame:
        """Designs and errors (columns of ``Report.errors``) of a split with few designs; empty for large ones."""
        return self.digest.small_exams.filter(pl.col("split") == split)

    def influence(self, place: int) -> Influence:
        """By how much each pool of designs moves the score in row ``place``, of the ranking metric or tie-breaker."""
        return self.scores.influence(place)

    def predictions(self) -> Predictions:
        """Its predictions, read again from the file."""
        return Predictions.read(self.predictions_file, self.exam.track.target_names)

    @property
    def predictions_file(self) -> Path:
        """The file that holds its predictions."""
        return self.folder / self.digest.about.predictions_file

    @cached_property
    def files(self) -> list[Download]:
        """Its files as they stand in ``submissions/<slug>/`` of the track's folder on the site, predictions last."""
        known = {"Card": CARD_FILE, "Scores": SCORES_FILE, "Predictions": self.predictions_file.name}
        found = [(title, self.folder / name) for title, name in known.items()]
        return [
            Download(title, f"submissions/{self.slug}/{path.name}", path.stat().st_size, path) for title, path in found
        ]

    def downloads(self, site: Site) -> list[Download]:
        """Those of its files that are part of the site."""
        return self.files if site.downloads else self.files[:-1]

    @cached_property
    def parity(self) -> Picture:
        """Its parity plots, one panel a target."""
        return Picture.of(f"submissions/{self.slug}/parity.svg", self.digest.parity)

    @cached_property
    def state(self) -> str:
        """Hash of all that its page shows."""
        return _hash(self.digest.key, msgspec.json.encode(self.card), self.rank, self.worst, self.tie_group)


@dataclass(frozen=True, eq=False)
class Board:
    """The entries of a track in order, best first, and the results that others published.

    ``exam`` are the designs scored on, ``data`` the same with all other splits, from the same source; both are None
    where there are only published results.
    """

    track: Track
    entries: tuple[Entry, ...]
    reported: tuple[Reported, ...] = ()
    exam: Dataset | None = None
    data: Dataset | None = None
    snapshots: tuple[Snapshot, ...] = ()

    @property
    def settings(self) -> Settings:
        """How intervals and ranks are made."""
        return self.entries[0].scores.settings if self.entries else Settings()

    @property
    def fingerprint(self) -> str | None:
        """Hash of the truth scored against."""
        return self.entries[0].scores.fingerprint if self.entries else None

    @property
    def evaluator(self) -> int:
        """Version of metrics and intervals."""
        return EVALUATOR

    @cached_property
    def truth(self) -> pl.DataFrame:
        """sample_id, split, group columns and targets of the designs scored, with their cluster; empty without exam."""
        return pl.DataFrame() if self.exam is None else self.exam.exam()

    @cached_property
    def at_hand(self) -> Dataset | None:
        """The records of all splits, else of those scored; None where there are none."""
        if self.data is not None:
            try:
                self.data.frame()
            except DataError:
                return self.exam
        return self.data

    @cached_property
    def absent_splits(self) -> list[str]:
        """The track's splits of which there is no record."""
        if self.at_hand is None:
            return list(self.track.splits)
        there = set(self.at_hand.frame().select(pl.col("split").unique()).collect().to_series())
        return [split for split in self.track.splits if split not in there]

    @cached_property
    def designs(self) -> dict[str, int]:
        """Number of designs scored by split, with truth."""
        if not self.entries:
            return {}
        scores = self.entries[0].scores
        return {split: scores.row((self.ranking[0], split))["designs"] for split in scores.splits}

    def worst_designs(self, entry: Entry) -> list[dict[str, Any]]:
        """The designs that an entry errs most on, worst first within each split.

        Fields of the record (sample_id, split, group, model_name, strategy, reuse_factor, layers, ...), ``truth`` and
        ``predicted`` by target, and ``error``: the mean over the targets of the terms of SMAPE (0 to 200).
        """
        lines = []
        worst = entry.digest.worst_designs
        records = self._records(worst["sample_id"])
        for line in worst.iter_rows(named=True):
            record = records.get((line["split"], line["sample_id"]), {})
            targets = self.track.target_names
            lines.append(
                {
                    **record,
                    "sample_id": line["sample_id"],
                    "split": line["split"],
                    "error": line["error"],
                    "truth": {name: line[name] for name in targets},
                    "predicted": {name: line[prediction_column(name)] for name in targets},
                }
            )
        return lines

    def _records(self, ids: pl.Series) -> dict[tuple[str, str], dict[str, Any]]:
        """Records of some designs, by split and id."""
        if self.exam is None:
            return {}
        found = self.exam.frame().filter(pl.col("sample_id").is_in(ids.implode())).collect()
        return {(record["split"], record["sample_id"]): record for record in found.iter_rows(named=True)}

    @property
    def metrics(self) -> list[Metric]:
        """The track's metrics, with title, formula, direction, unit and range."""
        return [parse_metric(name) for name in self.track.metrics]

    @property
    def ranking(self) -> tuple[str, str]:
        """Key of the score that ranks, and of the one that orders equal scores."""
        return f"{self.track.rank_by}@{MEAN}", f"{self.track.tie_breaker}@{MEAN}"

    def entry(self, slug: str) -> Entry:
        """The entry of that name."""
        return next(entry for entry in self.entries if entry.slug == slug)

    @cached_property
    def version(self) -> Version:
        """What this board is scored on, and its number."""
        return Version.of(self.track, self.fingerprint, self.snapshots)

    @cached_property
    def state(self) -> str:
        """Hash of all that a page of the whole board may show."""
        states = [entry.state for entry in self.entries]
        published = [msgspec.json.encode(result) for result in (*self.reported, *self.snapshots)]
        return _hash(self.track, self.version, *states, *published)


def _hash(*parts: object) -> str:
    digest = sha256()
    for part in parts:
        text = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def ranked(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that have a rank."""
    return [entry for entry in entries if entry.rank is not None]


@cache
def code() -> str:
    """Hash of this package's templates and of the code that makes pages."""
    folders = [files("wa_bench").joinpath(*parts) for parts in (("leaderboard",), ("evaluation",), ("tracks",))]
    paths = [path for folder in folders for path in Path(str(folder)).rglob("*") if path.suffix in _CODE]
    return _hash(*(path.read_bytes() for path in sorted(paths)))


_CODE = {".py", ".j2"}
