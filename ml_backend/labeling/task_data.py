"""What a task's data says under the names that a label config uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 50  # of anything nested in task data

_INDEXED = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def text_of(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text behind these keys of task data, one field a line; empty where there is none.

    Numbers count as text. A Paragraphs dialogue (a list of objects) is its values, joined.
    """
    return "\n".join(text for field in fields if (text := plain(lookup(data, field)).strip()))


def lookup(data: Mapping[str, Any], field: str) -> Any:
    """`$field`, `$a.b` and `$a[0]` of Label Studio's variables; None where the path leads nowhere."""
    if field in data:
        return data[field]
    value: Any = data
    for name, index in _INDEXED.findall(field):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def plain(value: Any, depth: int = 0) -> str:
    """The text in a value of task data, however it is nested."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if depth == MAX_DEPTH:
        return ""
    if isinstance(value, Mapping):
        return " ".join(filter(None, (plain(item, depth + 1) for item in value.values())))
    if isinstance(value, list | tuple):
        return "\n".join(filter(None, (plain(item, depth + 1) for item in value)))
    return ""
