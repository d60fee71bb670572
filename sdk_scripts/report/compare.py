"""Two reports as JSON, side by side: what may be compared, and which rows belong together.

The earlier one may be of any version, damaged, or of something else: whatever is not as expected counts as not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sdk_scripts.report.chance import Estimate, number

Document = Mapping[str, Any]
LEAST_ITEMS = 20
"""Tasks with two judgements at both times, from which on a change of alpha is spoken of."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?")


def part(document: object, *names: str) -> Document:
    """The object at the end of the path; empty where there is none."""
    found = document
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def rows(document: object, *names: str) -> list[Document]:
    """The objects of the list at the end of the path."""
    *path, last = names
    found = part(document, *path).get(last)
    return [it for it in found if isinstance(it, Mapping)] if isinstance(found, list) else []


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def day(document: Document) -> str:
    """When the report was made, to the minute; "" where it does not say."""
    found = _DATE.match(text(document.get("generated_at")))
    return found[0].replace("T", " ") if found else ""


def by(found: list[Document], *names: str) -> dict[tuple[str, ...], Document]:
    """By the texts of these fields; of several the last. Rows without one of them are left out."""
    keyed = {tuple(text(it.get(name)) for name in names): it for it in found}
    return {key: it for key, it in keyed.items() if all(key)}


def why_not(before: object, now: Document) -> str:
    """Why the two cannot be compared, in a sentence; "" where they can."""
    overview = part(before, "overview")
    if number(overview.get("judgements")) is None or number(overview.get("tasks")) is None:
        return "The earlier report cannot be read, so nothing is compared with it."
    if _project(before) and _project(now) and _project(before) != _project(now):
        return "The earlier report is of another project, so nothing is compared with it."
    one, other = (by(rows(it, "controls"), "control").keys() for it in (before, now))
    if one and other and not one & other:
        return "The earlier report asks about other things (no control is in both), so nothing is compared with it."
    return ""


def _project(document: object) -> str:
    """The path of its address: people may reach Label Studio under another name than we do."""
    try:
        return urlsplit(text(part({"it": document}, "it").get("url"))).path
    except ValueError:
        return ""


def alpha(row: Document, items: float | None) -> Estimate | None:
    """With its interval, of so many tasks; None where too few tell. Where all agree the bootstrap has no doubt: then
    the lower end is that of the share of tasks agreed about (Clopper & Pearson 1934)."""
    found = Estimate.read(row, "alpha")
    if found is None or items is None or items < LEAST_ITEMS:
        return None
    return Estimate(found.value, 0.025 ** (1 / items), 1.0) if found.low == found.high == 1 else found


def of_labels(document: Document) -> Iterator[tuple[tuple[str, str], Document]]:
    """(control, label) and the label's row."""
    for control in rows(document, "controls"):
        for row in rows(control, "labels"):
            key = text(control.get("control")), text(row.get("label"))
            if all(key) and (number(row.get("count")) or 0) >= LEAST_ITEMS:
                yield key, row


def paired(
    before: Mapping[Any, Document], now: Mapping[Any, Document], read: Callable[[Document], Estimate | None]
) -> dict[Any, tuple[Estimate, Estimate]]:
    """What can be read at both times."""
    both = {key: (read(before[key]), read(now[key])) for key in before.keys() & now.keys()}
    return {key: (old, new) for key, (old, new) in sorted(both.items()) if old is not None and new is not None}
