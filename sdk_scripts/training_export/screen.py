"""What an annotator saw of a task: the columns on the screen, the text or images that a control is about, and where
marks lie in that text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

from ml_backend.labeling.config import IMAGE_TAGS, TEXT_TAGS, Control, LabelConfig, Source
from ml_backend.labeling.errors import UnknownName
from ml_backend.labeling.kinds import finite
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import Task
from ml_backend.labeling.task_data import lookup, plain
from sdk_scripts.training_export.model import Image

_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Columns:
    """The names of task data that go into a row."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, config: LabelConfig, tasks: Iterable[Task], more: Sequence[str] = ()) -> Columns:
        """Those on the screen, and `more`. Raises UnknownName for one that no task has."""
        shown = {source.field for source in config.sources if source.field}
        tasks = list(tasks) if more else []
        for name in more:
            if not any(lookup(task.data, name) is not None for task in tasks):
                known = {str(key) for task in tasks[:1000] for key in task.data}
                raise UnknownName("column of task data", name, sorted(known))
        return cls(tuple(sorted(shown | set(more))))

    def data(self, task: Task) -> dict[str, Any]:
        found = {name: lookup(task.data, name) for name in self.names}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Screen:
    """One control's objects."""

    sources: tuple[Source, ...]
    paragraphs: str
    """Key of a dialogue's texts."""

    @classmethod
    def of(cls, config: LabelConfig, control: Control) -> Screen:
        found = (config.source(name) for name in control.to_names)
        key = re.search(r"""<Paragraphs\b[^>]*\btextKey=["']([^"']+)["']""", config.xml, re.IGNORECASE)
        return cls(tuple(it for it in found if it is not None), key[1] if key else "text")

    def text(self, task: Task) -> str:
        """Offsets of spans count in it; empty where the control is about no text."""
        parts = [self._text(task, it) for it in self.sources if it.tag.lower() in TEXT_TAGS]
        return "\n".join(part for part in parts if part)

    def images(self, task: Task) -> tuple[Image, ...]:
        """With the sizes that people's regions tell."""
        addresses: list[str] = []
        for source in self.sources:
            if source.tag.lower() in IMAGE_TAGS and source.field:
                value = lookup(task.data, source.field)
                addresses += [str(it) for it in (value if isinstance(value, list) else [value]) if it]
        sizes = _sizes(task) if addresses else {}
        return tuple(Image(address, *sizes.get(page, (None, None))) for page, address in enumerate(addresses))

    def placed(self, task: Task, spans: Iterable[Span], text: str) -> tuple[Span, ...]:
        """The spans with offsets in `text`; those of HTML only where the characters there are what people marked, as
        a browser counts them in its own way."""
        if not self.sources:
            return ()
        match self.sources[0].tag.lower():
            case "paragraphs":
                return tuple(_in_dialogue(spans, self._lines(task)))
            case "hypertext":
                marked = _marked(task)
                return tuple(
                    it
                    for it in spans
                    if not it.start_in and text[int(it.start) : int(it.end)] in marked.get(_at(it), ())
                )
        return tuple(it for it in spans if not (it.start_in or it.end_in))

    def _text(self, task: Task, source: Source) -> str:
        value = lookup(task.data, source.field) if source.field else None
        if source.tag.lower() == "paragraphs":
            return "\n".join(self._lines(task))
        if source.tag.lower() == "hypertext":
            return unescape(_TAG.sub("", plain(value)))
        return plain(value)

    def _lines(self, task: Task) -> list[str]:
        source = self.sources[0]
        value = lookup(task.data, source.field) if source.field else None
        if not isinstance(value, list):
            return [plain(value)]
        return [plain(it.get(self.paragraphs)) if isinstance(it, Mapping) else plain(it) for it in value]


def _in_dialogue(spans: Iterable[Span], lines: Sequence[str]) -> Iterator[Span]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for span in spans:
        if all(it.isdecimal() and int(it) < len(lines) for it in (span.start_in, span.end_in)):
            start, end = starts[int(span.start_in)] + span.start, starts[int(span.end_in)] + span.end
            if end > start:
                yield replace(span, start=start, end=end, start_in="", end_in="")


def _marked(task: Task) -> dict[tuple[float, float], set[str]]:
    """(start, end) by the browser's count -> the texts that people's regions say stand there."""
    found: dict[tuple[float, float], set[str]] = {}
    for annotation in task.annotations:
        for region in annotation.regions:
            value = region.get("value")
            whole = value.get("globalOffsets") if isinstance(value, Mapping) else None
            if isinstance(value, Mapping) and isinstance(whole, Mapping):
                start, end, words = finite(whole.get("start")), finite(whole.get("end")), value.get("text")
                if start is not None and end is not None and isinstance(words, str):
                    cut = len(words) - len(words.lstrip()), len(words) - len(words.rstrip())
                    found.setdefault((start, end), set()).add(words)
                    found.setdefault((start + cut[0], end - cut[1]), set()).add(words.strip())
    return found


def _words(span: Span, text: str) -> str:
    return text[int(span.start) : int(span.end)]


def _at(span: Span) -> tuple[float, float]:
    return (span.start, span.end)


def _sizes(task: Task) -> dict[int, tuple[int, int]]:
    """Page -> width and height in pixels, of the newest region that tells."""
    found: dict[int, tuple[int, int]] = {}
    for annotation in sorted(task.annotations, key=lambda it: it.id):
        for region in annotation.regions:
            width, height = finite(region.get("original_width")), finite(region.get("original_height"))
            page = finite(region.get("item_index")) or 0
            if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
                found[int(page)] = (width, height)
    return found
