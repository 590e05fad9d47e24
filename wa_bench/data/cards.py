"""Data cards: what is known of a dataset, as Markdown with the Hub's front matter.

They are made from the catalogue, the record type, the tracks and the words in ``about/<name>.md``, so they cannot
drift. ``scripts/write_cards.py`` writes them to ``data_cards/``, and Croissant files beside them.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
import polars as pl
import pyarrow as pa
import yaml

from wa_bench.data.catalogue import Entry, catalogue, entry
from wa_bench.data.locate import record_type
from wa_bench.files import sha256_of
from wa_bench.records.columns import columns
from wa_bench.tracks.track import Track, available

HUB = "https://huggingface.co/datasets"

_HOW = {
    "measured": "read from a clock, a counter or an evaluation on the device",
    "synthesized": "counted after logic synthesis",
    "simulated": "counted while the design was simulated",
    "estimated": "by a rule of a tool or of upstream, without a measurement",
    "computed": "follows from other figures, or from the network alone",
    "reported": "as upstream tells it, which does not tell how",
}
"""What the catalogue's words for provenance mean."""

_SIZES = {"n<1K": 10**3, "1K<n<10K": 10**4, "10K<n<100K": 10**5, "100K<n<1M": 10**6, "1M<n<10M": 10**7}


class About(NamedTuple):
    """What is said of a dataset in words. The first paragraph of ``text`` can stand alone."""

    published: str
    tags: list[str]
    text: str


class KnownFile(NamedTuple):
    """A file whose bytes are fixed. ``url`` may be a path relative to ``data_cards/``."""

    name: str
    url: str
    size: int
    sha256: str


def card(name: str) -> str:
    """The card of a dataset.

    Raises:
        UnknownNameError: no such dataset.
    """
    known, words = entry(name), about(name)
    front = yaml.safe_dump(_front_matter(name, words), sort_keys=False, allow_unicode=True, width=120)
    sections = {
        "Splits": _splits(name),
        "Columns": columns_section(name),
        "Tracks": _tracks_section(name),
        "Loading": _loading(name),
        "Files": _files(known),
        "Refused configurations": "\n".join(f"- `{refused}`: {reason}." for refused, reason in known.refused.items()),
        "Licence and citation": f"[{known.licence}]({licence_url(known)}). Home: {known.homepage}\n\n{known.citation}",
    }
    told = [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([f"---\n{front}---", f"# {known.title}", words.text, *told]) + "\n"


def columns_section(name: str) -> str:
    """The part of a card on the columns: type, unit, meaning, and how each figure came about.

    Raises:
        UnknownNameError: no such dataset.
    """
    known = entry(name)
    kind = record_type(known)
    alike = (other for other in catalogue().values() if record_type(other) is kind)
    figures = {figure for other in alike for figure in other.provenance}
    how = {figure: known.provenance.get(figure, "null here") for figure in figures}
    rows = ([*cells, how.get(column.name, "")] for column, cells in zip(columns(kind), _described(kind), strict=True))
    parts = [
        "One row a record. What is not known is null, never zero. How the figures came about:",
        "\n".join(f"- *{word}*: {meaning}" for word, meaning in _HOW.items() if word in known.provenance.values()),
        _table("column | type | unit | what | how", rows),
    ]
    for nested in dict.fromkeys(_nested(kind)):
        parts.append(f"`{nested.__name__}`: {inspect.getdoc(nested)}")
        parts.append(_table("field | type | unit | what", _described(nested)))
    return "\n\n".join(parts)


def about(name: str) -> About:
    """The words on a dataset that the catalogue lists."""
    text = (files("wa_bench") / "data" / "about" / f"{name}.md").read_text(encoding="utf-8")
    _, front, words = text.split("---\n", 2)
    given = yaml.safe_load(front)
    return About(str(given["published"]), given["tags"], words.strip())


def known_files(known: Entry) -> list[KnownFile]:
    """The files whose bytes are fixed; none on the Hub."""
    if path := known.embedded_path:
        return [KnownFile(path.name, f"../wa_bench/samples/{path.name}", path.stat().st_size, sha256_of(path))]
    return [
        KnownFile(file.name, file.url or f"{known.url}/{file.name}", file.size, file.sha256) for file in known.files
    ]


def licence_url(known: Entry) -> str:
    """The text of the licence."""
    return f"https://spdx.org/licenses/{known.licence}.html"


def struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The record type in an annotation such as ``Layer``, ``list[Layer]`` or ``Precision | None``."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next(filter(None, map(struct_in, typing.get_args(hint))), None)


def _front_matter(name: str, words: About) -> dict[str, Any]:
    known = entry(name)
    front: dict[str, Any] = {
        "pretty_name": known.title.partition(":")[0],
        "license": known.licence.lower(),
        "task_categories": ["tabular-regression"],
        "tags": words.tags,
    }
    if total := sum(_counts(name).values()):
        front["size_categories"] = [next(size for size, end in _SIZES.items() if total < end)]
    if known.hub:
        tables = [{"split": split, "path": pattern} for split, pattern in known.splits.items()]
        front["configs"] = [{"config_name": "default", "data_files": tables}]
    return front


def _counts(name: str) -> dict[str, int]:
    """Records by split; empty where nobody says."""
    known = entry(name)
    if known.embedded_path is None:
        return known.rows
    counts = dict(pl.scan_parquet(known.embedded_path).group_by("split").len().collect().iter_rows())
    return {split: counts[split] for track in _tracks_of(name) for split in track.splits}


def _splits(name: str) -> str:
    counts = _counts(name)
    rows = [*counts.items(), ("all", sum(counts.values()))]
    return _table("split | records", ([split, f"{count:,}"] for split, count in rows)) if counts else ""


def _tracks_section(name: str) -> str:
    return "\n".join(
        f"- `{track.name}`, {track.title}. {track.question} Targets: {_quoted(track.target_names)}. "
        f"Truth: {track.truth}. Scored on {_quoted(track.exam_splits)}."
        for track in _tracks_of(name)
    )


def _tracks_of(name: str) -> list[Track]:
    return [track for track in available().values() if name in track.datasets]


def _loading(name: str) -> str:
    lines = []
    for track in _tracks_of(name):
        source = f', source="{name}"' if len(track.datasets) > 1 else ""
        lines.append(f'records = wb.load("{track.name}", split="train"{source})')
    if not lines:
        return ""
    lines += ["records.frame()  # a polars LazyFrame, one row a record", "next(records.stream())  # one by one, typed"]
    return "\n".join(["```python", "import wa_bench as wb", "", *lines, "```"])


def _files(known: Entry) -> str:
    if known.hub:
        patterns = _table("split | files", ([split, f"`{pattern}`"] for split, pattern in known.splits.items()))
        return (
            f"On the Hugging Face Hub: [{known.hub}]({HUB}/{known.hub}), revision `{known.revision}`. Commit and "
            "hashes of the first contact are kept; files that differ later are an error. "
            f"`*` stands for {_quoted(known.families)}.\n\n{patterns}"
        )
    where = "Shipped inside the package." if known.embedded else "Fetched from upstream once, and checked."
    if any(file.contents_sha256 for file in known.files):
        where += " An archive that upstream packs again has other bytes; what it holds is compared then."
    rows = ([f"[{file.name}]({file.url})", f"{file.size:,}", f"`{file.sha256}`"] for file in known_files(known))
    return f"{where}\n\n{_table('file | bytes | SHA-256', rows)}"


def _described(kind: type[msgspec.Struct]) -> Iterator[list[str]]:
    """Name, type, unit and meaning of each field."""
    hints = typing.get_type_hints(kind)
    for column in columns(kind):
        listed = pa.types.is_list(column.type)
        inner = column.type.value_type if listed else column.type
        nested = struct_in(hints[column.name])
        shown = f"`{nested.__name__}`" if nested else str(inner).replace("double", "float64")
        nullable = type(None) in typing.get_args(hints[column.name])
        text = f"{'list of ' * listed}{shown}{' or null' * nullable}"
        yield [f"`{column.name}`", text, column.unit or "", column.description]


def _nested(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """The record types inside of ``kind``, outer ones first."""
    for hint in typing.get_type_hints(kind).values():
        if nested := struct_in(hint):
            yield nested
            yield from _nested(nested)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    titles = head.split(" | ")
    return "\n".join("| " + " | ".join(row) + " |" for row in [titles, ["---"] * len(titles), *rows])
