"""Write the data cards and Croissant files of all datasets.

    python scripts/write_cards.py

writes them into data_cards/; of opensynth's card, which is written by hand, the part on the columns. A test compares
them with what they are made from.
"""

from __future__ import annotations

from pathlib import Path

from wa_bench.data.cards import card, columns_section
from wa_bench.data.catalogue import catalogue
from wa_bench.data.croissant import croissant_text
from wa_bench.files import write_text

CARDS = Path(__file__).parent.parent / "data_cards"
BEGIN, END = "<!-- columns: written by scripts/write_cards.py -->", "<!-- end of columns -->"
BY_HAND = ("opensynth",)


def contents() -> dict[str, str]:
    """What belongs into each file."""
    texts = {}
    for name in catalogue():
        texts[f"{name}.md"] = renewed(name) if name in BY_HAND else card(name)
        texts[f"{name}.json"] = croissant_text(name)
    return texts


def renewed(name: str) -> str:
    """A card written by hand with its part on the columns renewed."""
    before, rest = (CARDS / f"{name}.md").read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n\n{columns_section(name)}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    for file, text in contents().items():
        write_text(CARDS / file, text)
        print(CARDS / file)


if __name__ == "__main__":
    main()
