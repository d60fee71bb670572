"""JSON: one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ml_backend.labeling.errors import InputError
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import Reject, Row, opened, register, shortened
from sdk_scripts.row_formats.jsonl import json_value

MAX_BYTES = 500_000_000


@register("json")
def read_json(path: Path, source: TaskSource) -> Iterator[Row | Reject]:
    """The position in the array stands for the line. Items that are not objects are rejected."""
    with opened(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} is over {MAX_BYTES:,} bytes.", mend="Write it as JSON Lines (.jsonl).")
    try:
        items = json_value(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise InputError(f"{path}:{line}: is not UTF-8.", mend="Save it as UTF-8.") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.", mend="One object a line? Then add `format: jsonl`.") from None
    if not isinstance(items, list):
        raise InputError(f"{path} is not a JSON array.", mend="Write the rows as [{…}, {…}].")
    for position, item in enumerate(items, 1):
        if isinstance(item, dict):
            yield Row(position, item)
        else:
            yield Reject(position, "is not a JSON object", shortened(json.dumps(item, ensure_ascii=False)))
