"""What the networks of the wa-hls4ml paper see and answer: shared by ``gnn-paper`` and ``transformer-paper``.

After arXiv:2511.05615 and the code that its authors released for post-synthesis labels. A layer is twelve z-scored
numbers (three sizes in, three out, bits of the weights, reuse factor, filters, kernel, stride, pool) and one-hot kind
(12), activation (6) and padding (3): 33. The graph network has a thirteenth number, whether it is a batch
normalization: its published count of parameters, 54,471,945, asks for 34 inputs. Strategy and io type, one-hot, are of
the design; part, clock and versions are not seen. Layers that the paper has no code for (``input``, ``add``,
``concatenate``) have none of the kinds. Labels are ``log(y + 1e-6)``, z-scored; answers are capped at the largest of
the training set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from wa_bench.errors import needs_extra
from wa_bench.surrogates.inputs import Inputs, View, edges_of, layer_pointers, truth_of
from wa_bench.surrogates.training import Batch, Network, Shape

with needs_extra("torch"):
    import torch
    from torch import Tensor
    from torch.nn import functional

KINDS = {
    "activation": 0,
    "dense": 1,
    "conv1d": 2,
    "conv2d": 3,
    "separable_conv1d": 4,
    "separable_conv2d": 5,
    "depthwise_conv1d": 6,
    "depthwise_conv2d": 7,
    "flatten": 8,
    "max_pooling1d": 9,
    "max_pooling2d": 9,
    "average_pooling1d": 10,
    "average_pooling2d": 10,
    "batch_normalization": 11,
}
"""Layer kinds by the paper's code; others have none."""
_NO_KIND = 12
_ACTIVATIONS = ("none", "linear", "relu", "tanh", "sigmoid", "softmax")
_PADDINGS = ("none", "valid", "same")
_SETTINGS = 4
"""Numbers of a design: strategy latency and resource, io parallel and stream."""
_ABSENT = -1
"""A size that a layer does not have."""
_UNKNOWN_BITS = 16
_LOG_FLOOR = 1e-6
_SMALLEST_SPREAD = 1e-6

ONE_HOT = _NO_KIND + len(_ACTIVATIONS) + len(_PADDINGS)
NUMBERS = 12
"""Numbers of a layer, without the thirteenth."""


def _published(frame: pl.DataFrame, targets: Sequence[str]) -> Inputs:
    edge_pointers, edges = edges_of(frame)
    layers = _layers(frame)
    settings = frame.select(
        (pl.col("strategy") == "latency").alias("latency"),
        (pl.col("strategy") == "resource").alias("resource"),
        (pl.col("io_type") == "io_parallel").alias("parallel"),
        (pl.col("io_type") == "io_stream").alias("stream"),
    )
    return Inputs(
        pointers=layer_pointers(frame),
        layers=layers.drop("kind_code", "activation_code", "padding_code").cast(pl.Float32).to_numpy(order="c"),
        codes=layers.select("kind_code", "activation_code", "padding_code").to_numpy(order="c"),
        edge_pointers=edge_pointers,
        edges=edges,
        designs=settings.cast(pl.Float32).fill_null(0).to_numpy(order="c"),
        baseline=np.zeros((frame.height, len(targets))),
        exact=np.zeros((frame.height, len(targets)), np.bool_),
        targets=truth_of(frame, targets),
    )


PUBLISHED = View(_published, (_NO_KIND + 1, len(_ACTIVATIONS), len(_PADDINGS)))


def _layers(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a layer: the thirteen numbers, then the codes."""
    weighted = pl.col("units").is_not_null()
    sizes = [
        pl.col(f"{end}_shape").list.get(axis, null_on_oob=True).fill_null(_ABSENT).alias(f"{end}_{axis}")
        for end in ("in", "out")
        for axis in range(3)
    ]
    bits = pl.when(weighted).then(pl.col("weight").struct.field("width"))
    default = pl.col("default").struct.field("width").fill_null(_UNKNOWN_BITS)
    return (
        frame.lazy()
        .select(
            pl.col("precision").alias("default"),
            pl.int_ranges(pl.col("layers").list.len()).alias("position"),
            "layers",
        )
        .filter(pl.col("layers").list.len() > 0)
        .explode("layers", "position")
        .unnest("layers")
        .select(
            *sizes,
            pl.coalesce(bits, pl.when(pl.col("position") == 0).then(default)).forward_fill().alias("bits"),
            pl.when(weighted).then("reuse_factor").otherwise(1).alias("reuse"),
            pl.when(pl.col("kernel").is_not_null()).then("units").fill_null(0).alias("filters"),
            pl.col("kernel").list.first().fill_null(0).alias("window"),
            pl.col("strides").list.first().fill_null(0).alias("stride"),
            pl.when(pl.col("kind").str.contains("pooling")).then(2).otherwise(0).alias("pooled"),
            (pl.col("kind") == "batch_normalization").alias("normalizes"),
            _code("kind", KINDS, _NO_KIND).alias("kind_code"),
            _code("activation", {name: code for code, name in enumerate(_ACTIVATIONS)}, 0).alias("activation_code"),
            _code("padding", {name: code for code, name in enumerate(_PADDINGS)}, 0).alias("padding_code"),
        )
        .collect()
    )


def _code(column: str, codes: dict[str, int], other: int) -> pl.Expr:
    return pl.col(column).replace_strict(codes, default=other, return_dtype=pl.UInt8)


class PublishedNetwork(Network):
    """Answers with z-scores of the logarithm of the targets."""

    number_mean: Tensor
    number_spread: Tensor
    label_mean: Tensor
    label_spread: Tensor
    largest: Tensor

    def __init__(self, shape: Shape, numbers: int) -> None:
        super().__init__()
        self._numbers = numbers
        self._code_sizes = shape.code_sizes
        for name, size in (("number", numbers), ("label", len(shape.targets))):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_spread", torch.ones(size))
        self.register_buffer("largest", torch.zeros(len(shape.targets), dtype=torch.float64))

    def prepare(self, train: Inputs) -> None:
        """Take means, spreads and caps from the training set."""
        for name, values, without in (
            ("number", train.layers[:, : self._numbers], np.inf),  # counts for nothing
            ("label", np.log(train.targets + _LOG_FLOOR), 1.0),
        ):
            spread = values.std(axis=0, dtype=np.float64)
            spread = np.where(spread > _SMALLEST_SPREAD, spread, without)
            self.get_buffer(f"{name}_mean").copy_(torch.from_numpy(values.mean(axis=0, dtype=np.float64)))
            self.get_buffer(f"{name}_spread").copy_(torch.from_numpy(spread))
        self.get_buffer("largest").copy_(torch.from_numpy(train.targets.max(axis=0)))

    def inputs(self, batch: Batch) -> Tensor:
        """What the paper's networks see of each layer (layers, 33 or 34)."""
        numbers = (batch.layers[:, : self._numbers] - self.number_mean) / self.number_spread
        codes = [functional.one_hot(batch.codes[:, place], size) for place, size in enumerate(self._code_sizes)]
        return torch.cat([numbers, codes[0][:, :_NO_KIND], *codes[1:]], dim=1)

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of the z-scores."""
        wanted = ((batch.y + _LOG_FLOOR).log() - self.label_mean) / self.label_spread
        answers: Tensor = self(batch)
        return functional.mse_loss(answers, wanted.to(answers.dtype))

    def error(self, batch: Batch) -> Tensor:
        """The loss, as published."""
        return self.loss(batch)

    def values(self, batch: Batch) -> Tensor:
        """Predictions, from zero to the largest of the training set."""
        answers: Tensor = self(batch)
        logs = answers.double() * self.label_spread + self.label_mean
        return (logs.exp() - _LOG_FLOOR).clamp(min=0.0).minimum(self.largest)
