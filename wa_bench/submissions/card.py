"""The card of a submission: who made the predictions, how, and from what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import yaml

from wa_bench.errors import Fault, SubmissionError
from wa_bench.files import write_text

CARD_FILE = "card.yaml"
_MAX_BYTES = 64 * 1024

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
_Link = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s\"'<>]+$", max_length=300)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Card of a submission.

    ``kind`` tells surrogates from controls, which bound the scale and take no rank. ``labels`` says which truth the
    surrogate learned from (``none`` for formulas). ``seconds_per_design`` is inference time on ``hardware``.
    """

    name: _Line
    slug: Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN)]
    track: _Line
    kind: Literal["surrogate", "control"] = "surrogate"
    authors: Annotated[list[_Line], msgspec.Meta(min_length=1, max_length=50)]
    licence: _Line
    method: _Text
    training_data: _Line
    labels: _Line
    code: _Link | None = None
    parameters: Annotated[int, msgspec.Meta(ge=0)] | None = None
    hardware: _Line | None = None
    seconds_per_design: _Positive | None = None


def read_card(path: Path) -> Card:
    """The card in a YAML file.

    Raises:
        SubmissionError: all faults of the card at once.
    """
    fields = _read_yaml(path)
    faults: list[Fault] = []
    known = get_type_hints(Card, include_extras=True)
    for name in fields.keys() - known.keys():
        faults.append(Fault(f"{path.name}, field {str(name)[:40]!r}", f"one of {', '.join(known)}", "an unknown field"))
    required = {field.name for field in msgspec.structs.fields(Card) if field.required}
    values: dict[str, Any] = {}
    for name, annotation in known.items():
        if name in fields:
            try:
                values[name] = msgspec.convert(fields[name], annotation)
            except msgspec.ValidationError as error:
                expected = str(error).removeprefix("Expected ").partition(" - at ")[0]
                faults.append(Fault(f"{path.name}, field {name}", expected, repr(fields[name])[:80]))
        elif name in required:
            faults.append(Fault(f"{path.name}, field {name}", "a value", "nothing"))
    if faults:
        raise SubmissionError(*faults)
    return Card(**values)


def write_card(path: Path, card: Card) -> None:
    """Write ``card`` as YAML; unset fields are left out."""
    fields = {name: value for name, value in msgspec.structs.asdict(card).items() if value is not None}
    write_text(path, yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100))


def _read_yaml(path: Path) -> dict[Any, Any]:
    """A YAML mapping without tags, anchors or aliases, of limited size."""
    if not path.is_file():
        raise SubmissionError(Fault(str(path), "a card", "nothing"))
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise SubmissionError(Fault(path.name, f"at most {_MAX_BYTES:,} bytes", f"{size:,} bytes"))
    try:
        text = path.read_text(encoding="utf-8")
        for token in yaml.scan(text, yaml.SafeLoader):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
                place = f"{path.name}, line {token.start_mark.line + 1}"
                raise SubmissionError(Fault(place, "plain YAML", "a tag, anchor or alias"))
        fields = yaml.load(text, yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise SubmissionError(Fault(path.name, "readable YAML in UTF-8", reason)) from None
    if not isinstance(fields, dict):
        raise SubmissionError(Fault(path.name, "fields such as 'name: ...'", type(fields).__name__))
    return fields
