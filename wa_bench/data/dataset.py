"""Datasets: the designs of some splits of a track, loaded lazily."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Self

import polars as pl

from wa_bench.data.sources import OnBad, Source, find
from wa_bench.errors import DataError, Fault, UnknownNameError
from wa_bench.records.schema import Design
from wa_bench.tracks.track import Track, track


class Dataset:
    """Designs of a track. Nothing is read before ``frame``, ``stream`` or ``fingerprint`` asks for it."""

    def __init__(
        self, track: Track, splits: Sequence[str], source: Source, families: Sequence[str] | None = None
    ) -> None:
        self.track = track
        self.splits = tuple(splits)
        self._source = source
        self._families = None if families is None else frozenset(families)

    def __repr__(self) -> str:
        chosen = "" if self._families is None else f", families {sorted(self._families)}"
        return f"<Dataset {self.track.name}: {', '.join(self.splits)}{chosen}>"

    def families(self, *names: str) -> Self:
        """The same dataset, narrowed to some families."""
        return type(self)(self.track, self.splits, self._source, names)

    def frame(self) -> pl.LazyFrame:
        """One row a design, with the columns of ``wa_bench.records.schema.Design``.

        Raises:
            RecordError: records that do not fit the schema, all of them at once.
        """
        frame = self._source.frame()
        if self._families is not None:
            frame = frame.filter(pl.col("family").is_in(sorted(self._families)))
        return frame

    def stream(self) -> Iterator[Design]:
        """The designs one by one as typed records, in bounded memory."""
        for design in self._source.stream():
            if self._families is None or design.family in self._families:
                yield design

    def sample_ids(self) -> pl.Series:
        """Ids of the designs, in order, with or without truth."""
        return self.frame().select("sample_id").collect().get_column("sample_id")

    def truth(self) -> pl.DataFrame:
        """``sample_id``, ``split``, the track's group columns, and its targets as Float64.

        Holds the designs that have every target.

        Raises:
            DataError: a sample id stands for more than one design, so that predictions cannot be told apart.
        """
        names = self.track.target_names
        truth = (
            self.frame()
            .select("sample_id", "split", *self.track.group_columns, *(pl.col(name).cast(pl.Float64) for name in names))
            .drop_nulls(names)
            .collect()
        )
        twice = truth.get_column("sample_id").filter(truth.get_column("sample_id").is_duplicated()).unique().sort()
        if len(twice):
            found = f"{len(twice):,} ids of several, such as {twice[0]!r}"
            raise DataError(Fault(repr(self), "each sample id to stand for one design", found))
        return truth

    @property
    def skipped(self) -> list[Fault]:
        """Faults of the records that ``on_bad="skip"`` passed over in the last read."""
        return list(self._source.skipped)

    def fingerprint(self) -> str:
        """Hash of sample ids, splits, groups and targets, independent of the order of the designs.

        Two datasets score alike if it is equal.
        """
        columns = ["sample_id", "split", *self.track.group_columns, *self.track.target_names]
        rows = self.frame().select(columns).collect().sort("sample_id")
        return sha256(rows.write_csv().encode()).hexdigest()


def load(
    track_name: str,
    split: str | Sequence[str],
    source: str | os.PathLike[str] | None = None,
    on_bad: OnBad = "raise",
) -> Dataset:
    """Some splits of a track's records, read when asked for.

    Args:
        track_name: name of a track, such as ``opensynth``.
        split: one split or several.
        source: a folder in the Hub's layout or a file, instead of the usual places.
        on_bad: what to do with records that do not fit the schema: "raise", or "skip" and list them.

    Raises:
        UnknownNameError: no such track or split.
        DataError: the files are not there; says how to get them.
    """
    chosen = track(track_name)
    splits = (split,) if isinstance(split, str) else tuple(dict.fromkeys(split))
    if on_bad not in ("raise", "skip"):
        raise UnknownNameError("value of on_bad", on_bad, ["raise", "skip"])
    for name in splits:
        if name not in chosen.splits:
            raise UnknownNameError(f"split of track {track_name}", name, chosen.splits)
    return Dataset(chosen, splits, find(chosen.dataset, splits, source, on_bad))
