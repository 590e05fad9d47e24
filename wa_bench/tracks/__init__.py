"""Tracks: questions about accelerator cost, each with a judge."""
