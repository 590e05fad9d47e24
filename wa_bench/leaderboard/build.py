"""Boards to pages, pages to files: what did not change is kept, an earlier site stays until the new one is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import as_file, files
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from wa_bench.data.cache import cache_folder
from wa_bench.errors import DataError, Fault
from wa_bench.files import write_text
from wa_bench.leaderboard.board import Board, Site, code
from wa_bench.leaderboard.pages import (
    Page,
    api,
    board,
    compare,
    dataset,
    exemplars,
    feeds,
    overview,
    pareto,
    previews,
    submission,
    versions,
)
from wa_bench.leaderboard.pages import files as submitted

TITLE = "wa-bench"
MARKER = ".wa-bench-site"
"""A file of each site, by which it is known for one; it says what the build after it need not make anew."""
_OF_A_BOARD = (board, submission, submitted, compare, exemplars, dataset, pareto, versions, previews)
_OF_ALL = (overview, api, feeds)


class _Earlier(msgspec.Struct, frozen=True):
    """What an earlier build left: hash of the code and of what all pages share, and the state of each page made."""

    code: str = ""
    states: dict[str, str] = {}


class Built(NamedTuple):
    """A site that was built: its front page, the number of its files, and how many of them are new or changed."""

    front_page: Path
    files: int
    changed: int


def build(
    boards: Sequence[Board], site: str | os.PathLike[str], base_url: str = "", *, downloads: bool = True
) -> Built:
    """Write the site.

    Args:
        boards: all of them.
        site: the folder to write; that of an earlier build is replaced as a whole, and its unchanged files are kept.
        base_url: where the site will stand, for feeds, citations and previews.
        downloads: whether predictions are part of it.

    Raises:
        DataError: ``site`` is a file, or a folder with something else in it.
    """
    place = Path(site).resolve()
    if place.exists() and not place.is_dir():
        raise DataError(Fault(str(place), "a folder", "a file", "choose another place"))
    if place.exists() and not (place / MARKER).is_file() and any(place.iterdir()):
        raise DataError(Fault(str(place), "an empty folder or an earlier site", "other files", "choose another folder"))
    about = Site(
        TITLE,
        version("wa-bench"),
        f"{base_url.rstrip('/')}/" if base_url else "",
        tuple(each.track for each in boards),
        cache_folder() / "site" / "pages",
        downloads,
    )
    fresh, earlier = (place.with_name(f".{place.name}.{os.getpid()}.{state}") for state in ("partial", "earlier"))
    try:
        counts = _write_all(chain(_assets(), _pages(boards, about)), fresh, place, _code(about))
        if place.exists():
            place.rename(earlier)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(earlier, ignore_errors=True)
    return Built(place / "index.html", *counts)


def _write_all(pages: Iterator[Page], fresh: Path, place: Path, shared: str) -> tuple[int, int]:
    """Write pages to ``fresh``, taking over from ``place`` what is as it was: number of files, and of changed ones."""
    marker = place / MARKER
    earlier = _Earlier()
    if marker.is_file():
        try:
            earlier = msgspec.json.decode(marker.read_bytes(), type=_Earlier)
        except msgspec.MsgspecError:
            earlier = _Earlier()
    known = earlier.states if earlier.code == shared else {}
    states, changed, count = {}, 0, 0
    for page in pages:
        path, old = fresh / page.path, place / page.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise ValueError(f"two pages are called {page.path}")
        if page.state is not None:
            states[page.path] = page.state
        count += 1
        if page.state is not None and known.get(page.path) == page.state and old.is_file():
            _take_over(old, path)
            continue
        changed += _write(page, path, old)
    write_text(fresh / MARKER, msgspec.json.encode(_Earlier(shared, states)).decode())
    return count, changed


def _write(page: Page, path: Path, old: Path) -> bool:
    """Write a page, or take over an equal file of the earlier site; whether it differs."""
    content = page.content() if callable(page.content) else page.content
    if isinstance(content, Path):
        shutil.copyfile(content, path)
        return True
    made = content.encode() if isinstance(content, str) else content
    if old.is_file() and old.stat().st_size == len(made) and old.read_bytes() == made:
        _take_over(old, path)
        return False
    path.write_bytes(made)
    return True


def _take_over(old: Path, path: Path) -> None:
    """The same file in the new site, with its date."""
    try:
        path.hardlink_to(old)
    except OSError:
        shutil.copy2(old, path)


def _pages(boards: Sequence[Board], site: Site) -> Iterator[Page]:
    paths = []
    of_boards = (module.pages(each, site) for each in boards for module in _OF_A_BOARD)
    of_all = (module.pages(boards, site) for module in _OF_ALL)
    for page in chain.from_iterable(chain(of_boards, of_all)):
        paths.append(page.path)
        yield page
    if site.base_url:
        yield Page("sitemap.xml", feeds.sitemap([path for path in paths if path.endswith(".html")], site))


def _assets() -> Iterator[Page]:
    with as_file(files("wa_bench") / "leaderboard" / "assets") as folder:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield Page(f"assets/{path.relative_to(folder).as_posix()}", path.read_bytes())


def _code(site: Site) -> str:
    names = [track.name for track in site.tracks]
    return sha256(repr((code(), site.title, site.version, site.base_url, names, site.downloads)).encode()).hexdigest()
