from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_bench.data.catalogue import entry
from wa_bench.errors import RecordError
from wa_bench.records import archive, co2_inference, imagenet_energy
from wa_bench.records.archive import contents_sha256, members


def file(name: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def packed(path: Path, *parts: tuple[tarfile.TarInfo, bytes], level: int = 6) -> Path:
    with (
        gzip.GzipFile(path, "wb", compresslevel=level) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member, content in parts:
            tar.addfile(member, io.BytesIO(content))
    return path


def places(path: Path) -> list[str]:
    with pytest.raises(RecordError) as caught:
        members(path, "data")
    return [fault.place for fault in caught.value.faults]


def test_files_of_the_folder_come_sorted_and_below_the_top_folder(tmp_path: Path) -> None:
    parts = [
        special("top", tarfile.DIRTYPE),
        file("top/README", b"other"),
        file("top/data/b", b"2"),
        special("top/data", tarfile.DIRTYPE),
        file("top/data/a/c", b""),
        file("top/database", b"other"),
    ]
    assert list(members(packed(tmp_path / "a.tar.gz", *parts), "data").items()) == [("data/a/c", b""), ("data/b", b"2")]


@given(
    contents=st.dictionaries(
        st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), st.binary(max_size=20), min_size=1
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_hash_of_the_contents_does_not_depend_on_the_packing(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], order: object
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    names = list(contents)
    order.shuffle(names)  # type: ignore[attr-defined]
    one = packed(folder / "1.tar.gz", *(file(f"one/data/{name}", contents[name]) for name in contents))
    two = packed(folder / "2.tar.gz", file("two/more"), *(file(f"two/data/{n}", contents[n]) for n in names), level=1)
    other = packed(folder / "3.tar.gz", *(file(f"one/data/{name}", contents[name] + b"!") for name in contents))
    assert contents_sha256(one, "data") == contents_sha256(two, "data")
    assert contents_sha256(one, "data") != contents_sha256(other, "data")


def test_the_hash_tells_where_a_name_ends_and_a_content_begins(tmp_path: Path) -> None:
    hashes = {
        contents_sha256(packed(tmp_path / f"{i}.tar.gz", *parts), "data")
        for i, parts in enumerate(
            [[file("t/data/a", b"bc")], [file("t/data/ab", b"c")], [file("t/data/a", b""), file("t/data/b", b"c")]]
        )
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("parts", "faulty"),
    [
        ([file("top/data/../../etc/passwd")], ["'top/data/../../etc/passwd'"]),
        ([file("../data/x")], ["'../data/x'"]),
        ([file("/top/data/x")], ["'/top/data/x'"]),
        ([file(r"top\data\x")], [r"'top\\data\\x'"]),
        ([special("top/data/x", tarfile.SYMTYPE, "/etc/passwd")], ["'top/data/x'"]),
        ([file("top/data/y"), special("top/data/x", tarfile.LNKTYPE, "top/data/y")], ["'top/data/x'"]),
        (
            [special("top/data/x", tarfile.FIFOTYPE), special("top/data/y", tarfile.CHRTYPE)],
            ["'top/data/x'", "'top/data/y'"],
        ),
        ([file("top/data/x", b"1"), file("top/data/x", b"2")], ["'top/data/x'"]),
    ],
)
def test_what_leads_elsewhere_is_refused_and_all_of_it_is_named(
    tmp_path: Path, parts: Sequence[tuple[tarfile.TarInfo, bytes]], faulty: list[str]
) -> None:
    path = packed(tmp_path / "a.tar.gz", *parts)
    assert [place for place in places(path) if "'" in place] == [f"a.tar.gz, {name}" for name in faulty]


def test_links_outside_the_folder_are_passed_over(tmp_path: Path) -> None:
    parts = [special("top/latest", tarfile.SYMTYPE, "/etc"), file("top/data/x")]
    assert members(packed(tmp_path / "a.tar.gz", *parts), "data") == {"data/x": b"x"}


def test_two_top_folders_and_no_folder_are_faults(tmp_path: Path) -> None:
    assert places(packed(tmp_path / "a.tar.gz", file("one/data/x"), file("two/data/y"))) == ["a.tar.gz"]
    assert places(packed(tmp_path / "b.tar.gz", file("top/x"))) == ["b.tar.gz"]


def test_what_would_fill_the_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*parts: tuple[tarfile.TarInfo, bytes]) -> str:
        with pytest.raises(RecordError) as caught:
            members(packed(tmp_path / "a.tar.gz", *parts), "data")
        return str(caught.value)

    monkeypatch.setattr(archive, "LARGEST_MEMBER", 10_000)
    monkeypatch.setattr(archive, "LARGEST_ARCHIVE", 100_000)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 20)
    assert "10,000" in refused(file("top/data/x", bytes(10_001)))
    assert "100,000" in refused(*(file(f"top/data/{i}", bytes(9_000)) for i in range(12)))
    assert "100,000" in refused(file("top/skipped", bytes(200_000)), file("top/data/x"))
    assert "20 files" in refused(*(file(f"top/data/{i}") for i in range(21)))
    long_header, content = file("top/data/x")
    long_header.pax_headers = {"comment": "x" * 20_000}
    assert "10,000" in refused((long_header, content))


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_damage_is_a_fault_with_the_archive_s_name(tmp_path: Path, keep: int) -> None:
    whole = packed(tmp_path / "whole.tar.gz", file("top/data/x", bytes(range(256)) * 50)).read_bytes()
    path = tmp_path / "damaged.tar.gz"
    path.write_bytes(whole[:keep] if keep else b"no archive")
    assert places(path) == ["damaged.tar.gz"]


@pytest.mark.parametrize(
    ("dataset", "folder", "count"),
    [("co2-inference", co2_inference.FOLDER, 6570), ("imagenet-energy-efficiency", imagenet_energy.FOLDER, 232)],
)
def test_the_catalogue_knows_the_contents_of_the_real_archives(
    mirror: Path, dataset: str, folder: str, count: int
) -> None:
    (known,) = entry(dataset).files
    path = mirror / dataset / known.name
    assert contents_sha256(path, folder) == known.contents_sha256
    assert len(members(path, folder)) == count
