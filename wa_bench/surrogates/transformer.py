"""Our transformer: small, over the layers in order."""

from __future__ import annotations

from dataclasses import dataclass

from wa_bench.errors import needs_extra
from wa_bench.surrogates.estimator import Count, Positive
from wa_bench.surrogates.ratio import Correcting, RatioNetwork
from wa_bench.surrogates.training import Batch, Sequences, Shape, pooled, sequences

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

_LONGEST = 64
"""Places with a vector of their own; layers after them share the last one's."""


@dataclass
class Transformer(Correcting):
    """Layers attend to each other and to the design; corrects the analytic estimate (see ``ratio``).

    Settings, beside those of :class:`~wa_bench.surrogates.ratio.Correcting`:
        width: numbers that describe a layer.
        depth: blocks.
        heads: of the attention.
    """

    learning_rate: Positive = 1e-3
    width: Count = 64
    depth: Count = 2
    heads: Count = 4

    name = "transformer"
    title = "Transformer on the analytic estimate"
    family = "transformer"
    method = (
        "Attention of the layers, in order, to each other and to the design, over physics features of each layer; "
        "corrects the logarithm of the analytic estimate, by layer and for the design as a whole; whether a figure is "
        "zero is a probability of its own; answers are capped and rounded as the training set is."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"Expected a width that is a multiple of the heads, got {self.width} and {self.heads}")

    def _network(self, shape: Shape) -> _Transformer:
        return _Transformer(shape, self.width, self.depth, self.heads, self.dropout, self.margin)


class _Transformer(RatioNetwork):
    def __init__(self, shape: Shape, width: int, depth: int, heads: int, dropout: float, margin: float) -> None:
        super().__init__(shape, width, dropout, margin)
        self.places = nn.Parameter(0.02 * torch.randn(_LONGEST, width))
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(depth))

    def encode(self, batch: Batch, layers: Tensor, designs: Tensor) -> tuple[Tensor, Tensor]:
        count = len(designs)
        tokens = torch.cat([designs, layers + self.places[batch.place.clamp(max=_LONGEST - 1)]])
        ordered = sequences(batch)
        for block in self.blocks:
            tokens = block(tokens, ordered)
        return tokens[count:], torch.cat([tokens[:count], pooled(tokens[count:], batch)[2]], dim=1)


class _Block(nn.Module):
    """Attention, then a step for each token alone; both on normalized tokens, both added."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.alone = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, ordered: list[Sequences]) -> Tensor:
        asked = self.ask(self.norms[0](tokens)).unflatten(1, (3, self.heads, -1))
        heard = torch.zeros_like(tokens)
        for some in ordered:
            query, key, value = asked[some.tokens].permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=some.present[:, None, None])
            heard = heard.index_put(
                (some.tokens[some.present],), attended.transpose(1, 2).flatten(2)[some.present].to(heard.dtype)
            )
        tokens = tokens + self.dropout(self.answer(heard))
        alone: Tensor = self.dropout(self.alone(self.norms[1](tokens)))
        return tokens + alone
