"""Datasets and predictions: where they come from and how they are checked."""
