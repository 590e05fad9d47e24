"""wa-bench: load, predict, score and rank surrogates of neural-network accelerator cost."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wa_bench import surrogates, tracks
    from wa_bench.data.dataset import Dataset, load
    from wa_bench.data.predictions import Predictions
    from wa_bench.estimation.estimate import estimate
    from wa_bench.evaluation.evaluator import evaluate
    from wa_bench.evaluation.report import Report
    from wa_bench.surrogates.estimator import surrogate
    from wa_bench.tracks.track import track

_HOME = {
    "Dataset": "wa_bench.data.dataset",
    "Predictions": "wa_bench.data.predictions",
    "Report": "wa_bench.evaluation.report",
    "estimate": "wa_bench.estimation.estimate",
    "evaluate": "wa_bench.evaluation.evaluator",
    "load": "wa_bench.data.dataset",
    "surrogate": "wa_bench.surrogates.estimator",
    "track": "wa_bench.tracks.track",
}
_PARTS = ("surrogates", "tracks")

__all__ = [
    "Dataset",
    "Predictions",
    "Report",
    "estimate",
    "evaluate",
    "load",
    "surrogate",
    "surrogates",
    "track",
    "tracks",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import wa_bench`` stays fast."""
    if name == "__version__":
        return version("wa-bench")
    if name in _PARTS:
        return import_module(f"wa_bench.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'wa_bench' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
