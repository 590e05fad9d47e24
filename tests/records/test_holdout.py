from __future__ import annotations

from itertools import product

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.records.holdout import SPLITS, components, family_split, split_by

names = st.text("abc", min_size=1, max_size=2)


def test_splits_of_known_families_never_change() -> None:
    """They are what published scores rest on."""
    fixed = {
        "vit": "train",
        "resnet": "train",
        "convnext": "train",
        "beit": "val",
        "swin": "test",
        "efficientnet": "test",
    }
    assert {family: family_split(family) for family in fixed} == fixed


def test_about_seven_families_of_ten_train_and_two_are_examined() -> None:
    splits = [family_split(f"family{i}") for i in range(2000)]
    assert 0.66 < splits.count("train") / 2000 < 0.74
    assert 0.17 < splits.count("test") / 2000 < 0.23


@given(st.lists(st.tuples(names, st.booleans())))
def test_a_split_depends_on_the_row_alone(rows: list[tuple[str, bool]]) -> None:
    families = pl.Series("family", [family for family, _ in rows], pl.String)
    seen = pl.Series("seen", [seen for _, seen in rows], pl.Boolean)
    splits = split_by(families, seen).to_list()
    assert splits == [family_split(family) if seen else "device" for family, seen in rows]
    assert set(splits) <= set(SPLITS)
    assert split_by(families).to_list() == [family_split(family) for family, _ in rows]


@given(st.lists(st.tuples(names, st.none() | st.integers(0, 5))))
def test_members_hang_together_when_links_lead_from_one_to_the_other(rows: list[tuple[str, int | None]]) -> None:
    found = components(
        pl.Series([member for member, _ in rows], dtype=pl.String),
        pl.Series([link for _, link in rows], dtype=pl.Int64),
    )
    reached = {member: {member} for member, _ in rows}
    for _ in rows:
        for (one, link), (other, theirs) in product(rows, rows):
            if link == theirs is not None:
                reached[one] |= reached[other]
    assert found.to_list() == [min(reached[member]) for member, _ in rows]


def test_a_chain_of_links_is_one_component() -> None:
    members = pl.Series(["deit", "vit", "vit", "eva", "swin"])
    links = pl.Series(["base", "base", "large", "large", "tiny"])
    assert components(members, links).to_list() == ["deit", "deit", "deit", "deit", "swin"]
