from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest

from wa_bench.errors import DataError
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import Sources, boards
from wa_bench.leaderboard.versions import Snapshot, change, freeze, frozen, ranks, snapshots
from wa_bench.submissions.folder import score

DAY = date(2026, 5, 1)


def reload(submissions: Path, folder: Path) -> Board:
    (board,) = boards(Sources(submissions, frozen=folder))
    return board


def outdated(folder: Path, **fields: object) -> None:
    """Make the frozen first version one of other records, truth or evaluator."""
    file = folder / "opensynth" / "v1.json"
    snapshot = msgspec.json.decode(file.read_bytes(), type=Snapshot)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(snapshot, **fields)))


def test_a_frozen_board_holds_ranks_and_scores_of_every_line(board: Board, tmp_path: Path) -> None:
    file = freeze(board, tmp_path, "The first.", DAY)
    (snapshot,) = snapshots(tmp_path, board.track)
    assert file == tmp_path / "opensynth" / "v1.json"
    assert [line.slug for line in snapshot.lines] == [entry.slug for entry in board.entries]
    for line, entry in zip(snapshot.lines, board.entries, strict=True):
        assert ranks(line) == ranks(entry)
        for split, metrics in line.scores.items():
            for metric, targets in metrics.items():
                for target, (value, low, high) in targets.items():
                    row = entry.scores.row((f"{metric}@{target}", split))
                    assert (value, low, high) == (row["value"], row["low"], row["high"])


def test_freezing_twice_gives_the_same_bytes_and_no_new_version(submissions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    first = freeze(reload(submissions, folder), folder, "The first.", DAY).read_bytes()
    again = reload(submissions, folder)
    assert again.version.frozen
    assert freeze(again, folder, "The first.", DAY).read_bytes() == first
    assert [path.name for path in (folder / "opensynth").iterdir()] == ["v1.json"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fingerprint": "0" * 64}, "other records"),
        ({"truth": "a guess"}, "another truth"),
        ({"evaluator": 1}, "evaluator"),
    ],
)
def test_other_records_truth_or_evaluator_make_a_new_version_and_the_old_one_stays_readable(
    submissions: Path, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    folder = tmp_path / "versions"
    freeze(reload(submissions, folder), folder, "The first <b>one</b>.", DAY)
    outdated(folder, **changed)
    board = reload(submissions, folder)
    assert (board.version.number, board.version.frozen) == (2, False)
    site = build([board], tmp_path / "site").front_page.parent
    listed = (site / "opensynth" / "versions.html").read_text()
    assert said in listed
    assert "not frozen" in listed
    assert "The first &lt;b&gt;one&lt;/b&gt;." in listed
    old = (site / "opensynth" / "v1" / "index.html").read_text()
    assert "It is not comparable" in old
    assert "@misc{opensynth-v1," in old
    assert f"track opensynth, version 1}},\n  note = {{truth {board.snapshots[0].fingerprint[:16]}" in old
    for entry in board.entries:
        assert f"{entry.mean('R2'):.3f}" in old


def test_a_version_says_who_came_who_went_and_whose_rank_moved(submissions: Path, tmp_path: Path, submit) -> None:
    folder = tmp_path / "versions"
    before = reload(submissions, folder)
    freeze(before, folder, "The first.", DAY)
    submit("newcomer", 1.0)
    left = submissions / "opensynth" / "made-049"
    for file in left.iterdir():
        file.unlink()
    left.rmdir()
    after = reload(submissions, folder)
    found = change(after.snapshots[0], frozen(after, 1, "", DAY))
    assert found.added == ["newcomer"]
    assert found.removed == [before.entry("made-049").card.name]
    assert found.reasons == []
    expected = [
        (entry.card.name, ranks(before.entry(entry.slug)), ranks(entry))
        for entry in after.entries
        if entry.slug != "newcomer" and ranks(before.entry(entry.slug)) != ranks(entry)
    ]
    assert found.moved == expected
    assert expected


def test_files_that_are_no_frozen_boards_are_named(board: Board, tmp_path: Path) -> None:
    file = freeze(board, tmp_path, "The first.", DAY)
    file.with_name("v2.json").write_bytes(file.read_bytes())
    file.with_name("v3.json").write_text("{}")
    with pytest.raises(DataError) as caught:
        snapshots(tmp_path, board.track)
    assert [Path(fault.place).name for fault in caught.value.faults] == ["v2.json", "v3.json"]


def test_an_earlier_version_is_never_frozen_anew(submissions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    first = freeze(reload(submissions, folder), folder, "The first.", DAY)
    later = first.with_name("v2.json")
    later.write_bytes(
        first.read_bytes().replace(b'"number": 1', b'"number": 2').replace(b'"evaluator": ', b'"evaluator": 9')
    )
    with pytest.raises(DataError, match="expected a version after all frozen ones, found version 1"):
        freeze(reload(submissions, folder), folder, "Again.", DAY)


def test_a_rescored_submission_stays_in_its_version(submissions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    freeze(reload(submissions, folder), folder, "The first.", DAY)
    score(submissions / "opensynth" / "made-000")
    assert reload(submissions, folder).version.number == 1
