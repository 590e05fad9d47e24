"""What a surrogate may not learn from: whole model families and whole devices, never single rows.

A family falls into train, val or test by the SHA-256 of its name: alike in every dataset, whatever else was read. The
rows of a held-out device fall into ``device``. The hash's prefix was picked among a few, before any surrogate was
fitted, so that transformers and convolutional networks fall into each split.
"""

from __future__ import annotations

from hashlib import sha256

import polars as pl

SPLITS = ("train", "val", "test", "device")
"""What a row can fall into."""


def family_split(family: str) -> str:
    """Where a family falls on the devices that train sees: of ten seven into train, one into val, two into test."""
    share = int.from_bytes(sha256(f"holdout/{family}".encode()).digest()[:8]) / 2**64
    return "train" if share < 0.7 else "val" if share < 0.8 else "test"


def split_by(families: pl.Series, seen: pl.Series | None = None) -> pl.Series:
    """The split of each row.

    Args:
        families: model family of the row, or what else is held out as a whole.
        seen: whether train sees the row's device; every device is seen where None.
    """
    splits = families.replace_strict({name: family_split(name) for name in families.unique()}, return_dtype=pl.String)
    if seen is not None:
        splits = splits.zip_with(seen, pl.repeat("device", len(splits), dtype=pl.String, eager=True))
    return splits.rename("split")


def components(members: pl.Series, links: pl.Series) -> pl.Series:
    """For each row the alphabetically first of the members that hang together with its own.

    Rows are edges of a graph: members hang together that share a link, or that both hang together with a third. A
    missing link joins nothing.
    """
    edges = pl.DataFrame({"member": members, "link": links, "first": members})
    linked = pl.when(pl.col("link").is_not_null()).then(pl.min("first").over("link")).otherwise("first")
    while True:
        joined = edges.with_columns(first=linked).with_columns(pl.min("first").over("member"))
        if joined.equals(edges):
            return edges.get_column("first")
        edges = joined
