"""The transformer of the wa-hls4ml paper, as published."""

from __future__ import annotations

from dataclasses import dataclass

from wa_bench.errors import needs_extra
from wa_bench.surrogates.estimator import Count, Dropout, NotNegative, Positive
from wa_bench.surrogates.neural import Neural
from wa_bench.surrogates.published import NUMBERS, ONE_HOT, PUBLISHED, PublishedNetwork
from wa_bench.surrogates.training import Batch, Schedule, Shape, sequences

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn

_LONGEST = 64
"""Places with a vector of their own (the paper has up to 51); layers after them share the last one's."""


@dataclass
class PaperTransformer(Neural):
    """Encoder over the layers with a CLS token (arXiv:2511.05615), trained by Adam on z-scores of the logarithm.

    A layer's 33 inputs are projected to ``width`` and get a learned vector of their place; the CLS token's output goes
    through one linear step. Inputs and labels: :mod:`~wa_bench.surrogates.published`. The paper trains on a GPU.

    Settings, beside those of :class:`~wa_bench.surrogates.neural.Neural`:
        width: numbers that describe a layer, also between the two steps of a block.
        heads: of the attention.
        depth: blocks.
        dropout: share of numbers left out in training.
    """

    epochs: Count = 250
    batch_size: Count = 1024
    learning_rate: Positive = 1e-5
    weight_decay: NotNegative = 0.0
    schedule: Schedule = "constant"
    patience: Count = 250
    clip: Positive | None = None
    width: Count = 512
    heads: Count = 8
    depth: Count = 2
    dropout: Dropout = 0.1

    name = "transformer-paper"
    title = "Transformer of the wa-hls4ml paper"
    family = "transformer"
    method = (
        "The architecture of arXiv:2511.05615 as published: two encoder blocks of eight heads, width 512, over the "
        "layers with a CLS token; z-scores of the logarithm of the targets; answers capped at the largest of the "
        "training set."
    )
    view = PUBLISHED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"Expected a width that is a multiple of the heads, got {self.width} and {self.heads}")

    def _network(self, shape: Shape) -> _PaperTransformer:
        return _PaperTransformer(shape, self.width, self.heads, self.depth, self.dropout)


class _PaperTransformer(PublishedNetwork):
    def __init__(self, shape: Shape, width: int, heads: int, depth: int, dropout: float) -> None:
        super().__init__(shape, NUMBERS)
        self.project = nn.Linear(NUMBERS + ONE_HOT, width)
        self.places = nn.Parameter(0.02 * torch.randn(_LONGEST, width))
        self.cls = nn.Parameter(0.02 * torch.randn(width))
        block = nn.TransformerEncoderLayer(width, heads, width, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(shape.targets))

    def forward(self, batch: Batch) -> Tensor:
        """Z-scores (designs, targets)."""
        layers = self.project(self.inputs(batch)) + self.places[batch.place.clamp(max=_LONGEST - 1)]
        count = len(batch.designs)
        tokens = torch.cat([self.cls.expand(count, -1), layers])
        read = torch.zeros_like(tokens[:count])
        for some in sequences(batch):
            encoded = self.encoder(tokens[some.tokens], src_key_padding_mask=~some.present)
            read = read.index_put((some.tokens[:, 0],), encoded[:, 0].to(read.dtype))
        answers: Tensor = self.head(read)
        return answers
