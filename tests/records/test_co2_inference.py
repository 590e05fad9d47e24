from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records.co2_inference import read
from wa_bench.records.columns import arrow_schema, to_frame, to_records
from wa_bench.records.energy import FIGURES, EnergyRun

PHASE = {
    "task_name": "query model",
    "timestamp": "2023-09-08T12:50:09",
    "project_name": "acme/net-base",
    "run_id": "r0",
    "duration": "10.0",
    "emissions": "0.001",
    "cpu_energy": "0.0001",
    "gpu_energy": "0.001",
    "ram_energy": "0.002",
    "country_iso_code": "USA",
    "region": "oregon",
    "os": "Linux",
    "cpu_model": "Xeon",
    "gpu_model": "8 x NVIDIA A100-SXM4-80GB",
}
SESSION = {"run_id": "r0", "project_name": "acme/net-base", "gpu_energy": "9"}
BASE, COMPLETE = "data/emissions/base", "data/emissions/complete"
Tables = dict[str, list[dict[str, str]]]


def tables() -> Tables:
    return {
        f"{BASE}/emissions_base_r0.csv": [{**PHASE, "task_name": "load model", "gpu_energy": "5"}, PHASE],
        f"{COMPLETE}/image_class_cifar10_resized.csv": [SESSION],
        "data/model_parameters.csv": [{"model_name": "acme/net-base", "num_parameters": "123457"}],
    }


def text(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def loaded(folder: Path, content: Tables | dict[str, Any]) -> pl.DataFrame:
    path = folder / "co2.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, rows in content.items():
            data = rows if isinstance(rows, bytes) else text(rows).encode()
            member = tarfile.TarInfo(f"co2_inference-0/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return read({path.name: path})


def faults(folder: Path, content: Tables | dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(RecordError) as caught:
        loaded(folder, content)
    return [(fault.place, fault.expected, fault.found) for fault in caught.value.faults]


def test_a_run_becomes_a_row_in_si_units_with_estimates_apart(tmp_path: Path) -> None:
    (run,) = loaded(tmp_path, tables()).iter_rows(named=True)
    assert run["sample_id"] == "co2-inference/r0"
    assert (run["file"], run["row"]) == (f"{BASE}/emissions_base_r0.csv", 1)
    assert (run["group"], run["task"], run["input_set"]) == ("image-classification", "image_class", "cifar10")
    assert (run["width"], run["height"], run["modality"]) == (640, 480, "image to label")
    assert (run["device"], run["devices"], run["devices_idle"]) == ("a100_sxm4_80gb", 8, 7)
    assert run["gpu_energy_j"] == pytest.approx(3600.0)
    assert run["energy_per_unit_j"] == pytest.approx(3.6)
    assert (run["cpu_energy_j"], run["dram_energy_j"], run["measured_parts"]) == (None, None, "gpu")
    assert run["estimated_cpu_energy_j"] == pytest.approx(360.0)
    assert run["estimated_ram_energy_j"] == pytest.approx(7200.0)
    assert run["estimated_region"] == "USA/oregon"
    assert (run["mean_power_w"], run["throughput_per_s"]) == (pytest.approx(360.0), pytest.approx(100.0))
    assert run["params"] == 123457


def test_repeats_count_in_order_of_time_and_apart_by_inputs(tmp_path: Path) -> None:
    content = tables()
    for run, time in (("r1", "11:00:00"), ("r2", "10:00:00")):
        content[f"{BASE}/emissions_base_{run}.csv"] = [{**PHASE, "run_id": run, "timestamp": f"2023-09-08T{time}"}]
        content[f"{COMPLETE}/image_class_cifar10_resized.csv"].append({**SESSION, "run_id": run})
    content[f"{BASE}/emissions_base_r3.csv"] = [{**PHASE, "run_id": "r3"}]
    content[f"{COMPLETE}/image_class_cifar10.csv"] = [{**SESSION, "run_id": "r3"}]
    frame = loaded(tmp_path, content)
    assert frame.get_column("sample_id").str.slice(14).to_list() == ["r0", "r1", "r2", "r3"]
    assert frame.get_column("repeat").to_list() == [2, 1, 0, 0]


def test_runs_that_no_table_lists_and_parameters_listed_twice_do_no_harm(tmp_path: Path) -> None:
    content = tables()
    content[f"{BASE}/emissions_base_r9.csv"] = [{**PHASE, "run_id": "r9"}]
    content["data/model_parameters.csv"] *= 2
    assert loaded(tmp_path, content).get_column("params").to_list() == [123457]


def test_the_run_is_believed_where_its_table_names_another_model(tmp_path: Path) -> None:
    content = tables()
    content[f"{BASE}/emissions_base_r0.csv"] = [{**PHASE, "project_name": "acme/net-small"}]
    (run,) = loaded(tmp_path, content).iter_rows(named=True)
    assert (run["model"], run["params"]) == ("acme/net-small", 123457)


def test_all_faults_of_the_tables_are_named_at_once(tmp_path: Path) -> None:
    content: dict[str, Any] = tables()
    content[f"{BASE}/a.csv"] = [{"run_id": "r7", "duration": "1"}]
    content[f"{BASE}/b.csv"] = b"\xff\xfe"
    content[f"{COMPLETE}/qa_squad.csv"] = b"run_id,project_name\nr1\n"
    content["data/model_parameters.csv"] = b""
    found = faults(tmp_path, content)
    assert [place for place, _, _ in found] == [
        f"{BASE}/a.csv",
        f"{BASE}/b.csv",
        f"{COMPLETE}/qa_squad.csv, row 0",
        "data/model_parameters.csv",
    ]
    assert "no task_name, project_name, timestamp" in found[0][2]
    assert found[2][1:] == ("2 cells", "1")


def test_all_faults_of_the_runs_are_named_at_once(tmp_path: Path) -> None:
    content = tables()
    bad = {**PHASE, "gpu_energy": "much", "duration": "-1", "emissions": "nan", "gpu_model": "A100"}
    content[f"{BASE}/emissions_base_r0.csv"] = [bad]
    content[f"{COMPLETE}/dreaming_sheep.csv"] = [{**SESSION, "run_id": "r5"}]
    content[f"{COMPLETE}/qa_squad.csv"] = [SESSION]
    content["data/model_parameters.csv"].append({"model_name": "acme/net-base", "num_parameters": "5"})
    found = {
        (place.removeprefix("data/"), expected.split(" ")[0], value)
        for place, expected, value in faults(tmp_path, content)
    }
    base = "emissions/base/emissions_base_r0.csv, row 0, field"
    assert found == {
        (f"{base} duration", "a", "'-1'"),
        (f"{base} gpu_energy", "a", "'much'"),
        (f"{base} emissions", "a", "'nan'"),
        (f"{base} gpu_model", "such", "'A100'"),
        ("emissions/complete/dreaming_sheep.csv", "a", "another name"),
        ("emissions/complete/dreaming_sheep.csv", "a", "none of run r5"),
        ("emissions/complete/image_class_cifar10_resized.csv, row 0, field run_id", "each", "'r0'"),
        ("emissions/complete/qa_squad.csv, row 0, field run_id", "each", "'r0'"),
        ("model_parameters.csv, row 0, field model_name", "one", "'acme/net-base'"),
        ("model_parameters.csv, row 1, field model_name", "one", "'acme/net-base'"),
    }


@pytest.mark.parametrize("missing", [BASE, COMPLETE, "data/model_parameters"])
def test_missing_tables_are_named(tmp_path: Path, missing: str) -> None:
    content = {name: rows for name, rows in tables().items() if not name.startswith(missing)}
    ((place, expected, found),) = faults(tmp_path, content)
    assert place.startswith(missing)
    assert (expected, found) == ("tables (.csv)", "none")


@pytest.fixture(scope="module")
def real(mirror: Path) -> pl.DataFrame:
    (known,) = entry("co2-inference").files
    return read({known.name: mirror / "co2-inference" / known.name})


def test_the_real_archive_gives_417_pairs_ten_times(real: pl.DataFrame) -> None:
    assert real.height == 4170
    pairs = real.group_by("model", "task", "input_set", "width").agg(pl.len(), pl.col("repeat").n_unique())
    assert pairs.select("len", "repeat").unique().rows() == [(10, 10)]
    assert (pairs.height, real.get_column("model").n_unique()) == (417, 92)
    counts = real.group_by("split").agg(pl.len(), pl.col("family").n_unique()).sort("split")
    assert counts.rows() == [("test", 1060, 14), ("train", 2880, 50), ("val", 230, 5)]


# Run, model, parameters, GPU energy in kWh, duration in s, guessed memory energy in kWh: from the run's own table.
HAND_CHECKED = [
    ("000f2a61", "cardiffnlp/twitter-xlm-roberta-base-sentiment", 278043648, 0.00126966796, 8.44609022, 0.0009733678),
    ("46f4a02c", "roberta-base", 124645632, 0.00165392882, 10.9595244, 0.001274269),
    ("570dd614", "facebook/convnextv2-tiny-22k-384", 27866496, 0.00326010372, 24.5203831, 0.002898486),
    ("5fdf0c49", "facebook/convnextv2-tiny-22k-384", 27866496, 0.00365361792, 26.0393713, 0.003070581),
    ("e6e98155", "microsoft/git-large-coco", 370724608, 0.064700709, 398.044935, 0.04757207),
    ("e49a53af", "jozhang97/deta-swin-large", 217683380, 0.0647100029, 359.695621, 0.04295528),
    ("3084fe2c", "sshleifer/distilbart-cnn-6-6", 229933056, 0.0178587257, 117.701819, 0.01404193),
    ("bd226c84", "facebook/opt-6.7b", 6658473984, 0.047630825, 272.70822, 0.03258438),
    ("51a1d1c7", "SG161222/Realistic_Vision_V1.4", 1370216895, 0.81224211, 4071.15519, 0.4870877),
    ("40fd97a3", "bigscience/bloomz-7b1", 7000000000, 0.048332422, 247.114705, 0.02953167),
]


@pytest.mark.parametrize(("run", "model", "params", "gpu", "duration", "ram"), HAND_CHECKED)
def test_hand_checked_rows(
    real: pl.DataFrame, run: str, model: str, params: int, gpu: float, duration: float, ram: float
) -> None:
    (row,) = real.filter(pl.col("sample_id").str.starts_with(f"co2-inference/{run}")).iter_rows(named=True)
    assert (row["model"], row["params"], row["units"]) == (model, params, 1000)
    assert row["gpu_energy_j"] == pytest.approx(gpu * 3.6e6, rel=1e-8)
    assert row["energy_per_unit_j"] == pytest.approx(gpu * 3600, rel=1e-8)
    assert row["duration_s"] == pytest.approx(duration, rel=1e-8)
    assert row["estimated_ram_energy_j"] == pytest.approx(ram * 3.6e6, rel=1e-6)


def test_traps_of_the_real_archive(real: pl.DataFrame) -> None:
    assert real.select("devices", "devices_idle", "measured_parts").unique().rows() == [(8, 7, "gpu")]
    assert real.filter(estimated_region="CAN/quebec").height == 4
    assert real.filter(pl.col("params").is_null()).get_column("model").unique().to_list() == [
        "fxmarty/pix2struct-tiny-random"
    ]
    captioners = real.filter(pl.col("model").str.contains("vit-gpt2")).select("family", "params").unique().rows()
    assert captioners == [("vit-gpt2-coco-en", 239195904)]


def test_energy_of_image_models_is_that_of_the_facts(real: pl.DataFrame) -> None:
    """Means of ten runs on ImageNet, J an image, as computed from the same archive by other means."""
    runs = real.filter(pl.col("width").is_null(), task="image_class", input_set="imagenet")
    means = dict(runs.group_by("model").agg(pl.col("energy_per_unit_j").mean().round(2)).iter_rows())
    assert means["google/vit-base-patch16-224"] == 9.81
    assert means["google/vit-base-patch16-384"] == 15.73
    assert means["microsoft/resnet-50"] == 11.32


def test_every_figure_has_a_provenance_and_every_row_is_a_record(real: pl.DataFrame) -> None:
    told = {name for name in FIGURES if real.get_column(name).count()}
    assert told == set(entry("co2-inference").provenance)
    assert real.to_arrow().schema.names == arrow_schema(EnergyRun).names
    sample = real.gather_every(400)
    assert to_frame(to_records(sample, EnergyRun), EnergyRun).equals(sample)
