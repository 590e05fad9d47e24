"""The submitter's guide says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from wa_bench.data import limits, predictions
from wa_bench.submissions import folder

GUIDE = (Path(__file__).parents[2] / "leaderboard" / "README.md").read_text()
ROWS = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", GUIDE, re.MULTILINE))
LIMITS = {
    "predictions file, or all that a zip unpacks to": f"{limits.MOST_BYTES:,} bytes",
    "`card.yaml`, `card.schema.json`": f"{limits.LARGEST_YAML:,} bytes",
    "`scores.json`": f"{limits.LARGEST_SCORES:,} bytes",
    "`README.md`": f"{limits.LARGEST_README:,} bytes",
    "rows of predictions": f"{limits.MOST_ROWS:,}",
    "columns of a table": f"{limits.MOST_COLUMNS:,}",
    "a sample id": f"{limits.LONGEST_ID:,} bytes",
    "all sample ids together": f"{limits.MOST_ID_BYTES:,} bytes",
    "a line of a CSV file": f"{limits.LONGEST_LINE:,} bytes",
    "the footer of a Parquet file": f"{limits.LARGEST_FOOTER:,} bytes",
    "a page of a Parquet file, unpacked": f"{limits.LARGEST_PAGE:,} bytes",
    "pages of a Parquet file": f"{limits.MOST_PAGES:,}",
    "files and folders in a zip": f"{limits.MOST_MEMBERS:,}",
    "the list of files in a zip": f"{limits.LARGEST_DIRECTORY:,} bytes",
    "a prediction": f"±{predictions.LARGEST:g}",
}


def test_every_limit_stands_in_the_guide_as_the_code_has_it() -> None:
    assert {name: size for name, size in ROWS.items() if name not in ("what", "---")} == LIMITS
    assert len(LIMITS) == len([name for name in vars(limits) if name.isupper()]) + 1


def test_every_file_that_a_folder_may_hold_is_named() -> None:
    for name in folder.FILES:
        assert f"`{name}`" in GUIDE


def test_every_command_of_the_guide_is_one_of_the_command_line() -> None:
    from typer.main import get_command

    from wa_bench.cli import submit_app

    known = set(get_command(submit_app).commands)
    named = set(re.findall(r"wa-bench submit (\w+)", GUIDE))
    assert named <= known
    assert {"init", "check", "score", "pack", "review"} <= named
