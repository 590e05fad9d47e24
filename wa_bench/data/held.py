"""An exam held in memory: read once for many submissions and pages."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from wa_bench.data.dataset import Dataset


class HeldExam(Dataset):
    """The same designs to score as in a dataset; each thing is read when first asked for, and then kept.

    Ids and fingerprint are found without the other columns: they take a tenth of the time.
    """

    def __init__(self, dataset: Dataset, records: pl.DataFrame | None = None) -> None:
        super().__init__(dataset.track, dataset.splits, dataset._sources, dataset._chosen)
        self._dataset = dataset
        self._records = records

    def judged_by(self, truth: str) -> Dataset:
        """See ``Dataset.judged_by``; the records are not read again."""
        return HeldExam(super().judged_by(truth), self._frame)

    def frame(self) -> pl.LazyFrame:
        """See ``Dataset.frame``."""
        return self._frame.lazy()

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
    def _frame(self) -> pl.DataFrame:
        return super().frame().collect() if self._records is None else self._records

    @cached_property
    def _ids(self) -> pl.Series:
        return self._dataset.sample_ids()

    @cached_property
    def _exam(self) -> pl.DataFrame:
        return super().exam()

    @cached_property
    def _fingerprint(self) -> str:
        return self._dataset.fingerprint()
