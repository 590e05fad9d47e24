"""How far from an estimate the truth may lie: the surrogate's own intervals, or its error on designs that are known."""

from __future__ import annotations

import numpy as np
import polars as pl

from wa_bench.data.dataset import Dataset, load
from wa_bench.errors import DataError, Fault
from wa_bench.estimation.known_errors import KNOWN_ERRORS
from wa_bench.surrogates.conformal import LEVEL, Floats, Groups, around, bounds, groups_of
from wa_bench.surrogates.estimator import Estimator
from wa_bench.surrogates.pieces import tools
from wa_bench.tracks.track import track

_TRACK = "opensynth"
"""The track whose truth ships with the package."""


def with_intervals(estimator: Estimator, dataset: Dataset, known: Dataset | None = None) -> tuple[pl.DataFrame, str]:
    """Predictions with ``<target>_low`` and ``<target>_high``, one row a design, and where these come from, in words.

    Intervals of the surrogate's own are for the synthesis tools that they were measured on. Else a margin is its error
    on designs with truth of the same tool: on ``known``, if given, whatever their tool; else the error on record for
    that tool (``known_errors``); else that on the exam of the embedded track. Where there is none of these, the bounds
    are null. An error on designs at hand is taken for each group by itself, as intervals are (see
    :mod:`~wa_bench.surrogates.conformal`). Whether an error on some designs holds for others is not known. The words
    say if the surrogate learned from designs of other tools only.

    Raises:
        DataError: the surrogate does not answer, or no known design has truth.
    """
    names = dataset.track.target_names
    answers = estimator.predict(dataset).frame()
    if answers.height < (asked := dataset.sample_ids().len()):
        raise DataError(Fault(f"surrogate {estimator.name}", f"answers for {asked} designs", f"{answers.height}"))
    asked_of = tools(dataset)
    named = " and ".join(asked_of)
    origin = estimator.origin if estimator.needs_training else None
    if set(asked_of) <= set(estimator.calibrated_on):
        own = estimator.interval(dataset, LEVEL)
        joined = answers.join(own, on="sample_id", how="left", maintain_order="left")
        learned = f" (it learned: {origin.truth})" if origin else ""
        return joined, f"{LEVEL:.0%} intervals of the surrogate, measured on designs of {named}{learned}"
    note = ""
    if origin and not set(asked_of) <= set(origin.tools):
        note = f"{estimator.name} learned from designs of {' and '.join(origin.tools)} alone; "
    stated = KNOWN_ERRORS.get((estimator.name, named))
    if known is None and stated is None:
        embedded = load(_TRACK, track(_TRACK).exam_splits)
        known = embedded if set(asked_of) <= set(tools(embedded)) else None
    if known is not None:
        errors, groups = _measured(estimator, known)
        radius = bounds(errors, groups, groups_of(dataset, answers), LEVEL)
        where = f"{len(errors)} designs ({', '.join(known.splits)} of {known.track.name}; truth: {known.track.truth})"
    elif stated is not None:
        factors = np.log([stated.factors[name] for name in names])
        radius, where = np.tile(factors, (answers.height, 1)), stated.measured_on
    else:
        missing = f"{note}no error of {estimator.name} on designs of {named} is known; hand some over: known="
        untold = [pl.lit(None, pl.Float64).alias(f"{name}{end}") for name in names for end in ("_low", "_high")]
        return answers.with_columns(untold), missing
    joined = answers.join(around(answers, names, radius), on="sample_id", maintain_order="left")
    return joined, f"{note}the error of {estimator.name} that {LEVEL:.0%} kept within, of {where}"


def _measured(estimator: Estimator, known: Dataset) -> tuple[Floats, Groups]:
    """Errors on the logarithm of the designs that have truth, and their groups, (designs, targets) each."""
    truth = known.truth()
    pairs = truth.join(estimator.predict(known).frame(), on="sample_id", suffix="_predicted")
    if pairs.is_empty():
        raise DataError(Fault(repr(known), "designs with truth to measure the surrogate's error on", "none"))
    errors = pairs.select(
        (pl.col(f"{name}_predicted").clip(lower_bound=0).log1p() - pl.col(name).log1p()).abs().alias(name)
        for name in known.track.target_names
    )
    return errors.to_numpy(), groups_of(known, pairs)
