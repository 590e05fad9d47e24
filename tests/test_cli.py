from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import wa_bench as wb

COMMAND = [str(Path(sys.executable).with_name("wa-bench"))]
HEAVY = {"torch", "sklearn", "datasets", "matplotlib", "polars", "pyarrow", "scipy", "pandas", "pyosys"}


def rows_in(submission: Path) -> int:
    return pl.read_parquet(submission / "predictions.parquet").height


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("statement", ["import wa_bench", "import wa_bench.cli"])
def test_the_package_and_its_command_line_import_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY.isdisjoint(loaded)


def test_help_names_every_command() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("demo", "evaluate", "data", "submit", "leaderboard"):
        assert command in shown.stdout
    assert run("--version").stdout.strip() == wb.__version__
    assert run("nonsense").returncode == 2


def test_demo_prints_the_ranking_and_the_page(tmp_path: Path) -> None:
    shown = run("demo", "--out", tmp_path)
    assert shown.returncode == 0, shown.stderr
    places = [shown.stdout.index(name) for name in ("Oracle", "Gradient-boosted trees", "Analytic", "Constant")]
    assert places == sorted(places)
    assert str(tmp_path / "site" / "index.html") in shown.stdout
    result = json.loads(run("demo", "--out", tmp_path, "--json").stdout)
    assert [line["slug"] for line in result["boards"][0]["ranking"]] == ["oracle", "trees", "analytic", "constant"]
    again = run("leaderboard", "build", tmp_path / "submissions", "--site", tmp_path / "other")
    assert again.returncode == 0
    assert (tmp_path / "other" / "index.html").read_bytes() == (tmp_path / "site" / "index.html").read_bytes()


def test_evaluate_prints_scores_as_table_and_json(tmp_path: Path, oracle: pl.DataFrame) -> None:
    oracle.write_csv(tmp_path / "both.csv")
    shown = run("evaluate", tmp_path / "both.csv", "--track", "opensynth")
    assert shown.returncode == 0, shown.stderr
    assert "1.000" in shown.stdout
    test = wb.load("opensynth", "test").truth()["sample_id"]
    oracle.filter(pl.col("sample_id").is_in(test.implode())).write_csv(tmp_path / "test.csv")
    shown = run("evaluate", tmp_path / "test.csv", "--track", "opensynth", "--split", "test", "--json")
    assert {row["split"] for row in json.loads(shown.stdout)["scores"]} == {"test"}


def test_submissions_are_checked_and_scored(tmp_path: Path) -> None:
    assert run("demo", "--out", tmp_path).returncode == 0
    folder = tmp_path / "submissions" / "opensynth" / "analytic"
    assert "good: Analytic" in run("submit", "check", folder).stdout
    before = (folder / "scores.json").read_bytes()
    assert run("submit", "score", folder).returncode == 0
    assert (folder / "scores.json").read_bytes() == before
    assert run("submit", "score", folder, "--verify").stdout.endswith(f"true: {folder / 'scores.json'}\n")
    (folder / "scores.json").write_bytes(before.replace(b'"metric": "R2", "value": ', b'"metric": "R2", "value": 1', 1))
    shown = run("submit", "score", folder, "--verify")
    assert shown.returncode == 1
    assert "R2@bram of all on test, value: expected 0.99" in shown.stderr


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A good submission, scored."""
    kept = Path(__file__).parents[1] / "leaderboard" / "submissions" / "opensynth" / "analytic"
    shutil.copytree(kept, tmp_path / "analytic")
    assert run("submit", "score", tmp_path / "analytic").returncode == 0
    return tmp_path / "analytic"


def test_a_submission_begins_with_one_command_and_says_what_to_do_next(tmp_path: Path, oracle: pl.DataFrame) -> None:
    oracle.write_csv(tmp_path / "p.csv")
    folder = tmp_path / "my-surrogate"
    shown = run("submit", "init", folder, "--track", "opensynth", "--predictions", tmp_path / "p.csv")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-1] == f"Fill in the card, then run: wa-bench submit check {folder}"
    assert (folder / "card.schema.json").read_text() == run("submit", "schema").stdout
    assert run("submit", "init", folder, "--track", "opensynth").returncode == 1


def test_check_gives_its_verdict_as_json_too(submission: Path) -> None:
    found = json.loads(run("submit", "check", submission, "--json").stdout)
    assert found == {
        "verdict": "good",
        "slug": "analytic",
        "track": "opensynth",
        "predictions": rows_in(submission),
        "notes": [],
    }
    (submission / "run.sh").write_text("")
    shown = run("submit", "check", submission, "--json")
    assert shown.returncode == 1
    (fault,) = json.loads(shown.stdout)["faults"]
    assert fault["place"] == f"{submission}, entry 'run.sh'"


def test_a_submission_is_packed_for_both_boards(
    submission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("submit", "pack", submission).stdout == "wrote analytic.zip\n"
    assert run("submit", "check", tmp_path / "analytic.zip").stdout.startswith("good: Analytic")
    assert run("submit", "pack", submission, "--format", "axess").stdout == "wrote analytic-axess.zip\n"
    shown = run("evaluate", tmp_path / "analytic-axess.zip", "--track", "opensynth", "--json")
    stored = json.loads((submission / "scores.json").read_text())
    assert json.loads(shown.stdout)["scores"] == stored["scores"]


def test_a_proposal_is_reviewed_with_a_summary(submission: Path, tmp_path: Path) -> None:
    place = "leaderboard/submissions/opensynth/analytic"
    shutil.copytree(submission, tmp_path / "root" / place)
    (tmp_path / "changed").write_bytes(f"{place}/card.yaml\0{place}/scores.json\0".encode())
    command = ("submit", "review", "--changed", tmp_path / "changed", "--root", tmp_path / "root")
    shown = run(*command, "--summary", tmp_path / "summary.md")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"GOOD: {place}, {rows_in(submission)} predictions")
    (tmp_path / "changed").write_bytes(f"{place}/card.yaml\0setup.py\0".encode())
    shown = run(*command, "--summary", tmp_path / "summary.md")
    assert shown.returncode == 1
    assert "found 'setup.py'" in shown.stdout
    summary = (tmp_path / "summary.md").read_text()
    assert summary.index("GOOD") < summary.index("REFUSED")


def test_data_show_prints_decoded_designs(tmp_path: Path, raw: dict[str, Any]) -> None:
    (tmp_path / "test_2layer_merged.json").write_text(json.dumps([raw]))
    shown = run("data", "show", "hls4ml", "--split", "test", "--source", tmp_path / "test_2layer_merged.json")
    assert shown.returncode == 0, shown.stderr
    assert "2layer" in shown.stdout
    assert wb.track("hls4ml").truth in shown.stdout
    assert "1,200" in shown.stdout
    (design,) = json.loads(
        run(
            "data", "show", "hls4ml", "--split", "test", "--source", tmp_path / "test_2layer_merged.json", "--json"
        ).stdout
    )
    assert design["lut"] == 900
    assert "wa-hls4ml" in json.loads(run("data", "list", "--json").stdout)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "cut.json",
            '[{"meta_data": {"uuid"',
            "error: cut.json, record 0, byte 22: expected a whole JSON array, found the end",
        ),
        (
            "text.json",
            '[{"meta_data": 5}]',
            "error: text.json, record 0, byte 1, field meta_data: expected object, found int 5",
        ),
    ],
)
def test_bad_records_end_with_one_message_and_exit_code_1(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    shown = run("data", "show", "hls4ml", "--split", "test", "--source", tmp_path / name)
    assert shown.returncode == 1
    assert shown.stderr.startswith(message)
    assert "Traceback" not in shown.stderr


def test_names_with_terminal_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    assert run("demo", "--out", tmp_path).returncode == 0
    card = tmp_path / "submissions" / "opensynth" / "analytic" / "card.yaml"
    name = "[/red]x[bold]"
    card.write_text(re.sub(r"^name: .*$", f"name: '{name}'", card.read_text(), flags=re.MULTILINE))
    shown = run("leaderboard", "build", tmp_path / "submissions", "--site", tmp_path / "site")
    assert shown.returncode == 0, shown.stderr
    assert name in shown.stdout


def test_a_path_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    shown = run("evaluate", "x" * 5000, "--track", "opensynth")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: ")
    assert "Traceback" not in shown.stderr


def test_bad_predictions_end_with_one_message_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sample_id,BRAM\na,1\n")
    shown = run("evaluate", tmp_path / "p.csv", "--track", "opensynth")
    assert shown.returncode == 1
    assert "p.csv: expected the columns sample_id, bram" in shown.stderr
    assert "found no column dsp, ff, lut, cycles_max, interval_max" in shown.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "p.csv"]
    assert (
        "expected one of: energy, hls4ml, opensynth, vit"
        in run("evaluate", tmp_path / "p.csv", "--track", "none").stderr
    )


def test_a_card_is_printed_by_the_name_of_its_dataset_or_track() -> None:
    assert run("data", "card", "hls4ml").stdout == run("data", "card", "wa-hls4ml").stdout
    assert "pretty_name: wa-hls4ml" in run("data", "card", "hls4ml").stdout
    assert json.loads(run("data", "card", "timm", "--croissant").stdout)["license"]
    assert "unknown track or dataset 'none'" in run("data", "card", "none").stderr


def test_fetch_counts_the_records_and_leaks_compares_the_splits(raw: dict[str, Any], tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}_2layer_merged.json").write_text(json.dumps([raw]))
    shown = run("data", "fetch", "hls4ml", "--split", "train", "--split", "test", "--source", tmp_path, "--json")
    assert json.loads(shown.stdout) == [
        {"source": "wa-hls4ml", "split": "train", "records": 1, "published": 478216},
        {"source": "wa-hls4ml", "split": "test", "records": 1, "published": 102484},
    ]
    found = run("data", "leaks", "hls4ml", "--split", "train", "--split", "test", "--source", tmp_path, "--json")
    assert json.loads(found.stdout)["shared"] == [{"split": "train", "other": "test", "contents": 1, "records": 1}]
