"""Data cards and Croissant files: made from the catalogue, complete, valid, and true to the data."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import mlcroissant
import msgspec
import polars as pl
import pytest
import yaml

import wa_bench as wb
from wa_bench.data.cards import about, card, columns_section
from wa_bench.data.catalogue import catalogue, entry
from wa_bench.data.croissant import croissant, croissant_text
from wa_bench.data.locate import Request, locate, record_type
from wa_bench.records import energy, vit
from wa_bench.records.columns import columns
from wa_bench.records.schema import LATENCIES, RESOURCES, Design, HlsEstimate, Layer, Precision, Provenance, Synthesis

ROOT = Path(__file__).parent.parent.parent
CARDS = ROOT / "data_cards"
RECORD_TYPES = (Design, vit.VitRun, energy.EnergyRun)
FIGURES = {
    Design: (*RESOURCES, *LATENCIES, "hls_estimate"),
    vit.VitRun: vit.FIGURES,
    energy.EnergyRun: energy.FIGURES,
}
TABLES = [name for name, known in catalogue().items() if known.files]

reads_parquet = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index:DeprecationWarning")
reads_json_ld = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_cards", ROOT / "scripts" / "write_cards.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def _records(name: str, mirror: Path) -> pl.DataFrame:
    """All records of a dataset whose upstream's tables are in the mirror."""
    splits = {split for track in wb.tracks.available().values() if name in track.datasets for split in track.splits}
    source = locate(Request(name, sorted(splits), mirror / name, "raise"))
    assert source.kind is record_type(entry(name))
    return source.frame().collect()


def _plain(value: Any) -> Any:
    """What mlcroissant read, with text decoded and names without the place they stand at."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name.rsplit("/", 1)[-1]: _plain(item) for name, item in value.items()}
    return value


def _in_shape(value: Any, shape: Any) -> Any:
    """Of one of our records what the other has, in its shape: names may be ways (``weight.width``)."""
    if isinstance(shape, list):
        return [_in_shape(item, inner) for item, inner in zip(value, shape, strict=True)]
    if isinstance(shape, dict):
        return {way: _in_shape(_leaf(value, way), inner) for way, inner in shape.items()}
    return value


def _leaf(value: Any, way: str) -> Any:
    for name in way.split("."):
        value = None if value is None else value[name]
    return value


def _croissant_reads(dataset: mlcroissant.Dataset, record_set: str, ours: pl.DataFrame, key: str) -> bool:
    """Whether Croissant reads from ``record_set`` what stands in our records, all of them."""
    records = {record[key]: record for record in ours.iter_rows(named=True)}
    read = [_plain(record) for record in dataset.records(record_set)]
    assert len(read) == len(records)
    for record in read:
        assert record == _in_shape(records[record[key]], record)
    return True


def test_the_files_are_what_the_catalogue_and_the_record_types_say() -> None:
    wanted = _script().contents()
    stale = [
        name for name, text in wanted.items() if not (CARDS / name).is_file() or (CARDS / name).read_text() != text
    ]
    assert not stale, "renew them: python scripts/write_cards.py"
    assert {path.name for path in CARDS.iterdir()} == {*wanted, "opensynth.png"}


@pytest.mark.parametrize("kind", [*RECORD_TYPES, Layer, Precision, HlsEstimate, Synthesis, Provenance])
def test_every_column_says_what_it_is(kind: type[msgspec.Struct]) -> None:
    assert [column.name for column in columns(kind) if not column.description] == []


@pytest.mark.parametrize("name", catalogue())
def test_provenance_is_told_of_figures_in_the_words_of_the_catalogue(name: str) -> None:
    known = entry(name)
    assert set(known.provenance) <= set(FIGURES[record_type(known)])
    assert set(known.provenance.values()) <= {
        "measured",
        "synthesized",
        "simulated",
        "estimated",
        "computed",
        "reported",
    }


@pytest.mark.parametrize("name", ["opensynth", "wa-hls4ml"])
def test_every_figure_of_a_design_has_a_provenance(name: str) -> None:
    assert set(entry(name).provenance) == set(FIGURES[Design])


@pytest.mark.parametrize("name", TABLES)
def test_figures_without_provenance_are_null_and_no_others(name: str, mirror: Path) -> None:
    known, records = entry(name), _records(name, mirror)
    present = {figure for figure in FIGURES[record_type(known)] if records[figure].null_count() < records.height}
    assert present == set(known.provenance)


@pytest.mark.parametrize("name", [name for name in TABLES if entry(name).rows])
def test_the_counts_of_the_catalogue_are_those_of_the_records(name: str, mirror: Path) -> None:
    assert dict(_records(name, mirror)["split"].value_counts().iter_rows()) == entry(name).rows


@pytest.mark.parametrize("name", catalogue())
def test_a_card_opens_with_the_hub_s_front_matter(name: str) -> None:
    _, front, text = card(name).split("---\n", 2)
    given, known = yaml.safe_load(front), entry(name)
    assert given["license"] == known.licence.lower()
    assert given["tags"] == about(name).tags
    assert known.citation in text
    assert columns_section(name) in text
    assert all(file.sha256 in text for file in known.files)
    assert all(reason in text for reason in known.refused.values())


def test_the_card_written_by_hand_has_the_same_front_matter() -> None:
    by_hand, made = (CARDS / "opensynth.md").read_text(), card("opensynth")
    assert yaml.safe_load(by_hand.split("---\n", 2)[1]) == yaml.safe_load(made.split("---\n", 2)[1])


def test_the_card_shows_the_code_that_loads_the_records() -> None:
    assert 'wb.load("opensynth", split="train")' in card("opensynth")
    assert 'wb.load("vit", split="train", source="timm")' in card("timm")


def test_a_figure_that_a_dataset_does_not_have_is_called_null() -> None:
    (line,) = (line for line in card("timm").splitlines() if line.startswith("| `operations` |"))
    assert line.endswith("| null here |")


@reads_json_ld
@pytest.mark.parametrize("name", catalogue())
def test_the_croissant_file_is_valid_without_a_warning(name: str) -> None:
    issues = mlcroissant.Dataset(jsonld=json.loads(croissant_text(name))).metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())


@pytest.mark.parametrize("name", catalogue())
def test_the_croissant_file_has_every_column_with_its_unit(name: str) -> None:
    described = croissant(name)
    fields = {field["name"]: field for field in described["recordSet"][0]["field"]}
    assert [(column, field.get("unitText")) for column, field in fields.items()] == [
        (column.name, column.unit) for column in columns(record_type(entry(name)))
    ]
    hashes = {file.get("sha256") for file in described["distribution"]}
    assert {file.sha256 for file in entry(name).files} <= hashes


@reads_parquet
@reads_json_ld
def test_croissant_reads_the_embedded_records_as_we_do() -> None:
    ours = wb.load("opensynth", wb.track("opensynth").splits).frame().collect()
    assert _croissant_reads(mlcroissant.Dataset(jsonld=CARDS / "opensynth.json"), "records", ours, "sample_id")


@reads_json_ld
def test_croissant_reads_the_figures_of_genuine_designs_as_we_do(mirror: Path) -> None:
    folder = mirror / "wa-hls4ml-excerpt"
    ours = wb.load("hls4ml", ["test", "exemplar"], source=folder).frame().collect()
    dataset = mlcroissant.Dataset(jsonld=croissant("wa-hls4ml"), mapping={"repository": folder})
    assert _croissant_reads(dataset, "figures", ours, "sample_id")


@reads_json_ld
def test_croissant_reads_the_figures_of_the_wtf_benchmark_as_we_do(mirror: Path) -> None:
    file = mirror / "wtf-benchmark" / "data.json"
    dataset = mlcroissant.Dataset(jsonld=croissant("wtf-benchmark"), mapping={"data.json": file})
    assert _croissant_reads(dataset, "figures", _records("wtf-benchmark", mirror), "train_time_s")
