"""Spans: labelled stretches of a Text, HyperText or Paragraphs, or of the seconds of an Audio."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import (
    Region,
    canonical,
    finite,
    label_of,
    one_line,
    picked,
    region,
    register,
    string,
    values,
)

TIMED = frozenset({"audio", "audioplus", "video"})
"""Tags of what is counted in seconds."""
UNKNOWN_LENGTH = 100  # characters a paragraph counts for where a span leaves it, as results do not tell its length


@dataclass(frozen=True, slots=True)
class Span:
    """`start` inclusive to `end` exclusive, in characters (code points), or seconds of an Audio.

    They count from the beginning of the text, except where `start_in` and `end_in` say in which paragraph (its number)
    or HTML node (its XPath) each is. `text` and `anchors` are carried along and no part of what the answer says.
    """

    start: int | float
    end: int | float
    labels: tuple[str, ...] = ()
    text: str = field(default="", compare=False)
    start_in: str = ""
    end_in: str = ""
    anchors: tuple[str, int, str, int] | None = field(default=None, compare=False)
    """HyperText's own XPaths and offsets within them, beside the global offsets: start, offset, end, offset."""


@register("spans")
class Spans:
    """Spans in order of place. Blanks at the ends are cut off where the region says its text, so that selecting a word
    with the space after it is no disagreement; regions over the same stretch are one span with the labels of all."""

    tags = ("Labels", "HyperTextLabels", "ParagraphLabels")
    scale = "distance"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[Span, ...] | None:
        found: dict[tuple[Any, ...], tuple[Span, set[str]]] = {}
        for value in values(regions):
            given = value.get(control.tag.lower())
            labels = picked(control, given)
            span = _read(control, value)
            if span is None or not isinstance(given, list) or (given and not labels):
                continue
            place = (span.start_in, span.start, span.end_in, span.end)
            found.setdefault(place, (span, set()))[1].update(labels)
        spans = (
            Span(s.start, s.end, picked(control, list(labels)), s.text, s.start_in, s.end_in, s.anchors)
            for _, (s, labels) in sorted(found.items(), key=lambda item: item[0])
        )
        return tuple(spans) or None

    def write(self, control: Control, answer: tuple[Span, ...]) -> list[dict[str, Any]]:
        if not answer:
            raise InputError(f"An answer to {control.name!r} needs a span.", mend="Leave the control out instead.")
        return [self._region(control, span) for span in answer]

    def _region(self, control: Control, span: Span) -> dict[str, Any]:
        start, end = _offset(control, span.start), _offset(control, span.end)
        if start is None or end is None or (end <= start and span.start_in == span.end_in):
            raise InputError(
                f"{control.name!r} cannot hold the span from {span.start!r} to {span.end!r}.",
                mend="Offsets are whole, not negative, and end after they start.",
            )
        value: dict[str, Any] = {"start": start, "end": end}
        if span.start_in or span.end_in:
            value = {"start": span.start_in, "end": span.end_in, "startOffset": start, "endOffset": end}
        elif control.tag.lower() == "hypertextlabels" or control.to_tags[:1] == ("hypertext",):
            # without XPaths of its own a span counts from the root, which is where global offsets count from
            first, first_offset, last, last_offset = span.anchors or ("", start, "", end)
            value = {"start": first, "end": last, "startOffset": first_offset, "endOffset": last_offset}
            value["globalOffsets"] = {"start": start, "end": end}
        if span.text:
            value["text"] = span.text
        value[control.tag.lower()] = [label_of(control, label).path[-1] for label in span.labels]
        return region(control, value)

    def key(self, answer: tuple[Span, ...]) -> str:
        return canonical(
            [
                [finite(s.start), finite(s.end), s.labels, *((s.start_in, s.end_in) if s.start_in or s.end_in else ())]
                for s in answer
            ]
        )

    def from_key(self, key: str) -> tuple[Span, ...]:
        return tuple(Span(start, end, tuple(labels), "", *places) for start, end, labels, *places in json.loads(key))

    def distance(self, a: tuple[Span, ...], b: tuple[Span, ...]) -> float:
        """1 − F1 over labelled characters: a character with two labels counts for each; spans that agree on the place
        and not on the label share nothing."""
        if a == b:
            return 0.0
        left, right = _stretches(a), _stretches(b)
        shared = sum(_shared(left[where], right[where]) for where in sorted(left.keys() & right.keys()))
        total = sum(sorted(_length(it) for side in (left, right) for it in side.values()))
        return min(1.0, max(0.0, 1 - 2 * shared / total)) if total else 0.0

    def labels(self, answer: tuple[Span, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for span in answer for label in span.labels))

    def show(self, answer: tuple[Span, ...]) -> str:
        return one_line(", ".join(_show(span) for span in answer))

    def example(self, control: Control) -> tuple[Span, ...]:
        labels = (control.labels[0].path[-1],) if control.labels else ("label",)
        if control.tag.lower() == "paragraphlabels" or control.to_tags[:1] == ("paragraphs",):
            return (Span(0, 5, labels, start_in="0", end_in="0"),)
        return (Span(0, 5, labels),)


def _read(control: Control, value: Mapping[str, Any]) -> Span | None:
    start, end = value.get("start"), value.get("end")
    first, last = _offset(control, value.get("startOffset")), _offset(control, value.get("endOffset"))
    anchors: tuple[str, int, str, int] | None = None
    start_in = end_in = ""
    if control.to_tags[:1] == ("text",) or first is None or last is None:
        first, last = _offset(control, start), _offset(control, end)
    else:
        start_in, end_in = _place(start), _place(end)
        whole = value.get("globalOffsets")
        if isinstance(whole, Mapping):
            begin, stop = _offset(control, whole.get("start")), _offset(control, whole.get("end"))
            if begin is not None and stop is not None:
                anchors = (start_in, int(first), end_in, int(last))
                first, last, start_in, end_in = begin, stop, "", ""
    if first is None or last is None or (last <= first and start_in == end_in):
        return None
    words = string(value.get("text")) or ""
    blank_before, blank_after = len(words) - len(words.lstrip()), len(words) - len(words.rstrip())
    if (blank_before or blank_after) and words.strip() and start_in == end_in and len(words) == last - first:
        first, last, words, anchors = first + blank_before, last - blank_after, words.strip(), None
    return Span(first, last, (), words, start_in, end_in, anchors)


def _offset(control: Control, value: Any) -> int | float | None:
    found = finite(value)
    if found is None or found < 0 or (isinstance(found, float) and TIMED.isdisjoint(control.to_tags)):
        return None
    return found


def _place(value: Any) -> str:
    found = finite(value)  # paragraphs are numbers, and Label Studio stores them as text
    return string(value) or "" if found is None else str(found)


Interval = tuple[float, float]


def _stretches(spans: Iterable[Span]) -> dict[tuple[str, str], list[Interval]]:
    """(label, where) -> what it covers there, as intervals that do not touch."""
    found: dict[tuple[str, str], list[Interval]] = {}
    for span in spans:
        for label in span.labels or ("",):
            for where, start, end in _parts(span):
                found.setdefault((label, where), []).append((start, end))
    return {where: _merged(intervals) for where, intervals in found.items()}


def _parts(span: Span) -> list[tuple[str, float, float]]:
    if span.start_in == span.end_in:
        return [(span.start_in, span.start, span.end)]
    parts = [(span.start_in, span.start, span.start + UNKNOWN_LENGTH), (span.end_in, 0, span.end)]
    if span.start_in.isdecimal() and span.end_in.isdecimal():
        between = int(span.start_in) + 1, int(span.end_in)
        parts.append(("between", between[0] * UNKNOWN_LENGTH, between[1] * UNKNOWN_LENGTH))
    return [(where, start, end) for where, start, end in parts if end > start]


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _shared(a: list[Interval], b: list[Interval]) -> float:
    shared, left, right = 0.0, 0, 0
    while left < len(a) and right < len(b):
        shared += max(0.0, min(a[left][1], b[right][1]) - max(a[left][0], b[right][0]))
        if a[left][1] < b[right][1]:
            left += 1
        else:
            right += 1
    return shared


def _length(intervals: list[Interval]) -> float:
    return sum(end - start for start, end in intervals)


def _show(span: Span) -> str:
    where = f"{span.start:g}–{span.end:g}" + (f" in {span.start_in}" if span.start_in else "")
    return f"{'+'.join(span.labels) or 'span'}: {one_line(span.text, 40) if span.text else where}"
