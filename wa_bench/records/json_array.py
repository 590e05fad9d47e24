"""Records of a text that is one JSON array of objects, in bounded memory, while it is still arriving.

``msgspec`` decodes whole arrays at hundreds of megabytes a second, so the text is cut into arrays of about a
megabyte. Where to cut is a guess: the last occurrence of what stood between two earlier objects. A wrong guess
cannot pass unnoticed, because no part of an array that ends within an object is valid JSON once it is closed.
Where the guess fails, the standard library finds the objects one by one: any layout, at half the speed.
"""

from __future__ import annotations

import codecs
import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import msgspec

from wa_bench.errors import Fault, RecordError

R = TypeVar("R")

CHUNK = 1 << 20
"""Bytes of text decoded at a time."""
LARGEST = 4 << 20
"""Bytes of text that one object may have."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_FIRST_KEY = re.compile(r'\{[ \t\r\n]*"[^"\\]*"')
_LONGEST_TOKEN = 12
_TOKEN = re.compile(r"[\w.+\\-]*", re.ASCII)
"""What may stand at the end of a text that was cut within a literal, a number or an escape."""
_WRONG_GUESSES = 8
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NO_JSON = "JSON knows no NaN or Infinity, and its text is UTF-8"


class ByteStream(Protocol):
    """What can be read: a file, a decompressor, a response that is still arriving."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the start of ``buffer``; the number of bytes read, 0 at the end."""


@dataclass(frozen=True)
class Position:
    """A boundary between records: the ``index`` of the next one and the byte ``offset`` to read it from."""

    index: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Chunk(Generic[R]):
    """Consecutive records, the first of which has ``index``. Reading can be taken up again at ``resume``."""

    resume: Position
    index: int
    records: list[R]


class Misfit(NamedTuple):
    """An object of the array that is no record: where it stands, its text, and what msgspec says of it."""

    position: Position
    text: bytes
    complaint: str


def read_array(
    stream: ByteStream,
    kind: type[R],
    name: str,
    resume: Position = Position(),
    on_misfit: Callable[[Misfit], None] | None = None,
) -> Iterator[Chunk[R]]:
    """Yield the objects of a JSON array as records of ``kind``, a chunk at a time.

    Args:
        stream: the text, from ``resume.offset`` on.
        kind: the type to decode each object to; numbers may be given as strings.
        name: what error messages call the text.
        resume: the ``resume`` of an earlier chunk.
        on_misfit: is told of each object that is whole but no record; where None, the first one raises.

    Raises:
        RecordError: the text is damaged, no array, or holds an object beyond ``LARGEST``; names record and byte.
    """
    return _Reader(stream, kind, name, resume, on_misfit).chunks()


def misfit_fault(name: str, misfit: Misfit) -> Fault:
    """What is wrong with an object of the text called ``name``, and where."""
    place = _place(name, misfit.position)
    complaint, _, path = misfit.complaint.partition(" - at ")
    try:
        raw = msgspec.json.decode(misfit.text)
    except _UNDECODABLE:
        return Fault(place, "a whole JSON object", f"text that is no JSON ({complaint})", _NO_JSON)
    field = path.strip("`").removeprefix("$").removeprefix(".")
    if field:
        place += f", field {field}"
    if missing := re.match(r"Object missing required field `(\w+)`", complaint):
        return Fault(place, f"the field {missing[1]}", "none")
    expected = complaint.removeprefix("Expected ").partition(", got")[0].replace("`", "")
    expected = re.sub(r"\bint\b", "whole number", expected).replace("float", "number")
    return Fault(place, expected, _shown(raw, field))


def _place(name: str, position: Position) -> str:
    return f"{name}, record {position.index}, byte {position.offset:,}"


def _shown(raw: Any, path: str) -> str:
    """Type and text of the value at ``path``, such as ``layers[2].name``."""
    value = raw
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            break
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = "of great size or depth"
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


@contextmanager
def without_collection() -> Iterator[None]:
    """Put off the search for reference cycles: records have none, and it takes a third of the time to decode them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader(Generic[R]):
    """``_text`` holds an opening bracket and then what follows the boundary ``_next``."""

    def __init__(
        self,
        stream: ByteStream,
        kind: type[R],
        name: str,
        resume: Position,
        on_misfit: Callable[[Misfit], None] | None,
    ) -> None:
        self._stream = stream
        self._name = name
        self._on_misfit = on_misfit
        self._decode_array = msgspec.json.Decoder(list[kind], strict=False).decode  # type: ignore[valid-type]
        self._decode_object = msgspec.json.Decoder(kind, strict=False).decode
        self._next = resume
        self._text = bytearray(b"[")
        self._filled = 1
        self._at_end = False
        self._closed = False
        self._between: bytes | None = None
        self._wrong_guesses = 0

    def chunks(self) -> Iterator[Chunk[R]]:
        self._fill(CHUNK)
        if not self._next.offset:
            self._open()
        while not self._closed:
            self._fill(CHUNK)
            chunk = self._by_guess()
            if chunk is None:
                yield from self._by_search()
            elif chunk.records:
                yield chunk

    def _fill(self, size: int) -> None:
        """Read on until ``size`` bytes are here, or the text ends."""
        if len(self._text) < size:
            self._text.extend(bytes(size - len(self._text)))
        with memoryview(self._text) as view:
            while self._filled < size and not self._at_end:
                try:
                    count = self._stream.readinto(view[self._filled : size]) or 0
                except OSError as error:
                    self._refuse(_Damage(self._filled - 1, "readable text", str(error), "fetch the file again"))
                self._filled += count
                self._at_end = not count

    def _forget(self, end: int, records: int) -> None:
        """Move the boundary over ``records`` records, to ``end`` in the text."""
        self._text[1 : 1 + self._filled - end] = self._text[end : self._filled]
        self._filled -= end - 1
        self._next = Position(self._next.index + records, self._next.offset + end - 1)

    def _open(self) -> None:
        """Step over the bracket that opens the array."""
        text = bytes(self._text[1 : self._filled])
        rest = text.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
        if not rest.startswith(b"["):
            first = rest[:1].decode("latin-1")
            raise RecordError(Fault(self._name, "a JSON array, so '[' first", f"{first!r} first"))
        self._forget(2 + len(text) - len(rest), 0)

    def _by_guess(self) -> Chunk[R] | None:
        """The records up to what looks like the last boundary; None where there is none or the guess is wrong."""
        if self._at_end:
            end = following = self._filled
        else:
            found = -1 if self._between is None else self._text.rfind(self._between, 1, self._filled)
            if found < 0:
                return None
            end = self._text.index(b",", found) + 1
            following = self._text.index(b"{", end)
        last, self._text[end - 1] = self._text[end - 1], self._text[end - 1] if self._at_end else ord("]")
        try:
            with memoryview(self._text) as view, without_collection():
                records = self._decode_array(view[:end])
        except _UNDECODABLE as error:
            self._text[end - 1] = last
            if not isinstance(error, msgspec.ValidationError):
                self._between = None
                self._wrong_guesses += 1
            return None
        chunk = Chunk(self._next, self._next.index, records)
        self._closed = self._at_end
        self._forget(following, len(records))
        return chunk

    def _by_search(self) -> Iterator[Chunk[R]]:
        """The records that are whole in the text at hand, found one by one; reads on until there is one."""
        found = self._search()
        while not found.spans and found.damage is None and not self._at_end and self._filled <= LARGEST:
            self._forget(1 + found.end, 0)
            self._fill(max(CHUNK, 2 * self._filled))
            found = self._search()
        yield from self._decoded(found.spans)
        self._learn(found.spans)
        self._forget(1 + found.end, len(found.spans))
        if found.damage is not None:
            self._refuse(found.damage)
        if not found.spans and not self._at_end:
            self._refuse(_Damage(0, f"objects of at most {LARGEST:,} bytes", "a larger one"))

    def _search(self) -> _Found:
        return _search(self._text[1 : self._filled].decode("latin-1"), self._at_end)

    def _decoded(self, spans: list[tuple[int, int]]) -> Iterator[Chunk[R]]:
        """Runs of records, with the misfits between them reported."""
        resume = self._next
        records: list[R] = []
        for index, (start, end) in enumerate(spans, resume.index):
            text = bytes(self._text[1 + start : 1 + end])
            try:
                records.append(self._decode_object(text))
            except _UNDECODABLE as error:
                if records:
                    yield Chunk(resume, index - len(records), records)
                    records = []
                misfit = Misfit(Position(index, resume.offset + start), text, str(error))
                if self._on_misfit is None:
                    raise RecordError(misfit_fault(self._name, misfit)) from None
                self._on_misfit(misfit)
        if records:
            yield Chunk(resume, resume.index + len(spans) - len(records), records)

    def _learn(self, spans: list[tuple[int, int]]) -> None:
        """Take what stands between the first two objects for what stands between all of them."""
        if len(spans) < 2 or self._wrong_guesses >= _WRONG_GUESSES:
            return
        (_, end), (start, after) = spans[:2]
        text = self._text[end : 1 + after].decode("latin-1")
        key = _FIRST_KEY.match(text, 1 + start - end)
        if key is not None:
            self._between = text[: key.end()].encode("latin-1")

    def _refuse(self, damage: _Damage) -> NoReturn:
        place = _place(self._name, Position(self._next.index, self._next.offset + damage.place))
        raise RecordError(Fault(place, damage.expected, damage.found, damage.remedy))


class _Damage(NamedTuple):
    """What is wrong at ``place``, counted from the last boundary."""

    place: int
    expected: str
    found: str
    remedy: str | None = None


class _Found(NamedTuple):
    """Whole objects in a text, the boundary behind them, and the damage there, if any."""

    spans: list[tuple[int, int]]
    end: int
    damage: _Damage | None = None


_scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def _search(text: str, at_end: bool) -> _Found:
    """The objects in ``text``, which stands inside an array from a boundary on; more follows unless ``at_end``.

    The last object counts once it is certain that another one, or the end of the array, follows.
    """
    spans: list[tuple[int, int]] = []
    start = _behind_blanks(text, 0)
    while start < len(text) and text[start] != "]":
        try:
            _, end = _scan(text, start)
        except (ValueError, RecursionError) as error:
            return _Found(spans, start, _damage(error, text, start, at_end))
        following = _behind_blanks(text, end)
        separator = text[following : following + 1]
        if separator == ",":
            following = _behind_blanks(text, following + 1)
        if following == len(text):
            break
        if separator not in ",]" or (separator == "," and text[following] == "]"):
            if not at_end and following > len(text) - _LONGEST_TOKEN:
                break
            found = repr(text[following : following + 20])
            return _Found(spans, start, _Damage(following - start, "objects with one comma between them", found))
        spans.append((start, end))
        start = following
    behind = _behind_blanks(text, start + 1)
    if start < len(text) and text[start] == "]" and behind < len(text):
        found = repr(text[behind : behind + 20])
        return _Found(spans, start, _Damage(behind - start, "nothing behind the array", found))
    if at_end and text[start : start + 1] != "]":
        return _Found(spans, start, _Damage(len(text) - start, *_CUT))
    return _Found(spans, start)


_CUT = ("a whole JSON array", "the end of the text", "it was cut short: download the file again")


def _damage(error: Exception, text: str, start: int, at_end: bool) -> _Damage | None:
    """What the failed scan of an object means: damage, a text cut short, or None where more of it may come."""
    place = getattr(error, "pos", start)
    tail = text[place:]
    cut = str(error).startswith("Unterminated string") or (len(tail) < _LONGEST_TOKEN and _TOKEN.fullmatch(tail))
    if not cut or isinstance(error, RecursionError):
        complaint = str(error).partition(": line")[0]
        return _Damage(place - start, "a whole JSON object", f"text that is no JSON ({complaint})", _NO_JSON)
    return _Damage(len(text) - start, *_CUT) if at_end else None


def _behind_blanks(text: str, start: int) -> int:
    """Where the blanks at ``start`` end."""
    match = _BLANKS.match(text, start)
    return start if match is None else match.end()
