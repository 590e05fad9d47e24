from __future__ import annotations

import bz2
import copy
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import wa_bench as wb
from wa_bench.data import conversion, store
from wa_bench.errors import DataError, RecordError
from wa_bench.records.columns import arrow_schema
from wa_bench.records.schema import Design


@pytest.fixture
def records(raw: dict[str, Any]) -> Callable[[int], list[dict[str, Any]]]:
    """So many different records."""

    def make(count: int) -> list[dict[str, Any]]:
        made = []
        for number in range(count):
            record = copy.deepcopy(raw)
            record["meta_data"]["uuid"] = f"record-{number}"
            record["resource_report"]["lut"] = str(number)
            made.append(record)
        return made

    return make


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of eight records, so that a few records make several."""
    monkeypatch.setattr(conversion, "ROWS", 8)
    monkeypatch.setattr(conversion, "ROW_GROUP", 4)
    monkeypatch.setattr(conversion, "BATCH", 2)


def written(folder: Path, records: list[dict[str, Any]], name: str = "test/test_2layer_merged.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records))
    return folder


def kept(cache: Path) -> dict[str, str]:
    """Hash of every file that a conversion leaves, by its place in the store."""
    files = (path for path in cache.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(cache)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("WA_BENCH_CACHE", str(folder))
    return folder


@pytest.mark.usefixtures("small_parts")
def test_json_is_read_once_and_parquet_from_then_on(
    records: Callable[..., Any], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "hub", records(21))
    first = wb.load("hls4ml", "test", source=folder).frame().collect()
    assert first["lut"].to_list() == list(range(21))
    parts = sorted(cache.rglob("*.parquet"))
    assert [pq.read_metadata(part).num_rows for part in parts] == [8, 8, 5]
    assert pq.read_metadata(parts[0]).num_row_groups == 2
    monkeypatch.setattr("wa_bench.data.sources.read_designs", None)
    monkeypatch.setattr("wa_bench.data.conversion.read_designs", None)
    again = wb.load("hls4ml", "test", source=folder)
    assert again.frame().collect().equals(first)
    assert [design.lut for design in again.stream()] == list(range(21))


def test_a_stream_needs_no_store_and_leaves_none(records: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    dataset = wb.load("hls4ml", "test", source=written(tmp_path / "hub", records(3)))
    assert [design.lut for design in dataset.stream()] == [0, 1, 2]
    assert not cache.exists()


def test_a_changed_file_is_converted_anew(records: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    folder = written(tmp_path / "hub", records(3))
    assert wb.load("hls4ml", "test", source=folder).frame().collect().height == 3
    written(folder, records(4))
    assert wb.load("hls4ml", "test", source=folder).frame().collect().height == 4


@pytest.mark.parametrize(("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_files_read_alike(
    records: Callable[..., Any], tmp_path: Path, cache: Path, ending: str, compress: Callable[[bytes], bytes]
) -> None:
    plain = written(tmp_path / "plain", records(9))
    packed = tmp_path / "packed" / f"test/test_2layer_merged.json{ending}"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(compress((plain / "test/test_2layer_merged.json").read_bytes()))
    figures = ["sample_id", "family", "lut", "layers"]
    expected = wb.load("hls4ml", "test", source=plain).frame().select(figures).collect()
    for source in (tmp_path / "packed", packed):
        dataset = wb.load("hls4ml", "test", source=source)
        assert [design.lut for design in dataset.stream()] == list(range(9))
        assert dataset.frame().select(figures).collect().equals(expected)


def test_a_damaged_compressed_file_is_one_clear_error(records: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    packed = bytearray(gzip.compress(json.dumps(records(400)).encode()))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "records.json.gz"
    path.write_bytes(packed)
    with pytest.raises(RecordError, match=r"records\.json\.gz, record \d+, byte"):
        wb.load("hls4ml", "test", source=path).frame()


@pytest.mark.usefixtures("small_parts")
def test_faults_of_all_files_and_damage_are_told_at_once(
    records: Callable[..., Any], tmp_path: Path, cache: Path
) -> None:
    bad = records(20)
    bad[3]["resource_report"]["lut"] = "many"
    bad[17]["target_part"] = 5
    folder = written(tmp_path / "hub", bad)
    with pytest.raises(RecordError) as caught:
        wb.load("hls4ml", "test", source=folder).frame()
    assert [fault.place.split(",")[1] for fault in caught.value.faults] == [" record 3", " record 17"]
    tolerant = wb.load("hls4ml", "test", source=folder, on_bad="skip")
    assert tolerant.frame().collect().height == 18
    assert len(tolerant.skipped) == 2
    cut = (folder / "test/test_2layer_merged.json").read_text()[:-500]
    for family in ("conv1d", "conv2d"):
        (folder / f"test/test_{family}_merged.json").write_text(cut)
    with pytest.raises(RecordError) as caught:
        wb.load("hls4ml", "test", source=folder).frame()
    assert [fault.place.split(",")[0] for fault in caught.value.faults[-2:]] == [
        "test_conv1d_merged.json",
        "test_conv2d_merged.json",
    ]
    assert any("test_2layer_merged.json, record 17" in fault.place for fault in caught.value.faults)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("stop_after", [1, 3, 4, 9])
def test_a_conversion_that_stopped_goes_on_and_ends_with_the_same_bytes(
    records: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    bad = records(41)
    for number in (5, 8, 20, 40):
        bad[number]["resource_report"]["lut"] = "many"
    folder = written(tmp_path / "hub", bad)
    monkeypatch.setattr("wa_bench.records.json_array.CHUNK", 20_000)

    def convert(cache: Path) -> None:
        monkeypatch.setenv("WA_BENCH_CACHE", str(cache))
        wb.load("hls4ml", "test", source=folder, on_bad="skip").frame()

    convert(tmp_path / "whole")
    tables = conversion.to_table
    calls = iter(range(stop_after))

    def failing(*given: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return tables(*given)

    monkeypatch.setattr(conversion, "to_table", failing)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "stopped")
    monkeypatch.setattr(conversion, "to_table", tables)
    convert(tmp_path / "stopped")
    assert kept(tmp_path / "stopped") == kept(tmp_path / "whole")


def in_another_process(folder: Path, cache: Path, processes: int = 2) -> subprocess.Popen[bytes]:
    program = (
        "import wa_bench.data.conversion as c, wa_bench.data.sources as s, wa_bench as wb, sys, os\n"
        "s._IN_PROCESS_BYTES = 0\n"
        "os.cpu_count = lambda: int(sys.argv[2])\n"
        "wb.load('hls4ml', 'test', source=sys.argv[1]).frame()\n"
    )
    environment = {**os.environ, "WA_BENCH_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", program, str(folder), str(processes)], env=environment)


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(
    records: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "hub"
    many = records(9000)
    for family in ("2layer", "3layer"):
        written(folder, many, f"test/test_{family}_merged.json")
    assert in_another_process(folder, tmp_path / "whole").wait() == 0
    moments = random.Random(0)
    for _ in range(5):
        process = in_another_process(folder, tmp_path / "killed")
        time.sleep(moments.uniform(0.4, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert in_another_process(folder, tmp_path / "killed").wait() == 0
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")
    assert not [*(tmp_path / "killed").rglob("*.partial")]


def test_two_processes_at_once_convert_a_file_once(records: Callable[..., Any], tmp_path: Path) -> None:
    folder = written(tmp_path / "hub", records(3000))
    assert in_another_process(folder, tmp_path / "alone").wait() == 0
    both = [in_another_process(folder, tmp_path / "shared") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert kept(tmp_path / "shared") == kept(tmp_path / "alone")


@pytest.mark.usefixtures("small_parts")
def test_verify_proves_a_store_against_its_manifest(records: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    def verify() -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("wa-bench")), "data", "verify", "hls4ml"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wb.load("hls4ml", "test", source=written(tmp_path / "hub", records(20))).frame()
    assert verify().returncode == 0
    assert "20 records in 1 converted files" in verify().stdout
    (folder,) = store.folders(cache / "store", "wa-hls4ml")
    part = folder / "00001.parquet"
    changed = bytearray(part.read_bytes())
    changed[100] ^= 1
    part.write_bytes(changed)
    assert verify().returncode == 1
    assert "00001.parquet: expected SHA-256" in verify().stderr
    (folder / "00002.parquet").unlink()
    assert verify().returncode == 1
    told = verify().stderr
    assert "00002.parquet: expected" in told
    assert "found no file; remove" in told
    with pytest.raises(DataError, match=r"00002\.parquet: expected .* bytes, found no file"):
        wb.load("hls4ml", "test", source=tmp_path / "hub").frame()
    (folder / "manifest.json").write_text("{")
    assert "a manifest as wa-bench writes it" in verify().stderr


def test_the_manifest_tells_where_the_records_come_from(
    records: Callable[..., Any], tmp_path: Path, cache: Path
) -> None:
    wb.load("hls4ml", "test", source=written(tmp_path / "hub", records(3))).frame()
    (folder,) = store.folders(cache / "store", "wa-hls4ml")
    manifest = store.manifest_in(folder)
    assert (manifest.raw, manifest.split, manifest.family) == ("test/test_2layer_merged.json", "test", "2layer")
    assert (manifest.rows, manifest.faulty, manifest.complete) == (3, 0, True)
    assert manifest.wa_bench == wb.__version__
    assert manifest.schema == store.schema_version()


def test_parts_have_the_schema_of_a_record(records: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    wb.load("hls4ml", "test", source=written(tmp_path / "hub", records(2))).frame()
    (part,) = cache.rglob("*.parquet")
    assert pq.read_schema(part).equals(arrow_schema(Design))
    assert pl.read_parquet(part)["family"].to_list() == ["2layer"] * 2


def test_what_stands_before_the_damage_is_kept_and_its_faults_are_told(
    records: Callable[..., Any], tmp_path: Path, cache: Path
) -> None:
    bad = records(30)
    bad[3]["resource_report"]["lut"] = "many"
    folder = written(tmp_path / "hub", bad)
    path = folder / "test/test_2layer_merged.json"
    path.write_text(path.read_text()[:-500])
    for _ in range(2):
        with pytest.raises(RecordError) as caught:
            wb.load("hls4ml", "test", source=folder).frame()
        assert [fault.place.split(",")[1] for fault in caught.value.faults] == [" record 3", " record 29"]
    (kept_part,) = cache.rglob("*.parquet")
    assert pq.read_metadata(kept_part).num_rows == 28


def test_a_packed_copy_beside_the_plain_file_does_not_count_twice(
    records: Callable[..., Any], tmp_path: Path, cache: Path
) -> None:
    folder = written(tmp_path / "hub", records(3))
    plain = folder / "test/test_2layer_merged.json"
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert wb.load("hls4ml", "test", source=folder).frame().collect().height == 3


def test_a_worker_runs_nothing_from_the_current_folder(
    records: Callable[..., Any], tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "hub"
    for family in ("2layer", "3layer"):
        written(folder, records(3), f"test/test_{family}_merged.json")
    (folder / "filelock.py").write_text("raise SystemExit('hostile')")
    script = tmp_path / "script.py"
    script.write_text(
        "import wa_bench.data.sources as s, wa_bench as wb\n"
        "s._IN_PROCESS_BYTES = 0\n"
        "wb.load('hls4ml', 'test', '.').frame()\n"
    )
    assert subprocess.run([sys.executable, str(script)], cwd=folder, check=False).returncode == 0


def test_an_empty_file_has_no_records_and_no_batches(tmp_path: Path, cache: Path) -> None:
    dataset = wb.load("hls4ml", "test", source=written(tmp_path / "hub", []))
    assert dataset.frame().collect().is_empty()
    assert list(dataset.stream()) == []
    assert len(dataset.encoded) == 0
