"""FPGA parts and what they hold.

Capacities are those of AMD's overviews of the families, by the first letters of the part number: DS190 (Zynq-7000),
DS180 (7 series), DS891 (Zynq UltraScale+), DS889 (RFSoC), DS890 (UltraScale and UltraScale+), and of the cards' data
sheets: DS962 (Alveo U200 and U250), DS963 (U280), DS965 (U50), DS978 (U55C). Of a card it is the whole device: what
a shell takes is not subtracted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import msgspec
import polars as pl

from wa_bench.records.columns import note


class Part(msgspec.Struct, frozen=True):
    """An FPGA, by the letters that its part numbers begin with."""

    prefix: Annotated[str, note("first letters of the part number, in lower case")]
    board: Annotated[str | None, note("a board that carries it")]
    bram: Annotated[int, note("block RAM", "36 kbit blocks")]
    dsp: Annotated[int, note("DSP slices", "blocks")]
    ff: Annotated[int, note("flip-flops", "flip-flops")]
    lut: Annotated[int, note("six-input look-up tables", "LUTs")]
    uram: Annotated[int, note("UltraRAM", "288 kbit blocks")]
    source: Annotated[str, note("AMD data sheet")]


PARTS = (
    Part("xc7z010", None, 60, 80, 35_200, 17_600, 0, "DS190"),
    Part("xc7z020", "Pynq-Z2", 140, 220, 106_400, 53_200, 0, "DS190"),
    Part("xc7z045", "ZC706", 545, 900, 437_200, 218_600, 0, "DS190"),
    Part("xc7a35t", "Arty A7-35T", 50, 90, 41_600, 20_800, 0, "DS180"),
    Part("xc7a100t", "Arty A7-100T", 135, 240, 126_800, 63_400, 0, "DS180"),
    Part("xc7k325t", "KC705", 445, 840, 407_600, 203_800, 0, "DS180"),
    Part("xc7vx690t", "VC709", 1470, 3600, 866_400, 433_200, 0, "DS180"),
    Part("xczu3eg", "Ultra96", 216, 360, 141_120, 70_560, 0, "DS891"),
    Part("xczu7ev", "ZCU104", 312, 1728, 460_800, 230_400, 96, "DS891"),
    Part("xczu9eg", "ZCU102", 912, 2520, 548_160, 274_080, 0, "DS891"),
    Part("xczu28dr", "ZCU111", 1080, 4272, 850_560, 425_280, 80, "DS889"),
    Part("xczu48dr", "RFSoC 4x2", 1080, 4272, 850_560, 425_280, 80, "DS889"),
    Part("xcku040", "KCU105", 600, 1920, 484_800, 242_400, 0, "DS890"),
    Part("xcku060", None, 1080, 2760, 663_360, 331_680, 0, "DS890"),
    Part("xcku115", "KCU1500", 2160, 5520, 1_326_720, 663_360, 0, "DS890"),
    Part("xcku5p", "KCU116", 480, 1824, 433_920, 216_960, 64, "DS890"),
    Part("xcku15p", None, 984, 1968, 1_045_440, 522_720, 128, "DS890"),
    Part("xcvu9p", "VCU118", 2160, 6840, 2_364_480, 1_182_240, 960, "DS890"),
    Part("xcvu13p", None, 2688, 12_288, 3_456_000, 1_728_000, 1280, "DS890"),
    Part("xcu50", "Alveo U50", 1344, 5952, 1_743_360, 871_680, 640, "DS965"),
    Part("xcu55c", "Alveo U55C", 2016, 9024, 2_607_360, 1_303_680, 960, "DS978"),
    Part("xcu200", "Alveo U200", 2160, 6840, 2_364_480, 1_182_240, 960, "DS962"),
    Part("xcu250", "Alveo U250", 2688, 12_288, 3_456_000, 1_728_000, 1280, "DS962"),
    Part("xcu280", "Alveo U280", 2016, 9024, 2_607_360, 1_303_680, 960, "DS963"),
)

CAPACITIES = ("bram", "dsp", "ff", "lut", "uram")
"""Capacities, in the order of the resource columns."""


@lru_cache(maxsize=1024)
def find_part(number: str | None) -> Part | None:
    """The part that a part number such as ``xcu250-figd2104-2L-e`` begins with; None where it is not known here."""
    lowered = (number or "").lower()
    return next((part for part in PARTS if lowered.startswith(part.prefix)), None)


def capacities(numbers: pl.Series) -> pl.DataFrame:
    """Capacities for a column of part numbers: ``bram dsp ff lut uram``, null where the part is not known."""
    schema = dict.fromkeys(CAPACITIES, pl.Int64)
    known = numbers.unique()
    rows = [[getattr(find_part(number), name, None) for name in CAPACITIES] for number in known]
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(known.alias("part"))
    joined = pl.DataFrame({"part": numbers}).join(table, on="part", how="left", nulls_equal=True, maintain_order="left")
    return joined.drop("part")
