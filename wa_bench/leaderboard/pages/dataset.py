"""The page of a track's data: what its designs are, how they are spread, and, where that is allowed, some of them.

Beside it stand its figures and the sample as CSV, in ``<track>/data/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl

from wa_bench.data.cards import about, licence_url
from wa_bench.data.catalogue import Entry as Known
from wa_bench.data.catalogue import entry as known
from wa_bench.data.dataset import Dataset, targets_of
from wa_bench.evaluation.metrics import Floats
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board, Picture, Site
from wa_bench.leaderboard.data_figures import coverage_of_settings, spread_of_networks, spread_of_targets
from wa_bench.leaderboard.pages import Page, render
from wa_bench.leaderboard.pages.embedded import embedded
from wa_bench.leaderboard.pages.exemplars import models
from wa_bench.records.schema import Design

MOST_SHOWN = 2000
"""Designs of the sample."""
OPEN_LICENCES = ("Apache-2.0", "CC-BY-4.0", "CC0-1.0", "MIT")
"""Under which records may be passed on, with their source named."""

_SEED = 0
_FIRST = 20
_KINDS = ("split", "family", "group", "strategy", "io_type")
_CODE = re.compile(r"`([^`]*)`|\*\*([^*]*)\*\*|\[([^\]]*)\]\([^)]*\)")


def pages(board: Board, site: Site) -> Iterator[Page]:
    """The page, its figures and its sample."""
    folder = f"{board.track.name}/data"
    path = f"{folder}.html"
    if (data := board.at_hand) is None:
        yield Page(path, partial(_page, board, site, path, None))
        return
    records = _Records(data)
    yield Page(path, partial(_page, board, site, path, records), records.state)
    for name in records.figures:
        yield Page(f"{folder}/{name}.svg", partial(_picture, site, records, name), records.state)
    if records.may_be_shown:
        yield Page(f"{folder}/sample.csv", partial(_csv, records), records.state)


def _picture(site: Site, records: _Records, name: str) -> bytes:
    return site.cached((name, records.state), lambda: records.figures[name]().encode())


def _csv(records: _Records) -> str:
    return records.sample.write_csv()


class _Records:
    """The records of a track, read column by column."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.track = data.track
        self.has_layers = data.kind is Design

    @property
    def may_be_shown(self) -> bool:
        """Whether this project passes them on, and may; of others the site shows distributions only."""
        found = [known(name) for name in self.track.datasets]
        return all(entry.licence in OPEN_LICENCES and entry.embedded is not None for entry in found)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """sample_id, what tells designs apart (``kinds``), sizes (``sizes``) and targets, sorted by id."""
        columns = [pl.col("sample_id"), *map(pl.col, self.kinds)]
        if self.has_layers:
            layers = pl.col("layers").list
            columns += [
                pl.col("precision").struct.field("width").alias("bits"),
                pl.col("reuse_factor").alias("reuse"),
                layers.len().cast(pl.Int64).alias("layers"),
                layers.eval(pl.element().struct.field("params")).list.sum().alias("params"),
            ]
        return self.data.frame().select(*columns, *targets_of(self.track)).sort("sample_id").collect()

    @cached_property
    def kinds(self) -> list[str]:
        """Columns of words."""
        there = self.data.frame().collect_schema().names()
        return [name for name in dict.fromkeys((*_KINDS, *self.track.group_columns)) if name in there]

    @property
    def sizes(self) -> list[str]:
        """Columns of numbers that are known before synthesis."""
        return ["bits", "reuse", "layers", "params"] if self.has_layers else []

    @cached_property
    def state(self) -> str:
        """Changes with the records: versions of the datasets, numbers and sums by split."""
        versions = [known(name).version for name in self.track.datasets]
        sums = (
            self.data.frame().select("split", *targets_of(self.track)).group_by("split").agg(pl.len(), pl.all().sum())
        )
        return f"{versions} {sorted(sums.collect().rows())}"

    @property
    def splits(self) -> list[str]:
        """Those that have records, in the track's order."""
        there = set(self.frame.get_column("split"))
        return [split for split in self.track.splits if split in there]

    def of(self, split: str) -> pl.DataFrame:
        """The records of a split."""
        return self.frame.filter(pl.col("split") == split)

    @property
    def figures(self) -> dict[str, Callable[[], str]]:
        """What can be drawn of them."""
        drawn: dict[str, Callable[[], str]] = {"targets": self._targets}
        if self.has_layers:
            drawn |= {"networks": self._networks, "settings": self._settings}
        return drawn

    def _targets(self) -> str:
        values = {
            split: {name: _known(rows, name) for name in self.track.target_names}
            for split in self.splits
            for rows in [self.of(split)]
        }
        return spread_of_targets(self.track.targets, values)

    def _networks(self) -> str:
        parts = {split: self.of(split) for split in self.splits}
        return spread_of_networks(
            {split: (_known(rows, "layers"), _known(rows, "params")) for split, rows in parts.items()}
        )

    def _settings(self) -> str:
        parts = {split: self.of(split).drop_nulls(["bits", "reuse"]) for split in self.splits}
        bits, reuse = ({split: _known(rows, name) for split, rows in parts.items()} for name in ("bits", "reuse"))
        return coverage_of_settings(bits, reuse)

    @cached_property
    def sample(self) -> pl.DataFrame:
        """At most ``MOST_SHOWN`` records, drawn with a seed; all where there are no more."""
        height = self.frame.height
        if height <= MOST_SHOWN:
            return self.frame
        chosen = np.random.default_rng(_SEED).choice(height, MOST_SHOWN, replace=False)
        return self.frame[np.sort(chosen)]


def _known(rows: pl.DataFrame, column: str) -> Floats:
    return rows.get_column(column).drop_nulls().cast(pl.Float64).to_numpy()


def _page(board: Board, site: Site, path: str, records: _Records | None) -> str:
    pictures = {}
    if records is not None:
        for name in records.figures:
            pictures[name] = Picture.of(f"data/{name}.svg", _picture(site, records, name).decode())
    shown = records is not None and records.may_be_shown
    return render(
        "dataset.html.j2",
        path,
        site,
        board=board,
        nav="data",
        datasets=[_dataset(name, known(name)) for name in board.track.datasets],
        pictures=pictures,
        families=_families(records) if records else None,
        targets=_targets(records) if records else None,
        models=[name for _, name in models(board)],
        explorer=_explorer(records) if records and shown else None,
        embedded=embedded(_sample(records)) if records and shown else "",
        records=records,
        absent=board.absent_splits,
    )


def _dataset(name: str, entry: Known) -> dict[str, Any]:
    """What the catalogue and the card say of a dataset."""
    home = entry.homepage if entry.homepage.startswith("https://") else None
    return {
        "name": name,
        "title": entry.title,
        "words": _CODE.sub(lambda found: next(part for part in found.groups() if part), _first_paragraph(name)),
        "facts": [
            ("version", entry.version),
            ("citation", entry.citation),
            ("home", entry.homepage if home is None else None),
            ("records", f"{sum(entry.rows.values()):,}" if entry.rows else None),
        ],
        "licence": entry.licence,
        "licence_url": licence_url(entry),
        "home": home,
    }


def _first_paragraph(name: str) -> str:
    return " ".join(about(name).text.strip().partition("\n\n")[0].split())


def _families(records: _Records) -> dict[str, Any]:
    """Number of records by family and split."""
    column = "family" if "family" in records.frame.columns else "group"
    if column not in records.frame.columns:
        return {"column": "", "lines": []}
    counted = records.frame.group_by(column, "split").len().rows()
    counts = {(family, split): count for family, split, count in counted}
    names = sorted({family for family, _ in counts if family is not None})
    lines = [(name, [counts.get((name, split), 0) for split in records.splits]) for name in names]
    return {"column": column, "lines": lines[:60], "more": max(0, len(lines) - 60)}


def _targets(records: _Records) -> list[dict[str, Any]]:
    """Coverage and range of each target in each split."""
    lines = []
    for target in records.track.targets:
        parts = []
        for split in records.splits:
            column = records.of(split).get_column(target.name)
            values = column.drop_nulls().to_numpy()
            parts.append(
                {
                    "split": split,
                    "designs": len(column),
                    "known": len(values),
                    "zero": int((values == 0).sum()),
                    "ends": [number(float(end(values))) for end in (np.min, np.median, np.max)]
                    if len(values)
                    else ["–"] * 3,
                }
            )
        lines.append({"target": target, "parts": parts})
    return lines


def _explorer(records: _Records) -> dict[str, Any]:
    """Columns, choices and the first designs of the sample."""
    labels = {
        "split": "Split",
        "family": "Family",
        "group": "Group",
        "strategy": "Strategy",
        "io_type": "Interface",
        "bits": "Bits",
        "reuse": "Reuse",
        "layers": "Layers",
        "params": "Parameters",
    }
    labels |= {target.name: target.label for target in records.track.targets}
    words = [name for name in records.kinds if records.sample.get_column(name).n_unique() > 1]
    numbers = [*records.sizes, *records.track.target_names]
    return {
        "words": [
            {
                "name": name,
                "label": labels.get(name, name),
                "values": sorted(records.sample.get_column(name).drop_nulls().unique()),
            }
            for name in words
        ],
        "numbers": [{"name": name, "label": labels.get(name, name)} for name in numbers],
        "first": records.sample.head(_FIRST).select("sample_id", *words, *numbers).rows(),
        "height": records.sample.height,
        "all": records.frame.height,
        "x": "params" if records.has_layers else records.track.target_names[0],
        "y": "lut" if "lut" in numbers else records.track.target_names[-1],
    }


def _sample(records: _Records) -> dict[str, Any]:
    """The sample column by column; words as their number in a list."""
    explorer = _explorer(records)
    sample = records.sample
    words = {}
    for column in explorer["words"]:
        place = {value: number for number, value in enumerate(column["values"])}
        words[column["name"]] = [place.get(value, -1) for value in sample.get_column(column["name"])]
    numbers = {
        column["name"]: [
            int(value) if value is not None and value == int(value) else value
            for value in sample.get_column(column["name"])
        ]
        for column in explorer["numbers"]
    }
    return {
        "ids": sample.get_column("sample_id").to_list(),
        "words": explorer["words"],
        "numbers": explorer["numbers"],
        "columns": {**words, **numbers},
        "x": explorer["x"],
        "y": explorer["y"],
    }
