"""Submissions: card and predictions in, scores out."""
