"""The workflow that judges proposals keeps its promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[2] / ".github" / "workflows" / "submission.yml"
TEXT = FILE.read_text()
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
RUNS = [step["run"] for step in STEPS if "run" in step]
CHECKOUTS = {step["with"]["path"]: step["with"] for step in STEPS if "checkout" in step.get("uses", "")}


def test_it_runs_on_every_proposal_without_the_rights_of_the_base() -> None:
    assert WORKFLOW[True] == {"pull_request": None}
    assert "pull_request_target" not in TEXT
    assert "workflow_run" not in TEXT


def test_it_may_only_read_and_knows_no_secret() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOW["jobs"].values())
    assert "secrets" not in TEXT
    assert "github.token" not in TEXT
    assert len(CHECKOUTS) == 2
    assert all(checkout["persist-credentials"] is False for checkout in CHECKOUTS.values())


def test_code_comes_from_the_base_and_the_proposal_lies_apart() -> None:
    assert CHECKOUTS["base"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert CHECKOUTS["proposal"]["ref"] == "${{ github.ref }}"
    installs = [run for run in RUNS if "pip" in run]
    assert [re.findall(r"\S*/\S+", run) for run in installs] == [["base/constraints.txt", "./base"]]


@pytest.mark.parametrize("run", RUNS)
def test_no_command_is_made_of_what_the_proposal_says(run: str) -> None:
    assert "${{" not in run
    assert "eval" not in run
    for word in re.findall(r"\S*proposal\S*", run):
        assert word == "proposal"
    assert re.findall(r"(?<=-C )proposal|(?<=--root )proposal", run) == re.findall("proposal", run)


@pytest.mark.parametrize("step", [step for step in STEPS if "uses" in step])
def test_actions_are_github_s_own_by_major_version(step: dict[str, Any]) -> None:
    assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    assert "working-directory" not in step


def test_changed_names_travel_as_bytes_and_words_of_the_verdict_are_no_commands() -> None:
    assert any(run.startswith("git -C proposal diff --name-only --no-renames") and " -z " in run for run in RUNS)
    (judging,) = [run for run in RUNS if "wa-bench submit review" in run]
    assert judging.index("::stop-commands::") < judging.index("wa-bench submit review")
    assert judging.rstrip().endswith('exit "$verdict"')
