"""Every command and every line of code in the README runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
QUICKSTART, TESTS = "scripts/quickstart.sh", "scripts/test.sh"
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


OWN = [line for line in COMMANDS if line.startswith("wa-bench ")]


def test_the_readme_has_its_two_scripts_a_few_commands_and_one_snippet() -> None:
    assert [line for line in COMMANDS if line not in OWN] == [QUICKSTART, TESTS]
    assert [line.split()[1] for line in OWN] == ["train", "predict", "evaluate", "estimate"]
    assert len(SNIPPETS) == 1


def test_the_commands_run_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    shown = ""
    for line in OWN:
        command = [sys.executable, "-c", "from wa_bench.cli import main; main()", *shlex.split(line)[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    assert "90% intervals of the surrogate" in shown


def test_quickstart_ends_with_the_ranking_and_the_page_also_when_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        shown = subprocess.run(
            [ROOT / QUICKSTART, "--out", str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert shown.returncode == 0, shown.stderr
        assert "Gradient-boosted trees" in shown.stdout
        assert str(tmp_path / "site" / "index.html") in shown.stdout
    assert (tmp_path / "site" / "index.html").is_file()


def test_the_test_command_is_what_ci_runs_and_hands_its_options_to_pytest() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(f"exec {TESTS}")
    if os.environ.get("WA_BENCH_INNER_TEST_RUN"):
        pytest.skip("this is the inner run")
    shown = subprocess.run(
        [ROOT / TESTS, "--collect-only", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WA_BENCH_INNER_TEST_RUN": "1"},
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "test_readme.py" in shown.stdout


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_snippet_runs(
    snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102 (our own README)
    assert "R2 of LUTs on the exemplars: 0.99" in capsys.readouterr().out
    assert (tmp_path / "predictions.parquet").is_file()


def test_every_local_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
