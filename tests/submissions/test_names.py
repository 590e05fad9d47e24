from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.submissions.names import imitations, is_plain_name, skeleton


@pytest.mark.parametrize(
    "name", ["GNN v2", "Trees (20 %, all)", "rule4ml+", "Müller's net", "Łukasiewicz", "Ångström-MLP", "x_1.0/b & c"]
)
def test_names_that_people_type_are_plain(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "\u0410nalytic",  # Cyrillic A
        "Τrees",  # Greek Tau
        "ＧＮＮ",  # full width
        "𝐆𝐍𝐍",  # mathematical bold
        "GNN\u200b",  # zero width space
        "GN\u00adN",  # soft hyphen
        "A\u0308pfel",  # a combining mark where the composed letter exists
        "G\u0332NN",  # a combining mark
        "GNN\u202evlt",  # right to left
        "GNN\u00a0v2",  # no-break space
        "GNN  v2",
        " GNN",
        "GNN ",
        "GNN\tv2",
        "GNN‑2",  # no-break hyphen
        "ﬁt",  # ligature
        "Trees²",
        "ıdeal",  # dotless i
        "Trees 🌲",
        "",
    ],
)
def test_names_in_look_alike_characters_are_not(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("GNN v1", "GNN vl"),
        ("GNN v1", "gnn-VI"),
        ("Model O", "Model 0"),
        ("Muller", "Müller"),
        ("Tree Model", "TreeModel"),
        ("modern", "modem"),
        ("straße", "strasse"),
        ("løop", "loop"),
        ("XGB5", "XGBS"),
    ],
)
def test_names_that_a_hasty_reader_confuses_share_a_skeleton(name: str, other: str) -> None:
    (fault,) = imitations({"first": name, "second": other})
    assert fault.place == "second"
    assert fault.expected == f"a name that cannot be taken for {name!a} of first"


@pytest.mark.parametrize(
    ("name", "other"), [("GNN", "GNN+"), ("GNN 2", "GNN 3"), ("MLP", "MLP (big)"), ("v2.0 wide", "v3.0 wide")]
)
def test_names_that_differ_to_the_eye_do_not(name: str, other: str) -> None:
    assert imitations({"first": name, "second": other}) == []


plain = st.text(string.ascii_letters + string.digits + " -_éüøßŁ", min_size=1).filter(is_plain_name)


@given(plain)
def test_case_diacritics_and_spaces_never_make_another_name(name: str) -> None:
    stripped = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    assert skeleton(name) == skeleton(name.upper()) == skeleton(stripped.replace(" ", "-"))


@given(st.text())
def test_a_plain_name_is_composed_visible_and_has_single_spaces(name: str) -> None:
    if is_plain_name(name):
        assert name == unicodedata.normalize("NFC", name)
        assert name.isprintable()
        assert name.split() == name.split(" ")
