"""On which scale two scores are compared.

It is the metric's own up to where that is ``FAR`` better than the worse of the two, and goes straight on from there. So
a score that hangs on one network, and may well be a few times what it is, still parts from one a hundred times worse:
how many times better it is cannot be said, nor need it be. On the metric's own scale alone it would part from nobody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wa_bench.evaluation.metrics import Floats, Metric

FAR = float(np.log(10))
"""On a logarithmic scale, a tenth."""

_Places = NDArray[np.intp]


class PairScale:
    """The scales of all pairs among values (n,) of a metric, without their sign where zero is good.

    Where the worse of a pair lies at the end of the metric's scale, the two are compared as they are.
    """

    def __init__(self, metric: Metric, values: Floats) -> None:
        scale = metric.scale
        self._values = values
        self._worse = -1 if metric.better == "higher" else 1
        self._down = self._worse if scale.rising else -self._worse
        with np.errstate(all="ignore"):
            self._there = scale.there(values)
            self._at_end = np.isinf(self._there)
            self._slope = np.where(self._at_end, 1, scale.slope(self._there))
            self._bend = self._there - self._down * FAR
            self._value_at_bend, self._slope_at_bend = scale.back(self._bend), scale.slope(self._bend)

    def badness(self, who: _Places, worse: _Places) -> Floats:
        """(pairs,) place of value ``who`` on the scale of the pair whose worse is ``worse``; smaller is better."""
        with np.errstate(all="ignore"):
            on = (self._values[who] - self._value_at_bend[worse]) / self._slope_at_bend[worse]
            there = np.where(self._beyond(who, worse), self._bend[worse] + on, self._there[who])
        return np.where(self._at_end[worse], self._worse * self._values[who], self._down * there)

    def factor(self, who: _Places, worse: _Places) -> Floats:
        """(pairs,) what influences on value ``who``, on the metric's scale, are multiplied with to be on the pair's.

        At the end of a metric's scale influences are on the value as it is.
        """
        with np.errstate(all="ignore"):
            bent = self._slope[who] / self._slope_at_bend[worse]
        return np.where(self._at_end[worse], self._slope[who], np.where(self._beyond(who, worse), bent, 1))

    def _beyond(self, who: _Places, worse: _Places) -> NDArray[np.bool_]:
        return np.asarray(self._worse * (self._values[who] - self._value_at_bend[worse]) < 0)
