"""Batches of designs for training with PyTorch, cut out of whole arrays; no object is made for a single design."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wa_bench.data.encoding import Encoded, Indices
from wa_bench.errors import needs_extra

with needs_extra("torch"):
    import torch
    from torch.utils.data import IterableDataset, get_worker_info


class Sequences(NamedTuple):
    """Designs as sequences of layers, padded at the end.

    Attributes:
        layers: (designs, longest, ``LAYER_FEATURES``), zeros where padded.
        kinds: (designs, longest) codes of ``KINDS``.
        activations: (designs, longest) codes of ``ACTIVATIONS``.
        mask: (designs, longest) true where a layer is.
        designs: (designs, ``DESIGN_FEATURES``).
        strategies: (designs,) codes of ``STRATEGIES``.
        y: (designs, targets); NaN where there is no truth.
        rows: (designs,) row in the dataset.
    """

    layers: torch.Tensor
    kinds: torch.Tensor
    activations: torch.Tensor
    mask: torch.Tensor
    designs: torch.Tensor
    strategies: torch.Tensor
    y: torch.Tensor
    rows: torch.Tensor


def order(count: int, shuffle: bool, seed: int) -> Indices:
    """Rows in the order to visit them; the same for the same seed."""
    return np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)


def in_batches(rows: Indices, size: int) -> Iterator[Indices]:
    """``rows`` in pieces of ``size``, the last one shorter."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def graph_batch(encoded: Encoded, rows: Indices) -> Any:
    """Designs as one PyG ``Batch``, which cannot be taken apart again by ``to_data_list``.

    It holds ``x``, ``kind``, ``activation`` and ``batch`` a layer, ``edge_index``, ``ptr``, and ``designs``,
    ``strategy``, ``y`` and ``rows`` (row in the dataset) a design.
    """
    with needs_extra("torch"):
        from torch_geometric.data import Batch

    layers, pointers = gathered(encoded.pointers, rows)
    edges, edge_pointers = gathered(encoded.edge_pointers, rows)
    counts = np.diff(pointers)
    batch = Batch(
        x=torch.from_numpy(encoded.layers[layers]),
        edge_index=torch.from_numpy(encoded.edges[:, edges] + np.repeat(pointers[:-1], np.diff(edge_pointers))),
        kind=torch.from_numpy(encoded.kinds[layers].astype(np.int64)),
        activation=torch.from_numpy(encoded.activations[layers].astype(np.int64)),
        designs=torch.from_numpy(encoded.designs[rows]),
        strategy=torch.from_numpy(encoded.strategies[rows].astype(np.int64)),
        y=torch.from_numpy(encoded.targets[rows]),
        rows=torch.from_numpy(rows.copy()),
        batch=torch.from_numpy(np.repeat(np.arange(len(rows)), counts)),
        ptr=torch.from_numpy(pointers),
    )
    batch._num_graphs = len(rows)
    return batch


def sequence_batch(encoded: Encoded, rows: Indices) -> Sequences:
    """Designs as padded sequences."""
    layers, pointers = gathered(encoded.pointers, rows)
    counts = np.diff(pointers)
    mask = np.arange(counts.max(initial=0)) < counts[:, None]

    def padded(values: npt.NDArray[Any], dtype: Any) -> torch.Tensor:
        spread = np.zeros((*mask.shape, *values.shape[1:]), dtype)
        spread[mask] = values[layers]
        return torch.from_numpy(spread)

    return Sequences(
        layers=padded(encoded.layers, np.float32),
        kinds=padded(encoded.kinds, np.int64),
        activations=padded(encoded.activations, np.int64),
        mask=torch.from_numpy(mask),
        designs=torch.from_numpy(encoded.designs[rows]),
        strategies=torch.from_numpy(encoded.strategies[rows].astype(np.int64)),
        y=torch.from_numpy(encoded.targets[rows]),
        rows=torch.from_numpy(rows.copy()),
    )


def gathered(pointers: Indices, rows: Indices) -> tuple[Indices, Indices]:
    """Places of everything that belongs to ``rows``, and where each row's begins among them."""
    starts = pointers[rows]
    counts = pointers[rows + 1] - starts
    ends = np.concatenate([[0], np.cumsum(counts)])
    return np.arange(ends[-1]) + np.repeat(starts - ends[:-1], counts), ends


class Batches(IterableDataset[Any]):
    """Batches as a torch dataset, the same ones in every epoch.

    Each worker of a ``DataLoader(batch_size=None)`` makes its share of them.
    """

    def __init__(
        self, encoded: Encoded, collate: Callable[[Encoded, Indices], Any], rows: Indices, batch_size: int
    ) -> None:
        self._encoded = encoded
        self._collate = collate
        self._batches = list(in_batches(rows, batch_size))

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for rows in self._batches[first::step]:
            yield self._collate(self._encoded, rows)
