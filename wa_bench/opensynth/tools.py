"""Outside programs: run one and return what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from wa_bench.errors import ToolError


def search_path() -> str:
    """The PATH with this interpreter's programs first, whether or not its environment is activated."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def run(
    name: str,
    command: list[str],
    *,
    folder: Path | None = None,
    text: str | None = None,
    time_limit: float | None = None,
) -> str:
    """Standard output of ``command``.

    Args:
        name: what errors call the program.
        command: the program and its arguments.
        folder: where it runs.
        text: its standard input.
        time_limit: seconds it may take.

    Raises:
        ToolError: it failed, or took longer than the time limit.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": search_path()},
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=time_limit,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{name} did not finish within the time limit of {time_limit:.0f} s") from None
    if done.returncode:
        raise ToolError(f"{name} ended with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
