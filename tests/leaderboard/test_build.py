from __future__ import annotations

import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from wa_bench.data.cache import cache_folder
from wa_bench.errors import DataError, FaultyInputError
from wa_bench.leaderboard.board import Board
from wa_bench.leaderboard.build import build
from wa_bench.leaderboard.gather import Sources, Work, boards
from wa_bench.submissions.folder import score

ROOT = Path(__file__).parents[2]


def files(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


class Links(HTMLParser):
    """Addresses that a page refers to, and ids that it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[name] or "" for name in ("href", "src") if name in given]
        self.ids |= {given["id"] or ""} if "id" in given else set()


@pytest.fixture(scope="module")
def site(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of four submissions and of what others reported on hls4ml, as it stands at an address."""
    place = tmp_path_factory.mktemp("built") / "site"
    found = [board, *boards(Sources(board.entries[0].folder.parents[1], ROOT / "leaderboard" / "reported"))[:1]]
    build(found, place, "https://lab.example/board")
    return place


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    checked = 0
    for path in site.rglob("*.html"):
        page = Links(path.read_text())
        for link in page.found:
            parts = urlsplit(link)
            if parts.scheme or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert parts.fragment in Links(target.read_text()).ids, f"{path.relative_to(site)}: {link}"
            checked += 1
    assert checked > 100


def test_the_same_boards_give_the_same_bytes(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build([board], tmp_path / "one")
    monkeypatch.setenv("WA_BENCH_CACHE", str(tmp_path / "another-cache"))
    again = boards(board.entries[0].folder.parents[1], work=Work(processes=2))
    second = build(again, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert first.files == second.files == first.changed == len(files(tmp_path / "one")) - 1


def test_a_build_without_a_change_writes_nothing(board: Board, tmp_path: Path) -> None:
    build([board], tmp_path / "site")
    before = {path: path.stat().st_ino for path in (tmp_path / "site").rglob("*.*") if path.name != ".wa-bench-site"}
    assert build([board], tmp_path / "site").changed == 0
    assert {path: path.stat().st_ino for path in before} == before


def test_a_changed_card_changes_its_own_pages_and_those_that_show_all(
    submissions: Path, tmp_path: Path, rewrite
) -> None:
    build(boards(submissions), tmp_path / "site", "https://lab.example")
    before = files(tmp_path / "site")
    rewrite(submissions / "opensynth" / "made-001", method="Another method.")
    build(boards(submissions), tmp_path / "site", "https://lab.example")
    after = files(tmp_path / "site")
    changed = {path for path in after if before.get(path) != after[path]}
    assert {"opensynth/submissions/made-001.html", "opensynth/submissions/made-001/card.yaml"} <= changed
    assert not [path for path in changed if re.search(r"made-0(00|02|49)", path)]
    assert b"Another method." in after["opensynth/submissions/made-001.html"]
    fresh = build(boards(submissions), tmp_path / "fresh", "https://lab.example").front_page.parent
    assert files(fresh) == after


def test_a_submission_that_is_withdrawn_leaves_no_file(submissions: Path, tmp_path: Path) -> None:
    build(boards(submissions), tmp_path / "site")
    shutil.rmtree(submissions / "opensynth" / "made-001")
    build(boards(submissions), tmp_path / "site")
    assert not [path for path in files(tmp_path / "site") if "made-001" in path]


def test_a_build_that_fails_leaves_the_earlier_site_whole(submissions: Path, tmp_path: Path) -> None:
    build(boards(submissions), tmp_path / "site")
    before = files(tmp_path / "site")
    shutil.rmtree(submissions / "opensynth" / "made-002")
    found = boards(submissions)
    shutil.rmtree(submissions / "opensynth" / "made-049")
    with pytest.raises(FileNotFoundError):
        build(found, tmp_path / "site")
    assert files(tmp_path / "site") == before
    assert {path.name for path in tmp_path.iterdir()} == {"site", "submissions"}


def test_a_damaged_memory_of_the_earlier_build_only_costs_time(board: Board, tmp_path: Path) -> None:
    build([board], tmp_path / "site")
    before = files(tmp_path / "site")
    (tmp_path / "site" / ".wa-bench-site").write_text("{")
    build([board], tmp_path / "site")
    assert files(tmp_path / "site") == before


def test_predictions_can_be_left_out(board: Board, tmp_path: Path) -> None:
    page = build([board], tmp_path / "site", downloads=False).front_page
    assert not list(page.parent.rglob("*.parquet"))
    assert "predictions.parquet" not in (page.parent / "opensynth" / "submissions" / "made-001.html").read_text()


def test_markup_in_a_card_stays_text_in_every_file(site: Path) -> None:
    texts = [path for path in site.rglob("*") if path.suffix in (".html", ".xml", ".svg")]
    assert len(texts) > 10
    for path in texts:
        assert "<script>alert" not in path.read_text(), path
        assert "<img src=x" not in path.read_text(), path
    assert "{{ 7*7 }}" in (site / "opensynth" / "submissions" / "made-049.html").read_text()


def test_equal_predictions_under_two_names_are_refused(submissions: Path, rewrite) -> None:
    copy = submissions / "opensynth" / "zzz"
    shutil.copytree(copy.with_name("made-001"), copy)
    rewrite(copy, slug="zzz", name="Mine")
    score(copy)
    expected = r"zzz.predictions\.parquet: expected predictions of its own, found those of made-001"
    with pytest.raises(DataError, match=expected):
        boards(submissions)


def changed_scores(folder: Path, metric: str, column: str, number: float) -> None:
    """Put another number into the first row of a metric that has one."""
    file = folder / "scores.json"
    stored = json.loads(file.read_text())
    row = next(row for row in stored["scores"] if row["metric"] == metric and row[column] is not None)
    row[column] = number
    file.write_text(json.dumps(stored))


@pytest.mark.parametrize(("metric", "column"), [("R2", "value"), ("SMAPE(eps=1)", "value")])
def test_stored_scores_that_rank_and_are_not_true_stop_the_build(submissions: Path, metric: str, column: str) -> None:
    changed_scores(submissions / "opensynth" / "made-001", metric, column, 0.125)
    with pytest.raises(
        DataError, match=rf"made-001.scores\.json, {re.escape(metric)}@\w+ .*{column}.* found 0\.125.*run: "
    ):
        boards(submissions)


def test_submissions_are_trusted_in_scores_that_do_not_rank_until_asked_to_verify(submissions: Path) -> None:
    changed_scores(submissions / "opensynth" / "made-001", "RMSE", "low", 0.125)
    (found,) = boards(submissions)
    assert not found.entry("made-001").digest.about.verified
    with pytest.raises(DataError, match=r"made-001.*RMSE.*low"):
        boards(submissions, work=Work(verify=True))
    changed_scores(submissions / "opensynth" / "made-002", "R2", "value", 0.125)
    with pytest.raises(DataError, match=r"made-002.*R2.*value"):
        boards(submissions)


def test_touched_files_with_equal_bytes_change_nothing(submissions: Path, tmp_path: Path) -> None:
    first = build(boards(submissions), tmp_path / "site")
    made = set((cache_folder() / "site" / "digests").iterdir())
    for path in submissions.rglob("*.*"):
        path.touch()
    assert build(boards(submissions), tmp_path / "site") == first._replace(changed=0)
    assert set((cache_folder() / "site" / "digests").iterdir()) == made


def test_a_change_that_keeps_size_and_date_of_a_file_is_noticed(submissions: Path) -> None:
    boards(submissions)
    scores = submissions / "opensynth" / "made-001" / "scores.json"
    about, text = scores.stat(), scores.read_text()
    digit = json.loads(text)["predictions_sha256"][0]
    scores.write_text(text.replace(f'_sha256": "{digit}', f'_sha256": "{"0" if digit != "0" else "1"}'))
    os.utime(scores, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert scores.stat().st_size == about.st_size
    with pytest.raises(DataError, match=r"made-001.*predictions_sha256"):
        boards(submissions)


def test_scores_of_other_predictions_stop_the_build_and_leave_the_old_site(submissions: Path, tmp_path: Path) -> None:
    page = build(boards(submissions), tmp_path / "site").front_page
    before = page.read_bytes()
    scores = submissions / "opensynth" / "made-001" / "scores.json"
    scores.write_text(scores.read_text().replace('"predictions_sha256": "', '"predictions_sha256": "0'))
    with pytest.raises(DataError, match=r"predictions_sha256.*run: wa-bench submit score"):
        boards(submissions)
    assert page.read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"scores": 3}', '{"scores": [{"split": 1}]}'])
def test_damaged_scores_are_one_fault_that_names_the_remedy(submissions: Path, text: str) -> None:
    (submissions / "opensynth" / "made-001" / "scores.json").write_text(text)
    with pytest.raises(DataError, match=r"made-001.scores\.json.*run: wa-bench submit score"):
        boards(submissions)


def test_faults_of_all_submissions_are_listed_at_once_whatever_the_number_of_processes(submissions: Path) -> None:
    for slug in ("made-000", "made-001"):
        (submissions / "opensynth" / slug / "scores.json").unlink()
    (submissions / "opensynth" / "made-002" / "notes.txt").write_text("x")
    expected = ["made-000", "made-001", "made-002"]
    for processes in (1, 2):
        with pytest.raises(FaultyInputError) as caught:
            boards(submissions, work=Work(processes))
        named = {slug for slug in expected for fault in caught.value.faults if slug in fault.place}
        assert named == set(expected)


def test_a_submission_in_another_track_s_folder_is_refused(submissions: Path) -> None:
    shutil.move(submissions / "opensynth", submissions / "hls4ml")
    with pytest.raises(DataError, match="field track: expected 'hls4ml', the folder it lies in, found 'opensynth'"):
        boards(submissions, {"hls4ml": str(submissions)})


def test_two_submissions_of_a_track_may_not_have_names_that_look_alike(submissions: Path, rewrite) -> None:
    rewrite(submissions / "opensynth" / "made-000", name="Aspen Ill")
    rewrite(submissions / "opensynth" / "made-001", name="aspen 1l1")
    with pytest.raises(
        DataError, match=r"made-001: expected a name that cannot be taken for 'Aspen Ill' of .*made-000"
    ):
        boards(submissions)


def test_folders_that_hold_no_submission_are_named_and_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected submissions as <track>/<name>/card.yaml, found none"):
        boards(tmp_path / "nowhere")
    (tmp_path / "opensynth" / "empty").mkdir(parents=True)
    (tmp_path / "closedsynth" / "x").mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        boards(tmp_path)
    assert [Path(fault.place).name for fault in caught.value.faults] == ["x", "empty"]


def test_a_file_is_never_replaced_by_a_site(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    with pytest.raises(DataError, match="expected a folder, found a file"):
        build([], tmp_path / "site")


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="expected an empty folder or an earlier site, found other files"):
        build([], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_published_results_alone_make_a_board(site: Path) -> None:
    page = (site / "hls4ml" / "index.html").read_text()
    for file in (ROOT / "leaderboard" / "reported" / "hls4ml").glob("*.yaml"):
        assert yaml.safe_load(file.read_text())["name"] in page


def test_the_submissions_kept_in_the_repository_have_true_scores() -> None:
    found = boards(ROOT / "leaderboard" / "submissions", work=Work(verify=True))
    board = next(board for board in found if board.track.name == "opensynth")
    assert {"oracle", "trees", "analytic", "constant"} <= {entry.slug for entry in board.entries}
