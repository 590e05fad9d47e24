"""What a report keeps for comparisons: how much each part of the exam moves a score.

Clusters are joined at random to at most ``MOST_POOLS`` pools, the same for every submission, so that some hundred
reports can be compared in memory; their influences add up, and the variance stays unbiased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wa_bench.evaluation.metrics import Floats
from wa_bench.evaluation.resampling import Codes, draw, join

MOST_POOLS = 512


class Influence(NamedTuple):
    """Influence on one score, on its metric's scale.

    Attributes:
        values: (pools,) of each pool; NaN where it is not known.
        strata: (pools,) the stratum of each.
    """

    values: Floats
    strata: Codes

    def weights(self, count: int, seed: int | Sequence[int]) -> Floats:
        """How often each pool is drawn in resamples of the exam: (pools, count)."""
        return draw(self.strata, count, np.random.default_rng(seed)).astype(np.float64)


class Pools:
    """How the clusters of an exam are joined: by their strata (clusters,) and a seed."""

    def __init__(self, strata: Codes, seed: int | Sequence[int]) -> None:
        self._pool_of, self._strata = join(strata, MOST_POOLS, np.random.default_rng(seed))

    def pooled(self, influences: Floats, clusters: Codes) -> Influence:
        """Influences (k,) of some clusters (k,), by pool."""
        values = np.bincount(self._pool_of[clusters], weights=influences, minlength=len(self._strata))
        return Influence(values.astype(np.float64), self._strata)
