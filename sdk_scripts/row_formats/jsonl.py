"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import Reject, Row, opened, register, shortened

MAX_LINE = 50_000_000
"""Bytes."""


@register("jsonl")
def read_jsonl(path: Path, source: TaskSource) -> Iterator[Row | Reject]:
    """Blank lines are passed over; a line that is not one JSON object in UTF-8 is rejected."""
    with opened(path) as file:
        number, first = 0, True
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                start, size = line[:2000], len(line)
                while not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
                    size += len(line)
                yield Reject(number, f"has {size:,} bytes (at most {MAX_LINE:,})", shortened(start))
                continue
            if first:
                line, first = line.removeprefix(b"\xef\xbb\xbf"), False
            if line.strip():
                yield _row(number, line)


def _row(number: int, line: bytes) -> Row | Reject:
    try:
        value = json_value(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Reject(number, f"is not UTF-8 (byte 0x{line[error.start]:02x})", shortened(line))
    except ValueError as error:
        return Reject(number, f"is not JSON ({error})", shortened(line))
    if not isinstance(value, dict):
        return Reject(number, "is not a JSON object", shortened(line))
    return Row(number, value)


def json_value(text: str) -> Any:
    """Strict JSON: no NaN, no infinity. Raises ValueError with a reason."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
