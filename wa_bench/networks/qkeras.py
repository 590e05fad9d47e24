"""The types that QKeras quantizers stand for, as hls4ml reads them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_ORDER = {
    "quantized_bits": ("bits", "integer", "symmetric", "keep_negative"),
    "quantized_relu": ("bits", "integer", "use_sigmoid", "negative_slope"),
    "quantized_tanh": ("bits", "use_stochastic_rounding", "symmetric"),
    "quantized_sigmoid": ("bits",),
    "binary": (),
    "stochastic_binary": (),
    "ternary": (),
    "stochastic_ternary": (),
}
"""Quantizers that are understood, with the arguments that matter, in the order in which they are given."""
WEIGHT_QUANTIZERS = ("quantized_bits", "binary", "stochastic_binary", "ternary", "stochastic_ternary")
ACTIVATION_QUANTIZERS = ("quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_bits")

_LARGEST = 4096
_CALL = re.compile(r"^\s*(\w+)\s*(?:\((.*)\))?\s*$", re.DOTALL)
_WORDS = {"True": 1.0, "False": 0.0, "None": 0.0}


class Quantizer(NamedTuple):
    """A quantizer by name, with its arguments."""

    name: str
    arguments: dict[str, Any]

    def number(self, argument: str, default: float = 0) -> float:
        """A numeric argument.

        Raises:
            ValueError: it is no number, or one out of bounds.
        """
        value = self.arguments.get(argument)
        number = default if value is None else value
        try:
            if abs(found := float(number)) <= _LARGEST:
                return found
        except (TypeError, OverflowError, ValueError):
            pass
        raise ValueError(f"{self.name} with {argument} = {number!a}")


def read_quantizer(told: object) -> Quantizer | None:
    """The quantizer in a layer's config: an object, or text such as ``quantized_bits(6,0,alpha=1)``.

    None where it is something else.
    """
    if isinstance(told, dict):
        name, arguments = told.get("class_name"), told.get("config")
        return Quantizer(name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None
    match = _CALL.match(told) if isinstance(told, str) else None
    if match is None:
        return None
    arguments = {}
    for place, text in enumerate(filter(None, (match[2] or "").split(","))):
        name, equals, value = text.rpartition("=")
        order = _ORDER.get(match[1], ())
        key = name.strip() if equals else order[place] if place < len(order) else ""
        arguments[key] = _WORDS.get(value.strip(), value.strip())
    return Quantizer(match[1], arguments)


def weight_type(quantizer: Quantizer, *, is_kernel: bool) -> str:
    """The type of weights or biases.

    Raises:
        ValueError: the quantizer is not understood.
    """
    if quantizer.name not in WEIGHT_QUANTIZERS:
        raise ValueError(quantizer.name)
    if "ternary" in quantizer.name:
        return "int<2>"
    if "binary" in quantizer.name:
        return "uint<1>" if is_kernel else "int<2>"
    bits, integer = int(quantizer.number("bits", 8)), int(quantizer.number("integer"))
    return f"int<{bits}>" if bits == integer else f"fixed<{bits},{integer + 1}>"


def activation_type(quantizer: Quantizer) -> tuple[str, str]:
    """The function that an activation quantizer computes, and the type of its results.

    Raises:
        ValueError: the quantizer is not understood, or is no plain ReLU.
    """
    if quantizer.name not in ACTIVATION_QUANTIZERS:
        raise ValueError(quantizer.name)
    bits, integer = int(quantizer.number("bits", 8)), int(quantizer.number("integer"))
    saturation = "SAT"
    signed = True
    match quantizer.name:
        case "quantized_relu":
            if quantizer.number("negative_slope"):
                raise ValueError("quantized_relu with a negative slope")
            signed = False
        case "quantized_tanh":
            integer = 1
            saturation = "SAT_SYM" if quantizer.number("symmetric") else "SAT"
        case "quantized_sigmoid":
            integer, signed = 0, False
        case "quantized_bits":
            integer += 1
    sign = "" if signed else "u"
    function = "linear" if quantizer.name == "quantized_bits" else quantizer.name.removeprefix("quantized_")
    if bits <= integer:
        return function, f"{sign}int<{integer}>"
    return function, f"{sign}fixed<{bits},{integer},RND_CONV,{saturation}>"
