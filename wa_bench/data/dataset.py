"""Datasets: the records of some splits of a track, loaded lazily and looked at in many ways."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import polars as pl

from wa_bench.data.catalogue import entry
from wa_bench.data.locate import Request, is_url, locate
from wa_bench.data.sources import OnBad, Source
from wa_bench.errors import DataError, Fault, UnknownNameError, needs_extra
from wa_bench.records.columns import arrow_schema, to_frame
from wa_bench.records.schema import Design
from wa_bench.tracks.track import Track, track

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import torch.utils.data
    import torch_geometric.data

    from wa_bench.data.batches import Sequences
    from wa_bench.data.encoding import Encoded

_ROWS = 65_536
_STREAMED = 1024
_HF_SHARDS = 16


class Dataset:
    """Records of a track. Nothing is read before a view asks for it."""

    def __init__(
        self, track: Track, splits: Sequence[str], sources: Sequence[Source], chosen: Sequence[pl.Expr] = ()
    ) -> None:
        self.track = track
        self.splits = tuple(splits)
        self._sources = tuple(sources)
        self._chosen = tuple(chosen)

    def __repr__(self) -> str:
        chosen = "".join(f", {expression}" for expression in self._chosen)
        return f"<Dataset {self.track.name}: {', '.join(self.splits)}{chosen}>"

    @property
    def kind(self) -> type[msgspec.Struct]:
        """The type of the records."""
        return self._sources[0].kind

    def families(self, *names: str) -> Self:
        """The same dataset, narrowed to some families."""
        return self.select(pl.col("family").is_in(sorted(names)))

    def select(self, *predicates: pl.Expr, **constraints: Any) -> Self:
        """The same dataset, narrowed to the records that meet all predicates, as polars' ``filter`` reads them.

        For example ``select(pl.col("lut") < 1000, strategy="latency")``. A predicate is about one record; what
        compares it with others (a mean, a rank) belongs after ``frame``.
        """
        equal = [pl.col(name) == value for name, value in constraints.items()]
        return type(self)(self.track, self.splits, self._sources, [*self._chosen, *predicates, *equal])

    def judged_by(self, truth: str) -> Dataset:
        """The same records with another truth of the track, such as ``hls-estimate``.

        Raises:
            UnknownNameError: the track knows no such truth.
        """
        return Dataset(self.track.judged_by(truth), self.splits, self._sources, self._chosen)

    def frame(self) -> pl.LazyFrame:
        """One row a record, with the columns of the track's record type.

        Raises:
            RecordError: records that do not fit the schema, all of them at once.
        """
        frame = pl.concat([source.frame() for source in self._sources])
        return frame.filter(*self._chosen) if self._chosen else frame

    def stream(self) -> Iterator[Any]:
        """The records one by one, typed, in bounded memory."""
        for source in self._sources:
            records = source.stream()
            if not self._chosen:
                yield from records
                continue
            while some := list(islice(records, _STREAMED)):
                rows = to_frame(some, self.kind).with_row_index("_place").filter(*self._chosen).get_column("_place")
                yield from (some[row] for row in rows)

    def sample_ids(self) -> pl.Series:
        """Ids of the records, in order, with or without truth."""
        return self.frame().select("sample_id").collect().get_column("sample_id")

    def truth(self) -> pl.DataFrame:
        """``sample_id``, ``split``, the track's group columns, and its targets as Float64.

        Holds the records that have every target.
        """
        return self._targets().drop_nulls(self.track.target_names).collect()

    def exam(self) -> pl.DataFrame:
        """``truth`` of the splits that are scored, with ``cluster`` and ``stratum``, sorted by split and id.

        Records of a split that share a ``cluster`` (a number from zero) are not independent (``Exam.alike``);
        clusters are drawn at random within a ``stratum``.

        Raises:
            UnknownNameError: the dataset holds no split that the track scores.
        """
        if not set(self.splits) & set(self.track.exam_splits):
            raise UnknownNameError(
                f"exam split of track {self.track.name}", ", ".join(self.splits), self.track.exam_splits
            )
        parts = []
        targets = self.track.target_names
        columns = [pl.col("sample_id", "split", *self.track.group_columns), *targets_of(self.track)]
        for exam in self.track.exams:
            if exam.split not in self.splits:
                continue
            stratum = pl.col(exam.strata) if exam.strata else pl.lit(0)
            rows = self.frame().filter(pl.col("split") == exam.split)
            chosen = rows.select(*columns, _likeness(exam.alike).alias("cluster"), stratum.alias("stratum"))
            part = chosen.drop_nulls(targets).sort("sample_id").collect()
            numbered = part.with_row_index("row").with_columns(_numbered("cluster"), _numbered("stratum"))
            parts.append(numbered.drop("row"))
        return pl.concat(parts)

    def fingerprint(self) -> str:
        """Hash of sample ids, splits, groups and targets, independent of the order of the records.

        Two datasets score alike if it is equal.
        """
        rows = self._targets().collect()
        return sha256(rows.sort(rows.columns).write_csv().encode()).hexdigest()

    def _targets(self) -> pl.LazyFrame:
        return self.frame().select("sample_id", "split", *self.track.group_columns, *targets_of(self.track))

    @property
    def skipped(self) -> list[Fault]:
        """Faults of the records that ``on_bad="skip"`` passed over in the last read."""
        return [fault for source in self._sources for fault in source.skipped]

    def graphs(
        self, batch_size: int = 1024, *, shuffle: bool = False, seed: int = 0
    ) -> Iterator[torch_geometric.data.Batch]:
        """Batches of layer graphs for PyTorch Geometric (see ``wa_bench.data.batches.graph_batch``).

        Raises:
            DataError: the records have no layers.
            MissingToolError: torch or torch_geometric is not installed.
        """
        from wa_bench.data import batches

        encoded = self.encoded
        for rows in batches.in_batches(batches.order(len(encoded), shuffle, seed), batch_size):
            yield batches.graph_batch(encoded, rows)

    def sequences(self, batch_size: int = 1024, *, shuffle: bool = False, seed: int = 0) -> Iterator[Sequences]:
        """Batches of layer sequences, padded, with their mask (see ``wa_bench.data.batches.Sequences``).

        Raises:
            DataError: the records have no layers.
            MissingToolError: torch is not installed.
        """
        from wa_bench.data import batches

        encoded = self.encoded
        for rows in batches.in_batches(batches.order(len(encoded), shuffle, seed), batch_size):
            yield batches.sequence_batch(encoded, rows)

    def to_torch(
        self, view: str = "graphs", batch_size: int = 1024, *, shuffle: bool = False, seed: int = 0
    ) -> torch.utils.data.IterableDataset[Any]:
        """The batches of ``graphs`` or ``sequences`` for a ``DataLoader(batch_size=None)`` with any workers.

        Raises:
            UnknownNameError: no such view.
            DataError: the records have no layers.
            MissingToolError: torch is not installed.
        """
        from wa_bench.data import batches

        views = {"graphs": batches.graph_batch, "sequences": batches.sequence_batch}
        if view not in views:
            raise UnknownNameError("view", view, list(views))
        rows = batches.order(len(self.encoded), shuffle, seed)
        return batches.Batches(self.encoded, views[view], rows, batch_size)

    @cached_property
    def encoded(self) -> Encoded:
        """All records as arrays (see ``wa_bench.data.encoding``), made once.

        Raises:
            DataError: the records have no layers.
        """
        from wa_bench.data.encoding import ENCODED_COLUMNS, encode, joined

        if self.kind is not Design:
            raise DataError(Fault(repr(self), "records of networks with layers", "others", "use frame()"))
        wanted = self.frame().select(*ENCODED_COLUMNS, *targets_of(self.track))
        targets = self.track.target_names
        parts = [encode(rows, targets) for rows in wanted.collect_batches(chunk_size=_ROWS)]
        return joined(parts or [encode(wanted.collect(), targets)])

    def to_pandas(self) -> pd.DataFrame:
        """All records as a pandas frame.

        Raises:
            MissingToolError: pandas is not installed.
        """
        with needs_extra("hub"):
            import pandas  # noqa: F401
        return self.frame().collect().to_pandas()

    def to_hf(self, *, streaming: bool = True) -> datasets.IterableDataset | datasets.Dataset:
        """The records as a Hugging Face dataset: streamed in shards that workers can share, or whole.

        Raises:
            MissingToolError: datasets is not installed.
        """
        with needs_extra("hub"):
            import datasets
        paths = [path for source in self._sources for path in source.parts()]
        if streaming and paths and not self._chosen:
            files = [str(path) for path in paths]
            return datasets.load_dataset("parquet", data_files={"all": files}, split="all", streaming=True)
        schema = arrow_schema(self.kind)
        whole = datasets.Dataset(self.frame().collect().rechunk().to_arrow().cast(schema))
        return whole.to_iterable_dataset(num_shards=min(_HF_SHARDS, max(1, len(whole)))) if streaming else whole


def load(
    track_name: str,
    split: str | Sequence[str],
    source: str | os.PathLike[str] | None = None,
    on_bad: OnBad = "raise",
    *,
    truth: str | None = None,
    config: str = "default",
) -> Dataset:
    """Some splits of a track's records, read when asked for.

    Args:
        track_name: name of a track, such as ``opensynth``.
        split: one split or several.
        source: where to read instead of the usual places: a folder in upstream's layout, a file, a URL of such a
            folder; or the name of one of the track's datasets, for that one alone.
        on_bad: what to do with records that do not fit the schema: "raise", or "skip" and list them.
        truth: another truth than the track's own, such as ``hls-estimate``; targets are then taken from there.
        config: the Hub's configuration; only ``default`` keeps training and test records apart.

    Raises:
        UnknownNameError: no such track, split or truth.
        DataError: the files are not there; says how to get them. Or the configuration mixes the splits.
    """
    chosen = track(track_name) if truth is None else track(track_name).judged_by(truth)
    splits = (split,) if isinstance(split, str) else tuple(dict.fromkeys(split))
    if on_bad not in ("raise", "skip"):
        raise UnknownNameError("value of on_bad", on_bad, ["raise", "skip"])
    _refuse_mixed(chosen, splits, config)
    for name in splits:
        if name not in chosen.splits:
            raise UnknownNameError(f"split of track {track_name}", name, chosen.splits)
    places = _places(chosen, source)
    return Dataset(chosen, splits, [locate(Request(name, splits, place, on_bad)) for name, place in places.items()])


def _refuse_mixed(chosen: Track, splits: Sequence[str], config: str) -> None:
    """Refuse the Hub's configurations that mix the splits, by their name or by that of their tables."""
    for name in chosen.datasets:
        known = entry(name)
        tables = [split for split in splits if split in known.families and split not in chosen.splits]
        for refused, reason in known.refused.items():
            if config == refused or tables:
                found = f"the configuration {refused}" + (f" ({', '.join(tables)})" if tables else "")
                raise DataError(Fault(name, "splits that keep training and test records apart", found, reason))
    if config != "default":
        raise UnknownNameError("configuration", config, ["default"])


def _places(chosen: Track, source: str | os.PathLike[str] | None) -> dict[str, str | os.PathLike[str] | None]:
    """Which of the track's datasets to read, and where; None for the usual places."""
    if source is None:
        return dict.fromkeys(chosen.datasets)
    if isinstance(source, str) and source in chosen.datasets:
        return {source: None}
    if len(chosen.datasets) == 1:
        return {chosen.datasets[0]: source}
    if is_url(source):
        return {name: f"{source}/{name}" for name in chosen.datasets}
    path = Path(source)
    if path.name in chosen.datasets:
        return {path.name: source}
    found: dict[str, str | os.PathLike[str] | None] = {
        name: path / name for name in chosen.datasets if (path / name).is_dir()
    }
    if not found:
        expected = f"one of the datasets {', '.join(chosen.datasets)}, or a folder that holds them by these names"
        raise DataError(Fault(f"source {os.fspath(source)!r}", expected, "neither"))
    return found


def targets_of(chosen: Track) -> list[pl.Expr]:
    """The targets as Float64, each from its column or from a field of a struct column."""
    targets = []
    for name, path in zip(chosen.target_names, chosen.target_columns, strict=True):
        column, _, field = path.partition(".")
        value = pl.col(column).struct.field(field) if field else pl.col(column)
        targets.append(value.cast(pl.Float64).alias(name))
    return targets


def _likeness(paths: Sequence[str]) -> pl.Expr:
    """A number that is equal for records alike in all of ``paths``; one a record where there are none."""
    if not paths:
        return pl.int_range(pl.len()).cast(pl.UInt64)
    fields: dict[str, list[str]] = {}
    for path in paths:
        column, _, field = path.partition(".")
        fields.setdefault(column, []).append(field)
    hashes = []
    for column, names in fields.items():
        if names == [""]:
            hashes.append(pl.struct(column).hash())
        else:
            inner = pl.struct([pl.element().struct.field(name) for name in names]).hash()
            hashes.append(pl.col(column).list.eval(inner).hash())
    return pl.struct([value.alias(str(place)) for place, value in enumerate(hashes)]).hash()


def _numbered(column: str) -> pl.Expr:
    """Values as numbers from zero, in order of their first appearance; needs the row's number in ``row``."""
    return (pl.col("row").min().over(column).rank("dense").cast(pl.Int64) - 1).alias(column)
