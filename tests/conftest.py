"""What several tests need: the real records, a raw record of our own, a small dataset."""

from __future__ import annotations

import copy
import io
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

import wa_bench as wb
from wa_bench.records.hls4ml import read_designs
from wa_bench.records.schema import Design

MIRROR = "WA_BENCH_MIRROR"

pytest_plugins = ["hub.fixtures"]

settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of real records that cannot be redistributed."""
    folder = os.environ.get(MIRROR)
    if not folder:
        pytest.skip(f"real records are not here: set {MIRROR} to the folder that holds wa-hls4ml-excerpt")
    path = Path(folder)
    if not (path / "wa-hls4ml-excerpt").is_dir():
        pytest.fail(f"{MIRROR}={folder} holds no folder wa-hls4ml-excerpt")
    return path


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("WA_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


_RAW: dict[str, Any] = {
    "meta_data": {"uuid": "00000000-0000-4000-8000-000000000001", "model_name": "/runs/dense_16_8_4_6b"},
    "model_config": [
        {
            "class_name": "QDense",
            "input_shape": [None, 16],
            "output_shape": [None, 8],
            "inbound_layers": ["net_dense_1_input"],
            "parameters": 136,
            "trainable_parameters": 136,
            "neurons": 8,
            "use_bias": True,
            "dtype": "float32",
            "reuse_factor": 32,
        },
        {
            "class_name": "QDense",
            "input_shape": [None, 8],
            "output_shape": [None, 4],
            "inbound_layers": ["net_dense_1"],
            "parameters": 36,
            "trainable_parameters": 36,
            "neurons": 4,
            "use_bias": True,
            "dtype": "float32",
            "reuse_factor": 32,
        },
    ],
    "hls_config": {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 30, "Strategy": "resource"},
        "LayerName": {
            "net_dense_1_input": {"Precision": {"result": "fixed<16,6>"}},
            "net_dense_1": {
                "Precision": {
                    "result": "fixed<16,6>",
                    "weight": "fixed<6,1>",
                    "bias": "fixed<6,1>",
                    "accum": "fixed<16,6>",
                }
            },
            "net_dense_1_linear": {"Precision": {"result": "fixed<16,6>", "table": "fixed<18,8>"}},
            "net_dense_2": {
                "Precision": {
                    "result": "auto",
                    "weight": "fixed<6,1,TRN,WRAP,0>",
                    "bias": "auto",
                    "accum": "auto",
                }
            },
            "net_dense_2_linear": {"Precision": {"result": "auto"}},
        },
    },
    "resource_report": {"bram": "1.5", "dsp": "0", "ff": "1200", "lut": "900", "uram": "0"},
    "hls_resource_report": {"bram": "3", "dsp": "0", "ff": "1100", "lut": "1500", "uram": "0"},
    "latency_report": {
        "cycles_min": "67",
        "cycles_max": "69",
        "target_clock": "5.00",
        "estimated_clock": "4.1",
        "interval_min": "32.0",
        "interval_max": "32.0",
    },
    "target_part": "xcu250-figd2104-2L-e",
    "vivado_version": "2023.2",
    "hls4ml_version": "0.8.1",
}


@pytest.fixture
def raw() -> dict[str, Any]:
    """A record in the layout of the 2layer family, with values of our own."""
    return copy.deepcopy(_RAW)


@pytest.fixture
def design(raw: dict[str, Any]) -> Design:
    """The record ``raw``, decoded."""
    ((decoded,),) = [
        chunk.records for chunk in read_designs(io.BytesIO(json.dumps([raw]).encode()), split="test", file="f.json")
    ]
    return decoded


@pytest.fixture(scope="session")
def exam() -> wb.Dataset:
    """The exam splits of the embedded track."""
    return wb.load("opensynth", ["test", "exemplar"])


@pytest.fixture(scope="session")
def oracle(exam: wb.Dataset) -> pl.DataFrame:
    """Perfect predictions for ``exam``."""
    return wb.surrogate("oracle").predict(exam).frame()
