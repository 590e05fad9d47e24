from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.surrogates import estimator
from wa_bench.surrogates.ensemble import Ensemble, simplex_weights
from wa_bench.surrogates.nearest import Nearest


def error(answers: np.ndarray, truth: np.ndarray) -> float:
    return float(np.square(answers - truth).mean())


@given(
    seed=st.integers(0, 10_000),
    members=st.integers(1, 5),
    designs=st.integers(1, 40),
    scale=st.sampled_from([0, 1e-6, 1, 1e3]),
)
def test_weights_are_shares_and_no_other_shares_are_better(seed: int, members: int, designs: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    truth = random.normal(size=designs)
    answers = truth[:, None] + scale * random.normal(size=(designs, members))
    weights = simplex_weights(answers, truth)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    for other in [*np.eye(members), *random.dirichlet(np.ones(members), 20)]:
        assert error(answers @ weights, truth) <= error(answers @ other, truth) * (1 + 1e-9) + 1e-20


@pytest.fixture(scope="module")
def fitted() -> Ensemble:
    model = Ensemble(members=("analytic", "trees", "nearest", "constant"))
    return model.fit(wb.load("opensynth", "train"), wb.load("opensynth", "val"))


def test_on_validation_it_is_never_worse_than_its_best_member(fitted: Ensemble) -> None:
    val = wb.load("opensynth", "val")
    truth = val.truth()
    together = fitted.predict(val).frame()
    members = [
        wb.surrogate(name).fit(wb.load("opensynth", "train"), val).predict(val).frame() for name in fitted.members
    ]
    for name in val.track.target_names:
        logs = [np.log1p(frame[name].to_numpy()) for frame in (truth, together, *members)]
        best = min(error(answer, logs[0]) for answer in logs[2:])
        assert error(logs[1], logs[0]) <= best * (1 + 1e-6) + 1e-20


def test_weights_tell_each_member_s_part(fitted: Ensemble) -> None:
    assert list(fitted.weights) == list(wb.track("opensynth").target_names)
    for shares in fitted.weights.values():
        assert tuple(shares) == fitted.members
        assert sum(shares.values()) == pytest.approx(1)
    assert fitted.weights["dsp"]["analytic"] == pytest.approx(1)
    assert fitted.weights["lut"]["constant"] < 0.05


def test_members_may_be_saved_surrogates(tmp_path: Path, exam: wb.Dataset) -> None:
    train, val = wb.load("opensynth", "train"), wb.load("opensynth", "val")
    Nearest().fit(train.families("conv1d")).save(tmp_path / "near")
    model = Ensemble(members=("analytic", str(tmp_path / "near"))).fit(train, val)
    model.save(tmp_path / "both")
    (tmp_path / "near").rename(tmp_path / "elsewhere")
    assert Ensemble.load(tmp_path / "both").predict(exam).frame().equals(model.predict(exam).frame())


def test_members_given_as_a_list_are_known_again(tmp_path: Path) -> None:
    train = wb.load("opensynth", "val")
    given = ("ensemble", {"members": ["analytic", "constant"]}, train, None, tmp_path)
    before = estimator.fitted(*given) and (tmp_path / "surrogate.json").stat().st_mtime_ns
    assert estimator.fitted(*given).predict(train).frame().height == train.sample_ids().len()
    assert (tmp_path / "surrogate.json").stat().st_mtime_ns == before


def test_without_validation_members_weigh_alike(exam: wb.Dataset) -> None:
    model = Ensemble(members=("analytic", "constant")).fit(wb.load("opensynth", "train"))
    analytic, constant = (model._members[place].predict(exam).frame()["lut"] for place in (0, 1))
    expected = np.expm1((analytic.log1p() + constant.log1p()).to_numpy() / 2)
    assert model.predict(exam).frame()["lut"].to_numpy() == pytest.approx(expected)


def test_the_nearest_neighbour_of_a_training_design_is_itself() -> None:
    train = wb.load("opensynth", "train")
    answers, truth = Nearest().fit(train).predict(train).frame(), train.truth()
    same = (answers.drop("sample_id") == truth.select(answers.columns[1:])).select("lut")
    assert same["lut"].mean() > 0.97
