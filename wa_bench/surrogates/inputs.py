"""Designs as arrays for neural surrogates: what a network sees of each layer and of each design.

Arrays of a whole dataset are made once, from columns, in pieces of bounded size; batches are cut out of them by index
(:func:`wa_bench.surrogates.training.batch_of`). There is no Python a design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.data.encoding import Codes, Floats, Indices, joined
from wa_bench.surrogates import analytic, features
from wa_bench.surrogates.pieces import learnable

FUNCTIONS = ("none", *features.TABLE_FUNCTIONS, *features.PLAIN_FUNCTIONS, "softmax")
"""Activation functions by code."""


@dataclass(frozen=True)
class Inputs:
    """Designs as arrays.

    Attributes:
        pointers: (designs + 1,) where each design's layers start.
        layers: (layers, numbers of a layer).
        codes: (layers, categories of a layer), each category by its code.
        edge_pointers: (designs + 1,) where each design's edges start.
        edges: (2, edges) int32: from and to, counted within the design.
        designs: (designs, numbers of a design).
        baseline: (designs, targets) ``log1p`` of the analytic estimate.
        exact: (designs, targets) whether the rules claim that the estimate is exact.
        targets: (designs, targets) truth, NaN where it is not told.
    """

    pointers: Indices
    layers: Floats
    codes: Codes
    edge_pointers: Indices
    edges: npt.NDArray[np.int32]
    designs: Floats
    baseline: npt.NDArray[np.float64]
    exact: npt.NDArray[np.bool_]
    targets: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.designs)


class View(NamedTuple):
    """A way to see designs.

    Attributes:
        make: the arrays of a frame of designs, given the names of the targets.
        code_sizes: how many values each category of a layer has.
    """

    make: Callable[[pl.DataFrame, Sequence[str]], Inputs]
    code_sizes: tuple[int, ...]


def read(dataset: Dataset, view: View) -> Inputs:
    """The arrays of the designs that have every target."""
    return joined(view.make(rows, dataset.track.target_names) for rows in learnable(dataset))


def physics(frame: pl.DataFrame, targets: Sequence[str]) -> Inputs:
    """Features with physics: :data:`features.NUMERIC` as ``log1p``, role and function; :func:`features.designs`."""
    table = features.layers(frame)
    codes = table.select(
        pl.col("role").replace_strict(features.ROLES, range(len(features.ROLES)), return_dtype=pl.UInt8),
        pl.col("function").replace_strict(FUNCTIONS, range(len(FUNCTIONS)), default=0, return_dtype=pl.UInt8),
    )
    verdicts = analytic.exactness(frame, table)
    pointers = layer_pointers(frame)
    edge_pointers, edges = edges_of(frame)
    return Inputs(
        pointers=pointers,
        layers=table.select(pl.col(features.NUMERIC).cast(pl.Float64).log1p().cast(pl.Float32)).to_numpy(order="c"),
        codes=codes.to_numpy(order="c"),
        edge_pointers=edge_pointers,
        edges=edges,
        designs=features.designs(frame, table).cast(pl.Float32).to_numpy(order="c"),
        baseline=analytic.estimate(frame, table).select(pl.col(targets).log1p()).to_numpy(order="c"),
        exact=verdicts.select(pl.col(targets) == "exact").to_numpy(order="c"),
        targets=truth_of(frame, targets),
    )


PHYSICS = View(physics, (len(features.ROLES), len(FUNCTIONS)))


def layer_pointers(frame: pl.DataFrame) -> Indices:
    """Where each design's layers start."""
    counts = frame.get_column("layers").list.len().to_numpy()
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def truth_of(frame: pl.DataFrame, targets: Sequence[str]) -> npt.NDArray[np.float64]:
    """The truth (designs, targets), NaN where the frame does not hold it."""
    if not set(targets) <= set(frame.columns):
        return np.full((frame.height, len(targets)), np.nan)
    return frame.select(pl.col(targets).cast(pl.Float64).fill_null(float("nan"))).to_numpy(order="c")


def edges_of(frame: pl.DataFrame) -> tuple[Indices, npt.NDArray[np.int32]]:
    """Where each design's edges start, and the edges: what each layer reads, skips included."""
    edges = (
        frame.lazy()
        .select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
            pl.int_ranges(pl.col("layers").list.len(), dtype=pl.Int32).alias("to"),
            pl.col("layers").list.eval(pl.element().struct.field("inputs")).alias("from"),
        )
        .filter(pl.col("to").list.len() > 0)
        .explode("to", "from")
        .explode("from")
        .drop_nulls("from")
        .collect()
    )
    counts = np.bincount(edges.get_column("row").to_numpy(), minlength=frame.height)
    return np.concatenate([[0], np.cumsum(counts)]), edges.select("from", "to").cast(pl.Int32).to_numpy().T.copy()
