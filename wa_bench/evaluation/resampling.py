"""Cluster bootstrap: metrics of many resamples at once.

Designs of one architecture are not independent: a surrogate that misjudges a network misjudges it at every setting.
So whole clusters are drawn, with replacement, and a resample is a vector of weights: how often each cluster was drawn.
Sums over designs become one matrix product (resamples x clusters) @ (clusters x terms); quantiles are found in the
sorted errors, where only the designs near the quantile need a look. Both give what scoring each resample by itself
would give, up to rounding.

Beside the resamples stands the influence of each cluster on a metric (infinitesimal jackknife): by how much its
presence moves the value. The squares of the influences add up to the variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wa_bench.evaluation.metrics import Floats, SumMetric

Codes = NDArray[np.int64]
Pair = tuple[Floats, Floats]
"""Truth and prediction of a target, (n,) each."""

MOST_CLUSTERS = 1 << 12
"""Clusters beyond this number are first joined at random: the variance stays unbiased, and is known to 3 %."""

_BLOCK_BYTES = 1 << 21
"""What is counted at once: about a cache."""
_ROUNDING = 1e-12
"""What is left of a sum when as good as all of it is taken away is rounding."""
_REACH = 4.0
"""How many standard deviations about a quantile are searched first."""


class Resamples:
    """Weights of clusters, drawn once and used for every metric, target and group, and for every submission.

    Args:
        clusters: (n,) the cluster of each design, numbered from zero.
        strata: (n,) the stratum of each design, numbered from zero: each keeps its number of clusters.
        count: number of resamples.
        seed: what the draws depend on, beside the numbers of clusters.
    """

    def __init__(self, clusters: Codes, strata: Codes, count: int, seed: int | Sequence[int]) -> None:
        rng = np.random.default_rng(seed)
        self.strata = np.zeros(int(clusters.max(initial=-1)) + 1, dtype=np.int64)
        """(clusters,) the stratum of each cluster."""
        self.strata[clusters] = strata
        self.clusters = clusters
        """(n,) the cluster of each design, after the joining."""
        if len(self.strata) > MOST_CLUSTERS:
            joined, self.strata = join(self.strata, MOST_CLUSTERS, rng)
            self.clusters = joined[clusters]
        self.weights = draw(self.strata, count, rng)
        """(clusters, count) how often each cluster was drawn."""

    def of(self, rows: Codes) -> Sample:
        """The resamples of some designs."""
        return Sample(self.weights, self.clusters[rows], self.strata)


class Sample:
    """Resamples of one set of designs (n,): what a group of them would have been in each."""

    def __init__(self, weights: NDArray[np.uint8], clusters: Codes, strata: Codes) -> None:
        self.present, codes = np.unique(clusters, return_inverse=True)
        """(clusters,) the clusters among them."""
        self.clusters = len(self.present)
        """Number of clusters, which is the number of independent observations."""
        self.size = weights.shape[1]
        """Number of resamples."""
        self._weights = weights if self.clusters == len(weights) else weights[self.present]
        self._strata = strata[self.present]
        self._codes = codes
        self._order = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes[self._order], np.arange(self.clusters))
        self._sizes = np.bincount(codes, minlength=self.clusters).astype(np.float64)

    @cached_property
    def _totals(self) -> Floats:
        """(2, resamples) number of designs, and of draws of their clusters."""
        return self._sums(np.column_stack([self._sizes, np.ones(self.clusters)]))

    def sum_metrics(self, metrics: Sequence[SumMetric], pairs: Sequence[Pair]) -> tuple[Floats, Floats, Floats]:
        """Metrics for several targets, NaN where undefined.

        Returns:
            Of the designs as they are (targets, metrics, 1), of all resamples (targets, metrics, resamples), and with
            each cluster left out (targets, metrics, clusters).
        """
        terms = [[metric.terms(*pair) for metric in metrics] for pair in pairs]
        places = np.cumsum([columns.shape[1] for some in terms for columns in some])[:-1]
        by_cluster = np.hstack([self._by_cluster(np.hstack(some)) for some in terms])
        sums, count = by_cluster.sum(axis=0), self._sizes.sum()

        def metrics_of(sums: Floats, counts: Floats) -> Floats:
            parts = iter(np.split(sums, places))
            return np.array([[metric.of_sums(next(parts).T, counts) for metric in metrics] for _ in pairs])

        values = metrics_of(sums[:, None], np.array([count]))
        left = sums - by_cluster
        left[np.abs(left) <= _ROUNDING * np.abs(sums)] = 0
        left_out = metrics_of(left.T, count - self._sizes)
        return values, metrics_of(self._sums(by_cluster), self._totals[0]), left_out

    @cached_property
    def _members(self) -> Floats:
        """(clusters, strata) one where a cluster is of a stratum, else zero."""
        return np.asarray(self._strata[:, None] == np.unique(self._strata), dtype=np.float64)

    @property
    def freedom(self) -> int:
        """Number of independent observations beyond the first of each stratum, which says nothing of the spread."""
        return self.clusters - len(np.unique(self._strata))

    def centred(self, influences: Floats) -> Floats:
        """Influences (k, clusters) about their mean within each stratum, made larger for what that takes away."""
        sizes = self._members.sum(axis=0)
        means = influences @ (self._members / sizes)
        larger = np.sqrt(sizes / np.maximum(sizes - 1, 1))
        return np.asarray((influences - means @ self._members.T) * (self._members @ larger))

    def spread(self, influences: Floats) -> Floats:
        """Standard errors (k, resamples) that each resample would state, from influences (k, clusters)."""
        return spread(influences, self._wide, self._strata)

    def quantiles(self, wanted: Sequence[tuple[Floats, Sequence[float]]]) -> list[tuple[Floats, Floats]]:
        """Quantiles of errors, interpolated as numpy does.

        First only designs near a quantile are counted one by one, those below as a whole; in resamples where that did
        not reach, all of them are.

        Args:
            wanted: errors (n,), and which of their quantiles.

        Returns:
            For each, of the designs as they are (quantiles,), and of all resamples (quantiles, resamples), NaN where
            one has no design.
        """
        if not wanted:
            return []
        orders = [np.argsort(errors) for errors, _ in wanted]
        windows = [
            [_Window(self._codes[order], q, self._sizes) for q in qs]
            for order, (_, qs) in zip(orders, wanted, strict=True)
        ]
        below = iter(self._sums(np.column_stack([window.below for some in windows for window in some])))
        found = []
        for order, (errors, qs), some in zip(orders, wanted, windows, strict=True):
            ordered, codes = errors[order], self._codes[order]
            drawn = np.array([self._quantile(ordered, codes, window, next(below)) for window in some])
            found.append((np.quantile(ordered, qs), drawn))
        return found

    def _quantile(self, errors: Floats, codes: Codes, window: _Window, below: Floats) -> Floats:
        """A quantile in all resamples of errors (n,) in rising order; ``below`` (resamples,) lie under the window."""
        counts = self._totals[0]
        place = window.q * np.maximum(counts - 1, 0)
        rank = np.floor(place)
        low, high = (window.start + found for found in self._count_up(codes[window.start : window.end], rank - below))
        for resample in np.flatnonzero((below > rank) | (high == window.end) & (window.end < len(codes))):
            drawn = np.cumsum(self._weights[codes, resample], dtype=np.int64)
            low[resample], high[resample] = np.searchsorted(drawn, rank[resample] + [0, 1], side="right")
        low = np.minimum(low, len(codes) - 1)
        high = np.where(high < len(codes), high, low)
        return np.where(counts > 0, errors[low] + (place - rank) * (errors[high] - errors[low]), np.nan)

    def _count_up(self, codes: Codes, ranks: Floats) -> tuple[Codes, Codes]:
        """How many designs come, in each resample, before the drawn ones of rank ``ranks`` and ``ranks + 1``.

        Designs are counted in runs first, then one by one in the run that holds the rank.
        """
        run = max(1, math.isqrt(len(codes)))
        drawn = np.zeros((-(-len(codes) // run) * run, self.size), dtype=np.uint8)
        drawn[: len(codes)] = self._weights[codes]
        ends = np.cumsum(drawn.reshape(len(drawn) // run, run, self.size).sum(axis=1, dtype=np.int32), axis=0)
        resamples = np.arange(self.size)
        counts = []
        for rank in (ranks, ranks + 1):
            full = np.count_nonzero(ends <= rank, axis=0)
            before = np.where(full > 0, ends[full - 1, resamples], 0)
            inside = np.minimum(full * run, len(drawn) - run) + np.arange(run)[:, None]
            sums = before + np.cumsum(drawn[inside, resamples], axis=0, dtype=np.int64)
            beyond = full == len(ends)
            counts.append(np.where(beyond, len(codes), full * run + np.count_nonzero(sums <= rank, axis=0)))
        return np.minimum(counts[0], len(codes)), np.minimum(counts[1], len(codes))

    def quantile_influence(self, errors: Floats, q: float, value: float, draws: Floats) -> Floats:
        """Influence (clusters,) on the quantile q of errors (n,), which is ``value``, and ``draws`` in the resamples.

        A cluster moves it by how many of its errors lie below, more or less than their share (Bahadur 1966); how far,
        is taken from the resamples.
        """
        below = np.bincount(self._codes, weights=errors <= value, minlength=self.clusters)
        surplus = self.centred((q * self._sizes - below)[None])[0]
        size = np.sqrt(np.square(surplus).sum())
        return surplus * (np.nanstd(draws) / size) if size and self.size else np.zeros(self.clusters)

    def _by_cluster(self, terms: Floats) -> Floats:
        """Sums by cluster (clusters, k) of terms (n, k)."""
        return np.add.reduceat(terms[self._order], self._starts, axis=0)

    def _sums(self, by_cluster: Floats) -> Floats:
        """Weighted sums (k, resamples) of sums by cluster (clusters, k)."""
        return np.asarray(by_cluster.T @ self._wide)

    @cached_property
    def _wide(self) -> Floats:
        return self._weights.astype(np.float64)


class _Window:
    """Where to look for quantile ``q`` of errors whose clusters, in rising order, are ``codes`` (n,).

    Designs ``start`` to ``end`` are near it; ``below`` (clusters,) counts those under them. ``sizes`` (clusters,) are
    all designs of each cluster.
    """

    def __init__(self, codes: Codes, q: float, sizes: Floats) -> None:
        self.q = q
        middle = q * len(codes)
        inside = np.bincount(codes[: int(middle)], minlength=len(sizes))
        reach = _REACH * np.sqrt(np.square(inside - q * sizes).sum()) + 2
        self.start, self.end = max(0, int(middle - reach)), min(len(codes), int(middle + reach) + 1)
        self.below = np.bincount(codes[: self.start], minlength=len(sizes)).astype(np.float64)


def spread(influences: Floats, weights: Floats, strata: Codes) -> Floats:
    """Standard errors (k, resamples) that resamples would state of sums of influences.

    Args:
        influences: (k, clusters) about their mean within each stratum.
        weights: (clusters, resamples) how often each cluster was drawn.
        strata: (clusters,) the stratum of each.
    """
    squares = np.square(influences) @ weights
    for stratum in np.unique(strata):
        members = strata == stratum
        drawn = weights[members]
        with np.errstate(divide="ignore", invalid="ignore"):
            squares -= np.nan_to_num(np.square(influences[:, members] @ drawn) / drawn.sum(axis=0))
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def join(strata: Codes, most: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Which of about ``most`` groups each cluster becomes part of, at random within its stratum, evenly.

    Returns:
        The group of each cluster, and the stratum of each group.
    """
    joined = np.empty(len(strata), dtype=np.int64)
    kept: list[int] = []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        fewer = min(len(members), max(1, len(members) * most // len(strata)))
        joined[members] = len(kept) + rng.permutation(np.arange(len(members)) % fewer)
        kept += [int(stratum)] * fewer
    return joined, np.array(kept, dtype=np.int64)


def draw(strata: Codes, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw clusters with replacement within each stratum, ``count`` times: how often each came up (clusters, count)."""
    drawn = np.zeros((len(strata), count), dtype=np.uint8)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        size = len(members)
        block = max(1, _BLOCK_BYTES // (8 * size))
        for start in range(0, count, block):
            resamples = np.arange(min(block, count - start))
            picks = rng.integers(0, size, size=(len(resamples), size), dtype=np.int32) * np.int64(len(resamples))
            times = np.bincount((picks + resamples[:, None]).ravel(), minlength=size * len(resamples))
            drawn[members, start : start + len(resamples)] = times.reshape(size, -1)
    return drawn
