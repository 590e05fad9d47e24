"""Names that people can tell apart: which characters a name may have, and what two names share that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from wa_bench.errors import Fault, shown

EXPECTED = "Latin letters, digits and plain punctuation, with single spaces between words"

_WITHOUT_PARTS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
"""Latin letters that Unicode does not decompose, by what they resemble."""
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "$": "s"})
_JOINED = re.compile(r"[\s_\-.,'’`\"]+")


def is_plain_name(text: str) -> bool:
    """Whether a name has only characters that a reader can type and tell apart.

    These are printable ASCII and Latin letters with diacritics in their composed form (NFC), with single spaces
    inside. No other scripts, full-width or mathematical forms, combining or invisible characters.
    """
    words = text.split(" ")
    return all(words) and all(_is_plain_character(character) for word in words for character in word)


def skeleton(name: str) -> str:
    """What is left of a plain name for a hasty reader: two names with the same skeleton imitate each other.

    Case, diacritics, spaces, hyphens and quotes are dropped; 0 and o, 1, l and i, 5 and s, rn and m, vv and w are one.
    """
    base = "".join(_base(character) for character in name.casefold())
    return _JOINED.sub("", base).translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def imitations(names: Mapping[str, str]) -> list[Fault]:
    """Names that look alike.

    Args:
        names: place to name, in the order in which the first of two may keep its own.
    """
    first: dict[str, str] = {}
    faults = []
    for place, name in names.items():
        other = first.setdefault(skeleton(name), place)
        if other != place:
            expected = f"a name that cannot be taken for {shown(names[other])} of {other}"
            faults.append(Fault(place, expected, shown(name), "choose another name"))
    return faults


def _is_plain_character(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    lower = character.lower()
    return lower in _WITHOUT_PARTS or (lower != _base(lower) and _base(lower).isascii() and _base(lower).isalpha())


def _base(character: str) -> str:
    """A letter without its diacritics; any other character as it is."""
    if character in _WITHOUT_PARTS:
        return _WITHOUT_PARTS[character]
    parts = unicodedata.normalize("NFD", character)
    return parts[0] if all(map(unicodedata.combining, parts[1:])) else character
