from __future__ import annotations

import re
from itertools import pairwise

import polars as pl
import pytest

import wa_bench as wb
from wa_bench.leaderboard.curves import Curves, curves, reuse_factors
from wa_bench.leaderboard.pages import plots


@pytest.fixture(scope="module")
def summaries() -> tuple[Curves, wb.Dataset]:
    """Curves of predictions that are a fifth too large."""
    exam = wb.load("opensynth", ["test", "exemplar"])
    frame = wb.surrogate("oracle").predict(exam).frame().with_columns(pl.exclude("sample_id") * 1.2)
    predictions = wb.Predictions(frame, exam.track.target_names)
    report = wb.evaluate(predictions, exam)
    return curves(report.samples, exam.track, reuse_factors(exam)), exam


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", path)]


def test_each_kind_of_plot_has_a_panel_a_target_and_a_line_an_exam(summaries) -> None:
    made, exam = summaries
    for panels in (
        plots.error_cdfs(made, exam.track),
        plots.errors_against(made.by_size, exam.track, "truth [{unit}]"),
        plots.errors_against(made.by_reuse, exam.track, "reuse factor"),
    ):
        assert [panel.title for panel in panels] == [target.label for target in exam.track.targets]
        assert all([line.series for line in panel.lines] == [1, 2] for panel in panels)
    boxes = plots.error_boxes(made, exam.track)
    groups = sum(len(each.groups) for each in exam.track.exams)
    assert [len(panel.boxes) for panel in boxes] == [groups] * len(exam.track.targets)


def test_nothing_is_drawn_outside_its_axes_and_labels_do_not_touch(summaries) -> None:
    made, exam = summaries
    panels = [
        *plots.error_cdfs(made, exam.track),
        *plots.errors_against(made.by_size, exam.track, "truth [{unit}]"),
        *plots.errors_against(made.by_reuse, exam.track, "reuse factor"),
        *plots.error_boxes(made, exam.track),
    ]
    for panel in panels:
        drawn = [point for line in panel.lines for path in (line.path, line.area) for point in points(path)]
        drawn += [(x, box.y) for box in panel.boxes for x in (box.q05, box.q25, box.q50, box.q75, box.q95)]
        assert drawn
        for x, y in drawn:
            assert panel.left - 0.1 <= x <= panel.right + 0.1
            assert panel.top - 0.1 <= y <= panel.bottom + 0.1
        for one, two in pairwise(panel.x_ticks):
            assert two.at - one.at >= 22


def test_predictions_a_fifth_too_large_stand_left_of_zero_and_step_up_before_twenty_percent(summaries) -> None:
    made, exam = summaries
    lut = next(panel for panel in plots.error_boxes(made, exam.track) if panel.title == "LUT")
    zero = next(tick.at for tick in lut.x_ticks if tick.label == "0")
    assert all(box.q95 < zero for box in lut.boxes)
    cdf = next(panel for panel in plots.error_cdfs(made, exam.track) if panel.title == "LUT")
    ten, hundred = (next(tick.at for tick in cdf.x_ticks if tick.label == label) for label in ("10", "100"))
    for line in cdf.lines:
        heights = dict(points(line.path))
        assert all(y == cdf.bottom for x, y in heights.items() if x < ten)
        assert all(y == cdf.top for x, y in heights.items() if x > hundred)


def test_tick_labels_are_short() -> None:
    assert [plots.short(value) for value in (0.1, 1, 100, 1000, -10_000, 2.5e6)] == [
        "0.1",
        "1",
        "100",
        "1k",
        "−10k",
        "2.5M",
    ]
