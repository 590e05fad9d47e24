"""Designs as arrays of numbers: a row a layer, a row a design, and the edges between layers.

The arrays of a whole dataset stand one after another; ``pointers[i]:pointers[i + 1]`` are the layers of design ``i``.
Counts enter as ``log1p``; what a record does not tell is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KINDS = (
    "other",
    "input",
    "dense",
    "conv1d",
    "conv2d",
    "activation",
    "batch_normalization",
    "average_pooling1d",
    "average_pooling2d",
    "max_pooling1d",
    "max_pooling2d",
    "global_average_pooling1d",
    "global_average_pooling2d",
    "global_max_pooling1d",
    "global_max_pooling2d",
    "flatten",
    "reshape",
    "dropout",
    "add",
    "concatenate",
)
"""Layer kinds by code; those unknown are ``other``."""
ACTIVATIONS = ("none", "other", "linear", "relu", "tanh", "sigmoid", "softmax")
"""Activations by code."""
STRATEGIES = ("other", "latency", "resource", "distributed_arithmetic")
"""Strategies by code."""
LAYER_FEATURES = (
    "inputs",
    "outputs",
    "channels",
    "units",
    "params",
    "reuse_factor",
    *(f"{size}_{axis}" for size in ("kernel", "strides", "pool") for axis in (0, 1)),
    *(f"{role}_{part}" for role in ("weight", "bias", "result", "accumulator") for part in ("width", "integer")),
    "result_signed",
    "use_bias",
    "same_padding",
)
"""Columns of ``layers``; the first six are ``log1p`` of counts."""
DESIGN_FEATURES = ("requested_reuse", "clock_ns", "width", "integer", "io_stream")
"""Columns of ``designs``; the first is ``log1p`` of a count, width and integer are the default precision's."""

ENCODED_COLUMNS = ("layers", "reuse_factor", "clock_ns", "precision", "io_type", "strategy")
"""Columns of a frame that the encoding reads, beside the targets."""

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Arrays = TypeVar("Arrays", bound="DataclassInstance")


@dataclass(frozen=True)
class Encoded:
    """Designs as arrays.

    Attributes:
        pointers: (designs + 1,) where each design's layers start.
        layers: (layers, ``LAYER_FEATURES``).
        kinds: (layers,) codes of ``KINDS``.
        activations: (layers,) codes of ``ACTIVATIONS``.
        edge_pointers: (designs + 1,) where each design's edges start.
        edges: (2, edges) int32: from and to, counted within the design.
        designs: (designs, ``DESIGN_FEATURES``).
        strategies: (designs,) codes of ``STRATEGIES``.
        targets: (designs, targets) in the track's order; NaN where there is no truth.
    """

    pointers: Indices
    layers: Floats
    kinds: Codes
    activations: Codes
    edge_pointers: Indices
    edges: npt.NDArray[np.int32]
    designs: Floats
    strategies: Codes
    targets: Floats

    def __len__(self) -> int:
        return len(self.designs)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


def encode(frame: pl.DataFrame, targets: Sequence[str]) -> Encoded:
    """Encode a frame with the columns of ``Design``; ``targets`` are its target columns."""
    lists = _arrow(frame, "layers")
    layers = lists.flatten()
    pointers = _pointers(lists)
    edge_pointers, edges = _edges(layers, pointers)
    return Encoded(
        pointers=pointers,
        layers=_layer_features(layers),
        kinds=_codes(layers.field("kind"), KINDS, KINDS.index("other")),
        activations=_codes(layers.field("activation"), ACTIVATIONS, ACTIVATIONS.index("other")),
        edge_pointers=edge_pointers,
        edges=edges,
        designs=_design_features(frame),
        strategies=_codes(_arrow(frame, "strategy"), STRATEGIES, STRATEGIES.index("other")),
        targets=frame.select(pl.col(targets).cast(pl.Float32).fill_null(float("nan"))).to_numpy(order="c"),
    )


def joined(parts: Iterable[Arrays]) -> Arrays:
    """Encodings one after another as one: any dataclass of arrays with fields of the same names and meaning.

    Raises:
        ValueError: there are none.
    """
    given = list(parts)
    if len(given) == 1:
        return given[0]
    together: dict[str, Any] = {}
    for field in fields(given[0]):
        arrays = [getattr(part, field.name) for part in given]
        if field.name.endswith("pointers"):
            steps = [np.diff(array) for array in arrays]
            together[field.name] = np.concatenate([[0], np.cumsum(np.concatenate(steps))])
        else:
            together[field.name] = np.concatenate(arrays, axis=1 if field.name == "edges" else 0)
    return type(given[0])(**together)


def _arrow(frame: pl.DataFrame, column: str) -> Any:
    array = frame.get_column(column).to_arrow()
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _pointers(lists: Any) -> Indices:
    return np.concatenate([[0], np.cumsum(_numbers(pc.list_value_length(lists)), dtype=np.int64)])


def _numbers(array: Any) -> npt.NDArray[np.float64]:
    """Numbers with zero for null."""
    return np.asarray(pc.fill_null(pc.cast(array, pa.float64()), 0.0).to_numpy(zero_copy_only=False))


def _codes(names: Any, known: Sequence[str], other: int) -> Codes:
    """The place of each name in ``known``, ``other`` if it has none, zero for null."""
    places = pc.index_in(names, value_set=pa.array(known, type=names.type))
    codes = pc.if_else(pc.is_null(names), 0, pc.fill_null(places, other))
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.uint8)


def _layer_features(layers: Any) -> Floats:
    columns = {
        "inputs": np.log1p(_product(layers.field("in_shape"))),
        "outputs": np.log1p(_product(layers.field("out_shape"))),
        "channels": np.log1p(_element(layers.field("in_shape"), -1)),
        "use_bias": _numbers(layers.field("use_bias")),
        "same_padding": _numbers(pc.equal(layers.field("padding"), "same")),
        "result_signed": _numbers(pc.struct_field(layers.field("result"), "signed")),
    }
    for name in ("units", "params", "reuse_factor"):
        columns[name] = np.log1p(_numbers(layers.field(name)))
    for size in ("kernel", "strides", "pool"):
        for axis in (0, 1):
            columns[f"{size}_{axis}"] = _element(layers.field(size), axis)
    for role in ("weight", "bias", "result", "accumulator"):
        for part in ("width", "integer"):
            columns[f"{role}_{part}"] = _numbers(pc.struct_field(layers.field(role), part))
    features = np.empty((len(layers), len(LAYER_FEATURES)), np.float32)
    for place, name in enumerate(LAYER_FEATURES):
        features[:, place] = columns[name]
    return features


def _design_features(frame: pl.DataFrame) -> Floats:
    precision = pl.col("precision").struct
    selected = frame.select(
        pl.col("reuse_factor").log1p().alias("requested_reuse"),
        "clock_ns",
        precision.field("width"),
        precision.field("integer"),
        (pl.col("io_type") == "io_stream").alias("io_stream"),
    )
    return selected.cast(pl.Float32).fill_null(0).to_numpy(order="c")


def _edges(layers: Any, pointers: Indices) -> tuple[Indices, npt.NDArray[np.int32]]:
    """Where each design's edges start, and the edges, counted within the design."""
    inputs = layers.field("inputs")
    counts = _numbers(pc.list_value_length(inputs)).astype(np.int64)
    place = np.arange(len(layers)) - np.repeat(pointers[:-1], np.diff(pointers))
    edges = np.stack([_numbers(inputs.flatten()), np.repeat(place, counts)]).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return ends[pointers], edges


def _product(lists: Any) -> npt.NDArray[np.float64]:
    """Product of each list of sizes; zero for a missing or empty one."""
    lengths = _numbers(pc.list_value_length(lists)).astype(np.int64)
    products = np.zeros(len(lists))
    starts = (np.cumsum(lengths) - lengths)[lengths > 0]
    if len(starts):
        products[lengths > 0] = np.multiply.reduceat(_numbers(lists.flatten()), starts)
    return products


def _element(lists: Any, index: int) -> npt.NDArray[np.float64]:
    """The element of each list at ``index``, from its end if negative; zero where it has none."""
    lengths = _numbers(pc.list_value_length(lists)).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    elements = np.zeros(len(lists))
    present = lengths >= (index + 1 if index >= 0 else -index)
    places = starts + (index if index >= 0 else lengths + index)
    elements[present] = _numbers(lists.flatten())[places[present]]
    return elements
