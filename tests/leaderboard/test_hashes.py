from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from wa_bench.leaderboard import hashes
from wa_bench.leaderboard.hashes import Hashes


def hash_of(path: Path, place: Path) -> str:
    with Hashes(place) as known:
        return known.of(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "hashes.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def settled(file: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, its hash known, and so long ago that a change has another time."""
    monkeypatch.setattr(hashes, "_SETTLED", 0)
    hash_of(file, place)
    time.sleep(0.05)
    return file


def test_a_file_that_nobody_touched_is_not_read_again(settled: Path, place: Path) -> None:
    true = sha256(b"one").hexdigest()
    place.write_text(place.read_text().replace(true, "kept"))
    assert hash_of(settled, place) == "kept"


def test_a_touched_file_with_equal_bytes_has_an_equal_hash(settled: Path, place: Path) -> None:
    settled.touch()
    assert hash_of(settled, place) == sha256(b"one").hexdigest()


def test_other_bytes_of_the_same_size_are_noticed_whatever_the_modification_time(settled: Path, place: Path) -> None:
    before = settled.stat()
    settled.write_bytes(b"two")
    os.utime(settled, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (settled.stat().st_size, settled.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert hash_of(settled, place) == sha256(b"two").hexdigest()


def test_another_file_of_the_same_name_is_noticed(settled: Path, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(settled.stat().st_atime_ns, settled.stat().st_mtime_ns))
    other.replace(settled)
    assert hash_of(settled, place) == sha256(b"two").hexdigest()


def test_the_hash_of_a_file_that_may_still_be_written_is_not_kept(file: Path, place: Path) -> None:
    assert hash_of(file, place) == sha256(b"one").hexdigest()
    assert not place.exists()


def test_files_that_are_gone_are_forgotten(settled: Path, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(b"other")
    hash_of(other, place)
    assert "other.csv" in place.read_text()
    assert "predictions.csv" not in place.read_text()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [1, 2, 3, 4]}', "\udcff"])
def test_damaged_hashes_only_cost_time(file: Path, place: Path, text: str) -> None:
    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert hash_of(file, place) == sha256(b"one").hexdigest()
