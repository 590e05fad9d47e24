from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wa_bench.errors import RecordError
from wa_bench.records.json_array import iter_objects

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=5)
shared_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared_folder
@given(objects, st.sampled_from([None, 1, 4]), st.booleans())
def test_any_array_in_any_layout_reads_back(
    tmp_path: Path, written: list[object], indent: int | None, ascii_only: bool
) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(written, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert list(iter_objects(file)) == written


@shared_folder
@given(st.data())
def test_a_file_cut_anywhere_yields_its_whole_records_and_then_one_clear_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    written = [{"n": i, "text": "}], [{"} for i in range(4)]
    text = json.dumps(written)
    cut = data.draw(st.integers(1, len(text) - 1))
    file = tmp_path / "cut.json"
    file.write_text(text[:cut], encoding="utf-8")
    read = []
    with pytest.raises(RecordError, match="download the file again") as caught:
        for item in iter_objects(file):
            read.append(item)  # noqa: PERF402
    assert read == written[: len(read)]
    assert caught.value.faults[0].place == f"cut.json, record {len(read)}"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + b'[{"a": 1}]')
    assert list(iter_objects(tmp_path / "bom.json")) == [{"a": 1}]


@pytest.mark.parametrize("text", [b'[{"a": NaN}]', b'[{"a": "\xff"}]', b'[{"a": 1} {"a": 2}]'])
def test_text_that_is_no_json_is_not_called_cut(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(RecordError, match="found text that is no JSON") as caught:
        list(iter_objects(tmp_path / "x.json"))
    assert "download" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", '"[]"'])
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RecordError, match=r"x\.json: expected a JSON array"):
        list(iter_objects(tmp_path / "x.json"))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        file = tmp_path / f"{records}.json"
        file.write_text(json.dumps([{"n": i, "pad": "x" * 200} for i in range(records)]))
        tracemalloc.start()
        assert sum(1 for _ in iter_objects(file)) == records
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(20_000) < 2 * peak(2_000)
