"""Networks that correct the analytic estimate: what our ``gnn`` and ``transformer`` share.

A network predicts the logarithm of the ratio of each target to its analytic estimate, ``log1p(y) - log1p(estimate)``,
as the sum of two parts: the correction of each layer, weighted by the layer's share of the estimate (a network twice as
deep is no farther from the training set by that), and one of the design as a whole. Targets weigh alike: each ratio is
in units of its own spread over the training set, and a target that needs no correction gets none.

Traps of the data, and what is done about them:

- *Zeros* (a third of all designs use no DSP blocks): ratios are learned of designs that use some, and whether one does
  is a probability of its own, which starts from whether the estimate is zero. Below one half the answer is zero.
- *Unseen settings*: a number without spread in the training set counts for nothing, whatever a design has there.
- *Far designs*: a ratio stays within what the training set held, and a value below ``margin`` times the larger of the
  training set's largest and the estimate. Inputs farther than ``_FAR`` standard deviations count as that far.
- *Whole numbers*: answers are rounded to the step of the training set, one or a half (half blocks of BRAM).
- *Exact rules*: where the rules claim to be exact, and were for each such design of the training set, they answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from wa_bench.errors import needs_extra
from wa_bench.surrogates.estimator import Count, Dropout, NotNegative
from wa_bench.surrogates.features import NUMERIC
from wa_bench.surrogates.inputs import PHYSICS, Inputs
from wa_bench.surrogates.neural import Neural
from wa_bench.surrogates.training import Batch, Network, Shape

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

_FAR = 5.0
_SMALLEST_SPREAD = 1e-6
"""Ratios that spread less are rounding errors of logarithms."""
_KINK = 0.3
"""Where the loss turns from square to absolute, in units of the spread."""
_ZERO_WEIGHT = 0.3
"""Weight of the loss of the zeros beside that of the ratios."""


@dataclass
class Correcting(Neural):
    """What surrogates with such a network share: how they are trained, what they see, how far they may go.

    Settings, beside those of :class:`~wa_bench.surrogates.neural.Neural`:
        dropout: share of numbers left out in training.
        margin: how far an answer may lie beyond the training set's largest, as a factor.
    """

    epochs: Count = 60
    fewest_steps: Count = 10
    weight_decay: NotNegative = 1e-1
    dropout: Dropout = 0.1
    margin: Annotated[float, msgspec.Meta(ge=1)] = 1.5

    view = PHYSICS


class RatioNetwork(Network):
    """Corrects the analytic estimate by what :meth:`encode` makes of layers and designs."""

    layer_mean: Tensor
    layer_spread: Tensor
    design_mean: Tensor
    design_spread: Tensor
    spread: Tensor
    lowest: Tensor
    highest: Tensor
    largest: Tensor
    step: Tensor
    trusted: Tensor

    def __init__(self, shape: Shape, width: int, dropout: float, margin: float) -> None:
        super().__init__()
        count = len(shape.targets)
        self._costs = [NUMERIC.index(name.removesuffix("_max")) for name in shape.targets]
        self._margin = margin
        for name, size in (("layer", shape.layers), ("design", shape.designs)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_spread", torch.ones(size))
        for name in ("spread", "lowest", "highest", "largest", "step", "trusted"):
            self.register_buffer(name, torch.zeros(count, dtype=torch.float64))
        self.layer_in = nn.Linear(shape.layers, width)
        self.code_in = nn.ModuleList(_vectors(size, width) for size in shape.code_sizes)
        self.design_in = nn.Linear(shape.designs, width)
        self.of_layer = nn.Linear(width, count)
        self.of_design = nn.Sequential(
            nn.Linear(3 * width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 2 * count)
        )
        self.zero_weight = nn.Parameter(torch.full((count,), 2.0))

    @abstractmethod
    def encode(self, batch: Batch, layers: Tensor, designs: Tensor) -> tuple[Tensor, Tensor]:
        """What is made of layers (layers, width) and designs (designs, width): (layers, width), (designs, 2 width)."""

    def prepare(self, train: Inputs) -> None:
        """Take means, spreads, caps and steps from the training set."""
        residual = np.log1p(train.targets) - train.baseline
        seen = np.where(train.targets > 0, residual, np.nan)
        claimed = np.abs(np.where(train.exact, residual, 0)).max(axis=0)
        halves = (train.targets % 1 != 0).any(axis=0)
        found = {
            "layer_mean": train.layers.mean(axis=0, dtype=np.float64),
            "layer_spread": train.layers.std(axis=0, dtype=np.float64),
            "design_mean": train.designs.mean(axis=0, dtype=np.float64),
            "design_spread": train.designs.std(axis=0, dtype=np.float64),
            "spread": _of_columns(np.std, seen),
            "lowest": _of_columns(np.min, seen) - log(self._margin),
            "highest": _of_columns(np.max, seen) + log(self._margin),
            "largest": train.targets.max(axis=0),
            "step": np.where(halves, 0.5, 1.0),
            "trusted": (claimed < _SMALLEST_SPREAD).astype(np.float64),
        }
        for name, value in found.items():
            if name in {"layer_spread", "design_spread"}:
                value = np.where(value > _SMALLEST_SPREAD, value, np.inf)  # noqa: PLW2901
            self.get_buffer(name).copy_(torch.from_numpy(value))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Ratios in units of their spread, and logits of being more than zero, (designs, targets) each."""
        scaled = ((batch.layers - self.layer_mean) / self.layer_spread).clamp(-_FAR, _FAR)
        designs = self.design_in(((batch.designs - self.design_mean) / self.design_spread).clamp(-_FAR, _FAR))
        layers = self.layer_in(scaled) + designs.index_select(0, batch.owner)
        for place, vectors in enumerate(self.code_in):
            layers = layers + vectors(batch.codes[:, place])
        layers, pooled = self.encode(batch, layers, designs)
        shares = self._shares(batch)
        local = shares.new_zeros(len(designs), shares.shape[1]).index_add(
            0, batch.owner, self.of_layer(layers) * shares
        )
        whole, logits = self.of_design(torch.cat([designs, pooled], dim=1)).chunk(2, dim=1)
        known = 2 * (batch.baseline > 0).to(logits.dtype) - 1
        return local + whole, logits + self.zero_weight * known

    def _shares(self, batch: Batch) -> Tensor:
        """Each layer's share of its design's analytic estimate (layers, targets); even where that is zero."""
        costs = batch.layers[:, self._costs].expm1() + _SMALLEST_SPREAD
        sums = costs.new_zeros(len(batch.designs), costs.shape[1]).index_add(0, batch.owner, costs)
        return costs / sums[batch.owner]

    def loss(self, batch: Batch) -> Tensor:
        """Smooth distance of the ratios of designs above zero, and cross entropy of being above zero."""
        ratio, logits = self(batch)
        spread = self.spread.clamp(min=_SMALLEST_SPREAD)
        wanted = ((batch.y.log1p() - batch.baseline) / spread).to(ratio.dtype)
        counts = (batch.y > 0) & (self.spread > _SMALLEST_SPREAD) & ~self._known(batch)
        distance = functional.smooth_l1_loss(ratio, wanted, reduction="none", beta=_KINK)
        zeros = functional.binary_cross_entropy_with_logits(logits, (batch.y > 0).to(logits.dtype))
        return (distance * counts).mean() + _ZERO_WEIGHT * zeros

    def values(self, batch: Batch) -> Tensor:
        """Predictions: the estimate, corrected, capped and rounded."""
        ratio, logits = self(batch)
        correction = (ratio.double() * self.spread).clamp(self.lowest, self.highest)
        correction = torch.where(self.spread > _SMALLEST_SPREAD, correction, 0.0)
        estimate = batch.baseline.expm1()
        value = (batch.baseline + correction).expm1().clamp(min=0.0)
        value = torch.where(logits > 0, value, 0.0).minimum(self._margin * self.largest.maximum(estimate))
        value = torch.where(self._known(batch), estimate, value)
        return (value / self.step).round() * self.step

    def _known(self, batch: Batch) -> Tensor:
        return batch.exact & (self.trusted > 0)


def _vectors(count: int, width: int) -> nn.Embedding:
    """A vector for each code, small beside what is made of numbers."""
    vectors = nn.Embedding(count, width)
    nn.init.normal_(vectors.weight, std=0.1)
    return vectors


def _of_columns(
    measure: Callable[[npt.NDArray[np.float64]], np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """``measure`` of the numbers of each column; zero where there are none."""
    columns = (column[~np.isnan(column)] for column in values.T)
    return np.array([measure(column) if len(column) else 0.0 for column in columns])
