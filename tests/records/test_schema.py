from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

import wa_bench as wb
from wa_bench.records.hls4ml import decode
from wa_bench.records.schema import arrow_schema, designs, to_frame, to_table


def test_a_record_survives_the_way_through_columns(raw: dict[str, Any]) -> None:
    design = decode(raw, split="test", file="f.json", index=0)
    assert list(designs(to_frame([design]))) == [design]


def test_targets_are_nullable_numbers_and_layers_a_list_of_structs() -> None:
    schema = arrow_schema()
    assert schema.field("bram").type == pa.float64()
    assert schema.field("lut").type == pa.int64()
    assert schema.field("lut").nullable
    assert pa.types.is_list(schema.field("layers").type)


def test_an_empty_table_has_the_schema() -> None:
    assert to_table([]).schema.equals(arrow_schema())


def test_every_real_record_survives_the_way_through_columns(mirror: Path) -> None:
    read = list(wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").stream())
    assert list(designs(to_frame(read))) == read
