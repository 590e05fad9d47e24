from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import wa_bench as wb
from wa_bench.data.encoding import ACTIVATIONS, DESIGN_FEATURES, KINDS, LAYER_FEATURES, STRATEGIES, encode, joined
from wa_bench.errors import DataError, UnknownNameError
from wa_bench.records.columns import to_frame
from wa_bench.records.schema import Design

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("torch_geometric", reason="needs the extra torch")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def train() -> wb.Dataset:
    return wb.load("opensynth", "train")


def test_select_reads_predicates_as_polars_does(train: wb.Dataset) -> None:
    narrow = train.select(pl.col("lut") < 1000, strategy="latency")
    frame = narrow.frame().collect()
    assert 0 < frame.height < train.frame().collect().height
    assert frame["lut"].max() < 1000
    assert frame["strategy"].unique().to_list() == ["latency"]
    assert [design.sample_id for design in narrow.stream()] == frame["sample_id"].to_list()
    everything = [design.sample_id for design in train.select(pl.lit(True)).stream()]
    assert everything == train.sample_ids().to_list()
    assert set(narrow.families("conv1d").frame().collect()["family"]) <= {"conv1d"}


def test_layer_features_say_what_the_record_says(design: Design) -> None:
    encoded = encode(to_frame([design], Design), wb.track("hls4ml").target_names)
    first = dict(zip(LAYER_FEATURES, encoded.layers[0].tolist(), strict=True))
    assert first["inputs"] == pytest.approx(np.log1p(16))
    assert first["reuse_factor"] == pytest.approx(np.log1p(32))
    assert (first["weight_width"], first["weight_integer"], first["use_bias"]) == (6, 1, 1)
    assert (first["kernel_0"], first["accumulator_width"], first["same_padding"]) == (0, 16, 0)
    assert [KINDS[code] for code in encoded.kinds] == ["dense", "dense"]
    assert [ACTIVATIONS[code] for code in encoded.activations] == ["none", "none"]
    assert STRATEGIES[encoded.strategies[0]] == "resource"
    assert dict(zip(DESIGN_FEATURES, encoded.designs[0].tolist(), strict=True))["clock_ns"] == 5
    assert encoded.edges.tolist() == [[0], [1]]
    assert encoded.targets.tolist() == [[1.5, 0, 1200, 900, 69, 32]]


def test_an_encoding_in_parts_is_the_encoding_of_the_whole(train: wb.Dataset) -> None:
    frame = train.frame().collect()
    targets = train.track.target_names
    parts = joined(encode(frame[start : start + 37], targets) for start in range(0, frame.height, 37))
    whole = encode(frame, targets)
    for name in ("pointers", "layers", "kinds", "activations", "edge_pointers", "edges", "designs", "strategies"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    assert np.array_equal(parts.targets, whole.targets, equal_nan=True)


def test_graphs_hold_every_design_with_its_own_layers_and_edges(train: wb.Dataset) -> None:
    designs = list(train.stream())
    seen = []
    for batch in train.graphs(50, shuffle=True, seed=3):
        for place, row in enumerate(batch.rows.tolist()):
            start, end = batch.ptr[place : place + 2].tolist()
            inside = (batch.edge_index[0] >= start) & (batch.edge_index[0] < end)
            edges = (batch.edge_index[:, inside] - start).T.tolist()
            expected = [[source, i] for i, layer in enumerate(designs[row].layers) for source in layer.inputs]
            assert edges == expected
            kinds = [KINDS[code] for code in batch.kind[start:end].tolist()]
            assert kinds == [layer.kind for layer in designs[row].layers]
            assert batch.y[place, 3].item() == designs[row].lut
            seen.append(row)
        assert batch.num_graphs == len(batch.rows)
        assert batch.batch.bincount().tolist() == batch.ptr.diff().tolist()
    assert sorted(seen) == list(range(len(designs)))
    assert seen != sorted(seen)


def test_shuffling_follows_the_seed(train: wb.Dataset) -> None:
    def rows(seed: int) -> list[int]:
        return [row for batch in train.sequences(64, shuffle=True, seed=seed) for row in batch.rows.tolist()]

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_sequences_are_padded_and_masked(train: wb.Dataset) -> None:
    designs = list(train.stream())
    for batch in train.sequences(50):
        lengths = [len(designs[row].layers) for row in batch.rows.tolist()]
        assert batch.mask.sum(dim=1).tolist() == lengths
        assert batch.layers.shape == (len(lengths), max(lengths), len(LAYER_FEATURES))
        assert not batch.layers[~batch.mask].any()
        assert not batch.kinds[~batch.mask].any()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_workers_share_the_batches_without_loss_or_duplicates(train: wb.Dataset, workers: int) -> None:
    loader = torch.utils.data.DataLoader(train.to_torch("graphs", 16), batch_size=None, num_workers=workers)
    rows = [row for batch in loader for row in batch.rows.tolist()]
    assert sorted(rows) == list(range(train.frame().collect().height))
    with pytest.raises(UnknownNameError, match="unknown view 'words'"):
        train.to_torch("words")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("track", ["opensynth", "hls4ml"])
def test_a_hugging_face_stream_is_shared_by_two_workers_without_loss_or_duplicates(track: str, mirror: Path) -> None:
    pytest.importorskip("datasets", reason="needs the extra hub")
    source = None if track == "opensynth" else mirror / "wa-hls4ml-excerpt"
    dataset = wb.load(track, "test", source)
    expected = dataset.sample_ids().to_list()
    stream = dataset.to_hf()
    assert [row["sample_id"] for row in stream] == expected
    loader = torch.utils.data.DataLoader(stream.select_columns(["sample_id"]), num_workers=2, batch_size=None)
    assert sorted(row["sample_id"] for row in loader) == sorted(expected)
    assert dataset.to_hf(streaming=False)["sample_id"] == expected


def test_the_store_is_plain_parquet_to_hugging_face_datasets(mirror: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra hub")
    dataset = wb.load("hls4ml", "test", source=mirror / "wa-hls4ml-excerpt")
    parts = [str(part) for source in dataset._sources for part in source.parts()]
    stream = datasets.load_dataset("parquet", data_files=parts, split="train", streaming=True, cache_dir=str(tmp_path))
    assert [row["lut"] for row in stream] == dataset.frame().collect()["lut"].to_list()


def test_pandas_gets_the_same_rows(train: wb.Dataset) -> None:
    pytest.importorskip("pandas", reason="needs the extra hub")
    frame = train.to_pandas()
    assert frame["lut"].tolist() == train.frame().collect()["lut"].to_list()


def test_the_two_truths_are_asked_for_by_name_and_never_mixed(raw: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([raw]))
    measured = wb.load("hls4ml", "test", source=tmp_path / "r.json")
    estimated = wb.load("hls4ml", "test", source=tmp_path / "r.json", truth="hls-estimate")
    assert measured.truth().row(0)[-6:] == (1.5, 0, 1200, 900, 69, 32)
    assert estimated.truth().row(0)[-6:] == (3, 0, 1100, 1500, 69, 32)
    assert estimated.encoded.targets.tolist() == [[3, 0, 1100, 1500, 69, 32]]
    assert "estimated" in estimated.track.truth
    assert measured.fingerprint() != estimated.fingerprint()
    with pytest.raises(UnknownNameError, match="expected one of: hls-estimate"):
        wb.load("hls4ml", "test", truth="simulated")


def test_records_without_layers_say_so(mirror: Path) -> None:
    with pytest.raises(DataError, match="expected records of networks with layers"):
        next(wb.load("vit", "val", source=mirror).graphs())
