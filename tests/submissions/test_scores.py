from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wa_bench.errors import DataError
from wa_bench.submissions.scores import verify

COMPUTED: dict[str, Any] = {
    "submission": "ten-more",
    "wa_bench": "1.2",
    "settings": {"resamples": 1000, "seed": 0, "exact": True},
    "parts": ["test", "exemplar"],
    "scores": [
        {"split": "test", "group": "all", "target": "lut", "metric": "R2", "value": 0.5, "low": 0.4, "note": None},
        {"split": "test", "group": "all", "target": "ff", "metric": "R2", "value": None, "low": None, "note": "few"},
    ],
}


def faults(tmp_path: Path, stored: object) -> list[tuple[str, str, str]]:
    file = tmp_path / "scores.json"
    file.write_text(stored if isinstance(stored, str) else json.dumps(stored))
    try:
        verify(file, lambda: COMPUTED, "score again")
    except DataError as error:
        return [(fault.place.removeprefix(f"{file}"), fault.expected, fault.found) for fault in error.faults]
    return []


def test_equal_scores_are_true_whatever_version_made_them(tmp_path: Path) -> None:
    assert faults(tmp_path, COMPUTED) == []
    assert faults(tmp_path, {**COMPUTED, "wa_bench": "0.9"}) == []


def test_the_last_digits_may_differ_and_no_more(tmp_path: Path) -> None:
    stored = copy.deepcopy(COMPUTED)
    stored["scores"][0]["value"] = 0.5 + 1e-11
    assert faults(tmp_path, stored) == []
    stored["scores"][0]["value"] = 0.5 + 1e-8
    assert faults(tmp_path, stored) == [(", R2@lut of all on test, value", "0.5", "0.50000001")]


def test_every_difference_of_every_column_and_key_is_named_with_the_version_that_made_it(tmp_path: Path) -> None:
    stored = copy.deepcopy(COMPUTED)
    stored |= {"submission": "other", "more": "<b>", "wa_bench": "0.9"}
    stored["settings"] = {"resamples": 10, "exact": 1}
    stored["parts"] = ["test"]
    stored["scores"][0] |= {"low": 0.1, "undefined": None}
    stored["scores"][1] |= {"value": 0.0, "note": "many"}
    assert faults(tmp_path, stored) == [
        (", submission", "'ten-more'", "'other'"),
        (", settings, resamples", "1000", "10"),
        (", settings, seed", "0", "nothing"),
        (", settings, exact", "True", "1"),
        (", parts", "a list", "a list"),
        (", 'more'", "nothing", "'<b>'"),
        (", R2@lut of all on test, low", "0.4", "0.1"),
        (", R2@lut of all on test, 'undefined'", "nothing", "None"),
        (", R2@ff of all on test, value", "None", "0.0"),
        (", R2@ff of all on test, note", "'few'", "'many'"),
    ]
    with pytest.raises(DataError, match=r"they were made by wa-bench '0\.9', this is 1\.2; score again"):
        verify(tmp_path / "scores.json", lambda: COMPUTED, "score again")


@pytest.mark.parametrize("scores", [None, {}, [], "many", [COMPUTED["scores"][0]], [1, 2], [[[[]]], {}]])
def test_other_rows_are_refused(scores: object, tmp_path: Path) -> None:
    assert faults(tmp_path, {**COMPUTED, "scores": scores})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"scores": NaN}',
        "{" + '"a": {' * 100_000,
        '{"a": ' + "[" * 100_000,
        json.dumps({**COMPUTED, "settings": 10**400}),
        json.dumps(COMPUTED).replace("0.5", "1" + "0" * 4000),
        json.dumps(COMPUTED).replace("0.5", "1e400"),
        json.dumps(COMPUTED).replace("0.5", "-1e308"),
        json.dumps(COMPUTED).replace("0.5", "true"),
        json.dumps(COMPUTED).replace("0.5", '"0.5"'),
        json.dumps({**COMPUTED, "wa_bench": {"<script>": ["x" * 10**6]}, "submission": "\u202e" * 10**6}),
        json.dumps({**COMPUTED, **{f"key {n}": n for n in range(100_000)}}),
    ],
)
def test_hostile_scores_are_refused_in_few_words(text: str, tmp_path: Path) -> None:
    assert faults(tmp_path, text)
    with pytest.raises(DataError) as caught:
        verify(tmp_path / "scores.json", lambda: COMPUTED, "score again")
    assert len(str(caught.value)) < 10_000
    assert str(caught.value).isascii()


def test_huge_scores_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "scores.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="at most 4,194,304 bytes, found 1,099,511,627,776"):
        verify(tmp_path / "scores.json", lambda: COMPUTED, "score again")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["submission", "settings", "parts", "scores"]), json_values)
def test_no_other_value_is_taken_for_the_true_one(tmp_path: Path, key: str, value: object) -> None:
    assert bool(faults(tmp_path, {**COMPUTED, key: value})) == (value != COMPUTED[key])
