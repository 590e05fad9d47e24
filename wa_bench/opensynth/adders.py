"""Distributed arithmetic: a constant matrix product as a graph of additions and subtractions that outputs share.

The graph comes from da4ml (Sun et al., arXiv:2507.04535), which hls4ml uses for its strategy of this name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wa_bench.errors import ToolError, needs_extra
from wa_bench.opensynth.arithmetic import Integers, signed_range


class Node(NamedTuple):
    """``left + right``, or ``left - right``, of two earlier nodes, each shifted left; an input where there is no left.

    ``level`` is the number of additions before the result is there, ``bits`` its width.
    """

    left: int | None
    left_shift: int
    right: int
    right_shift: int
    subtract: bool
    level: int
    bits: int


class Output(NamedTuple):
    """``node`` shifted left (right where negative, which loses nothing), perhaps negated; zero where there is none."""

    node: int | None
    shift: int
    negative: bool


@dataclass(frozen=True)
class AdderGraph:
    """Nodes in an order in which each follows its operands, the inputs first."""

    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]

    @property
    def depth(self) -> int:
        """Levels of additions until all outputs are there."""
        return max((self.nodes[output.node].level for output in self.outputs if output.node is not None), default=0)

    def apply(self, values: Integers) -> Integers:
        """What the graph computes of values of shape (batch, inputs)."""
        found: list[Integers] = []
        for node in self.nodes:
            if node.left is None:
                found.append(values[:, node.right])
                continue
            right = found[node.right] << node.right_shift
            found.append((found[node.left] << node.left_shift) + (-right if node.subtract else right))
        columns = []
        for node_index, shift, negative in self.outputs:
            value = np.zeros_like(values[:, 0]) if node_index is None else found[node_index]
            value = value << shift if shift >= 0 else value >> -shift
            columns.append(-value if negative else value)
        return np.stack(columns, axis=1)


_CHECKED_INPUTS = 32


def adder_graph(weights: Integers, bits: int) -> AdderGraph:
    """A graph for ``weights @ x``, weights of shape (n_out, n_in), inputs of ``bits`` bits.

    Raises:
        MissingToolError: da4ml is not installed.
        ToolError: the graph does not compute the product.
    """
    with needs_extra("opensynth"):
        from da4ml.cmvm import QInterval, solve
    low, high = signed_range(bits)
    intervals = [QInterval(float(low), float(high), 1.0)] * weights.shape[1]
    solution = solve(np.ascontiguousarray(weights.T, dtype=np.float32), qintervals=intervals)
    graph = _Builder(weights.shape[1], low, high).build(solution.solutions)
    rng = np.random.default_rng(0)
    values = rng.integers(low, high, size=(_CHECKED_INPUTS, weights.shape[1]), endpoint=True)
    if not np.array_equal(graph.apply(values), values @ weights.T):
        raise ToolError(
            f"da4ml: expected an adder graph of the given {weights.shape} matrix, found a different product"
        )
    return graph


class _Builder:
    """Turns da4ml's stages, whose numbers may have fractions, into one graph of integers."""

    def __init__(self, inputs: int, low: int, high: int) -> None:
        self.nodes = [Node(None, 0, i, 0, False, 0, _bits(low, high)) for i in range(inputs)]
        self.ranges = [(low, high)] * inputs
        self.exponents = [0] * inputs
        """A node stands for its integer times two to this power."""

    def build(self, stages: Any) -> AdderGraph:
        # A signal is a node, a further shift and a sign.
        signals: list[Output] = [Output(i, 0, False) for i in range(len(self.nodes))]
        for stage in stages:
            signals = self._stage(stage, signals)
        outputs = []
        for node, shift, negative in signals:
            exponent = 0 if node is None else self.exponents[node]
            outputs.append(Output(node, shift + exponent, negative))
        return AdderGraph(tuple(self.nodes), tuple(outputs))

    def _stage(self, stage: Any, inputs: list[Output]) -> list[Output]:
        signals: list[Output] = []
        for op in stage.ops:
            if op.opcode == -1:
                node, shift, negative = inputs[op.id0]
                signals.append(Output(node, shift + int(stage.inp_shifts[op.id0]), negative))
            elif op.opcode in {0, 1}:
                signals.append(self._add(signals[op.id0], signals[op.id1], int(op.data), op.opcode == 1))
            else:
                raise ToolError(f"da4ml: expected additions and subtractions, found operation {op.opcode}")
        outputs = zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True)
        return [
            Output(None, 0, False)
            if index < 0
            else Output(signals[index].node, signals[index].shift + int(shift), signals[index].negative != negative)
            for index, shift, negative in outputs
        ]

    def _add(self, left: Output, right: Output, shift: int, subtract: bool) -> Output:
        """The sum of two signals, the right one shifted; signs are kept out of the nodes as far as may be."""
        if left.node is None or right.node is None:
            present, moved, turned = (right, shift, subtract) if left.node is None else (left, 0, False)
            return Output(present.node, present.shift + moved, present.negative != turned)
        negative = left.negative
        subtracts = (right.negative != subtract) != negative
        left_exponent = self.exponents[left.node] + left.shift
        right_exponent = self.exponents[right.node] + right.shift + shift
        exponent = min(left_exponent, right_exponent)
        left_shift, right_shift = left_exponent - exponent, right_exponent - exponent
        low, high = (bound << left_shift for bound in self.ranges[left.node])
        other_low, other_high = (bound << right_shift for bound in self.ranges[right.node])
        low, high = (low - other_high, high - other_low) if subtracts else (low + other_low, high + other_high)
        level = 1 + max(self.nodes[left.node].level, self.nodes[right.node].level)
        self.nodes.append(Node(left.node, left_shift, right.node, right_shift, subtracts, level, _bits(low, high)))
        self.ranges.append((low, high))
        self.exponents.append(exponent)
        return Output(len(self.nodes) - 1, 0, negative)


def _bits(low: int, high: int) -> int:
    """Width of a signed number of this range."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1
