"""Surrogates behind one estimator interface."""

from wa_bench.surrogates.estimator import Estimator, available, surrogate

__all__ = ["Estimator", "available", "surrogate"]
