"""Objects of a file that is one JSON array, read one at a time in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from wa_bench.errors import Fault, RecordError

_HEAD = 64 * 1024


def iter_objects(path: Path) -> Iterator[Any]:
    """Yield the elements of the JSON array in ``path``; any layout, one element in memory at a time.

    Raises:
        RecordError: the file is damaged or not an array; names the file and the index reached.
    """
    index = 0
    with path.open("rb") as file:
        head = file.read(_HEAD)
        start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        first = head[start:].lstrip()[:1].decode("latin-1")
        if first != "[":
            raise RecordError(Fault(path.name, "a JSON array, so '[' first", f"{first!r} first"))
        file.seek(start)
        try:
            for item in ijson.items(file, "item", use_float=True):
                yield item
                index += 1
        except ijson.JSONError as error:
            message = error.args[0]
            text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
            reason = text.strip().splitlines()[0]
            cut = isinstance(error, ijson.IncompleteJSONError) and "premature" in reason.lower()
            raise RecordError(
                Fault(
                    f"{path.name}, record {index}",
                    "a whole JSON object",
                    f"{'the end of the file' if cut else 'text that is no JSON'} "
                    f"within the first {file.tell():,} bytes ({reason})",
                    "download the file again, for example: hf download fastmachinelearning/wa-hls4ml "
                    f"--repo-type dataset --include '*{path.name}'"
                    if cut
                    else "JSON knows no NaN or Infinity, and its text is UTF-8",
                )
            ) from None
