"""Tracks that have no submission yet: their boards are ready for the first."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import wa_bench as wb
from wa_bench.evaluation.metrics import parse_metric
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import boards
from wa_bench.tracks.track import available


@pytest.mark.parametrize("name", available())
def test_the_metrics_of_a_track_ask_for_no_target_that_it_lacks(name: str) -> None:
    track = wb.track(name)
    for metric in map(parse_metric, (*track.metrics, track.rank_by, track.tie_breaker)):
        assert set(metric.joint) <= set(track.target_names), metric
    assert {track.rank_by, track.tie_breaker} <= set(track.metrics)


@pytest.mark.parametrize("name", ["vit", "energy"])
def test_submissions_are_scored_ranked_and_shown_on_genuine_records(
    mirror: Path, generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WA_BENCH_MIRROR", str(mirror))
    generator.begin(name, None)
    for number in range(3):
        generator.write(tmp_path / "submissions", number, 0)
    (board,) = boards(tmp_path / "submissions")
    assert {entry.rank for entry in board.entries} <= {1, 2, 3}
    folder = build([board], tmp_path / "site").front_page.parent / name
    for entry in board.entries:
        page = (folder / "submissions" / f"{entry.slug}.html").read_text()
        worst = entry.digest.worst_designs["sample_id"]
        assert any(sample in page for sample in worst)
        assert all(target.label in page for target in board.track.targets)
