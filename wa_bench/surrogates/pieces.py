"""Designs in pieces of bounded size: what surrogates read of a dataset."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from wa_bench.data.dataset import Dataset, targets_of
from wa_bench.records.schema import LATENCIES, RESOURCES

TRUTH = (*RESOURCES, *LATENCIES, "hls_estimate")
"""Columns that no surrogate may use as input."""
_ROWS = 8192


def pieces(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows, in order; at least one piece."""
    empty = True
    for piece in frame.collect_batches(chunk_size=_ROWS):
        yield piece
        empty = False
    if empty:
        yield frame.collect()


def learnable(dataset: Dataset) -> Iterator[pl.DataFrame]:
    """The designs that have every target: their inputs, and the targets by name, whichever truth judges them."""
    targets = targets_of(dataset.track)
    return pieces(dataset.frame().select(pl.exclude(TRUTH), *targets).drop_nulls(dataset.track.target_names))


def tools(dataset: Dataset) -> tuple[str, ...]:
    """The synthesis tools of the designs, sorted."""
    return tuple(sorted(dataset.frame().select("tool").unique().collect().get_column("tool")))
