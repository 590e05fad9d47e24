from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

import wa_bench as wb
from wa_bench.evaluation.figures import COLOURS
from wa_bench.evaluation.parity import _Axis, _density, parity


@given(
    smallest=st.floats(1e-3, 1e3),
    decades=st.floats(0, 9),
    zeros=st.booleans(),
    values=st.lists(st.floats(-1e15, 1e15), min_size=2, max_size=20),
)
def test_values_stand_in_order_on_an_axis_and_what_is_beyond_at_its_end(
    smallest: float, decades: float, zeros: bool, values: list[float]
) -> None:
    threshold = min(1.0, 10 ** np.ceil(np.log10(smallest)))
    axis = _Axis(threshold, -0.3 * threshold if zeros else smallest / 2, 2 * smallest * 10**decades)
    places = axis.at(np.sort(values))
    assert (np.diff(places) >= 0).all()
    assert axis.at(np.array([-1e15, axis.low, axis.high, 1e15])).tolist() == [0, 0, 1, 1]
    marks = [place for place, _ in axis.ticks()]
    assert marks == sorted(marks)
    assert all(0 <= place <= 1 for place in marks)
    assert ("0" in [label for _, label in axis.ticks()]) == zeros


def test_a_decade_is_as_long_as_any_other_on_an_axis() -> None:
    places = _Axis(1.0, -0.3, 1e6).at(10.0 ** np.arange(7))
    assert np.diff(places) == pytest.approx(np.diff(places)[0])


def test_a_density_is_strongest_where_most_designs_are() -> None:
    across = np.repeat([0.0, 0.5, 1.0], [1, 10, 100])
    drawn = _density(across, across, COLOURS[1], "")
    encoded = re.search(r'base64,([^"]+)"', drawn)
    assert encoded is not None
    pixels = (255 * imread(io.BytesIO(b64decode(encoded[1])), format="png")).round()
    height, width, _ = pixels.shape
    alpha = pixels[..., 3]
    assert np.count_nonzero(alpha) == 3
    assert 0 < alpha[height - 1, 0] < alpha[height // 2, width // 2] < alpha[0, width - 1] == 255
    assert pixels[0, width - 1, :3].tolist() == list(bytes.fromhex(COLOURS[1][1:]))


def test_each_answered_design_of_a_small_exam_has_a_dot_on_the_diagonal_if_it_is_right(
    oracle: pl.DataFrame, exam: wb.Dataset
) -> None:
    svg = parity(wb.evaluate(wb.Predictions(oracle, exam.track.target_names), exam))
    for split, colour in zip(exam.track.exam_splits, COLOURS, strict=False):
        paths = re.findall(rf'<path d="([^"]+)" style="fill: {colour}; opacity', svg)
        assert len(paths) == len(exam.track.targets)
        for path in paths:
            dots = np.array([point.split() for point in re.findall(r"M([\d.]+ [\d.]+)", path)], dtype=float)
            assert len(dots) == exam.truth().filter(split=split).height
            assert dots[:, 0] / 164 == pytest.approx(1 - dots[:, 1] / 126, abs=2e-3)
