"""How far surrogates were from truth that does not ship with the package, target by target.

A factor ``f`` says: for nine in ten designs (prediction + 1) / (truth + 1) lay between 1 / f and f. The test
``test_the_stated_error_on_genuine_records_is_what_they_show`` measures the factors again and prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class KnownError(NamedTuple):
    """Factors by target, and what they were measured on."""

    factors: Mapping[str, float]
    measured_on: str


KNOWN_ERRORS: Mapping[tuple[str, str], KnownError] = {
    ("analytic", "vivado"): KnownError(
        {"bram": 2.33, "dsp": 1.15, "ff": 8.37, "lut": 2.22, "cycles_max": 1.22, "interval_max": 1.4},
        "20 genuine wa-hls4ml records, which is few, and which the formulas were made with",
    )
}
"""By surrogate and synthesis tool."""
