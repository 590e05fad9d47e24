"""hls4ml's rule for the reuse factors a dense or convolution layer can really have.

A layer of ``n_in`` inputs and ``n_out`` outputs needs ``n_in * n_out`` multiplications; the reuse factor
says how many of them share one multiplier. Only some factors divide the work evenly, and hls4ml silently
replaces a requested factor by the closest valid one.
"""

from __future__ import annotations

from functools import lru_cache


def is_valid_reuse_factor(n_in: int, n_out: int, reuse_factor: int) -> bool:
    """Whether hls4ml accepts ``reuse_factor`` for a layer of this size (resource strategy)."""
    multiplications = n_in * n_out
    if reuse_factor < 1 or multiplications % reuse_factor:
        return False
    block = -(-multiplications // min(n_in, reuse_factor))
    if reuse_factor >= n_in:
        return reuse_factor % n_in == 0
    return block % n_out == 0


@lru_cache(maxsize=4096)
def valid_reuse_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """All valid reuse factors of a layer, ascending."""
    multiplications = n_in * n_out
    divisors = {d for d in range(1, int(multiplications**0.5) + 1) if multiplications % d == 0}
    divisors |= {multiplications // d for d in divisors}
    return tuple(sorted(d for d in divisors if is_valid_reuse_factor(n_in, n_out, d)))


def closest_valid_reuse_factor(n_in: int, n_out: int, requested: int) -> int:
    """The valid reuse factor nearest to ``requested``; of two equally near, the smaller."""
    return min(valid_reuse_factors(n_in, n_out), key=lambda factor: (abs(factor - requested), factor))
