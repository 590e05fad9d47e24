"""A quick estimate of resources before mapping: the counterpart of what HLS tools report after C-synthesis.

Every word-level operator costs what one built of six-input LUTs with carry chains costs alone, without the
optimization across operators that mapping brings. Multipliers are DSP blocks of 27 by 18 bits.
"""

from __future__ import annotations

from math import ceil

from wa_bench.errors import ToolError
from wa_bench.records.schema import HlsEstimate

_LUTS_A_BIT = {
    "add": 1.0,
    "sub": 1.0,
    "neg": 1.0,
    "mux": 0.5,
    "and": 0.5,
    "or": 0.5,
    "xor": 0.5,
    "lt": 0.5,
    "le": 0.5,
    "gt": 0.5,
    "ge": 0.5,
    "eq": 0.35,
    "ne": 0.35,
    "logic_and": 0.5,
    "logic_or": 0.5,
    "logic_not": 0.2,
    "reduce_and": 0.2,
    "reduce_or": 0.2,
    "reduce_bool": 0.2,
    "not": 0.0,
    "memrd": 0.0,
    "meminit": 0.0,
    "shiftx": 0.5,
    "shift": 1.0,
    "shr": 1.0,
    "sshr": 1.0,
}
"""LUTs of an operator for every bit of its widest port."""
_TWO_SIZES = ("$pmux_", "$bmux_")
_BLOCK_WORDS = 512
_BLOCK_WIDTH = 36
"""Shape of an 18 kbit block at its widest; deeper memories take narrower words."""


def estimate(operators: dict[str, int]) -> HlsEstimate:
    """Resources of a design from its operators by type and width, as :class:`Synthesized` counts them.

    Block RAM is in blocks of 18 kbit, as in HLS reports; every memory counts as block RAM.

    Raises:
        ToolError: an operator of unknown cost.
    """
    lut = ff = dsp = bram = 0.0
    for operator, count in operators.items():
        kind, *sizes = operator.removeprefix("$").rsplit("_", 2 if operator.startswith(_TWO_SIZES) else 1)
        if kind == "memory":
            width, words = map(int, sizes[0].split("x"))
            bram += count * ceil(width * max(1.0, words / _BLOCK_WORDS) / _BLOCK_WIDTH)
            continue
        bits = int(sizes[0]) if sizes and sizes[0].isdigit() else 0
        if kind.endswith(("dff", "dffe", "dffce")):
            ff += count * bits
        elif kind == "mul":
            dsp += count
        elif kind == "pmux":
            lut += count * bits * int(sizes[1]) / 2
        elif kind == "bmux":
            lut += count * bits * ((1 << int(sizes[1])) - 1) / 3
        else:
            if kind not in _LUTS_A_BIT:
                raise ToolError(f"expected operators with a known cost, found {operator} before mapping")
            lut += count * bits * _LUTS_A_BIT[kind]
    return HlsEstimate(bram=bram, dsp=round(dsp), ff=round(ff), lut=round(lut), uram=0)
