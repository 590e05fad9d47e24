from __future__ import annotations

import json
from pathlib import Path

import pytest

from wa_bench.errors import SubmissionError
from wa_bench.submissions.card import Card, read_card, write_card

GOOD = """name: A surrogate
slug: a-surrogate
track: opensynth
authors: [Ada]
licence: MIT
method: Thought hard.
training_data: none
labels: none
"""


def read(tmp_path: Path, text: str) -> Card:
    (tmp_path / "card.yaml").write_text(text)
    return read_card(tmp_path / "card.yaml")


def test_a_card_reads_and_writes_back(tmp_path: Path) -> None:
    card = read(tmp_path, GOOD)
    assert (card.slug, card.kind, card.parameters) == ("a-surrogate", "surrogate", None)
    write_card(tmp_path / "again.yaml", card)
    assert read_card(tmp_path / "again.yaml") == card


def test_seconds_may_be_written_as_people_write_them(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD + "seconds_per_design: 1e-4\n").seconds_per_design == 1e-4


def test_all_faults_of_a_card_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("slug: a-surrogate", "slug: ../../etc").replace("authors: [Ada]", "authors: []")
    text = text.replace("licence: MIT\n", "") + "colour: red\nparameters: many\n"
    with pytest.raises(SubmissionError) as caught:
        read(tmp_path, text)
    places = sorted(fault.place for fault in caught.value.faults)
    assert places == [
        "card.yaml, field 'colour'",
        "card.yaml, field authors",
        "card.yaml, field licence",
        "card.yaml, field parameters",
        "card.yaml, field slug",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!python/object/apply:os.system ['true']", "plain YAML, found a tag"),
        ("a: &x [1]\nb: [*x, *x]", "line 1: expected plain YAML, found a tag, anchor or alias"),
        ("name: [", "expected readable YAML"),
        ("just text", "expected fields"),
        (GOOD + "name: Another\n", "expected each field once, found 'name' again"),
        (GOOD + "<<: {licence: none}\n", "expected each field once, found '<<' again"),
        (GOOD + "parameters: 0x" + "f" * 5000, "field parameters: expected .*, found a value of type int too large"),
        (GOOD + "seconds_per_design: .inf", "field seconds_per_design: expected .* <= "),
        (GOOD.replace("MIT", r'"\e[31mMIT"'), "field licence: expected text of visible characters"),
        (GOOD.replace("MIT", r'"\u202eTIM"'), "field licence: expected text of visible characters"),
        (GOOD.replace("MIT", r'"\ud800"'), "card.yaml.*expected"),
        (GOOD.replace("MIT", '"  "'), "field licence: expected text of visible characters"),
        (GOOD + "kind: oracle\n", "field kind: expected surrogate or control, found 'oracle'"),
        ("", "expected fields"),
        ("x: " + "y" * 70_000, "expected at most 65,536 bytes"),
        ("[" * 5000, "expected readable YAML"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize("slug", ["A", "a b", "-a", "a-", "a/b", ".", "ä", "a" * 41, "ab\n"])
def test_slugs_are_plain_names(tmp_path: Path, slug: str) -> None:
    with pytest.raises(SubmissionError, match="field slug"):
        read(tmp_path, GOOD.replace("slug: a-surrogate", f"slug: {json.dumps(slug)}"))


def test_only_https_links_are_taken(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="field code"):
        read(tmp_path, GOOD + "code: javascript:alert(1)\n")
