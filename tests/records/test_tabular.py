from __future__ import annotations

from pathlib import Path

import pytest

import wa_bench as wb
from wa_bench.errors import RecordError

HEADER = (
    "model_name,d_in,d_out,prec,model_string,rf,strategy,target_clock,estimated_clock,"
    "cycles_min,cycles_max,bram,dsp,ff,lut,uram\n"
)


def test_a_row_becomes_a_design_with_its_layers(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(HEADER + "dense_16_8_4_6b,16,4,6,16-8-4,30,resource,5.00,4.0,67,69,1.5,0,1200,900,0\n")
    (design,) = wb.load("hls4ml", "test", source=file).stream()
    assert design.family == "2layer"
    assert [(layer.in_shape, layer.units, layer.reuse_factor) for layer in design.layers] == [
        ((16,), 8, 32),
        ((8,), 4, 32),
    ]
    assert (design.cycles_max, design.bram, design.interval_max) == (69, 1.5, None)


def test_all_rows_that_do_not_fit_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        HEADER
        + "conv2d_1,16,4,6,16-8-4,30,resource,5.00,4.0,67,69,1.5,0,1200,900,0\n"
        + "dense_16_4_6b,16,4,6,16-4,30,resource,5.00,4.0,67,sixty,1.5,0,1200,900,0\n"
    )
    with pytest.raises(RecordError) as caught:
        list(wb.load("hls4ml", "test", source=file).stream())
    assert [fault.place for fault in caught.value.faults] == ["rows.csv, row 0", "rows.csv, row 1"]
    assert "sixty" in str(caught.value)
