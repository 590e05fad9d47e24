"""The submission format of the dataset authors' own benchmark (AXESS wa-hls4ml, on Codabench).

A zip of ``predictions_test.csv`` and ``predictions_exemplar.csv``, at its root or in one folder, each with the columns
``sample_id,BRAM,DSP,FF,LUT,cycles_max,interval_max`` in absolute counts. There, each design that has all six targets
needs finite numbers; rows of other ids and other columns are ignored. Source: https://github.com/ben-hawks/axess-benchmark,
``codabench/bundle_src/pages/evaluation.md`` and ``data.md``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from wa_bench.data.tables import ID, Table, csv_table
from wa_bench.data.zip_archive import EPOCH, PERMISSIONS, opened
from wa_bench.errors import Fault, PredictionsError
from wa_bench.files import replacing

SPLITS = ("test", "exemplar")
COLUMNS = {
    "bram": "BRAM",
    "dsp": "DSP",
    "ff": "FF",
    "lut": "LUT",
    "cycles_max": "cycles_max",
    "interval_max": "interval_max",
}
"""Their columns by our targets, in their order."""


@contextmanager
def tables(path: Path) -> Iterator[dict[str, Table]]:
    """The two tables of a zip by the names of their files, to be read while the block lasts.

    Raises:
        PredictionsError: the archive is no such zip: all faults at once.
    """
    names = [f"predictions_{split}.csv" for split in SPLITS]
    with opened(path, names) as archive:
        if missing := [name for name in names if name not in archive.members]:
            raise PredictionsError(Fault(path.name, f"the files {' and '.join(names)}", f"no {', '.join(missing)}"))
        yield {
            name: csv_table(lambda name=name: archive.open(name), f"{path.name}, {name}")  # type: ignore[misc]
            for name in names
        }


def require_its_targets(targets: Sequence[str], place: str) -> None:
    """Refuse targets other than the six of this format.

    Raises:
        PredictionsError: names both.
    """
    if set(targets) != set(COLUMNS):
        expected = f"predictions of {', '.join(targets)} as .parquet or .csv"
        found = f"the zip of the wa-hls4ml authors' benchmark, which holds {', '.join(COLUMNS)}"
        raise PredictionsError(Fault(place, expected, found))


def write(path: Path, predictions: dict[str, pl.DataFrame]) -> None:
    """Write such a zip, whole or not at all; equal predictions give equal bytes.

    Args:
        path: the zip.
        predictions: for each of ``SPLITS`` a frame with ``sample_id`` and the six targets.
    """
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for split in SPLITS:
            text = io.BytesIO()
            predictions[split].select(ID, *COLUMNS).rename(COLUMNS).write_csv(text)
            member = zipfile.ZipInfo(f"predictions_{split}.csv", EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = PERMISSIONS
            archive.writestr(member, text.getvalue())
