"""The card of a submission: who made the predictions, how, and from what."""

from __future__ import annotations

import json
import textwrap
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from wa_bench.errors import Fault, SubmissionError, shown
from wa_bench.files import write_text
from wa_bench.submissions import names
from wa_bench.submissions.fields import Line, Link, Text, read_fields

CARD_FILE = "card.yaml"
SCHEMA_FILE = "card.schema.json"

SLUG_PATTERN = r"^[a-z0-9][a-z0-9-]{0,38}[a-z0-9]$(?!\n)"
_Slug = Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN)]
_Authors = Annotated[list[Line], msgspec.Meta(min_length=1, max_length=50)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


Family = Literal["gnn", "transformer", "mlp", "trees", "analytic", "ensemble", "other"]


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Card of a submission. Each field's description also stands in the JSON Schema and in the template.

    ``kind`` tells surrogates from controls, which bound the scale and take no rank. ``seconds_per_design`` (seconds)
    and ``joules_per_design`` (joules) are measured over one inference on ``hardware``. Which fields the benchmark's
    paper requires, recommends and suggests: arXiv:2511.05615, section 3.1.
    """

    name: Annotated[Line, _about(f"Shown on the board. {names.EXPECTED}; it must not look like another submission's.")]
    slug: Annotated[_Slug, _about("Name of the folder: 2 to 40 small letters, digits and hyphens.")]
    track: Annotated[Line, _about("What is predicted: hls4ml, opensynth, ...")]
    kind: Annotated[
        Literal["surrogate", "control"],
        _about("A control bounds the scale and takes no rank; all else is a surrogate."),
    ] = "surrogate"
    family: Annotated[
        Family,
        _about("What kind of model it is, for the board's filter."),
    ] = "other"
    authors: Annotated[_Authors, _about("Who made it: one name a line.")]
    licence: Annotated[Line, _about("Licence of code and weights, such as Apache-2.0, or 'closed'.")]
    method: Annotated[
        Text, _about("How it predicts, in enough detail to build it again: inputs, architecture, loss, training.")
    ]
    training_data: Annotated[Line, _about("All data it learned from, such as 'wa-hls4ml, train split', or 'none'.")]
    labels: Annotated[Line, _about("Which truth it learned: post-synthesis, HLS estimates, or 'none' for formulas.")]
    code: Annotated[Link | None, _about("Source code.")] = None
    reproduce: Annotated[
        Text | None, _about("How to make the predictions again: commands, one a line, '#' before what is said of them.")
    ] = None
    weights: Annotated[Link | None, _about("Trained weights.")] = None
    paper: Annotated[Link | None, _about("Where it is described at length.")] = None
    parameters: Annotated[_Count | None, _about("Number of trained parameters.")] = None
    hardware: Annotated[Line | None, _about("What inference ran on, such as 'one NVIDIA A100' or '8 CPU cores'.")] = (
        None
    )
    seconds_per_design: Annotated[_Positive | None, _about("Measured inference time of one design, in seconds.")] = None
    joules_per_design: Annotated[_Positive | None, _about("Measured energy of one inference, in joules.")] = None
    submitted: Annotated[
        date | None, _about("Day on which it was proposed, such as 2026-11-22; by it the feed lists new submissions.")
    ] = None


def read_card(path: Path) -> Card:
    """The card in a YAML file.

    Raises:
        SubmissionError: all faults of the card at once.
    """
    values, faults = read_fields(path, Card, _EXPECTED)
    name = values.get("name")
    if name is not None and not names.is_plain_name(name):
        faults.append(Fault(f"{path.name}, field name", names.EXPECTED, shown(name)))
    if faults:
        raise SubmissionError(*faults)
    return Card(**values)


_HTTPS = "a link that starts with https://"
_EXPECTED = {
    "slug": "2 to 40 small letters, digits and hyphens, such as my-surrogate",
    "kind": "surrogate or control",
    "authors": "a list of 1 to 50 names",
    "code": _HTTPS,
    "weights": _HTTPS,
    "paper": _HTTPS,
    "submitted": "a date such as 2026-11-22",
}


def write_card(path: Path, card: Card) -> None:
    """Write ``card`` as YAML; unset fields are left out."""
    fields = {name: value for name, value in msgspec.structs.asdict(card).items() if value is not None}
    write_text(path, yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
)


def schema_text() -> str:
    """JSON Schema of a card, as it is shipped beside this module."""
    return json.dumps(_schema(), indent=1) + "\n"


def _schema() -> dict[str, Any]:
    _, components = msgspec.json.schema_components([Card])
    head = {"$schema": "http://json-schema.org/draft-07/schema#", **components["Card"]}
    return {
        **head,
        "title": "Card of a wa-bench submission",
        "description": "Who made the predictions, how, from what.",
    }


def template(slug: str, track: str) -> str:
    """A card to fill in: each field below its description, the required ones empty, the others commented out."""
    schema = _schema()
    given = {"slug": slug, "track": track, "authors": "\n  -"}
    lines = [f"# yaml-language-server: $schema={SCHEMA_FILE}", "# Required:"]
    recommended: list[str] = []
    for name, about in schema["properties"].items():
        comment = textwrap.fill(about["description"], 100, initial_indent="# ", subsequent_indent="# ")
        value = given.get(name) or about.get("default")
        if name in schema["required"] or value:
            lines += ["", comment, f"{name}: {value or ''}".rstrip().replace(": \n", ":\n")]
        else:
            recommended += ["", comment, f"# {name}:"]
    return "\n".join(
        [*lines, "", "# Recommended; take away the '# ' before a field that you fill in:", *recommended, ""]
    )
