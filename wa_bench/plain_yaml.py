"""YAML from strangers: one mapping of plain values, of limited size and depth, without anchors and aliases."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from wa_bench.errors import Fault, FaultyInputError, shown

_Loader = yaml.SafeLoader | yaml.CSafeLoader
_FASTEST: type[_Loader] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_MAX_DEPTH = 16
_OPENS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_TOO_DEEP = "maximum nesting depth"
"""What PyYAML from 6.0.4 says of the deepest nesting, before it tells of any token."""


def read_yaml(
    path: Path,
    error: type[FaultyInputError],
    largest: int,
    loader: type[_Loader] = _FASTEST,
    *,
    tags: bool = False,
) -> dict[Any, Any]:
    """The mapping in a YAML or JSON file, whose fields are each there once at every depth.

    Args:
        path: the file.
        error: what is raised.
        largest: bytes that it may have.
        loader: what makes values of tags, where these are allowed.
        tags: whether they are.

    Raises:
        FaultyInputError: the given one: no file, too large, no plain YAML in UTF-8, or no mapping.
    """
    if not path.is_file():
        raise error(Fault(str(path), "a YAML file", "nothing"))
    if (size := path.stat().st_size) > largest:
        raise error(Fault(path.name, f"at most {largest:,} bytes", f"{size:,} bytes"))
    try:
        text = path.read_text(encoding="utf-8")
        if fault := _hostile(text, path.name, loader, tags=tags):
            raise error(fault)
        root = yaml.compose(text, loader)
        repeated = _repeated_keys(root)
        fields = loader("").construct_document(root) if root is not None else None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as damage:
        if _TOO_DEEP in str(damage) and isinstance(damage, yaml.MarkedYAMLError) and damage.problem_mark is not None:
            raise error(_too_deep(path.name, damage.problem_mark)) from None
        reason = re.sub(r"\s+", " ", str(damage))[:200]
        raise error(Fault(path.name, "readable YAML in UTF-8", reason)) from None
    if not isinstance(fields, dict):
        raise error(Fault(path.name, "fields such as 'name: ...'", type(fields).__name__))
    if repeated:
        raise error(Fault(path.name, "each field once", f"{', '.join(map(shown, repeated))} again"))
    return fields


def _hostile(text: str, name: str, loader: type[_Loader], *, tags: bool) -> Fault | None:
    """What costs more than it tells; deep nesting also before the parser, whose time grows with its square."""
    depth = 0
    refused = (yaml.AnchorToken, yaml.AliasToken, *(() if tags else (yaml.TagToken,)))
    for token in yaml.scan(text, loader):
        if isinstance(token, refused):
            place = f"{name}, line {token.start_mark.line + 1}"
            return Fault(place, "plain YAML", "an anchor or alias" if tags else "a tag, anchor or alias")
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > _MAX_DEPTH:
            return _too_deep(name, token.start_mark)
    return None


def _too_deep(name: str, mark: yaml.Mark) -> Fault:
    return Fault(f"{name}, line {mark.line + 1}", f"readable YAML of at most {_MAX_DEPTH} levels", "more")


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
