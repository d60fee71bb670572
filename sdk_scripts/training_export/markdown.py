"""Untrusted words in Markdown: shown as they are, never as markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ml_backend.labeling.kinds import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~&$@])")
_START = re.compile(r"^(\d*)([.)+=-])")  # a list, or a line under a heading
_LINK = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)


def words(value: object, limit: int = 200) -> str:
    """On one line, every character that could mean something escaped."""
    if value is None:
        return "–"
    line = one_line(str(value), limit).encode(errors="replace").decode()
    return _LINK.sub(r"\\\g<0>", _START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line)))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table: columns of numbers are to the right. Cells of rows are escaped."""
    numeric = [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(head))]
    lines = [head, ["---:" if number else ":---" for number in numeric], *([_cell(it) for it in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return words(value)
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    return words(value)
