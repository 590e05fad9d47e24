"""The errors a user can meet: one class a noun.

Each message says where the fault is, what was expected, what was found, and what mends it. An error about a
file holds all faults of that file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_SHOWN = 20


class WaBenchError(Exception):
    """Base of all errors raised on purpose by this package."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: place, expectation, finding, remedy."""

    place: str
    expected: str
    found: str
    remedy: str | None = None

    def __str__(self) -> str:
        text = f"{self.place}: expected {self.expected}, found {self.found}"
        return f"{text}; {self.remedy}" if self.remedy else text


class FaultyInputError(WaBenchError):
    """An input with one or more faults; ``faults`` holds them all, the message the first twenty."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        lines = [str(fault) for fault in self.faults[:_SHOWN]]
        if hidden := len(self.faults) - len(lines):
            lines.append(f"... and {hidden} more")
        super().__init__("\n".join(lines))


def shown(value: object, longest: int = 80) -> str:
    """A value from a stranger for an error message: escaped, on one line, and cut short."""
    try:
        return ascii(value)[:longest]
    except ValueError:
        return f"a value of type {type(value).__name__} too large to show"


class RecordError(FaultyInputError):
    """Raw records that do not fit the schema."""


class DataError(FaultyInputError):
    """A dataset, split or file that is not there or not what it should be."""


class PredictionsError(FaultyInputError):
    """A table of predictions that cannot be scored as it is."""


class SubmissionError(FaultyInputError):
    """A submission folder that cannot be accepted as it is."""


class UnknownNameError(WaBenchError):
    """A track, surrogate, metric or group that does not exist; lists those that do."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown {what} {name!r}; expected one of: {', '.join(sorted(known))}")


class NotFittedError(WaBenchError):
    """A surrogate was asked to predict or save before it was fitted."""


class ToolError(WaBenchError):
    """An outside program (simulator, synthesizer) failed, or a design failed in it."""


class MissingToolError(ToolError):
    """An outside program or an optional package is not installed; the message says how to install it."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around imports of optional packages: name the extra that installs what is missing.

    Raises:
        MissingToolError: a package imported in the block is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"expected the package {error.name}, found none; install it: pip install 'wa-bench[{extra}]'"
        raise MissingToolError(message) from None
