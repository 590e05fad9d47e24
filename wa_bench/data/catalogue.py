"""The catalogue: what is known of every dataset before a byte of it is read."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from wa_bench.errors import UnknownNameError


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset: who made it, under which licence, and where its files stand."""

    title: str
    version: str
    licence: str
    homepage: str
    citation: str
    format: str
    embedded: str | None = None
    hub: str | None = None
    splits: dict[str, str] = {}

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
