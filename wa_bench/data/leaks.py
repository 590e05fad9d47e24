"""Leaks: the same thing, built or run in the same way, in more than one split."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, Fault

_ROWS = 16_384
_NAMES = {"name"}


class Leaks(NamedTuple):
    """What splits have in common.

    Attributes:
        records: number of records looked at.
        shared: a row a pair of splits: ``split``, ``other``, ``contents`` (that both hold) and ``records`` (of
            ``other`` that hold them).
        examples: up to three contents a pair: ``split``, ``other``, ``sample_id``, ``other_sample_id``.
    """

    records: int
    shared: pl.DataFrame
    examples: pl.DataFrame


def leaks(dataset: Dataset) -> Leaks:
    """Compare the records of all splits of ``dataset`` by a hash of their content, names and targets left out.

    Raises:
        DataError: the track does not say what the content of its records is.
    """
    if not dataset.track.content:
        expected = "a track that says what the content of its records is"
        raise DataError(Fault(repr(dataset), expected, f"none for {dataset.track.name}"))
    frame = dataset.frame().select("sample_id", "split", *dataset.track.content)
    content = pl.concat_str([_text(name, dtype) for name, dtype in frame.collect_schema().items()][2:], separator="|")
    hashed = [
        rows.select("sample_id", "split", content.hash().alias("content"))
        for rows in frame.collect_batches(chunk_size=_ROWS)
    ]
    seen = pl.concat(hashed or [frame.select("sample_id", "split", content.hash().alias("content")).collect()])
    return _compared(seen, dataset.splits)


def _compared(seen: pl.DataFrame, splits: tuple[str, ...]) -> Leaks:
    order = pl.Enum(list(splits))
    by_content = seen.with_columns(pl.col("split").cast(order)).group_by("split", "content", maintain_order=True)
    contents = by_content.agg(pl.col("sample_id").first(), pl.len().alias("records"))
    pairs = contents.join(contents, on="content", suffix="_other").filter(pl.col("split") < pl.col("split_other"))
    pairs = pairs.rename({"split_other": "other", "sample_id_other": "other_sample_id"}).sort(
        "split", "other", "sample_id", "other_sample_id"
    )
    shared = pairs.group_by("split", "other", maintain_order=True).agg(
        pl.len().alias("contents"), pl.col("records_other").sum().alias("records")
    )
    examples = pairs.group_by("split", "other", maintain_order=True).head(3)
    return Leaks(seen.height, shared, examples.select("split", "other", "sample_id", "other_sample_id"))


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as text, in which names do not count."""
    column = pl.col(name)
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        told = [pl.element().struct.field(field.name) for field in dtype.inner.fields if field.name not in _NAMES]
        text = column.list.eval(pl.struct(told).struct.json_encode()).list.join("|")
    elif isinstance(dtype, pl.Struct):
        text = column.struct.json_encode()
    else:
        text = column.cast(pl.String)
    return text.fill_null("")
