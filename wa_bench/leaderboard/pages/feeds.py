"""What other programs ask a site for: an Atom feed, the Hub's ``eval.yaml``, a sitemap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

import yaml

from wa_bench.data.catalogue import entry as dataset
from wa_bench.evaluation.report import number
from wa_bench.leaderboard.board import Board, Site
from wa_bench.leaderboard.pages import Page
from wa_bench.tracks.track import Track

_NEWS = 100
"""Entries of the feed at most."""
_ATOM = "http://www.w3.org/2005/Atom"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEVER = date(1970, 1, 1)
FRAMEWORK = "wa-bench"


class _News(NamedTuple):
    """An entry of the feed; ``name`` tells it from all others for ever."""

    day: date
    name: str
    path: str
    title: str
    text: str
    authors: tuple[str, ...]


def pages(boards: Sequence[Board], site: Site) -> Iterator[Page]:
    """The feed, and the ``eval.yaml`` of each track."""
    yield Page("feed.xml", _feed(boards, site))
    for board in boards:
        yield Page(f"{board.track.name}/eval.yaml", eval_yaml(board.track))


def sitemap(paths: Iterable[str], site: Site) -> bytes:
    """Addresses of all pages, for a site whose place is known."""
    root = ElementTree.Element("urlset", xmlns=_SITEMAP)
    for path in paths:
        ElementTree.SubElement(ElementTree.SubElement(root, "url"), "loc").text = site.absolute(path)
    return _xml(root)


def eval_yaml(track: Track) -> str:
    """A benchmark as the Hub's datasets declare it: https://huggingface.co/docs/hub/eval-results."""
    tasks = [{"id": f"{track.name}-{exam.split}", "config": "default", "split": exam.split} for exam in track.exams]
    about = (
        f"{track.question} Scored by wa-bench against: {track.truth}. Ranked by mean {track.rank_by} over the targets."
    )
    value = {
        "name": dataset(track.datasets[0]).title,
        "description": about,
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def _feed(boards: Sequence[Board], site: Site) -> bytes:
    news = sorted(_news(boards), key=lambda each: (each.day, each.name), reverse=True)[:_NEWS]
    root = ElementTree.Element("feed", xmlns=_ATOM)
    _add(root, "title", f"{site.title}: new submissions")
    _add(root, "id", _identity(site.base_url or site.title))
    _add(root, "updated", _instant(max((each.day for each in news), default=_NEVER)))
    ElementTree.SubElement(_add(root, "author"), "name").text = site.title
    _add(root, "link", href=site.absolute("feed.xml"), rel="self")
    _add(root, "link", href=site.absolute("index.html") or "index.html")
    for each in news:
        item = _add(root, "entry")
        _add(item, "title", each.title)
        _add(item, "id", _identity(each.name))
        _add(item, "updated", _instant(each.day))
        _add(item, "link", href=site.absolute(each.path))
        _add(item, "summary", each.text)
        for author in each.authors:
            ElementTree.SubElement(_add(item, "author"), "name").text = author
    return _xml(root)


def _news(boards: Sequence[Board]) -> Iterator[_News]:
    for board in boards:
        track = board.track
        for entry in board.entries:
            card = entry.card
            if card.submitted is not None:
                score = number(entry.mean(track.rank_by))
                text = f"{track.title}: mean {track.rank_by} {score} on {track.exams[0].split}. {card.method}"
                path = f"{track.name}/submissions/{entry.slug}.html"
                yield _News(card.submitted, f"{track.name}/{entry.slug}", path, card.name, text, tuple(card.authors))
        for snapshot in board.snapshots:
            title = f"{track.title}: version {snapshot.number} of the board is frozen"
            path = f"{track.name}/v{snapshot.number}/index.html"
            yield _News(snapshot.frozen, f"{track.name}/v{snapshot.number}", path, title, snapshot.note, ())


def _add(parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = text
    return child


def _identity(name: str) -> str:
    return uuid5(NAMESPACE_URL, f"wa-bench:{name}").urn


def _instant(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _xml(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
