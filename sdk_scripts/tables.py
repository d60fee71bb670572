"""Plain tables and notes for the terminal. Cell text is untrusted: nothing in it is markup or a control code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_OF_A_FILE = 160
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, title: str = "") -> None:
    """Print rows (column name -> value) to stdout; a missing or undefined value shows as a dash."""
    table = Table(title=Text(plain(title)) if title else None, title_justify="left", header_style="bold", box=None)
    listed = list(rows)
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in listed)
        table.add_column(Text(column.replace("_", " ")), justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(plain(row.get(column))) for column in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    console.print(table)


def plain(value: object) -> str:
    """One line of text for a value: no control characters, no bidirectional overrides, no halves of surrogate pairs."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return _CONTROL.sub(" ", str(value)).strip().encode("utf-8", "replace").decode()
