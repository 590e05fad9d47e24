"""A submission without fault."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import create


@pytest.fixture
def folder(tmp_path: Path, oracle: pl.DataFrame, exam: wb.Dataset) -> Path:
    """Truth plus ten percent, submitted to the embedded track and not scored yet."""
    card = Card(
        name="Ten percent more",
        slug="ten-more",
        track="opensynth",
        authors=["Ada"],
        licence="MIT",
        method="Truth plus ten percent.",
        training_data="none",
        labels="none",
    )
    more = oracle.with_columns(pl.exclude("sample_id") * 1.1)
    create(tmp_path / "ten-more", card, wb.Predictions(more, exam.track.target_names))
    return tmp_path / "ten-more"
