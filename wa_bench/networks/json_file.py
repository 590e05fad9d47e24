"""A network in our own JSON: what a record tells of it, and no more than cannot be worked out.

    {"name": "jet", "layers": [
      {"kind": "input", "name": "x", "shape": [16]},
      {"kind": "dense", "name": "fc1", "units": 64, "activation": "relu"},
      {"kind": "dense", "name": "fc2", "units": 5, "weight": "fixed<6,1>"},
      {"kind": "activation", "name": "out", "activation": "softmax"}]}

Layers have those fields of ``wa_bench.networks.network.Operation`` that belong to their kind. One without ``inputs``
reads the one before it. The last layer is the output; of several outputs, ``"outputs": ["out", ...]`` names all.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wa_bench.errors import Fault
from wa_bench.networks.network import KINDS, Builder, Network, NetworkError, Operation


class _File(msgspec.Struct, forbid_unknown_fields=True):
    layers: list[dict[str, Any]]
    name: str = "network"
    outputs: list[str] | None = None


def from_json(content: dict[str, Any], place: str) -> Network:
    """The network in the decoded ``content`` of a file called ``place``.

    Raises:
        NetworkError: all faults of the network at once.
    """
    try:
        file = msgspec.convert(content, _File)
    except msgspec.ValidationError as error:
        expected = 'a network such as {"name": ..., "layers": [{"kind": "input", "name": "x", "shape": [16]}, ...]}'
        raise NetworkError(Fault(place, expected, str(error))) from None
    builder = Builder(place, KINDS)
    known = msgspec.structs.fields(Operation)
    for number, layer in enumerate(file.layers):
        fields = dict(layer)
        kind, name = str(fields.pop("kind", "")), str(fields.pop("name", f"number {number}"))
        if kind not in KINDS:
            builder.unsupported(name, kind)
        elif unknown := sorted(set(fields) - {field.name for field in known}):
            builder.fault(name, f"fields {', '.join(field.name for field in known)}", ascii(unknown))
        else:
            builder.add(kind, name, **fields)
    if file.outputs is None:
        for name in builder.unread()[:-1]:
            remedy = 'name all outputs: "outputs": ["...", "..."]'
            builder.fault(name, "a layer that another one reads, or the last one", "one that none reads", remedy)
    return builder.network(file.name, file.outputs)
