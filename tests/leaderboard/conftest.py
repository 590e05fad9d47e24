"""A few scored submissions, and what is built from them."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import msgspec
import polars as pl
import pytest

import wa_bench as wb
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.gather import boards
from wa_bench.submissions.card import CARD_FILE, Card, read_card, write_card
from wa_bench.submissions.folder import create, score

ROOT = Path(__file__).parents[2]
SLUGS = ("made-000", "made-001", "made-002", "made-049")


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """``scripts/make_submissions.py``."""
    spec = importlib.util.spec_from_file_location("make_submissions", ROOT / "scripts" / "make_submissions.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="session")
def _scored(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator.begin("opensynth", None)
    folder = tmp_path_factory.mktemp("scored") / "submissions"
    for slug in SLUGS:
        generator.write(folder, int(slug[-3:]), 0)
    return folder


@pytest.fixture
def submissions(_scored: Path, tmp_path: Path) -> Path:
    """Four scored submissions of opensynth, the last with markup in its card; a copy to play with."""
    return Path(shutil.copytree(_scored, tmp_path / "submissions"))


@pytest.fixture(scope="session")
def board(_scored: Path) -> Board:
    """The board of these submissions."""
    (made,) = boards(_scored)
    return made


@pytest.fixture
def submit(tmp_path: Path, oracle: pl.DataFrame, exam: wb.Dataset):
    """Score the truth times a factor, as a submission to ``<tmp_path>/submissions``."""

    def make(slug: str, factor: float, kind: str = "surrogate", rows: int | None = None) -> Path:
        folder = tmp_path / "submissions" / "opensynth" / slug
        frame = oracle.head(rows or oracle.height).with_columns(pl.exclude("sample_id") * factor)
        create(folder, _card(slug, kind), wb.Predictions(frame, exam.track.target_names))
        score(folder)
        return folder

    return make


def _card(slug: str, kind: str) -> Card:
    return Card(
        name=slug,
        slug=slug,
        track="opensynth",
        kind=kind,
        authors=["Ada"],
        licence="MIT",
        method="x",
        training_data="none",
        labels="none",
    )


@pytest.fixture
def rewrite():
    """Change fields of the card of a submission's folder."""

    def change(folder: Path, **fields: object) -> None:
        card = read_card(folder / CARD_FILE)
        write_card(folder / CARD_FILE, msgspec.structs.replace(card, **fields))

    return change
