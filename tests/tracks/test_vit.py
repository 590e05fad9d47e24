from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from wa_bench.data.catalogue import entry
from wa_bench.records import timm, wtf_benchmark
from wa_bench.records.columns import columns
from wa_bench.records.vit import VitRun
from wa_bench.tracks.track import Exam, Group
from wa_bench.tracks.vit import TRACK


def test_targets_and_groups_are_columns_of_the_records_and_units_agree() -> None:
    units = {column.name: column.unit for column in columns(VitRun)}
    assert {target.name: target.unit for target in TRACK.targets} == {name: units[name] for name in TRACK.target_names}
    assert set(TRACK.group_columns) <= units.keys()


def test_every_column_is_described() -> None:
    assert all(column.description for column in columns(VitRun))


@pytest.mark.parametrize("dataset", TRACK.datasets)
def test_datasets_have_licence_citation_and_a_pinned_commit(dataset: str) -> None:
    known = entry(dataset)
    assert known.licence
    assert known.citation
    assert f"/{known.version}" in str(known.url)
    assert all(len(file.sha256) == 64 for file in known.files)


@pytest.mark.parametrize("exam", TRACK.exams, ids=lambda exam: exam.split)
def test_every_group_of_an_exam_has_rows(exam: Exam, mirror: Path) -> None:
    tables = {path.name: path for path in (mirror / "timm").glob("*.csv")}
    runs = pl.concat([timm.read(tables), wtf_benchmark.read({"data.json": mirror / "wtf-benchmark" / "data.json"})])
    rows = runs.filter(split=exam.split).drop_nulls(TRACK.target_names)

    def held(group: Group) -> pl.DataFrame:
        return rows if group.column is None else rows.filter(pl.col(group.column) == group.value)

    assert all(held(group).height > 50 for group in exam.groups)
