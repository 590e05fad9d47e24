"""Paths through designs: a layer waits for the slowest of the layers that it reads, and branches work side by side."""

from __future__ import annotations

import numpy as np
import polars as pl


def reads(table: pl.DataFrame) -> pl.DataFrame:
    """What reads what: ``reader source position``, indices into the table, and the reader's position in its design.

    Args:
        table: layers of whole designs, one after the other and in order: ``position``, ``inputs``.
    """
    return (
        table.lazy()
        .select(pl.int_range(pl.len(), dtype=pl.Int64).alias("reader"), pl.col("position").cast(pl.Int64), "inputs")
        .explode("inputs")
        .filter(pl.col("inputs").is_between(0, pl.col("position") - 1))
        .select("reader", (pl.col("reader") - pl.col("position") + pl.col("inputs")).alias("source"), "position")
        .collect()
    )


def readers(table: pl.DataFrame) -> pl.Series:
    """How many layers read each layer; ``table`` as for :func:`reads`."""
    return pl.Series("readers", np.bincount(reads(table).get_column("source"), minlength=table.height))


def longest(table: pl.DataFrame, **values: pl.Expr) -> pl.DataFrame:
    """For each layer the largest sum of each of ``values`` along a path to it, its own included.

    Args:
        table: layers of whole designs, as for :func:`reads`.
        values: what a layer adds; not negative.
    """
    own = table.select(value.cast(pl.Float64).alias(name) for name, value in values.items())
    added = own.to_numpy(order="c")
    before = np.zeros_like(added)
    sums = added.copy()
    for part in reads(table).sort("position").partition_by("position"):
        reader, source = part.get_column("reader").to_numpy(), part.get_column("source").to_numpy()
        np.maximum.at(before, reader, sums[source])
        sums[reader] = before[reader] + added[reader]
    return pl.DataFrame(sums, schema=own.columns)
