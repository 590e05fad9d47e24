from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wa_bench as wb
from wa_bench.errors import PredictionsError

TARGETS = ("bram", "lut")
Break = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture
def good() -> pl.DataFrame:
    return pl.DataFrame({"sample_id": ["a", "b", "c"], "bram": [0.0, 1.5, 2.0], "lut": [10.0, 20.0, 30.0]})


def replaced(column: str, values: list[object]) -> Break:
    return lambda frame: frame.with_columns(pl.Series(column, values, strict=False))


FAULTS: list[tuple[Break, str]] = [
    (
        lambda f: f.drop("lut"),
        r"p: expected the columns sample_id, bram, lut, found no column lut; add",
    ),
    (lambda f: f.with_columns(uram=pl.lit(1)), r"found unexpected columns 'uram'; leave them out"),
    (
        replaced("sample_id", ["a", "b", "a"]),
        r"column sample_id: expected each id once, found 1 repeated: .*'a' in rows 1, 3",
    ),
    (replaced("sample_id", ["a", None, "c"]), r"expected an id in every row, found none in row 2"),
    (replaced("lut", [1.0, float("nan"), 3.0]), r"column lut: expected a number within .* found nan for 'b' \(row 2\)"),
    (replaced("lut", [1.0, float("inf"), 3.0]), r"found inf for 'b'"),
    (replaced("lut", [1.0, None, 3.0]), r"found None for 'b' \(row 2\); leave out the rows"),
    (replaced("lut", [1.0, 1e200, 3.0]), r"found 1e\+200 for 'b'"),
    (lambda f: f.with_columns(pl.col("lut").alias("LUT")), r"expected each column once, found lut in two spellings"),
    (lambda f: f.with_columns(lut=pl.concat_list("lut", "bram")), r"column lut: expected numbers, found the type List"),
    (lambda f: f.with_columns(lut=pl.lit(True)), r"column lut: expected numbers, found the type Boolean"),
    (lambda f: f.with_columns(sample_id=pl.lit(0.5)), r"column sample_id: expected text, found the type Float64"),
    (replaced("bram", ["0", "few", "1"]), r"column bram: .* found 'few' for 'b'"),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS)
def test_a_fault_names_file_column_row_expected_and_found(good: pl.DataFrame, spoil: Break, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        wb.Predictions(spoil(good), TARGETS, "p")


def test_all_faults_come_at_once(good: pl.DataFrame) -> None:
    spoiled = good.with_columns(pl.Series("sample_id", ["a", "a", "c"]), lut=pl.lit(float("nan")), bram=pl.lit("x"))
    with pytest.raises(PredictionsError) as caught:
        wb.Predictions(spoiled, TARGETS)
    assert len(caught.value.faults) == 3


def test_unknown_ids_are_refused_and_counted(good: pl.DataFrame) -> None:
    with pytest.raises(PredictionsError, match=r"expected ids of the 2 designs to score, found 1 unknown: 'c'"):
        wb.Predictions(good, TARGETS).check_ids(pl.Series(["a", "b"]))


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_faults_of_a_file_name_the_file(good: pl.DataFrame, name: str, tmp_path: Path) -> None:
    spoiled = good.with_columns(pl.Series("sample_id", ["a", "b", "a"]), lut=pl.lit(float("nan")))
    writer = spoiled.write_csv if name.endswith("csv") else spoiled.write_parquet
    writer(tmp_path / name)
    with pytest.raises(PredictionsError, match=rf"^{name}, column sample_id: .*\n{name}, column lut"):
        wb.Predictions.read(tmp_path / name, TARGETS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.parquet", b"PAR1 no", "expected a readable .parquet table"),
        ("p.csv", b"", "expected a readable .csv table, found no header"),
        ("p.pkl", b"x", "expected a .parquet, .csv or .zip file, found a .pkl file"),
    ],
)
def test_unreadable_files_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PredictionsError, match=message):
        wb.Predictions.read(tmp_path / name, TARGETS)


def test_the_authors_upper_case_columns_are_accepted(good: pl.DataFrame) -> None:
    upper = good.rename({"bram": "BRAM", "lut": "LUT"})
    assert wb.Predictions(upper, TARGETS).frame().columns == ["sample_id", "bram", "lut"]


finite = st.floats(-1e12, 1e12, allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.dictionaries(st.text("abc0-", min_size=1), st.tuples(finite, finite), min_size=1, max_size=20),
    st.sampled_from(["p.csv", "p.parquet"]),
)
def test_what_is_written_reads_back(tmp_path: Path, values: dict[str, tuple[float, float]], name: str) -> None:
    frame = pl.DataFrame(
        {"sample_id": list(values), "bram": [v[0] for v in values.values()], "lut": [v[1] for v in values.values()]}
    )
    wb.Predictions(frame, TARGETS).write(tmp_path / name)
    read = wb.Predictions.read(tmp_path / name, TARGETS)
    assert read.frame().equals(frame.sort("sample_id"))


def test_a_name_that_looks_like_a_pattern_is_one_file(good: pl.DataFrame, tmp_path: Path) -> None:
    predictions = wb.Predictions(good, TARGETS)
    for name in ("p?.parquet", "pX.parquet", "q[1].csv"):
        predictions.write(tmp_path / name)
        assert wb.Predictions.read(tmp_path / name, TARGETS).frame().height == 3


def test_equal_predictions_give_equal_bytes_whatever_their_order(good: pl.DataFrame, tmp_path: Path) -> None:
    wb.Predictions(good, TARGETS).write(tmp_path / "a.parquet")
    wb.Predictions(good.reverse(), TARGETS).write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_failed_write_leaves_the_old_file_whole(
    good: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "p.parquet"
    wb.Predictions(good, TARGETS).write(target)
    before = target.read_bytes()

    def half_written(frame: pl.DataFrame, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", half_written)
    with pytest.raises(OSError, match="disk full"):
        wb.Predictions(good.reverse(), TARGETS).write(target)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_predictions_show_what_they_are(oracle: pl.DataFrame, exam: wb.Dataset) -> None:
    predictions = wb.Predictions(oracle, exam.track.target_names)
    assert repr(predictions) == f"Predictions({oracle.height} designs, {', '.join(predictions.targets)}; predictions)"
