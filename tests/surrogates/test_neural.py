from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.data.dataset import Dataset
from wa_bench.errors import DataError
from wa_bench.surrogates import features
from wa_bench.surrogates.arrays import read_arrays
from wa_bench.surrogates.inputs import PHYSICS, Inputs, read
from wa_bench.surrogates.neural import Neural
from wa_bench.surrogates.published import PUBLISHED
from wa_bench.surrogates.ratio import RatioNetwork
from wa_bench.surrogates.training import Batch, Network, Shape, batch_of, seeded, sequences, values

pytest.importorskip("torch_geometric", reason="needs the extra torch")
import torch

CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "gnn": {"width": 8, "epochs": 2},
    "gnn-paper": {"width": 8, "epochs": 2, "batch_size": 64},
    "transformer": {"width": 8, "epochs": 2},
    "transformer-paper": {"width": 16, "epochs": 2, "batch_size": 64},
}


def small(name: str, **settings: Any) -> Neural:
    model = wb.surrogate(name, **SMALL[name] | settings)
    assert isinstance(model, Neural)
    return model


@pytest.fixture(scope="module")
def train() -> Dataset:
    return wb.load("opensynth", "train")


@pytest.fixture(scope="module")
def val() -> Dataset:
    return wb.load("opensynth", "val")


@pytest.fixture(scope="module")
def fitted(train: Dataset, val: Dataset) -> dict[str, Neural]:
    return {name: small(name).fit(train, val) for name in SMALL}


def weights(model: Neural) -> dict[str, torch.Tensor]:
    network, _ = model._learned()
    return network.state_dict()


def same(left: Neural, right: Neural) -> bool:
    ours, theirs = weights(left), weights(right)
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def fresh(name: str, inputs: Inputs, targets: tuple[str, ...]) -> Network:
    model = small(name)
    shape = Shape(inputs.layers.shape[1], model.view.code_sizes, inputs.designs.shape[1], targets)
    network = seeded(0, lambda: model._network(shape))
    network.prepare(inputs)
    return network.eval()


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_gives_the_same_weights(
    name: str, train: Dataset, fitted: dict[str, Neural], val: Dataset
) -> None:
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    again = small(name).fit(train, val)
    assert same(again, fitted[name])
    assert [line["error"] for line in again.history] == [line["error"] for line in fitted[name].history]
    assert not same(small(name, seed=1).fit(train, val), fitted[name])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", SMALL)
def test_a_training_that_was_killed_ends_with_the_same_weights(
    name: str, train: Dataset, val: Dataset, tmp_path: Path
) -> None:
    settings = {**SMALL[name], "epochs": 5, "batch_size": 8}
    code = (
        "import json, sys, wa_bench as wb; name, settings, work = sys.argv[1:]; "
        "train, val = wb.load('opensynth', 'train'), wb.load('opensynth', 'val'); "
        "wb.surrogate(name, **json.loads(settings)).fit(train, val, work=work)"
    )
    checkpoint = tmp_path / "checkpoint.safetensors"
    child = subprocess.Popen([sys.executable, "-c", code, name, json.dumps(settings), str(tmp_path)])
    while not checkpoint.exists():
        assert child.poll() is None
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    so_far = json.loads(read_arrays(checkpoint)[1])["history"]
    assert 1 <= len(so_far) < settings["epochs"]
    whole = small(name, **settings).fit(train, val)
    resumed = small(name, **settings).fit(train, val, work=tmp_path)
    assert same(resumed, whole)
    assert [(line["loss"], line["error"]) for line in resumed.history] == [
        (line["loss"], line["error"]) for line in whole.history
    ]
    assert resumed.history[: len(so_far)] == so_far
    resumed.save(tmp_path)
    assert not checkpoint.exists()


def test_the_checkpoint_of_another_training_is_refused(train: Dataset, val: Dataset, tmp_path: Path) -> None:
    small("gnn").fit(train, val, work=tmp_path)
    for other, data in ((small("gnn", seed=1), train), (small("gnn"), train.families("conv1d"))):
        with pytest.raises(DataError, match=r"checkpoint\.safetensors: expected a checkpoint of this training"):
            other.fit(data, val, work=tmp_path)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="expected a whole checkpoint"):
        small("gnn").fit(train, val, work=tmp_path)


@pytest.mark.parametrize("name", SMALL)
def test_a_design_is_answered_alike_alone_and_in_a_batch(name: str, train: Dataset, val: Dataset) -> None:
    inputs = read(val, small(name).view)
    network = fresh(name, read(train, small(name).view), val.track.target_names)
    together = values(network, inputs, CPU)
    order = np.random.default_rng(0).permutation(len(inputs))
    with torch.no_grad():
        mixed = network.values(batch_of(inputs, order, CPU)).numpy()
        alone = np.concatenate([network.values(batch_of(inputs, order[i : i + 1], CPU)).numpy() for i in range(20)])
    np.testing.assert_allclose(mixed, together[order], rtol=1e-4, atol=1)
    np.testing.assert_allclose(alone, mixed[:20], rtol=1e-4, atol=1)


def test_a_batch_holds_what_the_records_tell(val: Dataset) -> None:
    inputs, records = read(val, PHYSICS), list(val.stream())
    rows = np.append(np.random.default_rng(0).permutation(len(inputs)), [3, 3])
    batch = batch_of(inputs, rows, CPU)
    table = features.layers(val.frame().collect())
    start = 0
    for place, row in enumerate(rows):
        layers = records[row].layers
        own = slice(start, start + len(layers))
        expected = table.filter(pl.col("row") == row)
        assert (batch.owner[own] == place).all()
        assert batch.place[own].tolist() == list(range(len(layers)))
        macs = batch.layers[own, features.NUMERIC.index("macs")].expm1()
        assert macs.tolist() == pytest.approx(expected["macs"].to_list(), rel=1e-5)
        assert [features.ROLES[code] for code in batch.codes[own, 0]] == expected["role"].to_list()
        assert batch.y[place].tolist() == [getattr(records[row], name) for name in val.track.target_names]
        start = own.stop
    edges = [
        (source + first, to + first)
        for first, row in zip(np.flatnonzero(batch.place == 0), rows, strict=True)
        for to, layer in enumerate(records[row].layers)
        for source in layer.inputs
    ]
    assert batch.edges.T.tolist() == [[int(source), int(to)] for source, to in edges]
    assert any(to - source > 1 for source, to in edges), "no skip connection was looked at"


@pytest.mark.parametrize("name", SMALL)
def test_mixed_precision_comes_close_to_single(name: str, train: Dataset) -> None:
    inputs = read(train, small(name).view)
    network = fresh(name, inputs, train.track.target_names)
    batch = batch_of(inputs, np.arange(100), CPU)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network.loss(batch)
    mixed.backward()
    assert mixed.item() == pytest.approx(network.loss(batch).item(), rel=0.02)
    assert all(weights.grad is None or weights.grad.isfinite().all() for weights in network.parameters())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_sequences_hold_every_token_once_in_order(lengths: list[int]) -> None:
    owner = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths))
    nothing = torch.empty(0)
    batch = Batch(nothing, nothing, owner, nothing, nothing, torch.zeros(len(lengths), 1), nothing, nothing, nothing)
    found: dict[int, list[int]] = {}
    for some in sequences(batch):
        for tokens, present in zip(some.tokens, some.present, strict=True):
            found[int(tokens[0])] = tokens[present].tolist()
            assert 2 * len(found[int(tokens[0])]) > len(tokens)
    starts = len(lengths) + np.cumsum(lengths) - lengths
    assert found == {
        design: [design, *range(start, start + length)]
        for design, (start, length) in enumerate(zip(starts.tolist(), lengths, strict=True))
    }


def test_the_graph_network_does_not_mind_the_order_of_layers(val: Dataset) -> None:
    inputs = read(val.families("branched"), PHYSICS)
    network = fresh("gnn", inputs, val.track.target_names)
    batch = batch_of(inputs, np.arange(len(inputs)), CPU)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(batch.layers)))
    place = torch.argsort(order)
    turned = batch._replace(
        layers=batch.layers[order], codes=batch.codes[order], owner=batch.owner[order], edges=place[batch.edges]
    )
    shuffled_edges = turned._replace(edges=turned.edges[:, torch.randperm(turned.edges.shape[1])])
    with torch.no_grad():
        for left, right in zip(network(batch), network(shuffled_edges), strict=True):
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)
        backward = network(batch._replace(edges=batch.edges.flip(0)))[0]
        assert not torch.allclose(network(batch)[0], backward, atol=1e-3), "edges make no difference"


def ratio_network(name: str, inputs: Inputs, targets: tuple[str, ...]) -> RatioNetwork:
    network = fresh(name, inputs, targets)
    assert isinstance(network, RatioNetwork)
    return network


@pytest.mark.parametrize("name", ["gnn", "transformer"])
def test_answers_stay_below_the_caps_whatever_the_weights(name: str, train: Dataset, val: Dataset) -> None:
    known = read(train, PHYSICS)
    network = ratio_network(name, known, train.track.target_names)
    inputs = read(val, PHYSICS)
    with torch.no_grad():
        network.of_design[-1].bias += 1e6
        found = values(network, inputs, CPU)
    cap = 1.5 * np.maximum(known.targets.max(axis=0), np.expm1(inputs.baseline))
    assert (found <= cap + 1).all()
    assert (found >= 0).all()
    ratios = np.log1p(found[:, 3] - 0.5) - inputs.baseline[:, 3]  # answers are rounded
    highest = (np.log1p(known.targets) - known.baseline)[:, 3].max() + np.log(1.5)
    assert ratios.max() <= highest + 1e-3


@pytest.mark.parametrize("name", ["gnn-paper", "transformer-paper"])
def test_answers_of_the_paper_s_networks_stay_below_the_training_maximum(
    name: str, train: Dataset, val: Dataset
) -> None:
    known = read(train, PUBLISHED)
    network = fresh(name, known, train.track.target_names)
    with torch.no_grad():
        [*network.parameters()][-1].fill_(1e3)
    found = values(network, read(val, PUBLISHED), CPU)
    assert (found == known.targets.max(axis=0)).all()


def test_a_probability_below_one_half_answers_zero_and_one_above_the_ratio(val: Dataset) -> None:
    inputs = replace(read(val, PHYSICS), exact=np.zeros((val.truth().height, 6), np.bool_))
    network = ratio_network("gnn", inputs, val.track.target_names)
    with torch.no_grad():
        network.of_design[-1].bias[6:] = -1e3
        assert (values(network, inputs, CPU) == 0).all()
        network.of_design[-1].bias[6:] = 1e3
        assert (values(network, inputs, CPU)[:, 2:] > 0).all()


def test_before_it_learns_a_zero_of_the_estimate_is_a_zero(val: Dataset) -> None:
    inputs = read(val, PHYSICS)
    network = ratio_network("gnn", inputs, val.track.target_names)
    with torch.no_grad():
        network.of_design[-1].weight.zero_()
        network.of_design[-1].bias.zero_()
        assert ((values(network, inputs, CPU) > 0) == (inputs.baseline > 0)).all()


def test_exact_rules_answer_unless_the_training_set_contradicts_them(val: Dataset) -> None:
    inputs = read(val, PHYSICS)
    dsp = val.track.target_names.index("dsp")
    found = values(ratio_network("gnn", inputs, val.track.target_names), inputs, CPU)
    assert (found[:, dsp] == inputs.targets[:, dsp]).all()
    doubled = inputs.targets.copy()
    doubled[:, dsp] *= 2
    network = ratio_network("gnn", replace(inputs, targets=doubled), val.track.target_names)
    with torch.no_grad():
        network.of_design[-1].bias += 10
    found = values(network, inputs, CPU)[:, dsp]
    some = inputs.targets[:, dsp] > 0
    assert (found[some] > inputs.targets[some, dsp]).all()


def test_answers_are_whole_or_half_as_the_training_set_is(val: Dataset) -> None:
    inputs = read(val, PHYSICS)
    halved = inputs.targets.copy()
    halved[:, 0] += 0.5
    network = ratio_network("gnn", replace(inputs, targets=halved), val.track.target_names)
    found = values(network, inputs, CPU)
    assert (found[:, 1:] % 1 == 0).all()
    assert (found[:, 0] % 0.5 == 0).all()
    assert (found[:, 0] % 1 != 0).any()


@pytest.mark.parametrize("name", SMALL)
def test_the_kept_weights_are_those_of_the_best_epoch(
    name: str, train: Dataset, val: Dataset, fitted: dict[str, Neural]
) -> None:
    model = small(name, learning_rate=3e-2, schedule="constant", epochs=12, patience=2).fit(train, val)
    errors = [line["error"] for line in model.history]
    best = min(range(len(errors)), key=lambda place: errors[place])
    assert len(errors) == 12 or len(errors) == best + 3
    network, _ = model._learned()
    inputs = read(val, model.view)
    with torch.no_grad():
        error = float(network.error(batch_of(inputs, np.arange(len(inputs)), CPU)))
    assert error == pytest.approx(errors[best], rel=1e-5)


def test_without_validation_all_epochs_are_run(train: Dataset) -> None:
    for nothing in (None, train.select(pl.col("lut") < 0)):
        model = small("gnn", epochs=4, patience=1).fit(train, nothing)
        assert [(line["epoch"], line["error"]) for line in model.history] == [(n, None) for n in (1, 2, 3, 4)]


def test_training_brings_the_error_down(train: Dataset, val: Dataset, exam: Dataset) -> None:
    inputs = read(val, PHYSICS)
    before = np.abs(inputs.baseline - np.log1p(inputs.targets)).mean()
    model = wb.surrogate("gnn", epochs=6).fit(train, val)
    assert min(line["error"] for line in model.history) < 0.9 * before
    analytic = wb.evaluate(wb.surrogate("analytic").predict(exam), exam)
    scores = wb.evaluate(model.predict(exam), exam)
    assert scores.mean("SMAPE(eps=1)", "test") < analytic.mean("SMAPE(eps=1)", "test")


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_change(train: Dataset) -> None:
    with pytest.raises(DataError, match="expected a finite loss, found nan; lower the learning rate"):
        small("gnn-paper", learning_rate=1e20, schedule="constant").fit(train)


def test_an_unknown_device_is_an_error_that_names_it(train: Dataset) -> None:
    with pytest.raises(DataError, match=r"setting device: expected auto, cpu, .* found 'abacus'"):
        small("gnn", device="abacus").fit(train)


def test_the_history_is_saved(fitted: dict[str, Neural], tmp_path: Path) -> None:
    fitted["gnn"].save(tmp_path)
    again = wb.surrogates.Estimator.load(tmp_path)
    assert again.history == fitted["gnn"].history
    assert [line["epoch"] for line in again.history] == [1, 2]


def test_weights_of_other_sizes_are_not_loaded(fitted: dict[str, Neural], tmp_path: Path) -> None:
    fitted["gnn"].save(tmp_path)
    file = tmp_path / "surrogate.json"
    file.write_text(file.read_text().replace('"width": 8', '"width": 16'))
    with pytest.raises(DataError, match="expected a whole saved surrogate, found damaged files"):
        wb.surrogates.Estimator.load(tmp_path)


def test_the_paper_s_graph_network_has_the_published_number_of_parameters(train: Dataset) -> None:
    model = wb.surrogate("gnn-paper")
    assert isinstance(model, Neural)
    network = model._network(Shape(13, PUBLISHED.code_sizes, 4, train.track.target_names))
    assert sum(values.numel() for values in network.parameters()) == 54_471_945


def test_the_paper_s_transformer_has_about_the_published_size(train: Dataset) -> None:
    model = wb.surrogate("transformer-paper")
    assert isinstance(model, Neural)
    network = model._network(Shape(13, PUBLISHED.code_sizes, 4, train.track.target_names))
    assert 4 * sum(values.numel() for values in network.parameters()) / 1e6 == pytest.approx(13, abs=0.5)


def test_the_paper_s_inputs_are_as_published(val: Dataset) -> None:
    frame = val.frame().collect()
    inputs = PUBLISHED.make(frame, val.track.target_names)
    batch = batch_of(inputs, np.arange(len(inputs)), CPU)
    network = fresh("transformer-paper", inputs, val.track.target_names)
    seen = network.inputs(batch)
    assert seen.shape[1] == 33
    known = frame["layers"].explode().struct.field("kind").is_in(["input", "add", "concatenate"]).not_().to_numpy()
    assert (seen[:, 12:24].sum(1).numpy() == known).all()
    assert (seen[:, 24:30].sum(1) == 1).all()
    assert (seen[:, 30:].sum(1) == 1).all()
    torch.testing.assert_close(seen[:, :12].mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    first = next(layer for layer in frame["layers"].explode().to_list() if layer["kind"] == "conv2d")
    row = inputs.layers[frame["layers"].explode().struct.field("kind").to_list().index("conv2d")]
    expected = [*first["in_shape"], *first["out_shape"], first["weight"]["width"], first["reuse_factor"]]
    assert row.tolist() == [*expected, first["units"], first["kernel"][0], first["strides"][0], 0, 0]


def test_a_design_without_layers_gets_an_answer(fitted: dict[str, Neural], val: Dataset) -> None:
    frame = val.frame().collect().head(3)
    empty = frame.with_columns(pl.lit([], dtype=frame.schema["layers"]).alias("layers"))
    for model in fitted.values():
        columns = model._predict(pl.concat([frame, empty]), val.track.target_names)
        assert all(column.is_finite().all() for column in columns)
