"""Cards of submissions that this project's own surrogates make."""

from __future__ import annotations

from typing import Any, cast

from wa_bench.data.catalogue import entry
from wa_bench.submissions.card import Card, Family
from wa_bench.surrogates.estimator import Estimator
from wa_bench.tracks.track import Track


def reference_card(model: Estimator, track: Track, note: str = "", **further: Any) -> Card:
    """The card of a surrogate, called as the surrogate itself.

    Args:
        model: fitted on the train split, if it is trained.
        track: what it predicts.
        note: said after the method: how it was trained.
        further: other fields of the card, such as ``seconds_per_design``, ``hardware``, ``submitted``, ``reproduce``.
    """
    untaught = not model.needs_training
    titles = " and ".join(entry(dataset).title for dataset in track.datasets)
    return Card(
        name=model.title,
        slug=model.name,
        track=track.name,
        family=cast("Family", model.family),
        kind="control" if model.control else "surrogate",
        authors=["The wa-bench authors"],
        licence="Apache-2.0",
        method=f"{model.method} {note}".strip(),
        training_data=model.owes if untaught else f"{titles}, train split",
        labels="none" if untaught and model.owes == "none" else track.truth,
        parameters=model.parameters,
        **further,
    )
