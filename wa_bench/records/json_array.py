"""Objects of a file that is one JSON array, read one at a time in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from wa_bench.errors import Fault, RecordError


def iter_objects(path: Path) -> Iterator[Any]:
    """Yield the elements of the JSON array in ``path``; any layout, memory independent of the file's size.

    Raises:
        RecordError: the file is damaged or not an array; names the file and the index reached.
    """
    index = 0
    with path.open("rb") as file:
        first = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1].decode("latin-1")
        if first != "[":
            raise RecordError(Fault(path.name, "a JSON array, so '[' first", f"{first!r} first"))
        file.seek(0)
        try:
            for item in ijson.items(file, "item", use_float=True):
                yield item
                index += 1
        except ijson.IncompleteJSONError as error:
            reason = str(error).strip().splitlines()[0]
            raise RecordError(
                Fault(
                    f"{path.name}, record {index}",
                    "a whole JSON object",
                    f"damaged or cut text within the first {file.tell():,} bytes ({reason})",
                    "download the file again, for example: hf download fastmachinelearning/wa-hls4ml "
                    f"--repo-type dataset --include '*{path.name}'",
                )
            ) from None
