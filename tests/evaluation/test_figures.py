from __future__ import annotations

import copy
import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.evaluation import figures
from wa_bench.evaluation.figures import COLOURS, _by_size
from wa_bench.evaluation.parity import parity
from wa_bench.evaluation.report import prediction_column

Draw = Callable[[wb.Report], str]
every_figure = pytest.mark.parametrize(
    "draw", [parity, figures.percent_error, figures.error_cdf, figures.error_against_size]
)


def scored(frame: pl.DataFrame, exam: wb.Dataset) -> wb.Report:
    return wb.evaluate(wb.Predictions(frame, exam.track.target_names), exam)


def enlarged(report: wb.Report, designs: int, exemplars: int) -> wb.Report:
    """The report with so many designs, drawn from its own and all predicted differently, some very badly."""
    rng = np.random.default_rng(0)
    splits = report.samples.partition_by("split", as_dict=True)
    counts = {"test": designs, "exemplar": exemplars}
    parts = [splits[split,].sample(count, with_replacement=True, seed=0) for split, count in counts.items()]
    samples = pl.concat(parts)
    noise = {
        name: (pl.col(name) * rng.lognormal(0, 0.4, samples.height) + rng.exponential(0.3, samples.height))
        for name in report.track.target_names
    }
    larger = copy.copy(report)
    larger.samples = samples.with_columns(
        pl.when(pl.int_range(pl.len()) % 5000 == 7).then(1e12).otherwise(values).alias(prediction_column(name))
        for name, values in noise.items()
    )
    return larger


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)


@every_figure
def test_figures_show_every_target_and_are_the_same_twice(draw: Draw, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle.with_columns(pl.col("lut") * 2), exam)
    svg = draw(report)
    assert svg.startswith("<svg")
    for target in exam.track.targets:
        assert target.label in svg
    for split in report.splits:
        assert split in svg
    assert draw(report) == svg


@every_figure
def test_figures_of_an_empty_report_can_be_drawn(draw: Draw, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    assert draw(scored(oracle.clear(), exam)).startswith("<svg")


@every_figure
def test_figures_take_the_colour_of_their_page(draw: Draw, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    svg = draw(scored(oracle, exam))
    colours = {colour.lower() for colour in re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)}
    assert colours <= {"none", "currentcolor", *(colour.lower() for colour in COLOURS)}
    assert "currentcolor" in colours


@every_figure
def test_figures_of_a_hundred_thousand_designs_stay_small(draw: Draw, oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = enlarged(scored(oracle, exam), 102_484, 887)
    svg = draw(report)
    assert len(svg) < 300_000
    assert draw(report) == svg


def test_many_designs_are_drawn_as_pixels_and_few_as_shapes(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    report = scored(oracle, exam)
    assert "<image" not in parity(report)
    assert parity(enlarged(report, 4000, 50)).count("<image") == len(exam.track.targets)


def test_one_wild_prediction_does_not_move_the_axes_of_parity(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    wild = pl.Series([9e14, -1e9, *[0.0] * (oracle.height - 2)])
    report = scored(oracle.with_columns(pl.col("lut") + wild), exam)
    assert texts(parity(report)) == texts(parity(scored(oracle, exam)))


def test_the_share_of_designs_is_that_of_the_right_ones(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    def height(right: float) -> float:
        """Where the line of split test runs, in the panel of the first target."""
        rows = exam.truth().filter(split="test")["sample_id"]
        wrong = rows.head(len(rows) - round(right * len(rows)))
        bram = pl.when(pl.col("sample_id").is_in(wrong.to_list())).then(pl.col("bram") * 2e6 + 1e6)
        svg = figures.error_cdf(scored(oracle.with_columns(bram=bram.otherwise(pl.col("bram"))), exam))
        line = re.search(rf'<path d="([^"]+)" clip-path="[^"]+" style="fill: none; stroke: {COLOURS[0]}', svg, re.I)
        assert line is not None
        heights = {float(point.split()[-1]) for point in re.split("[ML]", line[1]) if point.strip()}
        assert len(heights) == 1
        return heights.pop()

    count = exam.truth().filter(split="test").height
    third = round(count / 3) / count
    assert height(third) == pytest.approx(height(0) + third * (height(1) - height(0)), abs=1e-3)


@given(
    truth=st.lists(st.integers(0, 10**6), min_size=1, max_size=400).map(lambda values: np.array(values, float)),
    percent=st.integers(-90, 90),
)
def test_bins_by_size_are_in_order_and_hold_the_error_that_all_their_designs_have(
    truth: np.ndarray, percent: int
) -> None:
    sizes, lower, median, upper = _by_size(truth, truth - percent / 100 * (truth + 1))
    assert (np.diff(sizes) > 0).all()
    assert len(sizes) <= 13
    assert (sizes[0] == 0) == (truth.min() == 0)
    for quantile in (lower, median, upper):
        assert quantile == pytest.approx(abs(percent), abs=1e-6)


def test_bins_by_size_hold_quartiles_of_their_own_designs() -> None:
    small, large = np.arange(1.0, 16), np.arange(1001.0, 1016)
    errors = np.concatenate([np.arange(15), 10 * np.arange(15)])
    truth = np.concatenate([small, large])
    sizes, lower, median, upper = _by_size(truth, truth + errors / 100 * (truth + 1))
    assert sizes == pytest.approx([8, 1008])
    assert lower == pytest.approx([3.5, 35])
    assert median == pytest.approx([7, 70])
    assert upper == pytest.approx([10.5, 105])
