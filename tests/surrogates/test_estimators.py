from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.errors import DataError, MissingToolError, NotFittedError, UnknownNameError
from wa_bench.evaluation import figures
from wa_bench.surrogates import Estimator, estimator, features
from wa_bench.surrogates.controls import Oracle
from wa_bench.surrogates.trees import Trees

pytest.importorskip("torch_geometric", reason="needs the extra torch")

NAMES = wb.surrogates.available()
QUICK: dict[str, dict[str, Any]] = {
    "ensemble": {"members": ("analytic", "trees")},
    "gnn": {"epochs": 2},
    "gnn-paper": {"epochs": 1, "width": 8},
    "transformer": {"epochs": 2},
    "transformer-paper": {"epochs": 1, "width": 16},
    "trees": {"iterations": 40},
}


@pytest.fixture(scope="module")
def train() -> wb.Dataset:
    return wb.load("opensynth", "train")


@pytest.fixture(scope="module")
def fitted(train: wb.Dataset) -> dict[str, Estimator]:
    return {name: wb.surrogate(name, **QUICK.get(name, {})).fit(train) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_predicts_the_same(
    name: str, fitted: dict[str, Estimator], exam: wb.Dataset, tmp_path: Path
) -> None:
    model = fitted[name]
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert again.predict(exam).frame().equals(model.predict(exam).frame())
    assert (again.settings(), again.trained_on) == (model.settings(), model.trained_on)


@pytest.mark.parametrize("name", NAMES)
def test_every_design_gets_an_answer(name: str, fitted: dict[str, Estimator], exam: wb.Dataset) -> None:
    answered = fitted[name].predict(exam).frame()["sample_id"]
    assert sorted(answered) == sorted(exam.frame().collect()["sample_id"])


@pytest.mark.parametrize("name", NAMES)
def test_no_designs_get_no_answers(name: str, fitted: dict[str, Estimator], exam: wb.Dataset) -> None:
    assert fitted[name].predict(exam.select(pl.col("lut") < 0)).frame().is_empty()


def test_the_order_of_quality_is_oracle_trees_constant(fitted: dict[str, Estimator], exam: wb.Dataset) -> None:
    mean = {name: wb.evaluate(model.predict(exam), exam).mean("R2") for name, model in fitted.items()}
    assert mean["oracle"] == 1 > mean["trees"] > 0.8 > mean["constant"]


def test_the_constant_is_the_training_mean(fitted: dict[str, Estimator], train: wb.Dataset, exam: wb.Dataset) -> None:
    predicted = fitted["constant"].predict(exam).frame()["lut"].unique().to_list()
    assert predicted == [pytest.approx(train.frame().select(pl.col("lut").mean()).collect().item())]


def test_trees_with_one_seed_predict_the_same_twice(train: wb.Dataset, exam: wb.Dataset) -> None:
    once, twice = (Trees(iterations=10, seed=3).fit(train).predict(exam).frame() for _ in range(2))
    assert once.equals(twice)


def test_trees_learn_the_truth_that_is_asked_for(train: wb.Dataset, fitted: dict[str, Estimator]) -> None:
    other = {split: wb.load("opensynth", split, truth="hls-estimate") for split in ("train", "test")}
    model = wb.surrogate("trees", **QUICK["trees"]).fit(other["train"])
    ours, plain = (wb.evaluate(each.predict(other["test"]), other["test"]) for each in (model, fitted["trees"]))
    assert ours["R2@lut"] > 0.9 > plain["R2@lut"]


def test_where_the_estimate_is_right_throughout_trees_answer_with_it(
    fitted: dict[str, Estimator], exam: wb.Dataset
) -> None:
    ours, estimate = (fitted[name].predict(exam).frame() for name in ("trees", "analytic"))
    for exact in ("dsp", "interval_max"):
        assert ours[exact].to_numpy() == pytest.approx(estimate[exact].to_numpy(), rel=1e-9)
    assert not ours["lut"].equals(estimate["lut"])


@pytest.mark.parametrize("name", NAMES)
def test_surrogates_know_no_track_by_name(name: str, mirror: Path) -> None:
    real = wb.load("hls4ml", ["test", "exemplar"], source=mirror / "wa-hls4ml-excerpt")
    predictions = wb.surrogate(name, **QUICK.get(name, {})).fit(real).predict(real)
    assert wb.evaluate(predictions, real).coverage() == 1


def test_truth_is_not_among_the_features(exam: wb.Dataset) -> None:
    frame = exam.frame().collect()
    blind = frame.with_columns(pl.lit(None).alias(name) for name in (*exam.track.target_names, "cycles_min"))
    assert features.designs(blind).equals(features.designs(frame))


def test_only_the_oracle_is_handed_the_truth(exam: wb.Dataset) -> None:
    seen: dict[bool, set[str]] = {}

    class Spy(Oracle):
        def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
            seen[self.sees_truth] = set(frame.columns)
            return [pl.Series(name, [0.0] * frame.height) for name in targets]

    class Honest(Spy):
        sees_truth = False

    Spy().predict(exam)
    Honest().predict(exam)
    assert seen[True] - seen[False] == {
        *exam.track.target_names,
        "uram",
        "cycles_min",
        "interval_min",
        "hls_estimate",
    }


def test_an_unfitted_surrogate_neither_predicts_nor_saves(exam: wb.Dataset, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match=r"call fit\(\) or load\(\) first"):
        wb.surrogate("trees").predict(exam)
    with pytest.raises(NotFittedError):
        wb.surrogate("constant").save(tmp_path)


def test_another_surrogate_s_folder_is_refused(fitted: dict[str, Estimator], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a saved surrogate, found nothing"):
        Trees.load(tmp_path)
    fitted["constant"].save(tmp_path)
    with pytest.raises(DataError, match="expected one of trees, found 'constant'"):
        Trees.load(tmp_path)


def test_the_kind_need_not_be_known_to_load_it(fitted: dict[str, Estimator], tmp_path: Path) -> None:
    fitted["trees"].save(tmp_path)
    assert Estimator.load(tmp_path) == fitted["trees"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"surrogate": "trees"}'])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("trees", "surrogate.json"),
        ("trees", "trees.skops"),
        ("constant", "means.json"),
        ("nearest", "designs.safetensors"),
        ("gnn", "weights.safetensors"),
        ("ensemble", "weights.json"),
    ],
)
def test_damaged_files_are_an_error_that_names_the_folder(
    name: str, file: str, content: bytes, fitted: dict[str, Estimator], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{tmp_path}: expected a whole saved surrogate, found damaged files"):
        Estimator.load(tmp_path)


def test_a_setting_of_the_wrong_type_is_not_loaded(fitted: dict[str, Estimator], tmp_path: Path) -> None:
    fitted["trees"].save(tmp_path)
    file = tmp_path / "surrogate.json"
    file.write_text(file.read_text().replace('"iterations": 40', '"iterations": "many"'))
    with pytest.raises(DataError, match="iterations"):
        Estimator.load(tmp_path)


def test_a_surrogate_that_learned_from_other_features_is_not_loaded(
    fitted: dict[str, Estimator], tmp_path: Path
) -> None:
    fitted["trees"].save(tmp_path)
    file = tmp_path / "surrogate.json"
    file.write_text(file.read_text().replace(f'"features": {features.VERSION}', '"features": 0'))
    with pytest.raises(DataError, match=rf"features and rules of version {features.VERSION}, found version 0; train"):
        Estimator.load(tmp_path)


def test_a_folder_s_surrogate_is_taken_exactly_if_settings_and_data_are_the_same(
    train: wb.Dataset, tmp_path: Path
) -> None:
    val = wb.load("opensynth", "val")
    file = tmp_path / "surrogate.json"

    def trained(*asked: Any) -> bool:
        before = file.stat().st_mtime_ns if file.exists() else None
        model = estimator.fitted("trees", *asked, tmp_path)
        assert model.origin == Estimator.load(tmp_path).origin == estimator.Origin.of(*asked[1:])
        return file.stat().st_mtime_ns != before

    some = train.families("conv1d")
    assert trained({"iterations": 2}, some, val)
    assert not trained({"iterations": 2}, some, val)
    assert trained({"iterations": 3}, some, val)
    assert trained({"iterations": 3}, some, val.families("conv1d"))
    assert trained({"iterations": 3}, train.families("conv2d"), val.families("conv1d"))
    file.write_text("{")
    assert trained({"iterations": 3}, train.families("conv2d"), val.families("conv1d"))


def test_nothing_can_be_learned_from_no_truth(raw: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([{**raw, "resource_report": {}}]))
    with pytest.raises(DataError, match="expected designs with every target to learn from, found none"):
        wb.surrogate("constant").fit(wb.load("hls4ml", "test", source=tmp_path / "r.json"))


@pytest.mark.parametrize(("package", "extra"), [("sklearn", "surrogates"), ("matplotlib", "plots")])
def test_a_missing_extra_is_an_error_that_says_how_to_install_it(
    package: str, extra: str, train: wb.Dataset, exam: wb.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingToolError, match=rf"package {package}.*pip install 'wa-bench\[{extra}\]'"):
        if package == "sklearn":
            Trees().fit(train)
        else:
            figures.error_cdf(wb.evaluate(wb.surrogate("oracle").predict(exam), exam))


def test_what_a_surrogate_needs_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys, wa_bench as wb; wb.surrogate('analytic'); print('torch' in sys.modules); "
        "sys.modules['torch'] = None; wb.surrogate('gnn')"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert asked.stdout.strip() == "False"
    assert "expected the package torch, found none; install it: pip install 'wa-bench[torch]'" in asked.stderr


def test_weights_of_foreign_types_are_not_loaded(fitted: dict[str, Estimator], tmp_path: Path) -> None:
    fitted["trees"].save(tmp_path)
    file = tmp_path / "trees.skops"
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(content["schema.json"])
    schema["content"]["lut"] |= {"__module__": "os", "__class__": "system"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {**content, "schema.json": json.dumps(schema).encode()}.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=r"expected only scikit-learn's tree types, found os\.system"):
        Trees.load(tmp_path)


def test_unknown_surrogates_and_settings_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown surrogate 'forest'; expected one of: analytic, constant"):
        wb.surrogate("forest")
    with pytest.raises(
        UnknownNameError, match="unknown setting of surrogate trees 'depth'; expected one of: iterations"
    ):
        wb.surrogate("trees", depth=3)


def test_a_surrogate_of_designs_refuses_other_records(mirror: Path) -> None:
    runs = wb.load("vit", "val", source=mirror)
    with pytest.raises(DataError, match="expected designs of networks"):
        wb.surrogate("constant").fit(runs)
    with pytest.raises(DataError, match="expected designs of networks"):
        wb.surrogate("analytic").predict(runs)
