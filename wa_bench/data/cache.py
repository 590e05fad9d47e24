"""The folder where this package keeps what it fetched and converted."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "WA_BENCH_CACHE"


def cache_folder() -> Path:
    """The folder named by ``WA_BENCH_CACHE``, else the user's cache folder of this platform."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_cache_path("wa-bench")
