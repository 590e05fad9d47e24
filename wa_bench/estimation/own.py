"""Designs in memory as a dataset, so that any surrogate can predict them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import Fault
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design
from wa_bench.tracks.track import track


class _InMemory:
    """Designs that are in no file."""

    kind: type[msgspec.Struct] = Design

    def __init__(self, designs: Sequence[Design]) -> None:
        self.skipped: list[Fault] = []
        self._designs = designs

    def frame(self) -> pl.LazyFrame:
        return to_frame(self._designs, Design).lazy()

    def stream(self) -> Iterator[Design]:
        return iter(self._designs)

    def parts(self) -> list[Path]:
        return []


def as_dataset(designs: Sequence[Design]) -> Dataset:
    """The designs, without truth, as a dataset of the track ``hls4ml``."""
    return Dataset(track("hls4ml"), sorted({design.split for design in designs}), [_InMemory(designs)])
