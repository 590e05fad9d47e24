"""Fuzz the JSON array reader, guided by the coverage of its code and of the standard library's JSON decoder.

    python -m venv build/fuzz && build/fuzz/bin/pip install atheris msgspec
    PYTHONPATH=. build/fuzz/bin/python scripts/fuzz_json_array.py build/fuzz/corpus -max_total_time=600

The first four bytes of an input choose the sizes, the short reads and the chunk to take reading up again at; the text
follows. However it is cut, the reader must give each element that the standard library finds before the first damage,
as the same record or as a misfit with its place, then one error that names record and byte; all in bounded memory.

What follows the folder is passed on to libFuzzer. A finding ends the run and leaves its input in a file ``crash-...``;
with this file in place of the folder, the script shows the finding again.
"""

from __future__ import annotations

import codecs
import io
import json
import random
import re
import sys
from collections import Counter
from itertools import pairwise, product
from json import decoder, scanner
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple

import atheris
import msgspec

from wa_bench.errors import Fault, RecordError

with atheris.instrument_imports(include=["wa_bench.records.json_array"]):
    from wa_bench.records import json_array

HEAD = 4
BEGINNING = json_array.Position()
OPTIONS = ["-max_len=2048", "-timeout=2", "-rss_limit_mb=1024", "-print_final_stats=1"]
LAYOUTS: list[dict[str, Any]] = [{}, {"indent": 1}, {"indent": "\t"}, {"separators": (",", ":")}]
SEEDS: list[list[Any]] = [
    [],
    [{}, {}, {}],
    [{"a": index, "b": [{"a": 1}, {"a": 2.5e-3}]} for index in range(12)],
    [{"a": '},{"a":', "\\": '"\\'}, {"a": "\u00e9\u20ac\U0001f600"}, {"a": [None, True, False, -1e300, 2**70]}] * 3,
    [{"a": 1}, {"a": float("nan")}, {"a": "\ud800"}, 7.5, "a", [{"a": 1}, {"a": 2}], {"a": 1, "a ": float("inf")}] * 2,
]
TOKENS = [b'},{"a":', b'"a":', b"NaN", b"-Infinity", b"1e400", b"\\ud800", b"\\u0041", codecs.BOM_UTF8, b"[]", b"{}"]

Element = str | tuple[int, bytes]
"""A record, as Python shows it; place and text of what is none."""

counts: Counter[str] = Counter()


class Setting(NamedTuple):
    """The reader's sizes, and the seed of the short reads."""

    chunk: int
    largest: int
    seed: int


class Outcome(NamedTuple):
    """What reading gave: elements by index, where it can be taken up again, the fault it ended with."""

    elements: dict[int, Element]
    resumes: list[json_array.Position]
    fault: Fault | None


class Reference(NamedTuple):
    """What the standard library finds: elements before the damage; where array, elements and closing bracket start."""

    elements: list[Element]
    starts: list[int]
    sound: bool


class Sample(msgspec.Struct):
    """A record that few of the objects are: its misfits have fields to name."""

    a: int
    b: list[dict[str, float]] = []


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time and holds the reader's buffer to ``limit``."""

    def __init__(self, text: bytes, seed: int, limit: int) -> None:
        super().__init__(text)
        self._random = random.Random(seed)
        self._limit = limit

    def readinto(self, buffer: Any) -> int:
        """Fill some of ``buffer``, a view of all that the reader holds."""
        require(0 < len(buffer) <= len(buffer.obj) <= self._limit, f"a buffer of {len(buffer.obj)} bytes")
        return super().readinto(buffer[: self._random.choice([1, 7, 40, len(buffer)])])


class Guide(json.JSONDecoder):
    """The standard library's decoder in Python: its coverage leads the fuzzer through the grammar.

    It is no reference, being laxer than the decoder in C: it takes an underscore for a hexadecimal digit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parse_string = atheris.instrument_func(decoder.py_scanstring)
        self.parse_object = atheris.instrument_func(decoder.JSONObject)
        self.parse_array = atheris.instrument_func(decoder.JSONArray)
        self.scan_once = atheris.instrument_func(scanner.py_make_scanner)(self)


guide, plain = Guide(), json.JSONDecoder()


def require(condition: bool, complaint: str) -> None:
    if not condition:
        raise AssertionError(complaint)


def strict(text: bytes) -> Any:
    """The value of ``text``; refuses NaN, numbers beyond a double, and half a surrogate pair, as msgspec does."""

    def refuse(number: str) -> Any:
        raise ValueError(number)

    def finite(number: str) -> float:
        return refuse(number) if isinf(float(number)) else float(number)

    value = json.loads(text.decode(), parse_constant=refuse, parse_float=finite)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def element(place: int, text: bytes) -> Element:
    try:
        value = strict(text)
    except ValueError:
        return place, text
    return repr(value) if isinstance(value, dict) else (place, text)


def reference(text: bytes) -> Reference:
    """Walk the array, element by element."""
    letters = text.decode("latin-1")

    def behind_blanks(place: int) -> int:
        return len(letters) - len(letters[place:].lstrip(" \t\r\n"))

    elements: list[Element] = []
    starts = [behind_blanks(3 if text.startswith(codecs.BOM_UTF8) else 0)]
    if not letters.startswith("[", starts[0]):
        return Reference(elements, starts, sound=False)
    starts.append(behind_blanks(starts[0] + 1))
    mark = "]" if letters.startswith("]", starts[1]) else ","
    while mark == ",":
        try:
            guide.raw_decode(letters, starts[-1])
            _, end = plain.raw_decode(letters, starts[-1])
        except ValueError:
            return Reference(elements, starts, sound=False)
        elements.append(element(starts[-1], text[starts[-1] : end]))
        end = behind_blanks(end)
        mark = letters[end : end + 1]
        starts.append(behind_blanks(end + 1) if mark == "," else end)
    return Reference(elements, starts, sound=mark == "]" and behind_blanks(starts[-1] + 1) == len(letters))


def outcome(
    text: bytes,
    setting: Setting,
    kind: type = dict,
    resume: json_array.Position = BEGINNING,
    tolerant: bool = True,
) -> Outcome:
    """What reading gives; past misfits, if ``tolerant``."""
    json_array.CHUNK, json_array.LARGEST, seed = setting
    stream = Trickle(text[resume.offset :], seed, 2 * setting.largest + setting.chunk)
    found: dict[int, Element] = {}
    resumes = []

    def note(index: int, item: Element) -> None:
        require(index not in found, f"record {index} twice")
        found[index] = item

    def on_misfit(misfit: json_array.Misfit) -> None:
        index, byte = place_of(json_array.misfit_fault("a.json", misfit))
        require(misfit.position == json_array.Position(index, byte), "a misfit elsewhere")
        note(index, (byte, misfit.text))

    try:
        for chunk in json_array.read_array(stream, kind, "a.json", resume, on_misfit if tolerant else None):
            resumes.append(chunk.resume)
            for index, record in enumerate(chunk.records, chunk.index):
                note(index, repr(record))
    except RecordError as error:
        (fault,) = error.faults
        return Outcome(found, resumes, fault)
    return Outcome(found, resumes, None)


def place_of(fault: Fault) -> tuple[int, int]:
    """Record and byte that an error names."""
    match = re.fullmatch(r"a\.json, record (\d+), byte ([\d,]+)(, field .+)?", fault.place)
    require(match is not None, f"no place: {fault}")
    return int(match[1]), int(match[2].replace(",", ""))  # type: ignore[index]


def judge(text: bytes, setting: Setting, found: Outcome, there: Reference) -> None:
    """Hold one outcome to the reference."""
    count = len(found.elements)
    require(found.elements == dict(enumerate(there.elements[:count])), "a wrong record")
    if found.fault is None:
        require(there.sound and count == len(there.elements), "damage passed unnoticed")
    elif found.fault.place == "a.json":
        is_array = text.startswith(b"[", there.starts[0])
        require(not is_array or there.starts[0] >= setting.chunk - 1, "an array refused")
    else:
        start, behind = [*there.starts, len(text)][1 + count : 3 + count]
        at_damage = not there.sound and count >= len(there.elements) - 1
        index, byte = place_of(found.fault)
        require(index == count and start <= byte <= len(text), f"the wrong place: {found.fault}")
        if found.fault.expected.startswith("objects of at most"):
            counts["too large"] += 1
            size = (len(text) if at_damage else behind) - start
            require(size >= setting.largest, f"a small object refused: {found.fault}")
        else:
            require(at_damage, f"refused too early: {found.fault}")


def agree(one: Outcome, other: Outcome) -> None:
    """Two ways to read must give the same, unless a limit of one of them was met."""
    places = [fault and fault.place for _, _, fault in (one, other)]
    limits = [fault and fault.expected for _, _, fault in (one, other)]
    if not any(limit and limit.startswith(("objects of at most", "a JSON array")) for limit in limits):
        require(one.elements == other.elements and places[0] == places[1], f"two outcomes: {one}, {other}")


def check(data: bytes) -> None:
    """Try one input."""
    counts["inputs"] += 1
    if counts["inputs"] % 50_000 == 0:
        print(", ".join(f"{count:,} {what}" for what, count in counts.most_common()), flush=True)
    head, text = data[:HEAD].ljust(HEAD, b"\0"), data[HEAD:]
    chunk = 8 + head[0]
    setting = Setting(chunk, chunk << head[1] % 5, head[2])
    ample = Setting(1 << 13, 1 << 13, head[2])
    whole, cut, impatient = outcome(text, ample), outcome(text, setting), outcome(text, setting, tolerant=False)
    try:
        there = reference(text)
    except RecursionError:
        counts["nested too deep for the reference"] += 1
        return
    counts["sound" if there.sound else "damaged" if len(there.starts) > 1 else "no array"] += 1
    judge(text, ample, whole, there)
    judge(text, setting, cut, there)
    agree(whole, cut)

    first = next((index for index, item in cut.elements.items() if isinstance(item, tuple)), None)
    if first is None:
        agree(impatient, cut)
    else:
        counts["with misfits"] += 1
        place = f"a.json, record {first}, byte {cut.elements[first][0]:,}"
        before = {index: item for index, item in cut.elements.items() if index < first}
        agree(impatient, Outcome(before, [], Fault(place, "", "")))
    typed = outcome(text, setting, Sample)
    agree(*(found._replace(elements=dict.fromkeys(found.elements, "")) for found in (typed, cut)))
    if cut.resumes:
        resume = cut.resumes[head[3] % len(cut.resumes)]
        behind = {index: item for index, item in cut.elements.items() if index >= resume.index}
        agree(outcome(text, setting, resume=resume), Outcome(behind, [], cut.fault))


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Damage an input, or make a sound array of its elements, which libFuzzer alone rarely does."""
    draw = random.Random(seed)
    head, text = data[:HEAD], data[HEAD:]
    if draw.random() < 0.7 or text.count(b"[") + text.count(b"{") > 100:
        return atheris.Mutate(data, most)
    starts = reference(text).starts[1:]
    pieces = [text[start:end].rstrip(b" \t\r\n,") for start, end in pairwise(starts)] or [b"{}"]
    opening = draw.choice([b"[", b"[\n", b" [", b"\v[", codecs.BOM_UTF8 + b"\n["])
    between = draw.choice([b",", b", ", b",\n  ", b" ,\r\n\t"])
    chosen = between.join(draw.choices(pieces, k=draw.randint(1, 2 * len(pieces))))
    return (head + opening + chosen)[: most - 1] + b"]"


def sow(folder: Path) -> None:
    """Write the seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deep").write_bytes(bytes(HEAD) + b'[{"a":' + b"[" * 1500)
    for number, (written, layout, ascii_only) in enumerate(product(SEEDS, LAYOUTS, [True, False])):
        text = json.dumps(written, ensure_ascii=ascii_only, **layout).encode(errors="surrogatepass")
        for size in (0, 40, 200):
            head = bytes([size, number, size + number, number])
            (folder / f"{number}-{size}").write_bytes(head + (b"" if ascii_only else codecs.BOM_UTF8) + text)
            (folder / f"{number}-{size}-short").write_bytes(head + text[: len(text) * 2 // 3])


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("error: expected the folder of the corpus or a file to try again, found nothing")
    target = Path(sys.argv[1])
    if not target.is_file():
        sow(target)
        tokens = target.with_suffix(".dict")
        escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS)
        tokens.write_text("".join(f'"{token}"\n' for token in escaped))
        OPTIONS.append(f"-dict={tokens}")
    atheris.Setup([sys.argv[0], *OPTIONS, *sys.argv[1:]], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
