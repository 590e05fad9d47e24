from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.leaderboard.pages.compare import _signed


@pytest.mark.parametrize(
    ("difference", "ends", "shown"),
    [
        (0.0342, [0.012, 0.0564], ["+0.034", "+0.012", "+0.056"]),
        (-0.0008, [-0.0036, 0.00002], ["-0.00080", "-0.00360", "+0.00002"]),
        (3.2e-8, [1e-9, 6.3e-8], ["+3.2e-8", "+1.0e-9", "+6.3e-8"]),
        (1.122, [1.110, 1.134], ["+1.12", "+1.11", "+1.13"]),
        (0.0, [0.0, 0.0], ["0", "0", "0"]),
        (1234.5, [], ["+1,234"]),
        (None, [], ["undefined"]),
    ],
)
def test_differences_have_the_digits_that_tell_them_from_zero(
    difference: float | None, ends: list[float], shown: list[str]
) -> None:
    assert _signed(difference, ends) == shown


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 1e6))
def test_no_difference_is_shown_as_none_and_signs_are_kept(difference: float, reach: float) -> None:
    values = [difference, difference - reach, difference + reach]
    for value, text in zip(values, _signed(values[0], values[1:]), strict=True):
        assert text[0] == ("0" if value == 0 else "+" if value > 0 else "-")
