from __future__ import annotations

import io
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.errors import RecordError
from wa_bench.records import json_array
from wa_bench.records.json_array import Misfit, Position, read_array

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.sampled_from(['},{"a":', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arrays = st.lists(st.dictionaries(st.text(max_size=5) | st.just("a"), values, max_size=3), max_size=8)
layouts = st.sampled_from([{}, {"indent": 1}, {"indent": 4}, {"indent": "\t"}, {"separators": (",", ":")}])
sizes = st.integers(2, 200)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a network does."""

    def __init__(self, text: bytes, seed: int) -> None:
        self._text = io.BytesIO(text)
        self._random = random.Random(seed)

    def readinto(self, buffer: Any) -> int:
        some = self._text.read(min(len(buffer), self._random.randint(1, 40)))
        buffer[: len(some)] = some
        return len(some)


def read(text: bytes, size: int = json_array.CHUNK, **options: Any) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "CHUNK", size)
        return [r for c in read_array(Trickle(text, size), dict, "a.json", **options) for r in c.records]


@given(arrays, layouts, st.booleans(), sizes)
def test_any_array_in_any_layout_reads_back(
    written: list[dict[str, Any]], layout: dict[str, Any], ascii_only: bool, size: int
) -> None:
    text = json.dumps(written, ensure_ascii=ascii_only, **layout).encode()
    assert read(text, size) == written


@given(arrays.filter(len), layouts, sizes, st.data())
def test_a_text_cut_anywhere_yields_its_whole_records_and_then_one_clear_error(
    written: list[dict[str, Any]], layout: dict[str, Any], size: int, data: st.DataObject
) -> None:
    text = json.dumps(written, **layout).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    found = []
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RecordError, match="download the file again") as caught:
        patch.setattr(json_array, "CHUNK", size)
        for piece in read_array(io.BytesIO(text[:cut]), dict, "cut.json"):
            found += piece.records
    assert found == written[: len(found)]
    assert caught.value.faults[0].place == f"cut.json, record {len(found)}, byte {cut:,}"


@given(arrays.filter(len), layouts, sizes, st.data())
def test_a_damaged_byte_is_an_error_or_reads_as_the_standard_library_reads_it(
    written: list[dict[str, Any]], layout: dict[str, Any], size: int, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(written, **layout).encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    misfits: list[Misfit] = []
    try:
        found = read(bytes(text), size, on_misfit=misfits.append)
    except RecordError as error:
        assert error.faults[0].place.startswith("a.json")
        return
    if not misfits:
        assert found == json.loads(bytes(text))


@given(arrays.filter(len), layouts, sizes)
def test_reading_can_be_taken_up_again_at_every_chunk(
    written: list[dict[str, Any]], layout: dict[str, Any], size: int
) -> None:
    text = json.dumps(written, **layout).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "CHUNK", size)
        for piece in read_array(io.BytesIO(text), dict, "a.json"):
            rest = io.BytesIO(text[piece.resume.offset :])
            again = read_array(rest, dict, "a.json", piece.resume)
            numbered = [(i, r) for later in again for i, r in enumerate(later.records, later.index)]
            assert [r for i, r in numbered if i >= piece.index] == written[piece.index :]


@given(arrays, layouts, sizes, st.data())
def test_an_object_that_is_no_record_is_passed_over_and_reported_with_its_place(
    written: list[dict[str, Any]], layout: dict[str, Any], size: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, len(written)))
    texts = [json.dumps(item, **layout) for item in written]
    texts.insert(bad, '{"a": NaN}')
    text = f"[{','.join(texts)}]".encode()
    misfits: list[Misfit] = []
    assert read(text, size, on_misfit=misfits.append) == written
    (misfit,) = misfits
    assert misfit.position == Position(bad, text.index(b'{"a": NaN}'))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf" + b' \n[{"a": 1}] ') == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        (b'[{"a": NaN}]', "record 0, byte 1", "text that is no JSON"),
        (b'[{"a": 1}, {"a": "\xff"}]', "record 1, byte 11", "text that is no JSON"),
        (b'[{"a": 1}, {"a": 2, ]', "record 1, byte 20", "text that is no JSON"),
        (b'[{"a": 1} {"a": 2}]', "record 0, byte 10", "'{\"a\": 2}]'"),
        (b'[{"a": 1},]', "record 0, byte 10", "']'"),
        (b'[{"a": 1}] [', "record 1, byte 11", "'['"),
        (b'[{"a": 1}, 7]', "record 1, byte 11", "int 7"),
        (b'[{"a": 1}, {"a" 2}, {"a": 3, "pad": 123456}]', "record 1, byte 16", "text that is no JSON"),
        (b"[" + b"[" * 50_000, "record 0, byte 1", "text that is no JSON"),
        (b'[{"a": ' + b"[" * 50_000, "record 0, byte 1", "text that is no JSON"),
    ],
)
def test_damage_is_named_with_record_and_byte(text: bytes, place: str, found: str) -> None:
    with pytest.raises(RecordError) as caught:
        read(text)
    (fault,) = caught.value.faults
    assert fault.place == f"a.json, {place}"
    assert fault.found.startswith(found)
    assert "download" not in str(fault)


@pytest.mark.parametrize("size", range(2, 12))
def test_a_number_is_a_misfit_wherever_the_text_is_cut(size: int) -> None:
    misfits: list[Misfit] = []
    assert read(b'[{"a": 1}, 1.5e+5 ,{"a": 2}]', size, on_misfit=misfits.append) == [{"a": 1}, {"a": 2}]
    assert [misfit.text for misfit in misfits] == [b"1.5e+5"]


@pytest.mark.parametrize("text", [b"", b"{}", b'"[]"', b"\x1f\x8b", b"\x0b[]"])
def test_a_text_that_is_no_array_is_refused(text: bytes) -> None:
    with pytest.raises(RecordError, match=r"a\.json: expected a JSON array"):
        read(text)


def test_an_object_beyond_the_limit_is_refused_without_reading_it_whole() -> None:
    endless = io.BytesIO(b'[{"a": "' + b"x" * 40_000_000)
    with pytest.raises(RecordError, match=r"objects of at most 4,194,304 bytes"):
        list(read_array(endless, dict, "a.json"))
    assert endless.tell() < 20_000_000


@pytest.mark.parametrize("indent", [None, 4])
def test_memory_does_not_grow_with_the_text(tmp_path: Path, indent: int | None) -> None:
    def peak(records: int) -> int:
        file = tmp_path / f"{records}.json"
        file.write_text(json.dumps([{"n": i, "pad": "x" * 200} for i in range(records)], indent=indent))
        with file.open("rb") as stream:
            tracemalloc.start()
            assert sum(len(chunk.records) for chunk in read_array(stream, dict, "a.json")) == records
            highest = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return highest

    peak(1_000)
    assert peak(80_000) < 1.2 * peak(20_000)
