from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from wa_bench.errors import SubmissionError
from wa_bench.submissions import card as module
from wa_bench.submissions.card import SCHEMA_FILE, Card, read_card, schema_text, write_card

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


@pytest.mark.parametrize("field", ["code", "weights", "paper"])
def test_only_https_links_are_taken(field: str, tmp_path: Path) -> None:
    assert getattr(read(tmp_path, GOOD + f"{field}: https://example.org/x\n"), field) == "https://example.org/x"
    for link in ("javascript:alert(1)", "http://example.org", "'https://x\"onclick=y'", "https://"):
        with pytest.raises(SubmissionError, match=f"field {field}: expected a link that starts with https://"):
            read(tmp_path, GOOD + f"{field}: {link}\n")


def test_a_name_in_look_alike_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"field name: expected Latin letters, .* found '\\u0410nalytic'"):
        read(tmp_path, GOOD.replace("A surrogate", "\u0410nalytic"))


def test_people_s_names_are_written_as_they_write_them(tmp_path: Path) -> None:
    card = read(tmp_path, GOOD.replace("[Ada]", "[Ада Лавлейс, 王小明, Zoë]"))
    assert card.authors == ["Ада Лавлейс", "王小明", "Zoë"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("family: oracle", "field family: expected"),
        ("joules_per_design: 0", "field joules_per_design: expected `float` > 0"),
        ("joules_per_design: -1", "field joules_per_design: expected `float` > 0"),
        ("joules_per_design: .nan", "field joules_per_design: expected"),
        ("joules_per_design: 1_000_000_000_000", "field joules_per_design: expected `float` <= "),
    ],
)
def test_family_and_energy_are_what_they_can_be(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=message):
        read(tmp_path, GOOD + line + "\n")
    card = read(tmp_path, GOOD + "family: gnn\njoules_per_design: 0.25\n")
    assert (card.family, card.joules_per_design) == ("gnn", 0.25)


def test_the_shipped_schema_is_the_code_s_own() -> None:
    """Made anew by: wa-bench submit schema > wa_bench/submissions/card.schema.json."""
    assert (resources.files(module.__package__) / SCHEMA_FILE).read_text() == schema_text()


def test_the_schema_describes_every_field_and_admits_no_other() -> None:
    schema = json.loads(schema_text())
    assert schema["properties"].keys() == set(Card.__struct_fields__)
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["additionalProperties"] is False
    fields = msgspec.structs.fields(Card)
    assert schema["required"] == [field.name for field in fields if field.required]
