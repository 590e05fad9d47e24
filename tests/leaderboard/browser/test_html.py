from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from leaderboard.browser.harness import Served

html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed: group test")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


@pytest.fixture(scope="module")
def pages(site: Served) -> dict[Path, html5lib]:
    """Every page of the site, parsed by the rules of HTML, which forgive nothing here."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return {path: parser.parse(path.read_text(encoding="utf-8")) for path in sorted(site.folder.rglob("*.html"))}


def test_every_page_is_html_without_a_fault(pages) -> None:
    assert len(pages) > 30


def test_no_page_brings_styles_scripts_or_handlers_of_its_own(pages) -> None:
    for path, page in pages.items():
        (policy,) = (meta.get("content") for meta in page.iter("meta") if meta.get("http-equiv"))
        assert policy == POLICY
        for element in page.iter():
            if not isinstance(element.tag, str):
                continue
            assert element.tag not in ("style", "iframe", "object", "embed", "base"), path
            assert "style" not in element.attrib, (path, element.attrib)
            assert not [name for name in element.attrib if str(name).startswith("on")], path
            if element.tag == "script" and element.get("type") != "application/json":
                assert not (element.text or "").strip(), path


def test_ids_are_unique_and_labels_name_what_is_there(pages) -> None:
    for path, page in pages.items():
        ids = [element.get("id") for element in page.iter() if element.get("id")]
        assert sorted(ids) == sorted(set(ids)), path
        for name in ("aria-labelledby", "aria-describedby", "for"):
            named = [word for element in page.iter() for word in (element.get(name) or "").split()]
            assert set(named) <= set(ids), path


def test_forms_can_be_sent_and_controls_have_names_of_their_own(pages) -> None:
    for path, page in pages.items():
        for form in page.iter("form"):
            assert [button for button in form.iter("button") if button.get("type", "submit") == "submit"], path
        controls = [element for tag in ("input", "select", "textarea") for element in page.iter(tag)]
        names = [control.get("name") for control in controls if control.get("name")]
        assert sorted(names) == sorted(set(names)), path


def test_what_html_has_an_element_for_is_no_role(pages) -> None:
    natively = {
        "article",
        "banner",
        "button",
        "form",
        "link",
        "list",
        "main",
        "navigation",
        "region",
        "search",
        "table",
    }
    for path, page in pages.items():
        assert not [element.attrib for element in page.iter() if element.get("role") in natively], path


def test_every_link_within_the_site_leads_somewhere(pages, site: Served) -> None:
    ids = {path: {element.get("id") for element in page.iter()} for path, page in pages.items()}
    for path, page in pages.items():
        for link in _links(page):
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme == "https", (path, link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), (path, link)
            assert target.is_relative_to(site.folder)
            if parts.fragment and target in ids:
                assert parts.fragment in ids[target], (path, link)


def test_links_of_cards_lend_no_weight_and_give_no_handle(pages) -> None:
    outward = [link for page in pages.values() for link in page.iter("a") if urlsplit(link.get("href") or "").scheme]
    assert any("example.org" in link.get("href") for link in outward)
    for link in outward:
        if "example.org" in link.get("href"):
            assert link.get("rel") == "nofollow noopener"


def test_style_sheets_ask_no_other_place_for_anything(site: Served) -> None:
    for sheet in site.folder.rglob("*.css"):
        assert re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")) is None


def _links(page) -> Iterator[str]:
    for element in page.iter():
        for name in ("href", "src"):
            link = element.get(name)
            if link is not None and not link.startswith("data:"):
                yield link
