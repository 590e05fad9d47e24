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

SLUG_PATTERN = r"^[a-z0-9][a-z0-9-]{0,38}[a-z0-9]$(?!\n)"
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\n]*$")]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
_Link = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s\"'<>]+$", max_length=300)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


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
    parameters: Annotated[int, msgspec.Meta(ge=0, le=10**15)] | None = None
    hardware: _Line | None = None
    seconds_per_design: _Seconds | None = None


def read_card(path: Path) -> Card:
    """The card in a YAML file.

    Raises:
        SubmissionError: all faults of the card at once.
    """
    fields = _read_yaml(path)
    known = get_type_hints(Card, include_extras=True)
    faults = [
        Fault(f"{path.name}, field {_shown(name)}", f"one of {', '.join(known)}", "an unknown field")
        for name in fields
        if name not in known
    ]
    required = {field.name for field in msgspec.structs.fields(Card) if field.required}
    values: dict[str, Any] = {}
    for name, annotation in known.items():
        if name in fields:
            try:
                values[name] = msgspec.convert(fields[name], annotation, strict=False)
                faults += _text_faults(values[name], f"{path.name}, field {name}")
            except msgspec.ValidationError as error:
                expected = _EXPECTED.get(name) or str(error).removeprefix("Expected ").partition(" - at ")[0]
                faults.append(Fault(f"{path.name}, field {name}", expected, _shown(fields[name])))
        elif name in required:
            faults.append(Fault(f"{path.name}, field {name}", "a value", "nothing"))
    if faults:
        raise SubmissionError(*faults)
    return Card(**values)


_EXPECTED = {
    "slug": "2 to 40 small letters, digits and hyphens, such as my-surrogate",
    "kind": "surrogate or control",
    "code": "a link that starts with https://",
}


def _text_faults(value: Any, place: str) -> list[Fault]:
    """Text must show what it holds: no control, formatting or lone surrogate characters, and not only blanks."""
    texts = value if isinstance(value, list) else [value]
    bad = [text for text in texts if isinstance(text, str) and not _is_plain(text)]
    return [Fault(place, "text of visible characters", _shown(text)) for text in bad]


def _is_plain(text: str) -> bool:
    return bool(text.strip()) and text.replace("\n", "").isprintable()


def _shown(value: Any) -> str:
    """A value for an error message: short, and escaped."""
    try:
        return ascii(value)[:80]
    except ValueError:
        return f"a value of type {type(value).__name__} too large to show"


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
        repeated = _repeated_keys(yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise SubmissionError(Fault(path.name, "readable YAML in UTF-8", reason)) from None
    if not isinstance(fields, dict):
        raise SubmissionError(Fault(path.name, "fields such as 'name: ...'", type(fields).__name__))
    if repeated:
        raise SubmissionError(Fault(path.name, "each field once", f"{', '.join(map(_shown, repeated))} again"))
    return fields


def _repeated_keys(node: yaml.Node | None) -> list[str]:
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    return sorted({str(key) for key in keys if keys.count(key) > 1 or key == "<<"})
