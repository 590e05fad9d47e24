"""Arithmetic of FPGAs as column expressions: what several rules are made of."""

from __future__ import annotations

import polars as pl

BLOCK_SHAPES = ((16_384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
"""Words and bits of an 18 kbit block RAM (UG473, UG573)."""
_ROUNDING = 1e-12
"""Error of a logarithm, which may lie above a whole number; the next count lies farther."""


def log2_ceil(count: pl.Expr) -> pl.Expr:
    """Bits that number ``count`` things, fewer than ``2^39``; 0 for one or none."""
    exponent = (count.cast(pl.Float64).log(2) - _ROUNDING).ceil()
    return pl.when(count > 1).then(exponent).otherwise(0.0).cast(pl.Int64)


def blocks(words: pl.Expr, bits: pl.Expr) -> pl.Expr:
    """Blocks of 18 kbit that hold ``words`` words of ``bits`` bits, in the shape that takes fewest.

    Addresses are decoded by whole bits, so words count as the next power of two.
    """
    depth = 2.0 ** log2_ceil(words).cast(pl.Float64)
    counts = [(depth / rows).ceil() * (bits / width).ceil() for rows, width in BLOCK_SHAPES]
    return pl.min_horizontal(counts)


def glorot_steps(fan_in: pl.Expr, fan_out: pl.Expr, fraction: pl.Expr) -> pl.Expr:
    """Largest weight of a fresh network in steps of its fixed-point type: ``sqrt(6 / (in + out)) * 2^fraction``.

    Keras draws the weights of a layer uniformly up to this (Glorot and Bengio, AISTATS 2010).
    """
    return (6.0 / (fan_in + fan_out).clip(lower_bound=1)).sqrt() * 2.0 ** fraction.cast(pl.Float64)


def nonzero_share(steps: pl.Expr) -> pl.Expr:
    """Share of weights that are not zero, of weights uniform up to ``steps`` whole steps."""
    return 1 - 1 / (2 * steps + 1)


def multiplied_share(steps: pl.Expr) -> pl.Expr:
    """Share of weights that need a multiplier: neither zero nor a power of two, nor one beside it.

    There are about ``1 + 2.4 log2(steps)`` of those up to ``steps``: 1, 2, 3, 4, 5, 7, 8, 9, 15, ...
    """
    largest = steps.clip(lower_bound=1)
    return (1 - (1 + 2.4 * largest.log(2)) / largest).clip(lower_bound=0)
