"""A track: a question about accelerator cost with a judge, as one declarative value.

Loading, surrogates, evaluation, submission and site work on any track and know none by name. A new track is one
file with a ``Track`` and one line under the entry points ``wa_bench.tracks``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points

from wa_bench.errors import UnknownNameError


@dataclass(frozen=True)
class Target:
    """A figure to predict: a column of the records, with the unit it is counted in."""

    name: str
    label: str
    unit: str
    description: str


@dataclass(frozen=True)
class Group:
    """Designs of one split that are scored together: those whose ``column`` equals ``value``; all where None."""

    name: str
    column: str | None = None
    value: str | None = None


ALL = Group("all")


@dataclass(frozen=True)
class Exam:
    """A split that is scored, with the groups reported on it.

    Records alike in all ``alike`` columns are not independent of one another and are resampled together, as one
    cluster; ``layers.kind`` is a field of a list of structs. Without any, every record stands for itself. Clusters
    are drawn within each value of the column ``strata``, where there is one: what is not drawn at random, such as
    the exemplar models, then stays as it is. ``sampled`` says in words what an interval allows for.
    """

    split: str
    groups: tuple[Group, ...]
    alike: tuple[str, ...] = ()
    strata: str | None = None
    sampled: str = "other records like these"


@dataclass(frozen=True)
class Truth:
    """Another truth than a track's own. ``columns`` are where it stands, a path a target (``hls_estimate.lut``)."""

    name: str
    description: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """Everything the other parts need to know of a track.

    ``datasets`` are names of the catalogue, all of one record type. ``metrics`` are metric names as
    ``wa_bench.evaluation.metrics`` parses them. ``rank_by`` is the one whose mean over the targets, on the first exam's
    group ``all``, orders the board; ``tie_breaker`` the one that orders equal means. Both are among ``metrics``.
    ``truth`` says what the targets are, ``truth_columns`` where they stand if not in columns of their own name;
    ``other_truths`` can be asked for instead. ``content`` are the columns that say what was built or run and how: two
    records alike in them are the same thing twice.
    """

    name: str
    title: str
    question: str
    datasets: tuple[str, ...]
    truth: str
    targets: tuple[Target, ...]
    splits: tuple[str, ...]
    exams: tuple[Exam, ...]
    metrics: tuple[str, ...]
    rank_by: str
    tie_breaker: str
    truth_columns: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    other_truths: tuple[Truth, ...] = ()

    def judged_by(self, truth: str) -> Track:
        """The same question with another truth: everything that is said of the targets is said of it.

        Raises:
            UnknownNameError: the track knows no such truth.
        """
        known = {other.name: other for other in self.other_truths}
        if truth not in known:
            raise UnknownNameError(f"other truth of track {self.name}", truth, list(known) or ["(none)"])
        return replace(self, truth=known[truth].description, truth_columns=known[truth].columns, other_truths=())

    @property
    def target_columns(self) -> tuple[str, ...]:
        """Where the targets stand: a column each, or ``column.field``."""
        return self.truth_columns or self.target_names

    @property
    def target_names(self) -> tuple[str, ...]:
        """Columns of the targets, in order."""
        return tuple(target.name for target in self.targets)

    def judged(self, metric: str) -> str:
        """What a metric says of a submission as a whole, in words."""
        if len(self.targets) == 1:
            return f"{metric} of {self.targets[0].label}"
        return f"mean {metric} over {len(self.targets)} targets"

    @property
    def group_columns(self) -> tuple[str, ...]:
        """Columns of the records that the groups of the exams look at, sorted."""
        return tuple(sorted({group.column for exam in self.exams for group in exam.groups if group.column}))

    @property
    def exam_splits(self) -> tuple[str, ...]:
        """The splits that are scored, in order."""
        return tuple(exam.split for exam in self.exams)


@cache
def _registry() -> dict[str, Track]:
    found = {entry.name: entry for entry in entry_points(group="wa_bench.tracks")}
    return {name: found[name].load() for name in sorted(found)}


def available() -> dict[str, Track]:
    """All installed tracks by name."""
    return dict(_registry())


def track(name: str) -> Track:
    """The track called ``name``.

    Raises:
        UnknownNameError: there is none; lists those that are.
    """
    try:
        return _registry()[name]
    except KeyError:
        raise UnknownNameError("track", name, list(_registry())) from None
