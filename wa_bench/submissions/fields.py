"""Fields of a YAML file against those of a struct: all faults at once, in text that shows what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from wa_bench.data.limits import LARGEST_YAML
from wa_bench.errors import Fault, SubmissionError, shown
from wa_bench.plain_yaml import read_yaml

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\n]*$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Link = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s\"'<>]+$", max_length=300)]


def read_fields(
    path: Path, kind: type[msgspec.Struct], expected: Mapping[str, str]
) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of a YAML file that fit those of ``kind``, and the faults of all others and of those that lack.

    ``expected`` says what a field must hold where the type alone does not say it well.

    Raises:
        SubmissionError: the file is no plain mapping.
    """
    fields = read_yaml(path, SubmissionError, LARGEST_YAML)
    known, required = _fields_of(kind)
    faults = [
        Fault(f"{path.name}, field {shown(name)}", f"one of {', '.join(known)}", "an unknown field")
        for name in fields
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, annotation in known.items():
        place = f"{path.name}, field {name}"
        if fields.get(name) is None and name in required:
            faults.append(Fault(place, "a value", "nothing"))
        elif name in fields:
            try:
                values[name] = msgspec.convert(fields[name], annotation, strict=False)
                faults += _text_faults(values[name], place)
            except msgspec.ValidationError as error:
                reason = expected.get(name) or str(error).removeprefix("Expected ").partition(" - at ")[0]
                faults.append(Fault(place, reason, shown(fields[name])))
    return values, faults


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[dict[str, Any], set[str]]:
    """The types of the fields, and the names of those that must be there."""
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    return get_type_hints(kind, include_extras=True), required


def _text_faults(value: Any, place: str) -> list[Fault]:
    """Text must show what it holds: no control, formatting or lone surrogate characters, and not only blanks."""
    texts = value if isinstance(value, list) else [value]
    bad = [text for text in texts if isinstance(text, str) and not _is_plain(text)]
    return [Fault(place, "text of visible characters", shown(text)) for text in bad]


def _is_plain(text: str) -> bool:
    return bool(text.strip()) and text.replace("\n", "").isprintable()
