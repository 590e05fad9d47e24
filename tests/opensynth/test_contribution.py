from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from wa_bench.cli import app
from wa_bench.errors import DataError
from wa_bench.files import replacing
from wa_bench.opensynth import contribution
from wa_bench.opensynth.contribution import contribute, examine, gather
from wa_bench.opensynth.generate import Measurement, record
from wa_bench.opensynth.queue import Queue, write_records
from wa_bench.records.columns import to_records
from wa_bench.records.schema import Design, Layer

synthesis = pytest.mark.synthesis
Invented = Callable[[int], Measurement]
SHIPPED = 0


@pytest.fixture(autouse=True)
def _little_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contribution, "_shipped_seeds", lambda: {SHIPPED})


@pytest.fixture
def bundle(tmp_path: Path, invented: Invented) -> Path:
    """A contribution whose resources nobody counted, and no other fault."""
    queue = Queue.create(tmp_path / "work", [range(4)], 600)
    for seed in range(3):
        with replacing(queue.file(seed)) as partial:
            partial.write_bytes(msgspec.json.encode(invented(seed)))
    with replacing(queue.file(3)) as partial:
        partial.write_bytes(msgspec.json.encode(replace(invented(3), cells={}, failure="Yosys did not finish")))
    assert contribute(queue.folder, tmp_path / "bundle", "Ada").records == 2
    return tmp_path / "bundle"


def read(bundle: Path) -> list[Design]:
    return list(to_records(pl.read_parquet(bundle / "records.parquet"), Design))


def declare(bundle: Path, **fields: Any) -> None:
    file = bundle / "contribution.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def rewrite(bundle: Path, *records: Design) -> None:
    """Other records, declared as they should be."""
    write_records(bundle / "records.parquet", records)
    digest = sha256((bundle / "records.parquet").read_bytes()).hexdigest()
    declare(bundle, sha256=digest, records=len(records))


def synthesized(design: Design, **fields: Any) -> Design:
    made = design.provenance.synthesis
    assert made is not None
    return replace(design, provenance=replace(design.provenance, synthesis=replace(made, **fields)))


def wider(layer: Layer) -> Layer:
    return replace(layer, out_shape=[99])


def faults(bundle: Path) -> list[str]:
    with pytest.raises(DataError) as raised:
        examine(bundle)
    return [str(fault) for fault in raised.value.faults]


def test_a_bundle_holds_measured_and_new_seeds_only(bundle: Path) -> None:
    assert [design.sample_id for design in examine(bundle)] == ["opensynth-0000001", "opensynth-0000002"]
    declared = json.loads((bundle / "contribution.json").read_text())
    assert (declared["author"], declared["licence"]) == ("Ada", "CC0-1.0")
    assert declared["tools"] == ["Icarus Verilog 11.0", "Yosys 0.70"]


def test_nothing_new_is_nothing_to_contribute(tmp_path: Path, invented: Invented) -> None:
    queue = Queue.create(tmp_path / "work", [range(1)], 600)
    with replacing(queue.file(SHIPPED)) as partial:
        partial.write_bytes(msgspec.json.encode(invented(SHIPPED)))
    with pytest.raises(DataError, match="expected new records, found only failed designs and seeds that are shipped"):
        contribute(queue.folder, tmp_path / "bundle", "Ada")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("forge", "found"),
    [
        (lambda d: replace(d, layers=[*map(wider, d.layers)]), "another layers"),
        (lambda d: replace(d, split="exemplar", reuse_factor=9), "another split, reuse_factor"),
        (lambda d: replace(d, sample_id="opensynth-0000007"), "another sample_id"),
        (lambda d: replace(d, cycles_min=1), "another cycles_min"),
        (lambda d: synthesized(d, verilog_sha256="0" * 64), "another verilog_sha256"),
        (lambda d: synthesized(d, script_sha256="0" * 64), "another script_sha256"),
        (lambda d: synthesized(d, generator_version="0"), "another generator_version"),
        (lambda d: synthesized(d, netlist_vectors=65), "another netlist_vectors"),
        (lambda d: replace(d, provenance=replace(d.provenance, file="/etc/passwd")), "another provenance"),
        (lambda d: synthesized(d, seed=2), "found seed 2, which is shipped or given already"),
        (lambda d: synthesized(d, seed=SHIPPED), "found seed 0, which is shipped or given already"),
        (lambda d: synthesized(d, seed=2**62), "expected the seed of a network"),
        (lambda d: synthesized(d, seed=-1), "expected the seed of a network"),
        (lambda d: synthesized(d, failure="none"), "expected a measured design"),
        (lambda d: synthesized(d, simulator="\x1b[2J"), "expected a known simulator, found '\\x1b[2J'"),
        (lambda d: replace(d, tool_version="0.1"), "expected Yosys "),
        (lambda d: replace(d, lut=None), "expected counts from 0"),
        (lambda d: replace(d, lut=-1), "expected counts from 0"),
        (lambda d: replace(d, bram=float("nan")), "expected counts from 0"),
        (lambda d: replace(d, hls_estimate=replace(d.hls_estimate, lut=-1)), "expected counts from 0"),
        (lambda d: replace(d, hls_estimate=None), "expected a measured design"),
        (lambda d: replace(d, provenance=replace(d.provenance, synthesis=None)), "expected a measured design"),
    ],
)
def test_what_does_not_follow_from_the_seed_is_found_without_synthesis(
    forge: Callable[[Design], Design], found: str, bundle: Path
) -> None:
    first, second = read(bundle)
    rewrite(bundle, second, forge(first))
    assert any(text.startswith("records.parquet, row 2: ") and found in text for text in faults(bundle))


def test_faults_of_all_rows_come_together(bundle: Path) -> None:
    first, second = read(bundle)
    rewrite(bundle, replace(first, layers=[]), replace(second, strategy="none"))
    declare(bundle, author="\x1b[31m", statement="mine", licence="CC0-1.0")
    assert [text.partition(":")[0] for text in faults(bundle)] == [
        "contribution.json, field statement",
        "contribution.json, field author",
        "records.parquet, row 1",
        "records.parquet, row 2",
    ]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"sha256": "0" * 64}, "field sha256: expected "),
        ({"records": 3}, "field records: expected '2', found '3'"),
        ({"generator_version": "1"}, "field generator_version"),
        ({"licence": "mine"}, "Invalid enum value 'mine'"),
        ({"more": 1}, "unknown field"),
        ({"author": "A" * 201}, "at most 200 visible characters"),
        ({"author": {"a": [[[]]]}}, "Expected `str`, got `object`"),
    ],
)
def test_a_declaration_must_be_true(fields: dict[str, Any], found: str, bundle: Path) -> None:
    declare(bundle, **fields)
    (text,) = faults(bundle)
    assert text.startswith("contribution.json")
    assert found in text


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 60_000, b"[]"])
def test_a_declaration_that_is_no_json_is_a_fault(content: bytes, bundle: Path) -> None:
    (bundle / "contribution.json").write_bytes(content)
    assert faults(bundle)[0].startswith("contribution.json: expected a declaration as wa-bench synth contribute writes")


def test_records_must_have_exactly_our_schema_and_a_sane_size(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bundle / "records.parquet"
    table = pq.read_table(file)
    for bad in (table.drop_columns(["lut"]), table.append_column("x", table["lut"]), table.slice(0, 0)):
        pq.write_table(bad, file)
        assert faults(bundle)[0].startswith("records.parquet: expected ")
    for content in (b"", b"PAR1" * 9, b"x" * 1000):
        file.write_bytes(content)
        assert faults(bundle)[0].startswith("records.parquet: expected a readable Parquet file")
    monkeypatch.setitem(contribution._MAX_BYTES, "records.parquet", 999)
    assert faults(bundle)[0] == "records.parquet: expected at most 999 bytes, found 1,000 bytes"


def test_a_bundle_holds_two_plain_files_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    (bundle / "run.sh").touch()
    (bundle / "records.parquet").rename(tmp_path / "elsewhere")
    (bundle / "records.parquet").symlink_to(tmp_path / "elsewhere")
    alone, plain = faults(bundle)
    assert "the files contribution.json and records.parquet alone" in alone
    assert plain == "records.parquet: expected a plain file, found a link, folder or device"
    assert "expected a folder, found none" in faults(bundle / "none")[0]


def test_a_small_file_that_stands_for_much_memory_is_refused(bundle: Path) -> None:
    first, _ = read(bundle)
    rewrite(bundle, *[replace(first, model_name="x" * 100_000)] * 2000)
    assert (bundle / "records.parquet").stat().st_size < 1_000_000
    # In a process of its own: one that has run for long has freed memory to take from without asking for more.
    code = f"""
from pathlib import Path
from wa_bench.opensynth import contribution
contribution._MAX_MEMORY = 100_000_000
contribution.examine(Path({str(bundle)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DataError: records.parquet: expected a readable Parquet file" in done.stderr


def test_a_bundle_of_many_faults_is_not_read_to_its_end(bundle: Path) -> None:
    first, _ = read(bundle)
    rewrite(bundle, *[first] * 500)
    found = faults(bundle)
    assert found[-1] == "records.parquet: expected a bundle with fewer faults, found that many in the first 102 rows"
    assert len(found) == 102


def test_records_are_gathered_from_queues_bundles_and_files(bundle: Path, tmp_path: Path, invented: Invented) -> None:
    file = tmp_path / "shipped.parquet"
    write_records(file, [record(invented(SHIPPED)), *read(bundle)[:1]])
    gathered = gather([file, bundle, tmp_path / "work"])
    assert [design.provenance.synthesis.seed for design in gathered if design.provenance.synthesis] == [0, 1, 2, 3]
    assert gathered[3].lut is None
    write_records(file, [replace(read(bundle)[0], lut=9)])
    with pytest.raises(DataError, match=r"opensynth-0000001: expected what .*shipped\.parquet says, found another lut"):
        gather([file, bundle])


@synthesis
def test_a_forged_count_is_found_when_its_record_is_sampled(tmp_path: Path, made: Queue) -> None:
    good = [record(made.read(seed)) for seed in made.plan.seeds]
    contribute(made.folder, tmp_path / "bundle", "Ada")
    accept = ["synth", "accept", str(tmp_path / "bundle"), "--jobs", "2"]
    shown = CliRunner().invoke(app, [*accept, "--sample", "1"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("ACCEPTED: 1 records synthesized again, chosen with --sample 1 --seed ")
    rewrite(tmp_path / "bundle", replace(good[0], lut=(good[0].lut or 0) - 1))
    shown = CliRunner().invoke(app, [*accept, "--json"])
    assert shown.exit_code == 1
    result = json.loads(shown.stdout)
    assert result["verdict"] == "REJECTED"
    assert result["compared"] == [good[0].sample_id]
    assert result["faults"] == [f"{good[0].sample_id}: synthesis here gives another lut"]
