"""Estimates of the user's own network: figures, verdicts, sweeps, pictures, and the command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

import wa_bench as wb
from wa_bench.cli import app, main
from wa_bench.errors import DataError, NotFittedError
from wa_bench.estimation.estimate import worst
from wa_bench.estimation.intervals import _measured
from wa_bench.estimation.known_errors import KNOWN_ERRORS
from wa_bench.estimation.own import as_dataset
from wa_bench.estimation.sweep import _pareto, default_precisions
from wa_bench.networks.network import NetworkError
from wa_bench.networks.read import read_network
from wa_bench.networks.settings import Settings, design
from wa_bench.records.reuse import valid_reuse_factors
from wa_bench.records.schema import Precision
from wa_bench.surrogates.estimator import Estimator

FILES = Path(__file__).parent / "networks" / "files"
JET = FILES / "jet.keras"


def test_the_jet_tagger_gets_the_same_answer_as_a_keras_file_an_onnx_file_and_a_pytorch_module() -> None:
    pytest.importorskip("onnx")
    from networks.modules import JET as MODULE

    settings = {"strategy": "resource", "reuse_factor": 16, "precision": "fixed<8,3>"}
    by_keras = wb.estimate(JET, **settings)
    by_onnx = wb.estimate(FILES / "jet_dynamo.onnx", **settings)
    by_torch = wb.estimate(MODULE[0], input_shape=MODULE[1], **settings)
    assert by_keras.figures == by_onnx.figures == by_torch.figures


def test_the_figures_are_what_the_surrogate_predicts_for_the_network_as_a_record() -> None:
    made = wb.estimate(JET, strategy="resource", reuse_factor=16)
    record = design(read_network(JET), Settings(strategy="resource", reuse_factor=16))
    predicted = wb.surrogate("analytic").predict(as_dataset([record])).frame().drop("sample_id").row(0)
    assert tuple(figure.value for figure in made.figures) == predicted


def test_a_saved_surrogate_estimates_from_its_folder_as_it_does_in_memory(tmp_path: Path) -> None:
    trees = wb.surrogate("trees", iterations=5).fit(wb.load("opensynth", "val"))
    trees.save(tmp_path / "trees")
    assert wb.estimate(JET, tmp_path / "trees").figures == wb.estimate(JET, trees).figures


def test_a_surrogate_that_was_not_trained_is_refused() -> None:
    with pytest.raises(NotFittedError, match="folder of a saved one"):
        wb.estimate(JET, "trees")
    with pytest.raises(DataError):
        wb.estimate(JET, Path("no/such/folder"))


@dataclass
class Stated(Estimator):
    """A surrogate that says what it is told to: so many DSP blocks and LUTs, within a tenth."""

    dsp: float = 100.0
    lut: float = 1000.0

    name = "stated"
    title = "As stated"
    needs_training = False

    def _predict(self, frame: pl.DataFrame, targets: tuple[str, ...]) -> list[pl.Series]:
        figures = {"dsp": self.dsp, "lut": self.lut}
        return [pl.Series(name, [figures.get(name, 1.0)] * frame.height, pl.Float64) for name in targets]


class Sure(Stated):
    """The same with intervals of its own, for the tool that is assumed where none is named."""

    calibrated_on = ("vivado",)

    def interval(self, dataset: wb.Dataset, level: float = 0.9) -> pl.DataFrame:
        answers = self.predict(dataset).frame()
        low = [pl.col(name).mul(level).alias(f"{name}_low") for name in dataset.track.target_names]
        high = [pl.col(name).truediv(level).alias(f"{name}_high") for name in dataset.track.target_names]
        return answers.select("sample_id", *low, *high)


def test_a_surrogates_own_intervals_are_taken_where_it_gives_some() -> None:
    made = wb.estimate(JET, Sure())
    assert made.intervals == "90% intervals of the surrogate, measured on designs of vivado"
    assert [(figure.low, figure.high) for figure in made.figures] == [
        pytest.approx((figure.value * 0.9, figure.value / 0.9)) for figure in made.figures
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a surrogate that learned from the embedded track and has intervals."""
    folder = tmp_path_factory.mktemp("trees")
    wb.surrogate("trees", iterations=20).fit(wb.load("opensynth", "train"), wb.load("opensynth", "val")).save(folder)
    return folder


def test_a_trained_surrogate_has_its_own_intervals_for_the_tool_they_were_measured_on(trained: Path) -> None:
    settings = {"tool": "yosys", "strategy": "resource", "reuse_factor": 16}
    made = wb.estimate(JET, trained, **settings)
    assert made.intervals.startswith("90% intervals of the surrogate, measured on designs of yosys (it learned: post-")
    bounds = Estimator.load(trained).interval(as_dataset([made.design])).row(0, named=True)
    for figure in made.figures:
        assert (figure.low, figure.high) == (bounds[f"{figure.target}_low"], bounds[f"{figure.target}_high"])
    swept = made.sweep([16], [made.settings.precision])
    assert (swept.frame["lut_low"].item(), swept.intervals) == (made["lut"].low, made.intervals)


def test_for_another_tool_a_trained_surrogate_has_no_interval_and_says_what_it_learned_from(trained: Path) -> None:
    made = wb.estimate(JET, trained)
    assert {(figure.low, figure.high) for figure in made.figures} == {(None, None)}
    assert made.intervals == (
        "trees learned from designs of yosys alone; "
        "no error of trees on designs of vivado is known; hand some over: known="
    )


def test_for_the_tool_whose_truth_ships_the_margin_is_the_error_on_its_exam() -> None:
    made = wb.estimate(JET, tool="yosys", strategy="resource", reuse_factor=16)
    exam = wb.load("opensynth", ["test", "exemplar"])
    truth = exam.truth()
    pairs = truth.join(wb.surrogate("analytic").predict(exam).frame(), on="sample_id", suffix="_predicted")
    alike = exam.frame().filter(pl.col("strategy") == "resource").select("sample_id").collect()
    of_resource = pairs.join(alike, on="sample_id")
    for figure in made.figures:
        assert figure.high is not None
        factor = (figure.high + 1) / (figure.value + 1)
        ratio = ((of_resource[f"{figure.target}_predicted"] + 1) / (of_resource[figure.target] + 1)).to_numpy()
        assert (np.maximum(ratio, 1 / ratio) <= factor * (1 + 1e-9)).mean() >= 0.9
    assert f"the error of analytic that 90% kept within, of {pairs.height} designs (test, exemplar" in made.intervals
    assert "Yosys" in made.intervals


def test_cycles_that_the_rules_only_estimate_have_a_margin_and_exact_ones_are_points() -> None:
    graph = wb.estimate(JET, tool="yosys", strategy="distributed_arithmetic")["cycles_max"]
    assert graph.low is not None
    assert graph.high is not None
    assert graph.low < 0.9 * graph.value < 1.1 * graph.value < graph.high
    sure = wb.estimate(JET, tool="yosys", strategy="resource")["cycles_max"]
    assert (sure.low, sure.high) == pytest.approx((sure.value, sure.value))


def test_the_tool_brings_its_versions_unless_they_are_named() -> None:
    made = wb.estimate(JET, tool="Yosys")
    assert (made.settings.tool, made.settings.tool_version, made.settings.hls4ml_version) == ("yosys", "0.70", None)
    assert made.heading().endswith("; as of yosys 0.70.")
    (records,) = (
        wb.load("opensynth", "test").frame().select("tool", "tool_version", "hls4ml_version").unique().collect().rows()
    )
    assert records == (made.settings.tool, made.settings.tool_version, made.settings.hls4ml_version)
    assert wb.estimate(JET, tool="yosys", tool_version="0.71").settings.tool_version == "0.71"
    assert wb.estimate(JET, tool="vivado").settings == Settings()


@pytest.mark.parametrize("name", ["trees", "nearest", "gnn", "transformer-paper"])
def test_settings_that_no_training_design_differs_in_change_nothing(name: str) -> None:
    if name in {"gnn", "transformer-paper"}:
        pytest.importorskip("torch_geometric")
    settings: dict[str, Any] = {"gnn": {"epochs": 3}, "transformer-paper": {"epochs": 1, "width": 16}}.get(name, {})
    train, val, exam = (wb.load("opensynth", split) for split in ("train", "val", "test"))
    model = wb.surrogate(name, **settings).fit(train, val)
    recorded = list(exam.stream())
    other = [
        replace(design, part="xcu250-figd2104-2L-e", clock_ns=2.0, tool_version="2024.2", hls4ml_version="1.1.0")
        for design in recorded
    ]
    ours, theirs = as_dataset(recorded), as_dataset(other)
    assert model.predict(ours).frame().equals(model.predict(theirs).frame())
    assert model.interval(ours).equals(model.interval(theirs))


def test_the_error_on_one_tools_designs_is_never_a_margin_for_another_tool() -> None:
    made = wb.estimate(JET, Stated(), part="xc7z020")
    assert made.intervals == "no error of stated on designs of vivado is known; hand some over: known="
    assert {(figure.low, figure.high) for figure in made.figures} == {(None, None)}
    assert made.verdict == "unsure"
    assert set(made.sweep([1, 2], ["fixed<8,3>"]).frame["verdict"]) == {"unsure"}
    assert wb.estimate(JET, Stated(), tool="yosys").figures[0].high is not None


def test_known_designs_that_are_handed_over_give_the_margin_whatever_their_tool() -> None:
    made = wb.estimate(JET, known=wb.load("opensynth", "exemplar"))
    assert "(exemplar of opensynth;" in made.intervals
    assert made.sweep([1], ["fixed<8,3>"]).intervals == made.intervals


def test_the_stated_error_on_genuine_records_is_what_they_show(mirror: Path) -> None:
    genuine = wb.load("hls4ml", ["test", "exemplar"], str(mirror / "wa-hls4ml-excerpt"))
    errors, _ = _measured(wb.surrogate("analytic"), genuine)
    stated = KNOWN_ERRORS["analytic", "vivado"]
    factors = np.exp(np.quantile(errors, 0.9, axis=0, method="higher"))
    assert dict(zip(genuine.track.target_names, np.round(factors, 2), strict=True)) == stated.factors
    assert stated.measured_on.startswith(f"{len(errors)} genuine")


def test_utilization_and_verdict_follow_from_the_capacities_of_the_part() -> None:
    made = wb.estimate(JET, Sure(dsp=300), part="xc7z020clg400-1")
    dsp = made["dsp"]
    assert (dsp.value, dsp.capacity, dsp.utilization, dsp.verdict) == (300, 220, 300 / 220, "does not fit")
    assert made["lut"].verdict == "fits"
    assert made.verdict == "does not fit"
    assert made["cycles_max"].verdict is None


@pytest.mark.parametrize(
    ("dsp", "verdict"),
    [(198, "fits"), (199, "unsure"), (220, "unsure"), (244, "unsure"), (245, "does not fit")],
)
def test_it_is_unsure_exactly_where_the_interval_straddles_the_capacity(dsp: float, verdict: str) -> None:
    assert wb.estimate(JET, Sure(dsp=dsp), part="xc7z020").verdict == verdict


def test_a_part_without_known_capacities_has_figures_and_no_verdict() -> None:
    made = wb.estimate(JET, part="xcnew1")
    assert made.verdict is None
    assert all(figure.utilization is None for figure in made.figures)
    assert "no capacities of xcnew1 at hand. Known are parts that begin with xc7z010, xc7z020" in str(made)
    with pytest.raises(NetworkError, match="a part whose capacities are known: xc7z010, xc7z020"):
        made.sweep()


def test_the_worst_verdict_is_that_of_the_whole() -> None:
    assert worst(["fits", "unsure", None]) == "unsure"
    assert worst(["fits", "unsure", "does not fit"]) == "does not fit"
    assert worst(["fits", None]) == "fits"
    assert worst([None]) is None


def test_single_settings_win_over_a_config_file(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("Part: xczu9eg\nHLSConfig: {Model: {ReuseFactor: 8, Strategy: Resource}}\n")
    settings = wb.estimate(JET, config=tmp_path / "c.yml", reuse_factor=2).settings
    assert (settings.part, settings.strategy, settings.reuse_factor) == ("xczu9eg", "resource", 2)


def test_all_faults_of_the_settings_are_told_at_once() -> None:
    with pytest.raises(NetworkError) as error:
        wb.estimate(JET, strategy="fastest", precision="auto", reuse_factor=0, colour="red")
    assert [fault.place for fault in error.value.faults] == [
        f"setting {name}" for name in ("strategy", "precision", "reuse_factor", "colour")
    ]


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("tool", "vitis", "vivado or yosys"),
        ("tool", 3, "vivado or yosys"),
        ("hls4ml_version", "foo", "a version such as 1.1.0"),
        ("hls4ml_version", "", "a version such as 1.1.0"),
        ("tool_version", "latest", "a version such as 2024.2"),
        ("part", "", "a part number such as xcu250-figd2104-2L-e"),
    ],
)
def test_tools_versions_and_parts_that_cannot_be_are_refused(setting: str, value: Any, expected: str) -> None:
    with pytest.raises(NetworkError) as error:
        wb.estimate(JET, **{setting: value})
    (fault,) = error.value.faults
    assert (fault.place, fault.expected, fault.found) == (f"setting {setting}", expected, ascii(value))


def test_the_truth_itself_estimates_nothing() -> None:
    with pytest.raises(DataError, match="expected one that predicts, found oracle, which answers with the truth"):
        wb.estimate(JET, "oracle")


def test_an_estimate_prints_what_it_is_and_what_it_rests_on() -> None:
    text = " ".join(str(wb.estimate(JET)).split())
    for said in (
        "jet: 9 layers, 4,389 parameters. Estimated by Analytic (",
        "xcu250-figd2104-2L-e, clock 5 ns, strategy latency, io_parallel, reuse factor 1, fixed<16,6>",
        "as of vivado 2024.2, hls4ml 1.1.0",
        "Intervals: the error of analytic that 90% kept within, of 20 genuine wa-hls4ml records, which is few",
        "Capacities are those of the whole part",
    ):
        assert said in text


def test_names_in_a_file_neither_colour_nor_control_the_terminal(tmp_path: Path) -> None:
    x = {"kind": "input", "name": "[red]x[/red]", "shape": [4]}
    layers = [x, {"kind": "dense", "name": "d\x1b[2J", "units": 2}]
    (tmp_path / "net.json").write_text(json.dumps({"name": "n\x1b[31m[bold]", "layers": layers}))
    made = wb.estimate(tmp_path / "net.json")
    for text in (str(made), str(made.sweep())):
        assert r"n\x1b[31m[bold]: 2 layers" in text
        assert "\x1b" not in text
    assert "[red]x[/red]" in str(made)
    assert r"d\x1b[2J" in str(made)


def test_the_json_of_an_estimate_holds_its_provenance() -> None:
    told = json.loads(wb.estimate(JET).to_json())
    assert told["estimated_by"]["surrogate"] == "analytic"
    assert told["estimated_by"]["wa_bench"] == wb.__version__
    assert told["settings"]["precision"]["width"] == 16
    assert told["network"]["parameters"] == 4389
    assert len(told["network"]["layers"]) == 9
    assert {figure["target"] for figure in told["figures"]} == {
        "bram",
        "dsp",
        "ff",
        "lut",
        "cycles_max",
        "interval_max",
    }


@pytest.fixture(scope="module")
def grid() -> Any:
    return wb.estimate(JET, strategy="resource", part="xc7z020").sweep()


def test_a_sweep_asks_for_valid_reuse_factors_and_keeps_one_design_of_each_kind(grid: Any) -> None:
    sizes = [(16, 64), (64, 32), (32, 32), (32, 5)]
    valid = {factor for size in sizes for factor in valid_reuse_factors(*size)}
    assert set(grid.frame["reuse_factor"]) <= valid
    assert {1, 2048} <= set(grid.frame["reuse_factor"])
    assert grid.frame.select("precision", "reuse_factor").is_unique().all()
    assert grid.frame["precision"].n_unique() == 8


def test_a_row_of_a_sweep_is_the_estimate_with_its_settings(grid: Any) -> None:
    row = grid.frame.filter(reuse_factor=16, precision="fixed<8,3>").row(0, named=True)
    one = wb.estimate(JET, strategy="resource", part="xc7z020", reuse_factor=16, precision="fixed<8,3>")
    for figure in one.figures:
        assert (row[figure.target], row[f"{figure.target}_low"], row[f"{figure.target}_high"]) == pytest.approx(
            (figure.value, figure.low, figure.high)
        )
    assert row["verdict"] == one.verdict
    used = {figure.target: figure.utilization for figure in one.figures if figure.utilization is not None}
    assert row["utilization"] == pytest.approx(max(used.values()))
    assert row["bottleneck"] == max(used, key=lambda target: used[target] or 0)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_a_design_is_on_the_front_exactly_if_none_is_better_in_one_and_no_worse_in_the_other(
    points: list[tuple[int, int]],
) -> None:
    table = pl.DataFrame(points, schema=["cycles_max", "utilization"], orient="row").with_columns(precision=pl.lit("p"))
    for (cycles, share), chosen in zip(points, _pareto(table), strict=True):
        beaten = any(c <= cycles and s <= share and (c, s) != (cycles, share) for c, s in points)
        assert not (chosen and beaten)
        assert chosen or beaten or points.count((cycles, share)) > 1


def test_a_sweep_of_given_values_has_those_alone() -> None:
    swept = wb.estimate(JET, strategy="resource").sweep([4, 8], ["fixed<8,3>", Precision(4, 1, signed=True)])
    assert sorted(swept.frame.select("precision", "reuse_factor").rows()) == [
        ("fixed<4,1>", 4),
        ("fixed<4,1>", 8),
        ("fixed<8,3>", 4),
        ("fixed<8,3>", 8),
    ]


SINGLE = {
    "HLSConfig": {
        "Model": {"Strategy": "Resource", "ReuseFactor": 1, "Precision": "fixed<16,6>"},
        "LayerType": {"Dense": {"ReuseFactor": 8, "Precision": {"weight": "fixed<16,6>"}}},
    }
}


def test_what_is_swept_holds_for_layers_with_settings_of_their_own_too() -> None:
    base = wb.estimate(JET, config=SINGLE)
    assert {layer.reuse_factor for layer in base.design.layers if layer.units} == {8}
    swept = base.sweep([1, 16], ["fixed<4,2>", "fixed<16,6>"]).frame
    plain = wb.estimate(JET, strategy="resource").sweep([1, 16], ["fixed<4,2>", "fixed<16,6>"]).frame
    assert swept.equals(plain)


def test_what_is_not_swept_stays_with_the_layers_that_have_it() -> None:
    base = wb.estimate(JET, config=SINGLE)
    by_precision = base.sweep([1], ["fixed<16,6>", "fixed<8,3>"]).frame.filter(precision="fixed<16,6>")
    assert by_precision["cycles_max"].item() == base["cycles_max"].value
    by_reuse = base.sweep([8], ["fixed<16,6>"]).frame
    assert by_reuse["lut"].item() == base["lut"].value


@pytest.mark.parametrize(("reuse", "precisions"), [([0], None), (None, ["float"]), (list(range(1, 20_000)), None)])
def test_a_grid_at_fault_is_refused(reuse: Any, precisions: Any) -> None:
    with pytest.raises(NetworkError):
        wb.estimate(JET).sweep(reuse, precisions)


def test_precisions_of_a_sweep_keep_the_share_of_integer_bits() -> None:
    types = [(kind.width, kind.integer) for kind in default_precisions(Precision(16, 6, signed=True))]
    assert types == [(2, 1), (4, 2), (6, 2), (8, 3), (10, 4), (12, 4), (14, 5), (16, 6)]


def test_distributed_arithmetic_has_no_reuse_to_sweep() -> None:
    swept = wb.estimate(JET, strategy="distributed_arithmetic").sweep()
    assert set(swept.frame["reuse_factor"]) == {1}


@pytest.mark.parametrize(("ending", "starts"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_sweep_is_drawn_in_the_format_of_the_file(grid: Any, tmp_path: Path, ending: str, starts: bytes) -> None:
    from wa_bench.estimation.figure import plot

    plot(grid, tmp_path / f"front.{ending}")
    content = (tmp_path / f"front.{ending}").read_bytes()
    assert content.startswith(starts)
    if ending == "svg":
        plot(grid, tmp_path / "again.svg")
        assert (tmp_path / "again.svg").read_bytes() == content


def test_a_sweep_of_one_precision_labels_each_design_once(grid: Any) -> None:
    from wa_bench.estimation.figure import _figure

    one = grid.base.sweep(None, ["fixed<16,6>"])
    for swept, precisions in ((one, 1), (grid, 8)):
        assert swept.frame["precision"].n_unique() == precisions
        (axes,) = _figure(swept).axes
        places = [(text.get_text(), text.xy) for text in axes.texts]
        assert len(places) == len(set(places)) > 2


def test_a_narrow_range_has_plain_numbers_on_its_axes(grid: Any) -> None:
    from wa_bench.estimation.figure import _figure

    figure = _figure(grid.base.sweep([1, 2], ["fixed<16,6>"]))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    labels = [text.get_text() for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels(which="both")]
    shown = [label for label in labels if label]
    assert len(shown) > 4
    assert all(float(label.replace(",", "")) > 0 for label in shown)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["estimate", *arguments])


def test_the_command_estimates_a_file(tmp_path: Path) -> None:
    shown = run(str(JET), "--part", "xczu9eg", "--strategy", "Resource", "--reuse-factor", "8", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert told["settings"]["part"] == "xczu9eg"
    assert (
        told["figures"]
        == json.loads(wb.estimate(JET, part="xczu9eg", strategy="resource", reuse_factor=8).to_json())["figures"]
    )


def test_the_command_sweeps_and_draws(tmp_path: Path) -> None:
    shown = run(str(JET), "--strategy", "resource", "--sweep", "reuse", "--plot", str(tmp_path / "p.svg"))
    assert shown.exit_code == 0, shown.output
    assert "Pareto fronts" in shown.stdout
    assert "fixed<16,6>" in shown.stdout
    assert "fixed<8,3>" not in shown.stdout
    assert (tmp_path / "p.svg").is_file()


@pytest.mark.parametrize("arguments", [["--sweep", "colour"], ["--plot", "p.svg"]])
def test_a_wrong_use_of_the_command_is_exit_code_2(arguments: list[str]) -> None:
    assert run(str(JET), *arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([str(FILES / "unsupported.keras")], "'lstm' (LSTM)"),
        ([str(JET), "--strategy", "fastest", "--reuse-factor", "0"], "setting reuse_factor"),
        ([str(JET), "--sweep", "reuse", "--plot", "p.bmp"], "a file ending in svg, png, pdf"),
        ([str(JET), "--surrogate", "guess"], "unknown surrogate 'guess'"),
    ],
)
def test_a_fault_of_the_input_is_one_message_and_exit_code_1(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["wa-bench", "estimate", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert said in capsys.readouterr().err
