"""The graph network of the wa-hls4ml paper, as published."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from wa_bench.errors import needs_extra
from wa_bench.surrogates.estimator import Count, Dropout, NotNegative, Positive
from wa_bench.surrogates.neural import Neural
from wa_bench.surrogates.published import NUMBERS, ONE_HOT, PUBLISHED, PublishedNetwork
from wa_bench.surrogates.training import Batch, Schedule, Shape, pooled

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from torch_geometric.nn import GATv2Conv


@dataclass
class PaperGraphNetwork(Neural):
    """GATv2 (arXiv:2511.05615): five rounds of attention over the graph, three poolings mixed, a small MLP.

    Each round attends with ``heads`` heads of ``width`` numbers, joined, in the last round averaged; then layer
    normalization, ELU and a residual, which is projected where the width changes. Inputs and labels:
    :mod:`~wa_bench.surrogates.published`. With its defaults it has the published 54,471,945 parameters. The paper
    trains on a GPU.

    Settings, beside those of :class:`~wa_bench.surrogates.neural.Neural`:
        width: numbers of a head.
        heads: of the attention.
        depth: rounds.
        dropout: share of numbers left out in training.
    """

    epochs: Count = 200
    batch_size: Count = 1024
    learning_rate: Positive = 3e-3
    weight_decay: NotNegative = 5e-6
    schedule: Schedule = "plateau"
    patience: Count = 30
    clip: Positive | None = None
    width: Count = 512
    heads: Count = 5
    depth: Count = 5
    dropout: Dropout = 0.3

    name = "gnn-paper"
    title = "GNN of the wa-hls4ml paper (GATv2)"
    family = "gnn"
    method = (
        "The architecture of arXiv:2511.05615 as published: five GATv2 layers of five heads by 512, mixed pooling, a "
        "small MLP; z-scores of the logarithm of the targets; answers capped at the largest of the training set."
    )
    view = PUBLISHED

    def _network(self, shape: Shape) -> _PaperGraphNetwork:
        return _PaperGraphNetwork(shape, self.width, self.heads, self.depth, self.dropout)


class _PaperGraphNetwork(PublishedNetwork):
    def __init__(self, shape: Shape, width: int, heads: int, depth: int, dropout: float) -> None:
        super().__init__(shape, NUMBERS + 1)
        sizes = [NUMBERS + 1 + ONE_HOT, *[width * heads] * (depth - 1), width]
        self.rounds = nn.ModuleList(_Round(start, end, width, heads, dropout) for start, end in pairwise(sizes))
        self.mix = nn.Parameter(torch.zeros(3))
        self.head = nn.Sequential(
            nn.Linear(width + shape.designs, width),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width // 2),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(width // 2, len(shape.targets)),
        )

    def forward(self, batch: Batch) -> Tensor:
        """Z-scores (designs, targets)."""
        nodes = self.inputs(batch)
        for step in self.rounds:
            nodes = step(nodes, batch.edges)
        mixed = sum(share * part for share, part in zip(self.mix.softmax(0), pooled(nodes, batch), strict=True))
        answers: Tensor = self.head(torch.cat([mixed, batch.designs], dim=1))
        return answers


class _Round(nn.Module):
    def __init__(self, start: int, end: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attend = GATv2Conv(start, width, heads, concat=end != width, dropout=dropout)
        self.norm = nn.LayerNorm(end)
        self.skip = nn.Identity() if start == end else nn.Linear(start, end)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        heard: Tensor = self.dropout(functional.elu(self.norm(self.attend(nodes, edges))))
        kept: Tensor = self.skip(nodes)
        return heard + kept
