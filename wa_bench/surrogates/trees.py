"""Histogram gradient boosting on design features (scikit-learn)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError, Fault, needs_extra
from wa_bench.files import replacing
from wa_bench.surrogates import analytic, features
from wa_bench.surrogates.estimator import Count, Estimator, Positive, Seed
from wa_bench.surrogates.pieces import learnable

_STATE = "trees.skops"
_TREE_TYPES = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
"""What a saved ensemble holds beside the types that skops trusts anyway."""
_ROUNDING = 1e-6
"""Largest difference of two logarithms of the same figure."""


@dataclass
class Trees(Estimator):
    """One boosted ensemble a target, which learns the logarithm of the ratio to the analytic estimate.

    A target whose estimate is right for every design of the training set has no trees: the estimate answers.

    Settings:
        iterations: boosting rounds.
        learning_rate: shrinkage of each round.
        leaves: most leaves a tree.
        min_samples_leaf: fewest designs a leaf.
        seed: random state.
        threads: OpenMP threads; more than the free cores make it many times slower.
    """

    iterations: Count = 100
    learning_rate: Positive = 0.1
    leaves: Annotated[int, msgspec.Meta(ge=2)] = 15
    min_samples_leaf: Count = 5
    seed: Seed = 0
    threads: Count = 1

    name = "trees"
    title = "Gradient-boosted trees"
    family = "trees"
    method = (
        "Histogram gradient boosting (scikit-learn) on physics features of the layers; learns the logarithm of the "
        "ratio to the analytic estimate, one ensemble a target; a target whose estimate is right throughout has none."
    )

    def __post_init__(self) -> None:
        self._models: dict[str, Any] = {}

    def _fit(self, train: Dataset, val: Dataset | None, work: Path | None) -> None:
        with needs_extra("surrogates"):
            from sklearn.ensemble import HistGradientBoostingRegressor
            from threadpoolctl import threadpool_limits

        parts = [(*self._features(rows), rows.select(train.track.target_names)) for rows in learnable(train)]
        x = np.concatenate([part for part, _, _ in parts])
        with threadpool_limits(self.threads):
            for name in train.track.target_names:
                y = np.concatenate([truth[name].log1p().to_numpy() - baseline[name] for _, baseline, truth in parts])
                model = HistGradientBoostingRegressor(
                    max_iter=self.iterations,
                    learning_rate=self.learning_rate,
                    max_leaf_nodes=self.leaves,
                    min_samples_leaf=self.min_samples_leaf,
                    early_stopping=False,
                    random_state=self.seed,
                )
                self._models[name] = None if np.abs(y).max() < _ROUNDING else model.fit(x, y)

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        with needs_extra("surrogates"):
            from threadpoolctl import threadpool_limits

        x, baseline = self._features(frame)
        with threadpool_limits(self.threads):
            logs = {name: baseline[name] + self._correction(name, x) for name in targets}
        return [pl.Series(name, np.expm1(log).clip(min=0)) for name, log in logs.items()]

    def _correction(self, name: str, x: NDArray[np.float64]) -> NDArray[np.float64] | float:
        model = self._models[name]
        return 0.0 if model is None else model.predict(x)

    @staticmethod
    def _features(frame: pl.DataFrame) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Feature matrix, and log1p of the analytic estimate by target."""
        table = features.layers(frame)
        estimates = analytic.estimate(frame, table).select(pl.all().log1p())
        matrix = pl.concat([features.designs(frame, table), estimates], how="horizontal")
        return matrix.to_numpy(), {name: estimates.get_column(name).to_numpy() for name in estimates.columns}

    def _write_state(self, folder: Path) -> None:
        with needs_extra("surrogates"):
            import skops.io

        with replacing(folder / _STATE) as partial:
            skops.io.dump(self._models, partial)

    def _read_state(self, folder: Path) -> None:
        with needs_extra("surrogates"):
            import skops.io

        file = folder / _STATE
        if foreign := sorted(set(skops.io.get_untrusted_types(file=file)) - set(_TREE_TYPES)):
            raise DataError(Fault(str(file), "only scikit-learn's tree types", ", ".join(foreign)))
        self._models = skops.io.load(file, trusted=_TREE_TYPES)
