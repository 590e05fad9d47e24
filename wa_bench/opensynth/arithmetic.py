"""Integer arithmetic shared by the numpy reference and the Verilog: widths, shifts, saturation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def log2_ceil(n: int) -> int:
    """Smallest k with 2**k >= n."""
    return (n - 1).bit_length()


def signed_range(bits: int) -> tuple[int, int]:
    """Smallest and largest two's-complement integer of ``bits`` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def saturate(values: Integers, bits: int) -> Integers:
    """Clip to the range of ``bits`` bits."""
    low, high = signed_range(bits)
    clipped: Integers = values.clip(low, high)
    return clipped


def shift_right(values: Integers, shift: int) -> Integers:
    """Divide by ``2**shift``, rounding towards minus infinity; a negative shift multiplies."""
    shifted: Integers = values >> shift if shift >= 0 else values << -shift
    return shifted


def quantize(accumulator: Integers, shift: int, bits: int, relu: bool) -> Integers:
    """Drop ``shift`` low bits (round towards minus infinity), apply ReLU, saturate to ``bits`` bits.

    The fixed-point equivalent is a result of type ``fixed<bits, ..., TRN, SAT>``.
    """
    low, high = signed_range(bits)
    shifted: Integers = accumulator >> shift
    return shifted.clip(0 if relu else low, high)


def canonical_signed_digits(value: int) -> list[tuple[int, int]]:
    """Write ``value`` as a sum of ``sign * 2**power`` with no two adjacent powers.

    Returns (sign, power) pairs; it is the shortest such sum, hence the fewest adders for a constant product.
    """
    digits = []
    power = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((digit, power))
            value -= digit
        value >>= 1
        power += 1
    return digits
