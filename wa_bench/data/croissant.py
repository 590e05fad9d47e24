"""Croissant files: the same as the data cards, for machines (JSON-LD, MLCommons' format 1.1)."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pyarrow as pa

from wa_bench.data.cards import HUB, about, known_files, licence_url, struct_in
from wa_bench.data.catalogue import Entry, entry
from wa_bench.data.locate import record_type
from wa_bench.records.columns import Column, columns
from wa_bench.records.schema import LATENCIES, RESOURCES

_TERMS = (
    "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileObject fileProperty "
    "fileSet format includes isArray isEnumeration isLiveDataset jsonPath key md5 parentField path readLines recordSet "
    "references regex repeated replace samplingRate sdVersion separator source subField transform unArchive"
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
_DATA_TYPES = {"int64": "sc:Integer", "double": "sc:Float", "string": "sc:Text", "bool": "sc:Boolean"}
_ENCODINGS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
    ".tar.gz": "application/x-tar",
}

_IN_FILE_NAMES = {
    "hls4ml-json": {
        "split": r"(train|val|test|exemplar)/",
        "family": r".*/(?:(?:train|val|test)_(\w+)_merged|(exemplar)_models)\.json",
    },
}
"""Columns that the names of upstream's files tell, by format: regular expressions."""
_IN_OBJECTS = {
    "hls4ml-json": {
        "sample_id": "$.meta_data['uuid','model_id']",
        "part": "$.target_part",
        "tool_version": "$['vivado_version','backend_version']",
        "hls4ml_version": "$.hls4ml_version",
        "reuse_factor": "$.hls_config.Model.ReuseFactor",
        **{name: f"$.resource_report.{name}" for name in RESOURCES},
        **{name: f"$.latency_report.{name}" for name in LATENCIES},
        **{f"hls_estimate.{name}": f"$.hls_resource_report.{name}" for name in RESOURCES},
    },
    "wtf-benchmark": {
        "model": "$.model",
        "image_size": "$.imsize",
        "train_batch_size": "$.local_batch_size",
        "train_devices": "$.world_size",
        "params": "$['number of parameters']",
        "macs": "$.macs",
        "operations": "$.flops",
        **{f"memory_b{size}_bytes": f"$['inference_memory_@{size}']" for size in (1, 32, 64, 128)},
        "train_memory_bytes": "$.peak_memory_single",
        "train_time_s": "$.final_time_sum",
    },
}
"""Columns that stand as they are in each object of upstream's JSON arrays, by format: JSON paths."""


def croissant(name: str) -> dict[str, Any]:
    """The description of a dataset.

    The record set ``records`` is what ``wa_bench.load`` gives. Where its fields have no ``extract``, reading them takes
    this package; ``figures`` then is what Croissant alone can read. Relative paths are those from ``data_cards/``.

    Raises:
        UnknownNameError: no such dataset.
    """
    known, words = entry(name), about(name)
    authors, _, _ = known.citation.partition(":")
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": name,
        "description": " ".join(words.text.partition("\n\n")[0].split()),
        "url": known.homepage if known.homepage.startswith("https://") else f"{name}.md",
        "version": known.version if known.version.isdecimal() else f"0.0.0+{known.version}",
        "datePublished": words.published,
        "license": licence_url(known),
        "creator": [{"@type": "sc:Person", "name": author} for author in authors.split(", ")],
        "citeAs": known.citation,
        "keywords": words.tags,
        **({"isLiveDataset": True} if known.hub else {}),
        "distribution": _distribution(known),
        "recordSet": _record_sets(known),
    }


def croissant_text(name: str) -> str:
    """The description of a dataset as JSON text.

    Raises:
        UnknownNameError: no such dataset.
    """
    return json.dumps(croissant(name), indent=2, ensure_ascii=False) + "\n"


def _distribution(known: Entry) -> list[dict[str, Any]]:
    """The files, and behind them the set of them where they are several."""
    if known.hub:
        repository = {"contentUrl": f"{HUB}/{known.hub}", "encodingFormat": "git+https"}
        return [
            _node("cr:FileObject", "repository", **repository),
            _file_set(["repository"], [*known.splits.values()], "application/json"),
        ]
    objects = [
        _node(
            "cr:FileObject",
            file.name,
            contentUrl=file.url,
            contentSize=f"{file.size} B",
            encodingFormat=next(encoding for end, encoding in _ENCODINGS.items() if file.name.endswith(end)),
            sha256=file.sha256,
        )
        for file in known_files(known)
    ]
    if len(objects) == 1:
        return objects
    return [*objects, _file_set([file["@id"] for file in objects], ["*"], objects[0]["encodingFormat"])]


def _file_set(holders: Iterable[str], patterns: list[str], encoding: str) -> dict[str, Any]:
    held = [{"@id": holder} for holder in holders]
    return _node("cr:FileSet", "files", containedIn=held, encodingFormat=encoding, includes=patterns)


def _record_sets(known: Entry) -> list[dict[str, Any]]:
    last = _distribution(known)[-1]
    source = {"fileSet" if last["@type"] == "cr:FileSet" else "fileObject": {"@id": last["@id"]}}
    told = "what wa_bench.load gives" + ("" if known.embedded else "; reading the files takes its readers")
    sets = [_node("cr:RecordSet", "records", description=told, field=_records(known, source))]
    if figures := _figures(known, source):
        sets.append(_node("cr:RecordSet", "figures", description="what stands in the files as it is", field=figures))
    return sets


def _records(known: Entry, source: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns of the record type, with where to read them in a file that has them as columns."""
    kind = record_type(known)
    hints = typing.get_type_hints(kind)
    fields = []
    for column in columns(kind):
        field = _field("records", column, known.provenance.get(column.name))
        read = source | {"extract": {"column": column.name}} if known.embedded else source
        if nested := struct_in(hints[column.name]):
            field["subField"] = [
                _field(field["@id"], leaf)
                | {"source": read | {"transform": {"jsonPath": f"$.{leaf.name}"}} if known.embedded else read}
                for leaf in _leaves(nested)
            ]
        else:
            field["source"] = read
        fields.append(field)
    return fields


def _figures(known: Entry, source: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns that stand in upstream's JSON text as they are; numbers may be text there, ``32.0`` too."""
    leaves = {leaf.name: leaf for leaf in _leaves(record_type(known))}
    reads = {
        name: {"extract": {"fileProperty": "fullpath"}, "transform": {"regex": pattern}}
        for name, pattern in _IN_FILE_NAMES.get(known.format, {}).items()
    } | {
        name: {"extract": {"jsonPath": "$[*]"}, "transform": {"jsonPath": path}}
        for name, path in _IN_OBJECTS.get(known.format, {}).items()
    }
    fields = []
    for name, read in reads.items():
        leaf = leaves[name]
        number = leaf._replace(type=pa.float64()) if pa.types.is_integer(leaf.type) else leaf
        how = known.provenance.get(name.partition(".")[0])
        fields.append(_field("figures", number, how) | {"source": source | read})
    return fields


def _field(place: str, column: Column, how: str | None = None) -> dict[str, Any]:
    listed = pa.types.is_list(column.type)
    inner = column.type.value_type if listed else column.type
    told = "; ".join(filter(None, (column.unit, how)))
    description = f"{column.description} ({told})" if told else column.description
    field = _node("cr:Field", f"{place}/{column.name}", name=column.name, description=description)
    if column.unit:
        field["unitText"] = column.unit
    if not pa.types.is_struct(inner):
        field["dataType"] = _DATA_TYPES[str(inner)]
    return field | ({"isArray": True, "arrayShape": "-1"} if listed else {})


def _leaves(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[Column]:
    """The fields that hold no further ones, named by their way: ``layers.weight.width``."""
    hints = typing.get_type_hints(kind)
    for column in columns(kind):
        name = f"{prefix}{column.name}"
        if nested := struct_in(hints[column.name]):
            yield from _leaves(nested, f"{name}.")
        else:
            yield column._replace(name=name)


def _node(kind: str, place: str, /, **properties: Any) -> dict[str, Any]:
    return {"@type": kind, "@id": place, "name": place, **properties}
