"""Surrogates behind one estimator interface."""
