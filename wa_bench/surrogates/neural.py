"""What all neural surrogates share: settings of training, and weights in a folder."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import msgspec
import polars as pl

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, Fault
from wa_bench.surrogates.arrays import read_arrays, write_arrays
from wa_bench.surrogates.estimator import Count, Estimator, NotNegative, Positive, Seed
from wa_bench.surrogates.inputs import View, read
from wa_bench.surrogates.training import (
    Network,
    Recipe,
    Schedule,
    Shape,
    device_named,
    learn,
    seeded,
    threads,
    to_arrays,
    to_tensors,
    values,
)

_WEIGHTS_FILE = "weights.safetensors"


@dataclass
class Neural(Estimator):
    """A network, trained by gradient descent (AdamW).

    Settings:
        epochs: most passes over the training set.
        batch_size: designs a step.
        fewest_steps: of an epoch; a small training set takes smaller batches.
        learning_rate: the highest.
        weight_decay: of AdamW; with 0 it is Adam.
        schedule: ``one-cycle`` (rise and fall over all epochs), ``plateau`` (halved after 8 epochs without a better
            error) or ``constant``.
        patience: epochs without a better error on validation before training ends.
        clip: largest norm of the gradient; none if null.
        seed: of first weights, order and dropout; the same seed gives the same weights on one machine (on CUDA but for
            the order of its sums).
        threads: of the CPU; more than the free cores make it many times slower.
        device: ``auto`` (CUDA where present), or a name as torch knows it.
    """

    epochs: Count = 100
    batch_size: Count = 1024
    fewest_steps: Count = 1
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 1e-4
    schedule: Schedule = "one-cycle"
    patience: Count = 100
    clip: Positive | None = 1.0
    seed: Seed = 0
    threads: Count = 1
    device: str = "auto"

    resumes = True
    view: ClassVar[View]

    def __post_init__(self) -> None:
        self._trained: tuple[Network, Shape] | None = None

    @property
    def parameters(self) -> int | None:
        """Number of trained parameters."""
        return None if self._trained is None else sum(part.numel() for part in self._trained[0].parameters())

    @abstractmethod
    def _network(self, shape: Shape) -> Network:
        """A fresh network."""

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
        designs = read(train, self.view)
        recipe = self.recipe(len(designs))
        shape = Shape(designs.layers.shape[1], self.view.code_sizes, designs.designs.shape[1], train.track.target_names)
        with threads(self.threads):
            network = seeded(self.seed, lambda: self._network(shape))
            watched = None if val is None or val.truth().is_empty() else read(val, self.view)
            lines = learn(
                network, designs, watched, recipe, device=device_named(self.device), title=self.name, work=work
            )
        self.history = [msgspec.to_builtins(line) for line in lines]
        self._trained = network, shape

    def recipe(self, designs: int) -> Recipe:
        """How to train on so many designs."""
        chosen = Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})
        return replace(chosen, batch_size=min(self.batch_size, -(-designs // self.fewest_steps)))

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        network, shape = self._learned()
        if shape.targets != targets:
            expected = f"a track with the targets {', '.join(shape.targets)}"
            raise DataError(Fault(f"surrogate {self.name!r}", expected, ", ".join(targets)))
        with threads(self.threads):
            found = values(network, self.view.make(frame, targets), device_named(self.device))
        return [pl.Series(name, found[:, place]) for place, name in enumerate(targets)]

    def _learned(self) -> tuple[Network, Shape]:
        assert self._trained is not None  # noqa: S101
        return self._trained

    def _write_state(self, folder: Path) -> None:
        network, shape = self._learned()
        write_arrays(folder / _WEIGHTS_FILE, to_arrays(network.state_dict()), msgspec.json.encode(shape).decode())

    def _read_state(self, folder: Path) -> None:
        arrays, about = read_arrays(folder / _WEIGHTS_FILE)
        shape = msgspec.json.decode(about, type=Shape)
        network = self._network(shape)
        try:
            network.load_state_dict(to_tensors(arrays))
        except RuntimeError as error:
            raise ValueError(error) from None
        self._trained = network, shape
