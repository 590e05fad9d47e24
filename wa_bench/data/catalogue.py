"""The catalogue: what is known of every dataset before a byte of it is read."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from wa_bench.errors import UnknownNameError
from wa_bench.tracks.track import available


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upstream file at the pinned commit.

    ``contents_sha256`` is the hash of what an archive holds in ``folder`` (see ``wa_bench.records.archive``): the same
    commit packed again has other bytes.
    """

    name: str
    size: int
    sha256: str
    url: str | None = None
    folder: str | None = None
    contents_sha256: str | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset: who made it, under which licence, and where its files stand.

    Files come from inside the package (``embedded``), from the Hugging Face Hub (``hub`` at ``revision``, found by the
    patterns in ``splits``, where ``*`` stands for one of ``families``), or from ``url`` (``files``, each at
    ``<url>/<name>`` or at its own ``url``).
    ``provenance`` says how the figures came about, by column: measured, synthesized, simulated, estimated, computed
    or reported. ``rows`` are the numbers of records by split. ``refused`` are configurations of the Hub's
    card that no surrogate may learn from, with the reason.
    """

    title: str
    version: str
    licence: str
    homepage: str
    citation: str
    format: str
    provenance: dict[str, str] = {}
    embedded: str | None = None
    hub: str | None = None
    revision: str = "main"
    splits: dict[str, str] = {}
    families: list[str] = []
    rows: dict[str, int] = {}
    refused: dict[str, str] = {}
    url: str | None = None
    files: list[File] = []

    @property
    def embedded_path(self) -> Path | None:
        """The file shipped inside the package, if this dataset is."""
        return None if self.embedded is None else Path(str(files("wa_bench") / "samples" / self.embedded))


@cache
def catalogue() -> dict[str, Entry]:
    """All datasets by name."""
    text = (files("wa_bench") / "data" / "catalogue.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Entry])


def entry(name: str) -> Entry:
    """The dataset called ``name``.

    Raises:
        UnknownNameError: there is none; lists those that are.
    """
    try:
        return catalogue()[name]
    except KeyError:
        raise UnknownNameError("dataset", name, list(catalogue())) from None


def datasets_of(name: str) -> list[str]:
    """The datasets called ``name``: those of a track, or the one itself.

    Raises:
        UnknownNameError: neither a track nor a dataset.
    """
    tracks = available()
    if name in tracks:
        return list(tracks[name].datasets)
    if name not in catalogue():
        raise UnknownNameError("track or dataset", name, [*tracks, *catalogue()])
    return [name]
