"""An exam held in memory: what judging needs of a dataset, read once for many submissions."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from wa_bench.data.dataset import Dataset


class HeldExam(Dataset):
    """The same designs to score as in a dataset; ids, truth and fingerprint are read once and then kept."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.track, dataset.splits, dataset._sources, dataset._chosen)

    def sample_ids(self) -> pl.Series:
        """Ids of the records, in order, with or without truth."""
        return self._ids

    def exam(self) -> pl.DataFrame:
        """See ``Dataset.exam``."""
        return self._exam

    def fingerprint(self) -> str:
        """See ``Dataset.fingerprint``."""
        return self._fingerprint

    @cached_property
    def _ids(self) -> pl.Series:
        return super().sample_ids()

    @cached_property
    def _exam(self) -> pl.DataFrame:
        return super().exam()

    @cached_property
    def _fingerprint(self) -> str:
        return super().fingerprint()
