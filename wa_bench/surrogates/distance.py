"""How far designs lie from those of a training set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_BLOCK = 2048
"""Designs compared at once with all references."""
_SMALLEST_SPREAD = 1e-6
FAR = 5.0
"""Standard deviations from the mean; what lies farther counts as that far, so that no one feature drowns the others."""


@dataclass(frozen=True)
class References:
    """Designs by their features in units of the spread of each feature, at most :data:`FAR` from the mean.

    Features without spread count for nothing: the references do not tell what they are worth.

    Attributes:
        points: (references, features), standardized.
        mean: (features,).
        spread: (features,), infinite where there is none.
    """

    points: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, features: npt.NDArray[np.float64]) -> Self:
        """The rows of ``features`` as references."""
        spread = features.std(axis=0)
        mean, spread = features.mean(axis=0), np.where(spread > _SMALLEST_SPREAD, spread, np.inf)
        points = ((features - mean) / spread).clip(-FAR, FAR)
        return cls(points.astype(np.float32), mean.astype(np.float32), spread.astype(np.float32))

    def nearest(self, features: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], Floats]:
        """Row of the nearest reference of each design, the first among equals, and how far it is (Euclidean)."""
        points = ((features - self.mean) / self.spread).clip(-FAR, FAR).astype(np.float32)
        squares = np.square(self.points).sum(axis=1)
        rows = np.empty(len(points), np.int64)
        for start in range(0, len(points), _BLOCK):
            some = slice(start, start + _BLOCK)
            rows[some] = (squares - 2 * points[some] @ self.points.T).argmin(axis=1)
        return rows, np.sqrt(np.square(points - self.points[rows]).sum(axis=1))
