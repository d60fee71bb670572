"""Spans of characters -> spans of tokens, by a rule that loses nothing without saying so.

- A span that cuts a token is widened to the whole of it; blanks at its ends are left out.
- A span of blanks alone, beyond its text, or without a label is left out.
- Where no two may overlap, the longest stands (in tokens), then the first, then the label that comes first in the
  mapping; the others are left out. That is the rule of spaCy's `filter_spans`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import string
from ml_backend.labeling.kinds.spans import Span
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._losses import Losses
from sdk_scripts.training_export.formats._record import in_seconds
from sdk_scripts.training_export.formats._tokens import Place, tokens
from sdk_scripts.training_export.model import ControlSet, Row


@dataclass(frozen=True, slots=True)
class Placed:
    """`first` inclusive to `end` exclusive, in tokens."""

    first: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Text:
    """A row's text in tokens, with its spans."""

    text: str
    tokens: list[Place]
    spans: list[Placed]
    """In order of place, then of the labels in the mapping. They may overlap."""


def text_of(row: Row) -> str:
    """Its text, halves of surrogate pairs replaced; offsets stay."""
    return string(row.text) or ""


def check_characters(controls: ControlSet, format: str) -> None:
    """Raises InputError for spans of seconds. The control has rows."""
    if in_seconds(controls):
        raise InputError(
            f"{format} cannot hold control {controls.control.name!r} (task {controls.rows[0].task}): its spans are "
            f"seconds of a recording, and {format} holds stretches of text.",
            mend="Export that control as jsonl or parquet.",
        )


def in_tokens(labels: Labels, row: Row, losses: Losses) -> Text:
    """Raises InputError for a label that is none of these."""
    text = text_of(row)
    places = tokens(text)
    found: list[Placed] = []
    for span in cast(tuple[Span, ...], row.regions):
        found += _placed(row, text, places, span, losses)
    found.sort(key=lambda it: (it.first, it.end, labels.place(it.label, row.task)))
    return Text(text, places, found)


def _placed(row: Row, text: str, places: Sequence[Place], span: Span, losses: Losses) -> Iterable[Placed]:
    start, end = int(span.start), int(span.end)
    first = bisect_right(places, start, key=lambda place: place[1])
    last = bisect_left(places, end, key=lambda place: place[0])
    if not span.labels:
        losses.add("a span without a label: left out", row.task)
    elif span.start_in or span.end_in:
        losses.add("a span whose place is not in the text: left out", row.task)
    elif end > len(text):
        losses.add("a span beyond its text: left out", row.task)
    elif first >= last:
        losses.add("a span of blanks alone: left out", row.task)
    else:
        whole = (places[first][0], places[last - 1][1])
        if whole[0] < start or whole[1] > end:
            losses.add("a span that cuts a token: widened to the whole of it", row.task)
        elif whole != (start, end):
            losses.add("a span with blanks at its ends: without them", row.task)
        return [Placed(first, last, label) for label in span.labels]
    return ()


def apart(spans: Iterable[Placed], why: str, task: int, losses: Losses) -> list[Placed]:
    """Those that stand where no two may overlap, in order of place; the others are counted under `why`."""
    kept: list[Placed] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda it: it.first - it.end):  # stable: then by place, then by label
        if taken.isdisjoint(range(span.first, span.end)):
            kept.append(span)
            taken.update(range(span.first, span.end))
        else:
            losses.add(why, task)
    return sorted(kept, key=lambda it: it.first)
