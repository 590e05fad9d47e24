"""Pages of the site: one module a kind of page.

A module has ``pages(board, site)`` (one track) or ``pages(boards, site)`` (what shows all tracks, see ``build``) and
yields what it writes. Everything that comes from a submission is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Site
from wa_bench.leaderboard.pages.citation import of_page


class Page(NamedTuple):
    """A file of the site.

    Attributes:
        path: where it stands, relative to the site's root, with slashes.
        content: text or bytes, or what makes them, or a file to copy.
        state: hash of all that a made content depends on beside the code of this package, such as ``Entry.state``:
            while it stays as it was, the file of an earlier build is kept and ``content`` is not called.
    """

    path: str
    content: str | bytes | Path | Callable[[], str | bytes]
    state: str | None = None


def render(template: str, path: str, site: Site, **values: Any) -> str:
    """The page ``path`` from a template, which also sees ``site``, ``here`` (the path), ``root`` (the way up to it)."""
    page = environment().get_template(template)
    return page.render(site=site, here=path, root="../" * path.count("/"), **values)


@cache
def environment() -> Environment:
    """The templates, with the filters ``number`` for scores and ``citation`` for the title of a page."""
    made = Environment(
        loader=PackageLoader("wa_bench.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = number
    made.filters["citation"] = of_page
    return made
