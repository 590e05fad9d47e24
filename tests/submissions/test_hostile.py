"""What is sent in to do harm is refused with its reason, cheaply, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import parquet, zips

import wa_bench as wb
from wa_bench.submissions.card import Card
from wa_bench.submissions.folder import create

SECONDS = 5
MEGABYTES = 500
TARGETS = ("bram", "dsp", "ff", "lut", "cycles_max", "interval_max")
HEADER = ",".join(("sample_id", *TARGETS))
AXESS_HEADER = "sample_id,BRAM,DSP,FF,LUT,cycles_max,interval_max"

JUDGE = """
import json, resource, sys, time
from wa_bench.errors import FaultyInputError
from wa_bench.submissions.folder import check, verify_scores
from wa_bench.submissions.pack import unpacked

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for line in sys.stdin:
    spent = time.process_time()
    try:
        with unpacked(line.strip()) as folder:
            submission = check(folder)
            if (folder / "scores.json").exists():
                verify_scores(submission)
            found = "good"
    except FaultyInputError as error:
        found = str(error)
    spent = time.process_time() - spent
    peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps([found, spent, peak]), flush=True)
"""
"""Judges the paths on its input: verdict, seconds of CPU, and the most memory used until then in MB.

Not by getrusage, whose peak is at first that of the process which started this one.
"""

Spoil = Callable[[Path], Path | None]


def replaced(name: str, content: bytes | Callable[[], bytes]) -> Spoil:
    """The good folder with other predictions."""

    def spoil(folder: Path) -> None:
        (folder / "predictions.parquet").unlink()
        (folder / name).write_bytes(content() if callable(content) else content)

    return spoil


def parquet_of(**columns: Any) -> Spoil:
    """Four rows, some of whose columns are replaced."""

    def content() -> bytes:
        good: dict[str, Any] = {"sample_id": ["a", "b", "c", "d"], **{name: [1.0, 2.0, 3.0, 4.0] for name in TARGETS}}
        return as_parquet(pa.table({**good, **columns}))

    return replaced("predictions.parquet", content)


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def by_hand(
    ids: parquet.Chunk, rows: int, *, first: parquet.Chunk | None = None, groups: int | None = None
) -> Callable[[], bytes]:
    chunks = [ids, *(parquet.constant(name.encode(), rows) for name in TARGETS)]
    if first is not None:
        chunks[1] = first
    return lambda: parquet.write(chunks, rows, groups)


def patched_footer(old: bytes, new: bytes) -> Callable[[], bytes]:
    """A good file whose footer has other bytes."""

    def content() -> bytes:
        whole = by_hand(parquet.constant_id(b"a", 4), 4)()
        at = int.from_bytes(whole[-8:-4], "little") + 8
        assert old in whole[-at:]
        return whole[:-at] + whole[-at:].replace(old, new)

    return content


def small_table(rows: int, **others: Any) -> pa.Table:
    ids = [f"design-{row}" for row in range(rows)]
    return pa.table({"sample_id": ids, **dict.fromkeys(TARGETS, [1.0] * rows), **others})


def delta_byte_array() -> bytes:
    encodings = {"sample_id": "DELTA_BYTE_ARRAY"}
    return as_parquet(small_table(4), column_encoding=encodings, use_dictionary=False)


def zeros_page(claimed: int, actual: int) -> parquet.Chunk:
    body = pa.compress(bytes(actual), codec="zstd", asbytes=True)
    page = parquet.data_page(4, body, size=claimed)
    return parquet.Chunk(b"bram", parquet.DOUBLE, page, 4, codec=parquet.ZSTD)


def many_large_pages() -> parquet.Chunk:
    body = pa.compress(bytes(60 << 20), codec="zstd", asbytes=True)
    pages = parquet.data_page(1, body, size=60 << 20) * 5
    return parquet.Chunk(b"bram", parquet.DOUBLE, pages, 5, codec=parquet.ZSTD)


def boxed_nan() -> pa.Array:
    bits = struct.pack("<4Q", 0x7FF8DEADBEEFCAFE, 0x3FF0000000000000, 0x3FF0000000000000, 0x3FF0000000000000)
    return pa.Array.from_buffers(pa.float64(), 4, [None, pa.py_buffer(bits)])


PARQUET: dict[str, tuple[Spoil, str]] = {
    "a billion rows of one value": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 10**9), 10**9)),
        "at most 2,000,000 rows, found 1,000,000,000",
    ),
    "a billion values where the footer says four": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 10**9, claimed=4), 4)),
        "a group of 4 rows with 4 values in the footer, 1,000,000,000 in the pages",
    ),
    "groups with other rows than the whole": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 4), 4, groups=10**9)),
        "a group of 1,000,000,000 rows with 4 values",
    ),
    "a page that claims two gigabytes": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 4), 4, first=zeros_page(2**31 - 1, 32))),
        "a page of 2,147,483,647 bytes where at most 67,108,864 are read",
    ),
    "a page that unpacks to more than it says": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 4), 4, first=zeros_page(32, 300 << 20))),
        "a readable .parquet table",
    ),
    "small pages that unpack to much together": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 5), 5, first=many_large_pages())),
        "more than 268,435,456 bytes after decompression",
    ),
    "a long id a million times": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"x" * (10 << 20), 10**6), 10**6)),
        "ids of at most 256 bytes, found one of 10,485,760 bytes",
    ),
    "ids that are large together": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"x" * 256, 10**6), 10**6)),
        "at most 67,108,864 bytes of ids",
    ),
    "one id a million times": (
        replaced("predictions.parquet", by_hand(parquet.constant_id(b"a", 10**6), 10**6)),
        "each id once, found 1 repeated: 'a'",
    ),
    "values that repeat the one before": (
        replaced("predictions.parquet", delta_byte_array),
        "a page in encoding 7; write the file with plain or dictionary encoding",
    ),
    "thousands of columns": (
        replaced("predictions.parquet", lambda: as_parquet(small_table(1, **{f"c{n}": [1.0] for n in range(1500)}))),
        "at most 64 columns, found 1,507",
    ),
    "tens of thousands of columns": (
        replaced(
            "predictions.parquet",
            lambda: as_parquet(pa.table({f"c{n}": pa.nulls(1, pa.int8()) for n in range(30_000)})),
        ),
        "a footer of at most",
    ),
    "thousands of tiny pages": (
        replaced(
            "predictions.parquet",
            lambda: as_parquet(small_table(4000), data_page_size=1, write_batch_size=1, use_dictionary=False),
        ),
        "more than 20,000 pages",
    ),
    "a column outside the file": (
        replaced(
            "predictions.parquet",
            by_hand(
                parquet.constant_id(b"a", 4),
                4,
                first=parquet.Chunk(b"bram", parquet.DOUBLE, b"", 4, start=10**12, length=100),
            ),
        ),
        "a column outside the file",
    ),
    "a column that ends behind the file": (
        replaced(
            "predictions.parquet",
            by_hand(parquet.constant_id(b"a", 4), 4, first=parquet.Chunk(b"bram", 5, b"", 4, start=4, length=10**12)),
        ),
        "a column outside the file",
    ),
    "a footer with other types than the pages": (
        replaced("predictions.parquet", patched_footer(b"\x15\x0a", b"\x15\x04")),
        "found 4607182418800017408 for 'a' (rows 1, 2, 3 and 1 more)",
    ),
    "a footer longer than the file": (
        replaced("predictions.parquet", b"PAR1" + b"x" * 100 + b"\xff\xff\xff\xffPAR1"),
        "a footer of at most 100 bytes, found one of 4,294,967,295",
    ),
    "a struct": (parquet_of(lut=[{"x": 1.0}] * 4), "column lut: expected numbers, found the type 'struct<x: double>'"),
    "lists": (parquet_of(lut=[[1.0]] * 4), "column lut: expected numbers, found the type 'list<"),
    "a map": (
        parquet_of(lut=pa.array([[("a", 1.0)]] * 4, pa.map_(pa.string(), pa.float64()))),
        'column lut: expected numbers, found the type "map<',
    ),
    "decimals": (
        parquet_of(lut=pa.array([1, 2, 3, 4], pa.decimal128(38, 0))),
        "column lut: expected numbers, found the type 'decimal128(38, 0)'",
    ),
    "wide decimals": (
        parquet_of(lut=pa.array([1, 2, 3, 4], pa.decimal256(76, 0))),
        "column lut: expected numbers, found the type 'decimal256(76, 0)'",
    ),
    "bytes for numbers": (
        parquet_of(lut=pa.array([b"1"] * 4)),
        "column lut: expected numbers, found the type 'binary'",
    ),
    "16 bytes for numbers": (
        parquet_of(lut=pa.array([b"1" * 16] * 4, pa.binary(16))),
        "column lut: expected numbers, found the type 'fixed_size_binary[16]'",
    ),
    "bytes for ids": (
        parquet_of(sample_id=pa.array([b"a", b"b", b"c", b"d"])),
        "column sample_id: expected text, found the type 'binary'",
    ),
    "a dictionary of ids": (
        parquet_of(sample_id=pa.array(["a", "b", "c", "d"]).dictionary_encode()),
        "column sample_id: expected text, found the type 'dictionary<",
    ),
    "a dictionary of numbers": (
        parquet_of(lut=pa.array(["1", "2", "3", "4"]).dictionary_encode()),
        "column lut: expected numbers, found the type 'dictionary<",
    ),
    "times": (parquet_of(lut=pa.array([1] * 4, pa.timestamp("ns"))), "column lut: expected numbers, found the type"),
    "truth values": (parquet_of(lut=[True] * 4), "column lut: expected numbers, found the type 'bool'"),
    "a NaN with a payload": (parquet_of(lut=boxed_nan()), "column lut: expected a number within ±1e+15 .* nan for 'a'"),
    "infinity": (parquet_of(lut=[1.0, float("-inf"), 1.0, 1.0]), "found -inf for 'b' (row 2)"),
    "an enormous integer": (
        parquet_of(lut=pa.array([1, 2, 3, 2**63 - 1])),
        "found 9223372036854775807 for 'd' (row 4)",
    ),
    "an enormous unsigned integer": (
        parquet_of(lut=pa.array([1, 2, 3, 2**64 - 1], pa.uint64())),
        "found 18446744073709551615 for 'd' (row 4)",
    ),
    "a missing number": (parquet_of(lut=[1.0, None, 1.0, 1.0]), "found None for 'b' (row 2)"),
    "markup for an id": (
        parquet_of(sample_id=["<script>alert(1)</script>" * 8, "\x1b[31m\u202eb", "c", "d"]),
        "4 unknown: '<script>alert(1)</script><script>alert(1)</script><script>alert(1)</script><scr, "
        r"'\x1b[31m\u202eb', 'c', ...",
    ),
    "a column with a long name in markup": (
        parquet_of(**{"<img src=x onerror=alert(1)>\n::set-env" * 1000: [1.0] * 4}),
        r"found unexpected columns '<img src=x onerror=alert(1)>\n::set-env<img",
    ),
    "half a file": (
        replaced("predictions.parquet", lambda: as_parquet(small_table(1000))[:4000]),
        "a file without the marks of a whole one",
    ),
    "half a file with the marks of a whole one": (
        replaced("predictions.parquet", lambda: as_parquet(small_table(1000))[:4000] + b"\x10\0\0\0PAR1"),
        "predictions.parquet: expected a readable .parquet table",
    ),
    "no Parquet": (replaced("predictions.parquet", b"<!doctype html>" * 10), "without the marks of a whole one"),
    "an empty file": (replaced("predictions.parquet", b""), "without the marks of a whole one"),
    "an encrypted file": (
        replaced("predictions.parquet", b"PARE" + b"x" * 100 + b"\x10\0\0\0PARE"),
        "a Parquet file in plain, found an encrypted one",
    ),
}


def csv(*lines: str, header: str = HEADER) -> Spoil:
    return replaced("predictions.csv", "\n".join((header, *lines, "")).encode())


def cell(value: str) -> Spoil:
    return csv(f"a,1,1,1,{value},1,1")


def not_a_number(shown: str) -> str:
    return rf"column lut: expected a number within ±1e+15 in every row, found {shown} for 'a' (row 1)"


CSV: dict[str, tuple[Spoil, str]] = {
    "a formula": (cell("=cmd()"), not_a_number("'=cmd()'")),
    "a formula that is quoted": (cell('"=HYPERLINK(""https://x.y"")"'), not_a_number("'=HYPERLINK(\"https://x.y\")'")),
    "an underscore": (cell("1_000"), not_a_number("'1_000'")),
    "a thousands separator": (cell('"1,000"'), not_a_number("'1,000'")),
    "fullwidth digits": (cell("１２"), not_a_number(r"'\uff11\uff12'")),
    "arabic digits": (cell("١٢"), not_a_number(r"'\u0661\u0662'")),
    "too large a power": (cell("1e400"), not_a_number("'1e400'")),
    "an enormous integer": (cell("9" * 5000), not_a_number(f"'{'9' * 39}")),
    "hexadecimal": (cell("0x10"), not_a_number("'0x10'")),
    "infinity": (cell("inf"), not_a_number("'inf'")),
    "NaN": (cell("nan"), not_a_number("'nan'")),
    "a truth value": (cell("true"), not_a_number("'true'")),
    "nothing": (cell(""), not_a_number("''")),
    "a NUL in a number": (cell("1\0"), not_a_number(r"'1\x00'")),
    "a NUL in an id": (csv("a\0,1,1,1,1,1,1"), r"1 unknown: 'a\x00'"),
    "markup in a number": (cell("<b>" * 100), not_a_number("'" + "<b>" * 13)),
    "a formula for an id": (csv("=cmd(),1,1,1,1,1,1"), "1 unknown: '=cmd()'"),
    "a long id": (csv(f"{'x' * 300},1,1,1,1,1,1"), "ids of at most 256 bytes, found one of 300 bytes"),
    "a quote that never closes": (
        csv('"a,1,1,1,1,1,1', *["b,1,1,1,1,1,1"] * 1000),
        "predictions.csv: expected a readable .csv table, found",
    ),
    "a huge line": (
        replaced("predictions.csv", lambda: HEADER.encode() + b"\n" + b"x" * (100 << 20)),
        "lines of at most 1,048,576 bytes, every quote closed in its line",
    ),
    "millions of columns in a row": (
        replaced("predictions.csv", lambda: HEADER.encode() + b"\n" + b"1," * (3 << 20)),
        "lines of at most 1,048,576 bytes",
    ),
    "many columns in a row": (csv("1," * 1000), "predictions.csv: expected a readable .csv table, found"),
    "millions of columns in the header": (
        replaced("predictions.csv", lambda: b"c," * (3 << 20)),
        "a first line of less than 65,536 bytes",
    ),
    "many columns": (csv(header=HEADER + ",x" * 100), "at most 64 columns, found 107"),
    "a column twice": (csv(header=HEADER + ",LUT"), "each column once, found lut in two spellings"),
    "millions of rows": (
        replaced("predictions.csv", lambda: HEADER.encode() + b"\n" + b"a,1,1,1,1,1,1\n" * 2_100_000),
        "at most 2,000,000 rows, found more",
    ),
    "UTF-16": (
        replaced("predictions.csv", f"{HEADER}\na,1,1,1,1,1,1\n".encode("utf-16")),
        "text in UTF-8, found UTF-16",
    ),
    "Latin-1": (replaced("predictions.csv", f"{HEADER}\né,1,1,1,1,1,1\n".encode("latin-1")), "readable .csv table"),
    "bytes for a header": (replaced("predictions.csv", bytes(range(128, 256))), "readable .csv table"),
    "no content": (replaced("predictions.csv", b""), "no header"),
}


def axess_zip(*members: zips.Member) -> Callable[[], bytes]:
    return lambda: zips.packed(*members)


def in_zip(content: bytes | Callable[[], bytes]) -> Spoil:
    return replaced("predictions.zip", content)


GOOD_MEMBER = ("predictions_test.csv", f"{AXESS_HEADER}\na,1,1,1,1,1,1\n".encode())
OTHER_MEMBER = ("predictions_exemplar.csv", GOOD_MEMBER[1])


def named(name: str) -> Spoil:
    return in_zip(axess_zip(GOOD_MEMBER, OTHER_MEMBER, (name, b"evil")))


def lying_zip(size: int, actual: int) -> bytes:
    archive = zips.packed(("predictions_test.csv", AXESS_HEADER.encode() + b"\n" + b"\n" * actual), OTHER_MEMBER)
    return zips.patched(archive, "predictions_test.csv", size=size)


def twice() -> bytes:
    archive = zips.packed(GOOD_MEMBER, OTHER_MEMBER, ("predictions_tesu.csv", b"x"))
    return archive.replace(b"predictions_tesu.csv", b"predictions_test.csv")


ZIP: dict[str, tuple[Spoil, str]] = {
    "a bomb that says so": (
        in_zip(lambda: lying_zip(4_000_000_000, 100)),
        "at most 268,435,456 bytes when unpacked, found 4,000,000,",
    ),
    "a bomb that does not": (in_zip(lambda: lying_zip(100, 200 << 20)), "predictions_test.csv: expected a readable"),
    "a nested archive": (
        in_zip(axess_zip(GOOD_MEMBER, OTHER_MEMBER, ("more.zip", zips.packed(GOOD_MEMBER)))),
        "'more.zip': expected one of predictions_exemplar.csv, predictions_test.csv, found another file",
    ),
    "a path that leads up": (named("../predictions_test.csv"), "expected a name below the archive's root"),
    "a path that leads up in the middle": (named("a/../../b"), "expected a name below the archive's root"),
    "an absolute path": (named("/evil"), "expected a name below the archive's root"),
    "a path of another system": (named("..\\evil"), "expected a plain name"),
    "a drive": (named("C:evil"), "expected a plain name"),
    "a name in other letters": (named("predictions_tеst.csv"), "expected a plain name"),
    "a name with markup": (named("<b>\n::warning::"), r"'<b>\n::warning::': expected a plain name"),
    "no name": (
        in_zip(lambda: zips.nameless(zips.packed(GOOD_MEMBER, OTHER_MEMBER, ("x", b"")))),
        "predictions.zip, '': expected a name below the archive's root",
    ),
    "a link": (
        in_zip(axess_zip(zips.linked("predictions_test.csv", "/etc/passwd"), OTHER_MEMBER)),
        "expected a plain file, found a link or a device",
    ),
    "an encrypted member": (
        in_zip(lambda: zips.patched(zips.packed(GOOD_MEMBER, OTHER_MEMBER), "predictions_test.csv", flags=1)),
        "expected a file in plain, found an encrypted one",
    ),
    "a name twice": (in_zip(twice), "each name once, found 'predictions_test.csv' again"),
    "members in two folders": (
        in_zip(axess_zip(("a/predictions_test.csv", b""), ("b/predictions_exemplar.csv", b""))),
        "all files at the root or in one folder",
    ),
    "a rare compression": (
        in_zip(lambda: zips.packed(GOOD_MEMBER, OTHER_MEMBER, method=zipfile.ZIP_LZMA)),
        "a file stored or deflated, found compression 14",
    ),
    "many members": (
        in_zip(axess_zip(*((f"{n}.csv", b"") for n in range(100)))),
        "at most 16 files and folders, found 100",
    ),
    "a list of files without end": (
        in_zip(axess_zip(*((f"{n}.csv", b"") for n in range(5000)))),
        "a list of files of at most 65,536 bytes",
    ),
    "one of two files": (in_zip(axess_zip(GOOD_MEMBER)), "found no predictions_exemplar.csv"),
    "no zip": (in_zip(b"PK" + b"\0" * 100), "a whole zip archive without comment"),
    "half a zip": (in_zip(lambda: zips.packed(GOOD_MEMBER, OTHER_MEMBER)[:-30]), "a whole zip archive"),
    "ids of another benchmark": (
        in_zip(axess_zip(GOOD_MEMBER, OTHER_MEMBER)),
        "designs to score, found 1 unknown: 'a'",
    ),
}


def link_card(folder: Path) -> None:
    (folder / "card.yaml").rename(folder.parent / "elsewhere.yaml")
    (folder / "card.yaml").symlink_to(folder.parent / "elsewhere.yaml")


def link_predictions(folder: Path) -> None:
    (folder / "predictions.parquet").unlink()
    (folder / "predictions.parquet").symlink_to("/etc/passwd")


def pipe(folder: Path) -> None:
    (folder / "predictions.parquet").unlink()
    os.mkfifo(folder / "predictions.parquet")


def card(text: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / "card.yaml").write_text(text)

    return spoil


def huge(name: str, size: int) -> Spoil:
    """A file of this size that takes no room."""

    def spoil(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return spoil


def zipped(*members: zips.Member) -> Spoil:
    """The submission as a zip, with more members."""

    def spoil(folder: Path) -> Path:
        own = [(f"{folder.name}/{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]
        out = folder.with_suffix(".zip")
        out.write_bytes(zips.packed(*own, *members))
        return out

    return spoil


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

FOLDER: dict[str, tuple[Spoil, str]] = {
    "a card that is a link": (link_card, "card.yaml: expected plain files only, found a link"),
    "predictions that are a link": (link_predictions, "predictions.parquet: expected plain files only, found a link"),
    "predictions that are a pipe": (pipe, "predictions.parquet: expected plain files only, found a device or pipe"),
    "a folder inside": (lambda f: (f / "x").mkdir(), "entry 'x': expected plain files only, found a folder"),
    "another file": (lambda f: (f / "run.sh").write_text("") and None, "entry 'run.sh': expected only card.yaml"),
    "a hidden file": (lambda f: (f / ".env").write_text("") and None, "entry '.env': expected only card.yaml"),
    "a huge card": (huge("card.yaml", 1 << 40), "card.yaml: expected at most 65,536 bytes, found 1,099,511,627,776"),
    "huge predictions": (huge("predictions.parquet", 1 << 40), "at most 268,435,456 bytes, found 1,099,511,627,776"),
    "huge scores": (huge("scores.json", 1 << 40), "at most 4,194,304 bytes"),
    "a tag": (card("name: !!python/object/apply:os.system ['true']"), "expected plain YAML, found a tag"),
    "a billion laughs": (card(LAUGHS), "expected plain YAML, found a tag, anchor or alias"),
    "a card nested deeply": (card("[" * 60_000), "readable YAML"),
    "a zip with a path that leads up": (zipped(("../evil", b"x")), "expected a name below the archive's root"),
    "a zip with a link": (zipped(zips.linked("ten-more/README.md", "/etc/passwd")), "found a link or a device"),
    "a zip with another file": (zipped(("ten-more/run.sh", b"x")), "'run.sh': expected one of README.md"),
    "a zip in a zip": (zipped(("ten-more/more.zip", zips.packed(GOOD_MEMBER))), "'more.zip': expected one of"),
    "a zip with a huge card": (
        zipped(("ten-more/README.md", b"\0" * (1 << 20))),
        "README.md: expected at most 262,144 bytes, found 1,048,576 bytes",
    ),
}

CASES = {
    f"{kind}: {name}": case
    for kind, cases in {"Parquet": PARQUET, "CSV": CSV, "zip": ZIP, "folder": FOLDER}.items()
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def verdicts(
    tmp_path_factory: pytest.TempPathFactory, oracle: pl.DataFrame, exam: wb.Dataset
) -> dict[str, tuple[str, float, float]]:
    """Every case judged in one process that has little memory: reason, seconds of CPU, MB used until then."""
    work = tmp_path_factory.mktemp("hostile")
    good = work / "ten-more"
    about = {"authors": ["Ada"], "licence": "MIT", "method": "x", "training_data": "none", "labels": "none"}
    more = oracle.with_columns(pl.exclude("sample_id") * 1.1)
    create(
        good,
        Card(name="Ten more", slug="ten-more", track="opensynth", **about),
        wb.Predictions(more, exam.track.target_names),
    )
    found: dict[str, tuple[str, float, float]] = {}
    limits = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "TMPDIR": str(work)}
    judge = subprocess.Popen(
        [sys.executable, "-c", JUDGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **limits},
    )
    assert judge.stdin is not None
    assert judge.stdout is not None
    for name, (spoil, _) in {"good": (lambda _: None, ""), **CASES}.items():
        case = work / "case"
        folder = case / "ten-more"
        shutil.copytree(good, folder)
        path = spoil(folder)
        before = sorted(map(str, work.rglob("*")))
        judge.stdin.write(f"{path if isinstance(path, Path) else folder}\n")
        judge.stdin.flush()
        found[name] = tuple(json.loads(judge.stdout.readline()))
        assert sorted(map(str, work.rglob("*"))) == before, f"{name} left something behind"
        shutil.rmtree(case)
    judge.stdin.close()
    judge.stdout.close()
    assert judge.wait() == 0
    return found


def test_the_folder_that_the_cases_spoil_is_good(verdicts: dict[str, tuple[str, float, float]]) -> None:
    assert verdicts["good"][0] == "good"


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_reason(name: str, verdicts: dict[str, tuple[str, float, float]]) -> None:
    found, seconds, megabytes = verdicts[name]
    for part in CASES[name][1].split(" .* "):
        assert part in found
    assert found.isprintable() or "\n" in found
    assert all(len(line) < 1000 for line in found.splitlines())
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
