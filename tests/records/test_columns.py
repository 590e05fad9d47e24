from __future__ import annotations

from pathlib import Path

import pyarrow as pa

import wa_bench as wb
from wa_bench.records.columns import arrow_schema, to_frame, to_records, to_table
from wa_bench.records.schema import Design


def test_a_record_survives_the_way_through_columns(design: Design) -> None:
    assert list(to_records(to_frame([design], Design), Design)) == [design]


def test_targets_are_nullable_numbers_and_layers_a_list_of_structs() -> None:
    schema = arrow_schema(Design)
    assert schema.field("bram").type == pa.float64()
    assert schema.field("lut").type == pa.int64()
    assert schema.field("lut").nullable
    assert pa.types.is_list(schema.field("layers").type)


def test_an_empty_table_has_the_schema() -> None:
    assert to_table([], Design).schema.equals(arrow_schema(Design))


def test_every_real_record_survives_the_way_through_columns(mirror: Path) -> None:
    read = list(wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt").stream())
    assert list(to_records(to_frame(read, Design), Design)) == read
