"""Our graph network: small, on the true graph, skips included."""

from __future__ import annotations

from dataclasses import dataclass

from wa_bench.errors import needs_extra
from wa_bench.surrogates.estimator import Count, Positive
from wa_bench.surrogates.ratio import Correcting, RatioNetwork
from wa_bench.surrogates.training import Batch, Shape, pooled

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn


@dataclass
class GraphNetwork(Correcting):
    """Messages along the edges, both ways; corrects the analytic estimate (see :mod:`~wa_bench.surrogates.ratio`).

    Settings, beside those of :class:`~wa_bench.surrogates.ratio.Correcting`:
        width: numbers that describe a layer.
        depth: rounds of messages.
    """

    learning_rate: Positive = 3e-3
    width: Count = 48
    depth: Count = 3

    name = "gnn"
    title = "Graph network on the analytic estimate"
    family = "gnn"
    method = (
        "Rounds of messages along the true edges of the layer graph, skips included, both ways, over physics features "
        "of each layer; corrects the logarithm of the analytic estimate, by layer and for the design as a whole; "
        "whether a figure is zero is a probability of its own; answers are capped and rounded as the training set is."
    )

    def _network(self, shape: Shape) -> _GraphNetwork:
        return _GraphNetwork(shape, self.width, self.depth, self.dropout, self.margin)


class _GraphNetwork(RatioNetwork):
    def __init__(self, shape: Shape, width: int, depth: int, dropout: float, margin: float) -> None:
        super().__init__(shape, width, dropout, margin)
        self.rounds = nn.ModuleList(_Round(width) for _ in range(depth))

    def encode(self, batch: Batch, layers: Tensor, designs: Tensor) -> tuple[Tensor, Tensor]:
        degrees = [torch.bincount(ends, minlength=len(layers)).clamp(min=1).unsqueeze(1) for ends in batch.edges]
        shares = [1 / degree.to(layers.dtype) for degree in degrees]
        for step in self.rounds:
            layers = step(layers, batch.edges, shares)
        return layers, torch.cat(pooled(layers, batch)[1:], dim=1)


class _Round(nn.Module):
    """A layer hears the mean of those that it reads and the mean of those that read it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.say = nn.Linear(width, 3 * width)

    def forward(self, layers: Tensor, edges: Tensor, shares: list[Tensor]) -> Tensor:
        own, onward, back = self.say(self.norm(layers)).chunk(3, dim=1)
        source, receiver = edges
        read = torch.zeros_like(own).index_add(0, receiver, onward.index_select(0, source)) * shares[1]
        readers = torch.zeros_like(own).index_add(0, source, back.index_select(0, receiver)) * shares[0]
        return layers + torch.relu(own + read + readers)
