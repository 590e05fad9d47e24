from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.timm import COUNTED, UNCOUNTED, read
from wa_bench.records.vit import FIGURES, VitRun, device_name, family_of

NAME = "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv"
COLUMNS = ["model", "img_size", "samples_per_sec", "step_time", "batch_size", "param_count", "gmacs", "macts"]
MODELS = {
    "vit_base_patch16_224": (224, 1571.0, 651.8, 1024, 86.57, 17.58, 23.9),
    "deit_base_patch16_224": (224, 1570.5, 652.0, 1024, 86.57, 17.58, 23.9),
    "swin_tiny_patch4_window7_224": (224, 1500.25, 170.6, 256, 28.29, 4.51, 17.06),
}


def table(rows: dict[str, tuple[object, ...]], columns: list[str] = COLUMNS, phase: str = "infer") -> str:
    """A benchmark table of our own with the given columns."""
    names = [name if name in {"model", "param_count"} else f"{phase}_{name}" for name in columns]
    lines = [dict(zip(COLUMNS, (model, *figures), strict=True)) for model, figures in rows.items()]
    return "\n".join([",".join(names), *(",".join(str(line[name]) for name in columns) for line in lines)]) + "\n"


def read_texts(folder: Path, texts: dict[str, str]) -> pl.DataFrame:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return read({name: folder / name for name in texts})


def faults(folder: Path, texts: dict[str, str]) -> list[tuple[str, str, str]]:
    with pytest.raises(RecordError) as caught:
        read_texts(folder, texts)
    return [(fault.place, fault.expected, fault.found) for fault in caught.value.faults]


@pytest.fixture(scope="module")
def runs(mirror: Path) -> pl.DataFrame:
    """All rows of the real tables."""
    return read({path.name: path for path in (mirror / "timm").glob("*.csv")})


def test_a_row_becomes_a_run_in_our_units(tmp_path: Path) -> None:
    run = next(to_records(read_texts(tmp_path, {NAME: table(MODELS)}), VitRun))
    assert run == VitRun(
        sample_id="timm/benchmark-infer-amp-nchw-pt240-cu124-rtx3090/vit_base_patch16_224/224",
        split="train",
        family="vit",
        group="isotropic",
        family_split="train",
        network="deit_base_patch16_224",
        source="timm",
        file=NAME,
        row=0,
        model="vit_base_patch16_224",
        architecture="vit_base_patch16_224",
        device="rtx3090",
        device_kind="gpu",
        phase="infer",
        precision="amp",
        memory_layout="nchw",
        torch_version="2.4.0",
        cuda_version="12.4",
        compiled=False,
        image_size=224,
        batch_size=1024,
        macs_convention=COUNTED,
        params=86_570_000,
        macs=17_580_000_000,
        activations=23_900_000,
        throughput=1571.0,
        step_time_ms=651.8,
    )


@given(
    phase=st.sampled_from(["infer", "train"]),
    precision=st.sampled_from(["amp", "amp_bf16", "bf16", "fp32"]),
    layout=st.sampled_from(["nchw", "nhwc"]),
    torch=st.sampled_from([("113", "1.13"), ("221", "2.2.1"), ("291", "2.9.1"), ("2100", "2.10.0")]),
    backend=st.sampled_from([("cpu", None), ("cu92", "9.2"), ("cu117", "11.7"), ("cu130", "13.0")]),
    device=st.sampled_from(["rtx4090", "5090", "pro6000maxq", "i9_10940x", "9950x"]),
    compiled=st.booleans(),
)
def test_the_files_name_tells_the_run(
    tmp_path_factory: pytest.TempPathFactory,
    phase: str,
    precision: str,
    layout: str,
    torch: tuple[str, str],
    backend: tuple[str, str | None],
    device: str,
    compiled: bool,
) -> None:
    dynamo = "-dynamo" if compiled else ""
    name = f"benchmark-{phase}-{precision}-{layout}-pt{torch[0]}-{backend[0]}-{device}{dynamo}.csv"
    run = read_texts(tmp_path_factory.mktemp("tables"), {name: table(MODELS, phase=phase)}).row(0, named=True)
    assert (run["phase"], run["precision"], run["memory_layout"]) == (phase, precision, layout)
    spelled = f"rtx{device}" if backend[1] and device[0].isdigit() else device
    assert (run["torch_version"], run["cuda_version"], run["device"]) == (torch[1], backend[1], spelled)
    assert (run["device_kind"], run["compiled"]) == ("gpu" if backend[1] else "cpu", compiled)
    assert run["split"] == ("train" if device == "i9_10940x" else "device")


@given(columns=st.permutations(COLUMNS))
def test_columns_come_in_any_order(tmp_path_factory: pytest.TempPathFactory, columns: list[str]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    assert read_texts(folder, {NAME: table(MODELS, columns)}).equals(read_texts(folder, {NAME: table(MODELS)}))


def test_missing_columns_and_blank_cells_are_null(tmp_path: Path) -> None:
    rows = {"vit_huge_patch16_gap_448": (448, "", "", "", 631.67, "", ""), **MODELS}
    read_in = read_texts(tmp_path, {NAME: table(rows, [name for name in COLUMNS if name not in {"gmacs", "macts"}])})
    assert read_in["throughput"].to_list() == [None, 1571.0, 1570.5, 1500.25]
    assert read_in["batch_size"].to_list() == [None, 1024, 1024, 256]
    assert read_in.select("macs", "activations", "macs_convention", "top1").null_count().row(0) == (4, 4, 4, 4)


def test_every_fault_is_named_with_file_row_and_column(tmp_path: Path) -> None:
    rows = {
        "resnet50": (224.5, "fast", "nan", -1, 25.56, "inf", 11.11),
        "resnet18": ("", 1, 1, 1, 1, 1, 1),
        "vit_tiny_patch16_224": (224, 1, 1, 1, 1, 1, 1),
    }
    texts = {
        NAME: table(rows) + table({"vit_tiny_patch16_224": (224, 2, 2, 2, 2, 2, 2)}).split("\n", 1)[1],
        "benchmark-infer-int8-nchw-pt240-tpu-v5.csv": table(MODELS),
        "benchmark-train-amp-nchw-pt240-cu124-rtx3090.csv": table(MODELS, phase="infer"),
        "results-imagenet.csv": "model,img_size,top1,top5\nresnet50.a1_in1k,224,101,95\n",
        "results-sketch.csv": "",
    }
    found = {place: (expected, text) for place, expected, text in faults(tmp_path, texts)}
    assert found.pop("benchmark-infer-int8-nchw-pt240-tpu-v5.csv")[0].startswith("the name benchmark-")
    assert found.pop("benchmark-train-amp-nchw-pt240-cu124-rtx3090.csv")[1].startswith("no train_img_size, ")
    assert found.pop("results-sketch.csv") == ("a CSV table in UTF-8", "none: empty CSV")
    assert found == {
        f"{NAME}, row 0, column infer_img_size": ("a positive whole number", "'224.5'"),
        f"{NAME}, row 0, column infer_batch_size": ("a positive whole number", "'-1'"),
        f"{NAME}, row 0, column infer_samples_per_sec": ("a positive number", "'fast'"),
        f"{NAME}, row 0, column infer_step_time": ("a positive number", "'nan'"),
        f"{NAME}, row 0, column infer_gmacs": ("a positive number", "'inf'"),
        f"{NAME}, row 1, column infer_img_size": ("a positive whole number", "''"),
        f"{NAME}, row 3": ("each model once by image size", "vit_tiny_patch16_224 again"),
        "results-imagenet.csv, row 0, column top1": ("a percentage", "'101'"),
    }


def test_counts_without_attention_stand_apart(tmp_path: Path) -> None:
    older = "benchmark-infer-amp-nchw-pt210-cu121-rtx3090.csv"
    counts = ["macs", "activations", "macs_without_attention", "activations_without_attention", "macs_convention"]
    uncounted, counted = read_texts(tmp_path, {NAME: table(MODELS), older: table(MODELS)}).filter(row=0)[counts].rows()
    assert uncounted == (None, None, 17_580_000_000, 23_900_000, UNCOUNTED)
    assert counted == (17_580_000_000, 23_900_000, None, None, COUNTED)


def test_accuracies_are_those_of_the_best_weights(tmp_path: Path) -> None:
    header = "model,img_size,top1,top1_err,top5\n"
    texts = {
        NAME: table(MODELS),
        "results-imagenet.csv": header
        + "vit_base_patch16_224.good,224,85.1,14.9,97.5\nvit_base_patch16_224.better,224,85.2,14.8,97.0\n"
        + "vit_base_patch16_224.best,384,86.0,14.0,98.0\nswin_tiny_patch4_window7_224,224,81.4,18.6,95.5\n",
        "results-sketch.csv": header
        + "vit_base_patch16_224.good,224,45,55,60\nvit_base_patch16_224.better,224,44,56,60\n",
        "model_metadata-in1k.csv": "model,pretrain\n",
    }
    columns = ["model", "pretrained_tag", "top1", "top5", "top1_sketch", "top1_real"]
    assert read_texts(tmp_path, texts)[columns].rows() == [
        ("vit_base_patch16_224", "better", 85.2, 97.0, 44.0, None),
        ("deit_base_patch16_224", None, None, None, None, None),
        ("swin_tiny_patch4_window7_224", None, 81.4, 95.5, None, None),
    ]


def test_families_between_which_a_network_goes_by_two_names_are_held_out_together(tmp_path: Path) -> None:
    figures = MODELS["vit_base_patch16_224"]
    read_in = read_texts(
        tmp_path, {NAME: table({"swin_twin": figures, "beit_twin": figures, "resnet50": (*figures[:-1], 1)})}
    )
    assert read_in["network"].to_list() == ["beit_twin", "beit_twin", "resnet50"]
    assert read_in["split"].to_list() == ["val", "val", "train"]


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("vit_base_patch16_224", "vit"),
        ("ViT-B/16", "vit"),
        ("deit3_small_patch16_384", "vit"),
        ("flexivit_base", "vit"),
        ("vitamin_large_224", "vitamin"),
        ("tiny_vit_21m_384", "tiny_vit"),
        ("swinv2_cr_tiny_ns_224", "swin"),
        ("stvit_swin_tiny_p4_w7", "swin"),
        ("legacy_seresnext50_32x4d", "resnet"),
        ("resnetv2_50x1_bit", "resnet"),
        ("resnest50d", "resnest"),
        ("inception_resnet_v2", "inception"),
        ("inception_next_tiny", "inception_next"),
        ("tf_efficientnetv2_b0", "efficientnet"),
        ("sam2_hiera_tiny", "hiera"),
        ("convnextv2_atto", "convnext"),
        ("42", "42"),
    ],
)
def test_a_name_tells_the_family(architecture: str, family: str) -> None:
    assert family_of(architecture) == family


def test_a_device_has_one_spelling() -> None:
    spellings = ["rtx4090", "RTX_4090", "RTX 4090", "NVIDIA GeForce RTX 4090"]
    assert {device_name(text) for text in spellings} == {"rtx4090"}
    assert device_name("NVIDIA A100-SXM4-80GB") == "a100_sxm4_80gb"


def test_nothing_gives_an_empty_table() -> None:
    assert to_frame([], VitRun).equals(read({}))


def test_real_tables_are_read_row_by_row(runs: pl.DataFrame, mirror: Path) -> None:
    counted = {path.name: len(path.read_text().splitlines()) - 1 for path in (mirror / "timm").glob("benchmark-*.csv")}
    assert dict(runs.group_by("file").len().iter_rows()) == counted
    assert (runs.height, runs["architecture"].n_unique(), runs["sample_id"].n_unique()) == (20_679, 1453, 20_679)
    assert runs.columns == arrow_schema(VitRun).names
    assert runs["throughput"].null_count() == 2


@pytest.mark.parametrize(
    ("session", "model", "size", "throughput", "step", "batch", "params", "macs", "activations"),
    [
        ("infer-amp-nchw-pt113-cu117-rtx3090", "vit_base_patch16_224", 224, 1209.0, 846.969, 1024, 86.57, 17.58, 23.9),
        (
            "infer-amp-nhwc-pt113-cu117-rtx3090",
            "eva_giant_patch14_336",
            336,
            39.89,
            6418.269,
            256,
            1013.01,
            620.64,
            550.67,
        ),
        ("infer-amp-nchw-pt240-cu124-rtx4090", "vit_base_patch16_224", 224, 2787.15, 367.372, 1024, 86.57, 17.58, 23.9),
        ("infer-amp-nhwc-pt240-cu124-rtx4090", "resnet50", 288, 3001.95, 170.541, 512, 25.56, 6.8, 18.37),
        (
            "infer-amp-nchw-pt291-cu128-4090",
            "swin_tiny_patch4_window7_224",
            224,
            2748.8,
            372.502,
            1024,
            28.29,
            4.51,
            17.06,
        ),
        (
            "infer-amp-nchw-pt291-cu128-4090-dynamo",
            "vit_base_patch16_224",
            224,
            3375.59,
            303.329,
            1024,
            86.57,
            17.58,
            23.9,
        ),
        (
            "infer-fp32-nchw-pt221-cpu-i9_10940x-dynamo",
            "deit_base_patch16_224",
            224,
            29.77,
            33.481,
            1,
            86.57,
            None,
            None,
        ),
        (
            "infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo",
            "vit_base_patch16_224",
            224,
            8.33,
            120.013,
            1,
            86.57,
            17.58,
            23.9,
        ),
        ("train-amp-nchw-pt112-cu113-rtx3090", "vit_base_patch16_224", 224, 390.86, 490.391, 192, 86.57, None, None),
        ("train-amp-nhwc-pt112-cu113-rtx3090", "efficientnet_b0", 224, 1751.72, 291.183, 512, 5.29, None, None),
    ],
)
def test_ten_rows_checked_by_hand(
    runs: pl.DataFrame,
    session: str,
    model: str,
    size: int,
    throughput: float,
    step: float,
    batch: int,
    params: float,
    macs: float | None,
    activations: float | None,
) -> None:
    run = runs.row(by_predicate=pl.col("sample_id") == f"timm/benchmark-{session}/{model}/{size}", named=True)
    assert (run["throughput"], run["step_time_ms"], run["batch_size"]) == (throughput, step, batch)
    assert run["params"] == round(params * 1e6)
    assert run["macs"] == (None if macs is None else round(macs * 1e9))
    assert run["activations"] == (None if activations is None else round(activations * 1e6))


def test_real_accuracies_are_those_of_the_named_weights(runs: pl.DataFrame) -> None:
    accuracies = ["pretrained_tag", *(name for name in FIGURES if name.startswith("top"))]
    assert runs.filter(model="vit_base_patch16_224")[accuracies].unique().rows() == [
        ("augreg2_in21k_ft_in1k", 85.108, 97.53, 89.457, 75.32, 45.106, 49.733, 97.16, 59.223, 96.5)
    ]
    assert (
        runs.filter(pl.col("file").str.contains("pt291-cu128-4090.csv")).filter(pl.col("top1").is_not_null()).height
        == 1193
    )


def test_real_counts_include_attention_or_stand_apart(runs: pl.DataFrame) -> None:
    base = runs.filter(model="vit_base_patch16_224", phase="infer")
    assert base["macs"].drop_nulls().unique().to_list() == [17_580_000_000]
    assert base["macs_without_attention"].drop_nulls().unique().to_list() == [16_870_000_000]
    assert set(base.filter(pl.col("macs_without_attention").is_not_null())["torch_version"]) == {"2.1.0"}


def test_no_family_network_or_device_is_on_both_sides(runs: pl.DataFrame) -> None:
    seen = runs.filter(pl.col("split") != "device")
    for column in ("family", "network", "architecture"):
        assert seen.group_by(column).agg(pl.col("split").n_unique())["split"].max() == 1
    assert runs.group_by("network").agg(pl.col("family").n_unique())["family"].max() == 1
    assert set(runs.filter(split="device")["device"]) == {"rtx4090", "i7_12700h"}
    assert set(seen["device"]) == {"rtx3090", "i9_10940x"}
    assert dict(runs.group_by("split").len().iter_rows()) == {"train": 8780, "val": 664, "test": 2215, "device": 9020}


def test_a_part_of_the_tables_gives_the_same_splits(runs: pl.DataFrame, mirror: Path) -> None:
    for path in (mirror / "timm").glob("benchmark-*.csv"):
        alone = read({path.name: path})
        assert alone["split"].to_list() == runs.filter(file=path.name)["split"].to_list()


def test_every_figure_says_how_it_came_about(runs: pl.DataFrame) -> None:
    given_figures = [name for name in FIGURES if runs[name].null_count() < runs.height]
    assert sorted(entry("timm").provenance) == sorted(given_figures)
    assert set(entry("timm").provenance.values()) <= {"measured", "estimated", "computed", "reported"}
