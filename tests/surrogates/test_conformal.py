from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.errors import DataError, NotFittedError
from wa_bench.estimation.own import as_dataset
from wa_bench.records.schema import Design
from wa_bench.surrogates import Estimator
from wa_bench.surrogates.arrays import read_arrays, write_arrays
from wa_bench.surrogates.conformal import INTERVALS_FILE, Conformal, bounds, coverage
from wa_bench.surrogates.distance import FAR, References

LEVELS = (0.5, 0.8, 0.9, 0.95)


def simulated(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors that grow with the distance, of one target much and of one not at all; and the distances."""
    random = np.random.default_rng(seed)
    distances = random.gamma(2.0, 1.0, count)
    spread = np.stack([0.05 + 0.1 * distances, np.full(count, 0.2)], axis=1)
    return np.abs(random.normal(size=(count, 2)) * spread), distances


def calibrated(seed: int, count: int) -> Conformal:
    errors, distances = simulated(seed, count)
    return Conformal.calibrated(errors, np.zeros((count, 2), np.uint8), distances, References.of(np.zeros((1, 1))))


def radius(conformal: Conformal, distances: np.ndarray, level: float) -> np.ndarray:
    return conformal.radius(np.zeros((len(distances), 2), np.uint8), distances, level)


@pytest.mark.parametrize("level", LEVELS)
def test_intervals_hold_the_truth_as_often_as_they_promise(level: float) -> None:
    held = []
    for seed in range(40):
        errors, distances = simulated(1000 + seed, 2000)
        held.append((errors <= radius(calibrated(seed, 400), distances, level)).mean(axis=0))
    spread = sqrt(level * (1 - level) * (1 / 400 + 1 / 2000) / 40)
    assert np.mean(held, axis=0) == pytest.approx(level, abs=4 * spread)


def test_far_from_the_training_set_intervals_are_wider_and_hold_more() -> None:
    conformal = calibrated(0, 4000)
    errors, distances = simulated(1, 20_000)
    widths = radius(conformal, distances, 0.9)
    order = np.argsort(distances)
    assert (np.diff(widths[order], axis=0) >= 0).all()
    far = order[-5000:]
    constant = np.quantile(errors[:, 0], 0.9)
    ours, plain = (errors[far] <= widths[far])[:, 0].mean(), (errors[far, 0] <= constant).mean()
    assert plain < 0.8
    assert ours > 0.86


@given(level=st.floats(0.01, 0.98), other=st.floats(0.01, 0.98))
def test_a_higher_level_is_never_narrower(level: float, other: float) -> None:
    conformal, distances = calibrated(0, 100), np.array([0.0, 1.0, 9.0])
    low, high = sorted((level, other))
    assert (radius(conformal, distances, low) <= radius(conformal, distances, high)).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 0.96, float("nan")])
def test_a_level_that_validation_cannot_tell_is_an_error(level: float) -> None:
    with pytest.raises(
        DataError, match=r"expected a share from 0 to 1 that 20 validation designs can tell, at most 0\.95"
    ):
        radius(calibrated(0, 20), np.zeros(1), level)


EXACT, HARD, FEW, NEW = 1, 4, 2, 6
"""Groups: many designs without error, 20 with a large one, three with a small one, none at all."""


def of_groups() -> tuple[np.ndarray, np.ndarray]:
    """Scores and groups of one target."""
    groups = np.repeat([EXACT, HARD, FEW], [280, 20, 3]).astype(np.uint8)[:, None]
    scores = np.concatenate([np.zeros(280), np.arange(1, 21) / 10, [0.1, 0.2, 0.3]])[:, None]
    return scores, groups


def bound(group: int, level: float) -> float:
    return float(bounds(*of_groups(), np.array([[group]], np.uint8), level).item())


def test_each_group_has_the_intervals_of_its_own_scores() -> None:
    assert bound(EXACT, 0.9) == bound(EXACT, 0.99) == 0
    assert bound(HARD, 0.9) == 1.9
    assert bound(HARD, 0.5) == 1.1


def test_a_group_of_few_designs_takes_those_of_the_same_claim_and_is_never_narrower_than_its_own() -> None:
    assert bound(FEW, 0.5) == 0.2
    assert bound(FEW, 0.9) == bound(NEW, 0.9) == 1.9
    assert bound(HARD, 0.99) == 2.0
    every = np.concatenate([of_groups()[0][:280], of_groups()[0][280:] / 100])
    asked = np.array([[FEW]], np.uint8)
    assert bounds(every, of_groups()[1], asked, 0.97).item() == pytest.approx(0.02)


@given(level=st.floats(0.01, 0.99), other=st.floats(0.01, 0.99), group=st.sampled_from([EXACT, HARD, FEW, NEW]))
def test_in_no_group_is_a_higher_level_narrower(level: float, other: float, group: int) -> None:
    low, high = sorted((level, other))
    assert bound(group, low) <= bound(group, high)


def test_designs_that_the_rules_only_estimate_are_held_too(exam: wb.Dataset) -> None:
    model = wb.surrogate("analytic").fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))
    test = exam.select(pl.col("split") == "test")
    bounds = model.interval(test)
    held = coverage(bounds, test, ["strategy"])
    graphs = held.filter(
        (pl.col("strategy") == "distributed_arithmetic") & pl.col("target").is_in(["cycles_max", "ff"])
    )
    assert graphs["coverage"].min() >= 0.7
    sure = held.filter((pl.col("strategy") != "distributed_arithmetic") & (pl.col("target") == "cycles_max"))
    assert sure["coverage"].to_list() == [1.0, 1.0]
    assert sure["width"].max() < 1e-6


def test_intervals_of_a_version_without_groups_are_one_for_all(tmp_path: Path) -> None:
    conformal = calibrated(0, 100)
    conformal.save(tmp_path)
    arrays, about = read_arrays(tmp_path / INTERVALS_FILE)
    del arrays["groups"]
    write_arrays(tmp_path / INTERVALS_FILE, {**arrays, "scores": np.sort(arrays["scores"], axis=0)}, about)
    before = Conformal.load(tmp_path)
    assert before is not None
    distances, asked = np.array([0.0, 1.0]), np.array([[0, 1], [4, 255]], np.uint8)
    assert (before.radius(asked, distances, 0.9) == radius(conformal, distances, 0.9)).all()


def test_an_interval_between_inputs_is_at_least_one_cycle(exam: wb.Dataset) -> None:
    model = wb.surrogate("nearest").fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))
    bounds = model.interval(exam, 0.95)
    assert bounds["interval_max_low"].min() >= 1 - 1e-9
    assert bounds["dsp_low"].min() == 0


def test_exact_targets_have_points_for_intervals(exam: wb.Dataset) -> None:
    train, val = wb.load("opensynth", "train"), wb.load("opensynth", "val")
    model = wb.surrogate("oracle").fit(train, val)
    bounds = model.interval(exam)
    for name in exam.track.target_names:
        assert (bounds[f"{name}_high"] - bounds[f"{name}_low"]).max() < 1e-6
    assert coverage(bounds, exam)["coverage"].to_list() == [1.0] * 12


@pytest.mark.parametrize("name", ["analytic", "trees", "nearest"])
def test_saved_and_loaded_the_intervals_are_the_same(name: str, exam: wb.Dataset, tmp_path: Path) -> None:
    settings = {"iterations": 20} if name == "trees" else {}
    model = wb.surrogate(name, **settings).fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))
    model.save(tmp_path)
    bounds = model.interval(exam, 0.8)
    assert Estimator.load(tmp_path).interval(exam, 0.8).equals(bounds)
    answers = model.predict(exam).frame()
    assert bounds["sample_id"].equals(answers["sample_id"])
    for target in exam.track.target_names:
        assert (bounds[f"{target}_low"] <= answers[target] + 1e-6).all()
        assert (answers[target] <= bounds[f"{target}_high"] + 1e-6).all()
    (tmp_path / "intervals.safetensors").write_bytes(b"{")
    with pytest.raises(DataError, match="expected a whole saved surrogate"):
        Estimator.load(tmp_path)
    model.fit(wb.load("opensynth", "train")).save(tmp_path)
    with pytest.raises(NotFittedError):
        Estimator.load(tmp_path).interval(exam)


def test_the_truth_of_an_exam_is_held_nearly_as_often_as_promised(exam: wb.Dataset) -> None:
    model = wb.surrogate("nearest").fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))
    held = coverage(model.interval(exam, 0.9), exam).filter(pl.col("split") == "test")
    assert held["coverage"].mean() == pytest.approx(0.9, abs=0.05)


def test_without_validation_there_are_no_intervals(exam: wb.Dataset) -> None:
    with pytest.raises(NotFittedError, match=r"has no intervals; give fit\(\) a validation set"):
        wb.surrogate("analytic").interval(exam)


def test_of_designs_of_another_tool_the_intervals_say_nothing(design: Design) -> None:
    model = wb.surrogate("analytic").fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))
    assert model.calibrated_on == ("yosys",)
    with pytest.raises(DataError, match=r"designs of yosys, which they were measured on, found vivado"):
        model.interval(as_dataset([design]))


def test_coverage_counts_designs_whose_truth_is_held(exam: wb.Dataset) -> None:
    truth = exam.truth()
    half = pl.int_range(pl.len()) % 2 == 0
    bounds = truth.select(
        "sample_id",
        *((pl.col(name) + pl.when(half).then(0).otherwise(1)).alias(f"{name}_low") for name in exam.track.target_names),
        *((pl.col(name) + 2).alias(f"{name}_high") for name in exam.track.target_names),
    )
    expected = truth.with_columns(half.alias("held")).group_by("split", maintain_order=True).agg(pl.col("held").mean())
    found = coverage(bounds, exam).filter(pl.col("target") == "lut")
    assert found["coverage"].to_list() == expected["held"].to_list()
    assert found["designs"].to_list() == [truth.filter(split=name).height for name in exam.splits]


def test_features_that_training_designs_share_say_nothing_of_distance() -> None:
    known = np.array([[0.0, 7.0], [1.0, 7.0]])
    references = References.of(known)
    assert (references.nearest(np.array([[0.0, 7.0], [0.0, -1e6], [0.9, 8.0]]))[0] == [0, 0, 1]).all()
    assert references.nearest(np.array([[0.0, -1e6]]))[1].item() == 0


@given(seed=st.integers(0, 1000), count=st.integers(1, 30), designs=st.integers(1, 20))
def test_the_nearest_reference_is_the_nearest(seed: int, count: int, designs: int) -> None:
    random = np.random.default_rng(seed)
    known, asked = random.normal(size=(count, 3)) * [1, 100, 0], random.normal(size=(designs, 3)) * [1, 100, 1]
    references = References.of(known)
    rows, distances = references.nearest(asked)
    points = ((asked - references.mean) / references.spread).clip(-FAR, FAR)
    every = np.sqrt(np.square(points[:, None] - references.points).sum(axis=2))
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(every[np.arange(designs), rows], every.min(axis=1), rtol=1e-3, atol=1e-3)
