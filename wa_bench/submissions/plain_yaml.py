"""YAML from strangers: one mapping of plain values, of limited size, without tags, anchors, aliases or merges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
import yaml

from wa_bench.data.limits import LARGEST_YAML
from wa_bench.errors import Fault, SubmissionError, shown

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\n]*$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Link = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s\"'<>]+$", max_length=300)]

_MAX_DEPTH = 16
_OPENS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def read_yaml(path: Path) -> dict[Any, Any]:
    """The mapping in a YAML file of at most 64 KiB, whose fields are each there once at every depth.

    Raises:
        SubmissionError: no file, too large, no plain YAML in UTF-8, or no mapping.
    """
    if not path.is_file():
        raise SubmissionError(Fault(str(path), "a YAML file", "nothing"))
    if (size := path.stat().st_size) > LARGEST_YAML:
        raise SubmissionError(Fault(path.name, f"at most {LARGEST_YAML:,} bytes", f"{size:,} bytes"))
    try:
        text = path.read_text(encoding="utf-8")
        _check_tokens(text, path.name)
        fields = yaml.load(text, yaml.SafeLoader)
        repeated = _repeated_keys(yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise SubmissionError(Fault(path.name, "readable YAML in UTF-8", reason)) from None
    if not isinstance(fields, dict):
        raise SubmissionError(Fault(path.name, "fields such as 'name: ...'", type(fields).__name__))
    if repeated:
        raise SubmissionError(Fault(path.name, "each field once", f"{', '.join(map(shown, repeated))} again"))
    return fields


def read_fields(
    path: Path, kind: type[msgspec.Struct], expected: Mapping[str, str]
) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of a YAML file that fit those of ``kind``, and the faults of all others and of those that lack.

    ``expected`` says what a field must hold where the type alone does not say it well.

    Raises:
        SubmissionError: the file is no plain mapping.
    """
    fields = read_yaml(path)
    known = get_type_hints(kind, include_extras=True)
    faults = [
        Fault(f"{path.name}, field {shown(name)}", f"one of {', '.join(known)}", "an unknown field")
        for name in fields
        if name not in known
    ]
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
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


def _text_faults(value: Any, place: str) -> list[Fault]:
    """Text must show what it holds: no control, formatting or lone surrogate characters, and not only blanks."""
    texts = value if isinstance(value, list) else [value]
    bad = [text for text in texts if isinstance(text, str) and not _is_plain(text)]
    return [Fault(place, "text of visible characters", shown(text)) for text in bad]


def _is_plain(text: str) -> bool:
    return bool(text.strip()) and text.replace("\n", "").isprintable()


def _check_tokens(text: str, name: str) -> None:
    """Refuse what costs more than it tells; deep nesting also before the parser, whose time grows with its square."""
    depth = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        place = f"{name}, line {token.start_mark.line + 1}"
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            raise SubmissionError(Fault(place, "plain YAML", "a tag, anchor or alias"))
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > _MAX_DEPTH:
            raise SubmissionError(Fault(place, f"readable YAML of at most {_MAX_DEPTH} levels", "more"))


def _repeated_keys(root: yaml.Node | None) -> list[str]:
    """Keys that stand twice in a mapping at any depth, and merge keys."""
    repeated, nodes = set(), [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            counts = Counter(str(key.value) for key, _ in node.value)
            repeated |= {key for key, count in counts.items() if count > 1 or key == "<<"}
            nodes += [value for _, value in node.value]
    return sorted(repeated)
