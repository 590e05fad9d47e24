"""BibTeX entries of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from wa_bench.leaderboard.board import Board, Entry, Site
from wa_bench.leaderboard.versions import Snapshot


def of_submission(entry: Entry, url: str) -> str:
    """The entry of a submission, whose authors are those of its card."""
    card = entry.card
    return _entry(
        f"{card.track}-{card.slug}",
        {
            "title": f"{{{plain(card.name)}}}",
            "author": " and ".join(f"{{{plain(author)}}}" for author in card.authors),
            "year": str(card.submitted.year) if card.submitted else "",
            "howpublished": f"wa-bench leaderboard, track {card.track}",
            "note": f"predictions SHA-256 {entry.digest.about.predictions_sha256[:16]}",
            "url": url or card.paper or card.code or "",
        },
    )


@pass_context
def of_page(context: Context, title: Markup) -> str:
    """The entry of the page that is rendered, one of a board: names what that, or the frozen one, is scored on."""
    board: Board = context["board"]
    site: Site = context["site"]
    here: str = context["here"]
    of: Snapshot | Board = context.get("snapshot", board)
    number = of.number if isinstance(of, Snapshot) else of.version.number
    parts = PurePosixPath(here.removesuffix("index.html")).with_suffix("").parts
    return _entry(
        "-".join(parts),
        {
            "title": f"{{{plain(title.unescape().removesuffix(f' · {site.title}'))}}}",
            "author": "{The wa-bench authors}",
            "howpublished": f"wa-bench {site.version}, track {board.track.name}, version {number}",
            "note": f"truth {of.fingerprint[:16]}, evaluator {of.evaluator}" if of.fingerprint else "",
            "url": site.absolute(here) if site.base_url else "",
        },
    )


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{key},\n{lines}\n}}"


def plain(text: str) -> str:
    """Text that BibTeX takes as it is."""
    return re.sub(r"([&%$#_])", r"\\\1", re.sub(r"[{}\\~^]", "", text))
