from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

import wa_bench as wb
from wa_bench.submissions.card import read_card, write_card
from wa_bench.submissions.folder import score
from wa_bench.submissions.review import BOARD, Review, review

HERE = f"{BOARD}/opensynth/ten-more"


@pytest.fixture
def root(folder: Path, tmp_path: Path) -> Path:
    """A repository with two submissions, one of them new."""
    score(folder)
    board = tmp_path / "repository" / BOARD / "opensynth"
    shutil.copytree(folder, board / "ten-more")
    shutil.copytree(Path(__file__).parents[2] / BOARD / "opensynth" / "analytic", board / "analytic")
    return tmp_path / "repository"


def judged(root: Path, *names: str) -> Review:
    names = names or tuple(f"{HERE}/{path.name}" for path in sorted((root / HERE).iterdir()))
    return review("".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape"), root)


def reasons(root: Path, *names: str) -> str:
    verdict = judged(root, *names)
    assert not verdict.good
    return "\n".join(map(str, verdict.faults))


def test_one_new_submission_with_true_scores_is_good(root: Path, exam: wb.Dataset) -> None:
    verdict = judged(root)
    assert verdict.good
    assert verdict.lines()[0] == f"GOOD: {HERE}, {exam.truth().height} predictions, stored scores are true"
    assert "mean R2 on test: 0.9" in verdict.summary()


@pytest.mark.parametrize(
    "name",
    [
        ".github/workflows/submission.yml",
        "wa_bench/__init__.py",
        "conftest.py",
        f"{BOARD}/opensynth/README.md",
        f"{BOARD}/chess/ten-more/card.yaml",
        f"{BOARD}/opensynth/Ten-More/card.yaml",
        f"{BOARD}/opensynth/../ten-more/card.yaml",
        f"{HERE}/../analytic/card.yaml",
        f"{HERE}/conftest.py",
        f"{HERE}/deeper/card.yaml",
        f"/{HERE}/card.yaml",
        f"{HERE}/card.yaml\n",
        f"x/{HERE}/card.yaml",
        "::set-output name=x::<b>",
        "\udcff\udcfe",
    ],
)
def test_a_proposal_that_touches_anything_else_is_refused(name: str, root: Path) -> None:
    expected = f"the proposal: expected only files of one folder {BOARD}/<track>/<name>/, found {ascii(name)[:120]}"
    assert expected in reasons(root, f"{HERE}/card.yaml", name)


def test_one_submission_at_a_time_and_not_none(root: Path) -> None:
    two = reasons(root, f"{HERE}/card.yaml", f"{BOARD}/opensynth/analytic/card.yaml")
    assert "expected one submission, found opensynth/analytic, opensynth/ten-more" in two
    assert "found no changed file" in "\n".join(map(str, review(b"", root).faults))
    assert "at most 7 changed files, found 100,000" in reasons(root, *(f"{HERE}/{n}" for n in range(100_000)))


def test_a_submission_is_not_taken_away(root: Path) -> None:
    shutil.rmtree(root / HERE)
    assert "expected a folder with a submission, found none" in reasons(root, f"{HERE}/card.yaml")


def test_no_link_on_the_way_is_followed(root: Path, tmp_path: Path) -> None:
    (root / BOARD / "opensynth").rename(tmp_path / "elsewhere")
    (root / BOARD / "opensynth").symlink_to(tmp_path / "elsewhere")
    assert "expected a folder with a submission, found a link" in reasons(root, f"{HERE}/card.yaml")


def test_scores_must_be_there_and_true(root: Path) -> None:
    file = root / HERE / "scores.json"
    stored = json.loads(file.read_text())
    stored["scores"][0]["value"] = 1.0
    file.write_text(json.dumps(stored))
    assert "R2@bram of all on test, value: expected 0.98" in reasons(root)
    file.unlink()
    assert "scores.json: expected scores, found nothing" in reasons(root)


def test_faults_of_the_submission_are_faults_of_the_proposal(root: Path) -> None:
    (root / HERE / "run.sh").write_text("")
    assert "entry 'run.sh': expected only" in reasons(root, f"{HERE}/card.yaml")


def test_a_name_that_imitates_another_submission_is_refused(root: Path) -> None:
    card = root / HERE / "card.yaml"
    card.write_text(card.read_text().replace("Ten percent more", "AnaIytic (the tooIs` ruIes)"))
    assert 'a name that cannot be taken for "Analytic (the tools\' rules)" of analytic' in reasons(root)


def test_a_card_of_another_track_is_refused(root: Path) -> None:
    card = root / HERE / "card.yaml"
    shutil.copytree(root / BOARD / "opensynth", root / BOARD / "hls4ml")
    names = [f"{BOARD}/hls4ml/ten-more/card.yaml"]
    assert card.is_file()
    assert "field track: expected 'hls4ml', the folder it lies in, found 'opensynth'" in reasons(root, *names)


def test_markup_in_every_text_field_stays_text(root: Path) -> None:
    bomb = "<script>alert(1)</script></pre>`@all`[x](javascript:x)"
    fields = {"method": bomb, "licence": bomb, "training_data": bomb, "labels": bomb, "hardware": bomb}
    card = read_card(root / HERE / "card.yaml")
    file = root / HERE / "card.yaml"
    write_card(file, type(card)(**{**{n: getattr(card, n) for n in card.__struct_fields__}, **fields, "name": bomb}))
    good = judged(root)
    assert good.good
    file.write_text(file.read_text() + f"{bomb!r}: x\n")
    for verdict in (good, judged(root), judged(root, bomb)):
        assert "<script" not in verdict.summary()
        assert verdict.summary().count("</pre>") == 1
        assert not any(line.startswith(("::", "##[")) for line in verdict.lines())


def test_a_proposal_that_touches_no_submission_passes(root: Path) -> None:
    verdict = review(b"wa_bench/cli.py\0leaderboard/README.md\0", root)
    assert verdict.good
    assert verdict.lines() == ["GOOD: no file of leaderboard/submissions/ is touched"]


def test_only_its_authors_may_change_a_submission_and_nobody_makes_a_control(root: Path, tmp_path: Path) -> None:
    names = b"".join(f"{HERE}/{path.name}\0".encode() for path in sorted((root / HERE).iterdir()))
    shutil.copytree(root, tmp_path / "base")
    assert review(names, root, base=tmp_path / "base").good
    card = tmp_path / "base" / HERE / "card.yaml"
    before = read_card(card)
    write_card(card, msgspec.structs.replace(before, authors=["Somebody else"]))
    (fault,) = review(names, root, base=tmp_path / "base").faults
    assert fault.place == "card.yaml, field authors"
    shutil.rmtree(tmp_path / "base" / HERE)
    assert review(names, root, base=tmp_path / "base").good
    write_card(root / HERE / "card.yaml", msgspec.structs.replace(before, kind="control"))
    faults = review(names, root, base=tmp_path / "base").faults
    assert [fault.place for fault in faults] == ["card.yaml, field kind"]
