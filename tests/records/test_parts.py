from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.records.parts import CAPACITIES, PARTS, capacities, find_part


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("xc7z020clg400-1", (140, 220, 106_400, 53_200, 0)),
        ("xczu9eg-ffvb1156-2-e", (912, 2520, 548_160, 274_080, 0)),
        ("xcu200-fsgd2104-2-e", (2160, 6840, 2_364_480, 1_182_240, 960)),
        ("XCU250-FIGD2104-2L-E", (2688, 12_288, 3_456_000, 1_728_000, 1280)),
        ("xcvu13p-flga2577-2-e", (2688, 12_288, 3_456_000, 1_728_000, 1280)),
    ],
)
def test_a_part_is_found_by_the_beginning_of_its_number(number: str, expected: tuple[int, ...]) -> None:
    part = find_part(number)
    assert part is not None
    assert tuple(getattr(part, name) for name in CAPACITIES) == expected


def test_a_card_holds_what_its_device_holds() -> None:
    for card, device in (("xcu200", "xcvu9p"), ("xcu250", "xcvu13p")):
        held, of_device = find_part(card), find_part(device)
        assert [getattr(held, name) for name in CAPACITIES] == [getattr(of_device, name) for name in CAPACITIES]


def test_no_prefix_hides_another() -> None:
    assert [find_part(part.prefix) for part in PARTS] == list(PARTS)


@pytest.mark.parametrize("number", [None, "", "xcup", "xc7z02", "5CEBA4"])
def test_an_unknown_part_is_none(number: str | None) -> None:
    assert find_part(number) is None


def test_columns_keep_their_order_and_unknown_parts_are_null() -> None:
    table = capacities(pl.Series(["xcu250-figd2104-2L-e", None, "other", "xc7z020clg400-1", None]))
    assert table["dsp"].to_list() == [12_288, None, None, 220, None]
    assert table.columns == list(CAPACITIES)


def test_every_part_of_the_real_records_is_known(mirror: Path) -> None:
    frame = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").frame().collect()
    assert capacities(frame["part"]).null_count().sum_horizontal().item() == 0
