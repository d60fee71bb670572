"""What a pre-labeler reads of tasks for one control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.results import text_of

MAX_CHARACTERS = 20_000
"""Of a task's text; what follows is not read."""


class Inputs:
    """n tasks as one control's pre-labelers see them: `texts`, and their `vectors` once somebody asks for them."""

    def __init__(self, texts: Sequence[str], encoder: Encoder) -> None:
        self.texts = texts
        self._encoder = encoder

    def __len__(self) -> int:
        return len(self.texts)

    def beside(self, texts: Sequence[str]) -> Inputs:
        """Other texts, read in the same way."""
        return Inputs(texts, self._encoder)

    def take(self, rows: Sequence[int]) -> Inputs:
        return Inputs([self.texts[row] for row in rows], self._encoder)

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n, d) float32 with unit rows. Raises ModelUnavailable."""
        return self._encoder.encode(self.texts)


def texts_of(config: LabelConfig, control: Control, data: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each task that a model may read for this control, without markup; empty where there is none."""
    fields = config.text_fields(control)
    marked_up = {s.field for s in config.sources if s.tag.lower() == "hypertext"}.intersection(fields)
    if not marked_up:
        return [_clean(text_of(item, fields)) for item in data]
    return [
        _clean(
            "\n".join(_plain(text_of(item, [name])) if name in marked_up else text_of(item, [name]) for name in fields)
        )
        for item in data
    ]


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
