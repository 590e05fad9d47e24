"""The order of a board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wa_bench.evaluation.comparison import Memory, compare
from wa_bench.evaluation.metrics import Floats, parse_metric
from wa_bench.files import replacing
from wa_bench.leaderboard.board import Entry


class Kept:
    """What was found out about pairs of submissions, in a file a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, test: str, names: Sequence[str]) -> Floats:
        """(n, n) what is known of each pair; NaN where nothing is."""
        found = np.full((len(names), len(names)), np.nan)
        file = self._folder / f"{test}.npz"
        if file.is_file():
            with np.load(file, allow_pickle=False) as kept:
                place_of = {name: place for place, name in enumerate(kept["names"].tolist())}
                rows = [row for row, name in enumerate(names) if name in place_of]
                places = [place_of[names[row]] for row in rows]
                found[np.ix_(rows, rows)] = kept["found"][np.ix_(places, places)]
        return found

    def keep(self, test: str, names: Sequence[str], found: Floats) -> None:
        """Remember the pairs of this board, and forget others."""
        with replacing(self._folder / f"{test}.npz") as partial, partial.open("wb") as file:
            np.savez(file, names=np.array(names, dtype=np.str_), found=found)


def rank(entries: Sequence[Entry], memory: Memory | None = None) -> list[Entry]:
    """Best first: by the mean of the track's ranking metric over the targets on the first exam split.

    The track's tie-breaker orders equal means. Ranks follow from the paired test, corrected for the number of pairs, so
    that submissions which it cannot tell apart share one. Controls stand in line without a rank. Submissions
    that leave out designs come last, whatever their score on the rest.
    """

    def key(entry: Entry) -> tuple[bool, float, float, str]:
        track = entry.scores.track
        return (not entry.is_complete, _badness(entry, track.rank_by), _badness(entry, track.tie_breaker), entry.slug)

    ordered = sorted(entries, key=key)
    competing = [entry for entry in ordered if not entry.is_control and entry.is_complete]
    ranked = {}
    if competing:
        comparison = compare([entry.scores for entry in competing], memory=memory)
        for entry, group, ranks in zip(competing, comparison.tie_groups(), comparison.rank_ranges(), strict=True):
            ranked[entry.slug] = replace(entry, rank=ranks[0], worst=ranks[1], tie_group=group + 1)
    return [ranked.get(entry.slug, entry) for entry in ordered]


def _badness(entry: Entry, metric: str) -> float:
    """A mean that is smaller the better it is; infinite where undefined."""
    mean = entry.scores.mean(metric)
    return math.inf if mean is None else parse_metric(metric).badness(mean)
