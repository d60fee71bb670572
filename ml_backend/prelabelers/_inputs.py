"""What a pre-labeler reads of tasks for one control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.results import lookup, text_of

MAX_CHARACTERS = 20_000
"""Of a task's text; what follows is not read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one task for one control."""

    text: str = ""
    """All that a model may read for the control, its own objects first, without markup."""
    parts: tuple[str, ...] = ()
    """The text of each of the control's own objects, in the order of `to_names` and as task data has it, "" where it
    has none: offsets of spans count in it, and the two sides of a comparison are told apart."""

    def __bool__(self) -> bool:
        return bool(self.text)


class Inputs:
    """n tasks as one control's pre-labelers see them: `texts`, and their `vectors` once somebody asks for them."""

    def __init__(self, readings: Sequence[Reading | str], encoder: Encoder) -> None:
        self.readings = tuple(Reading(it) if isinstance(it, str) else it for it in readings)
        self.texts = tuple(reading.text for reading in self.readings)
        self._encoder = encoder

    def __len__(self) -> int:
        return len(self.readings)

    def beside(self, texts: Sequence[str]) -> Inputs:
        """Other texts, read in the same way."""
        return Inputs(texts, self._encoder)

    def take(self, rows: Sequence[int]) -> Inputs:
        return Inputs([self.readings[row] for row in rows], self._encoder)

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n, d) float32 with unit rows. Raises ModelUnavailable."""
        return self._encoder.encode(self.texts)


def readings_of(config: LabelConfig, control: Control, data: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """What a model may read of each task for this control; false where that is nothing."""
    fields = config.text_fields(control)
    tags = {source.field: source.tag.lower() for source in config.sources}
    own = [source.field for name in control.to_names if (source := config.source(name)) is not None]
    return [
        Reading(
            _clean("\n".join(text for name in fields if (text := _read(item, name, tags)))),
            tuple(_as_it_is(item, name) for name in own),
        )
        for item in data
    ]


def _read(data: Mapping[str, Any], field: str, tags: Mapping[str | None, str]) -> str:
    text = text_of(data, [field])
    return _plain(text) if tags.get(field) == "hypertext" else text


def _as_it_is(data: Mapping[str, Any], field: str | None) -> str:
    text = lookup(data, field) if field else None
    return text if isinstance(text, str) else ""


def _clean(text: str) -> str:
    text = text[:MAX_CHARACTERS].strip()
    return text if text.isascii() else text.encode(errors="replace").decode()  # halves of surrogate pairs


def _plain(html: str) -> str:
    reader = _Words()
    reader.feed(html[: 10 * MAX_CHARACTERS])
    reader.close()
    return " ".join(" ".join(reader.words).split())


class _Words(HTMLParser):
    """Collects what a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in ("script", "style")))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
