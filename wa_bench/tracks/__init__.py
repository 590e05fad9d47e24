"""Tracks: questions about accelerator cost, each with a judge."""

from wa_bench.tracks.track import Exam, Group, Target, Track, available, track

__all__ = ["Exam", "Group", "Target", "Track", "available", "track"]
