"""Learned arrays in files: safetensors, which hold numbers and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wa_bench.errors import needs_extra
from wa_bench.files import replacing

Arrays = dict[str, npt.NDArray[Any]]


def write_arrays(file: Path, arrays: Mapping[str, npt.NDArray[Any]], about: str = "") -> None:
    """Write named arrays and a text about them, whole or not at all."""
    with needs_extra("surrogates"):
        from safetensors.numpy import save_file

    with replacing(file) as partial:
        partial.touch()  # else the file is for its owner alone
        whole = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        save_file(whole, partial, {"about": about})


def read_arrays(file: Path) -> tuple[Arrays, str]:
    """What ``write_arrays`` wrote.

    Raises:
        ValueError: the file is damaged.
        OSError: it cannot be read.
    """
    with needs_extra("surrogates"):
        from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return arrays, (opened.metadata() or {}).get("about", "")
    except SafetensorError as error:
        raise ValueError(f"{file.name}: {error}") from None
