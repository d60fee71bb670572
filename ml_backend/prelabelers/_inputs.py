"""What a pre-labeler reads of tasks for one control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.images import Look, Picture
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.markup import words as words_of
from ml_backend.labeling.task_data import lookup, text_of
from ml_backend.languages import mostly_unknown
from ml_backend.prelabelers._ngrams import Grams, characters, words

MAX_CHARACTERS = 20_000
"""Of a task's text; what follows is not read."""
AT_ONCE = 300_000
"""Characters read together, which bounds the memory."""
MOST_IMAGES = 4
"""Of a task; further ones are not looked at."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one task for one control."""

    text: str = ""
    """All that a model may read for the control, its own objects first, without markup; then the text in images."""
    parts: tuple[str, ...] = ()
    """The text of each of the control's own objects, in the order of `to_names` and as task data has it, "" where it
    has none: offsets of spans count in it, and the two sides of a comparison are told apart."""

    pictures: tuple[Picture, ...] = ()
    """Of the images on the screen those that were read, the control's own first."""

    def __bool__(self) -> bool:
        return bool(self.text) or any(picture.vector is not None for picture in self.pictures)

    @property
    def key(self) -> str:
        """Tells apart what is read: the text, and the contents of the images; "" where there is nothing to read."""
        return "\n".join((self.text, *(picture.digest for picture in self.pictures))) if self else ""


class Inputs:
    """n tasks as one control's pre-labelers see them: `texts`, and their `vectors` once somebody asks for them.

    A task of nothing but images has an empty text; its key (`Reading.key`) is not.
    """

    def __init__(self, readings: Sequence[Reading | str], encoder: Encoder) -> None:
        self.readings = tuple(Reading(it) if isinstance(it, str) else it for it in readings)
        self.texts = tuple(reading.text for reading in self.readings)
        self.keys = tuple(reading.key for reading in self.readings)
        self._encoder = encoder

    def __len__(self) -> int:
        return len(self.readings)

    def beside(self, texts: Sequence[str]) -> Inputs:
        """Other texts, read in the same way."""
        return Inputs(texts, self._encoder)

    def take(self, rows: Sequence[int]) -> Inputs:
        return Inputs([self.readings[row] for row in rows], self._encoder)

    @cached_property
    def words(self) -> Grams:
        """Its words and pairs of them, see `_ngrams.words`; looked for once, as vocabularies are made of them too."""
        return words(self.texts)

    @cached_property
    def characters(self) -> Grams:
        """Its runs of characters, see `_ngrams.characters`."""
        return characters(self.texts)

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n, d) float32 with unit rows. Where a task has both, half of the squared length is the text's, half that of
        its images, whose vectors are averaged. Raises ModelUnavailable."""
        vectors = self.text_vectors
        if not any(seen := self._seen):
            return vectors
        vectors = vectors.copy()
        for row, found in enumerate(seen):
            if found:
                mean: np.ndarray = np.stack(found).astype(np.float32).mean(axis=0)
                mean /= max(float(np.linalg.norm(mean)), 1e-12)
                vectors[row] *= np.sqrt(0.5) if self.texts[row] else 0
                vectors[row, -len(mean) :] = mean * (np.sqrt(0.5) if self.texts[row] else 1)
        return vectors

    @cached_property
    def text_vectors(self) -> np.ndarray:
        """(n, d) float32: of the texts alone, in the same space."""
        return self._encoder.encode(self.texts)

    @cached_property
    def foreign(self) -> bool:
        """Whether most texts are in languages that the encoder does not know."""
        return mostly_unknown(self.texts, self._encoder.id)

    @cached_property
    def only_seen(self) -> np.ndarray:
        """(n,) bool: tasks of images without any text."""
        return np.array([bool(seen) and not text for text, seen in zip(self.texts, self._seen, strict=True)], np.bool_)

    @cached_property
    def _seen(self) -> list[list[np.ndarray]]:
        return [[it.vector for it in reading.pictures if it.vector is not None] for reading in self.readings]


def readings_of(
    config: LabelConfig, control: Control, data: Sequence[Mapping[str, Any]], look: Look | None = None
) -> list[Reading]:
    """What a model may read of each task for this control; false where that is nothing. `look` reads the images, which
    are left alone without. Raises what it raises."""
    fields = config.text_fields(control)
    tags = {source.field: source.tag.lower() for source in config.sources}
    own = [source.field for name in control.to_names if (source := config.source(name)) is not None]
    shown = [_images(item, config.image_fields(control)) if look else () for item in data]
    known = look([image for images in shown for image in images]) if look and any(shown) else {}
    readings = []
    for item, images in zip(data, shown, strict=True):
        pictures = tuple(known[image] for image in images if image in known) if images else ()
        texts = [text for name in fields if (text := _read(item, name, tags))]
        texts += [picture.text for picture in pictures if picture.text]
        readings.append(Reading(_clean("\n".join(texts)), tuple([_as_it_is(item, name) for name in own]), pictures))
    return readings


def place_of(config: LabelConfig, control: Control, data: Mapping[str, Any], field: str) -> tuple[int, int, int] | None:
    """Where the plain text of a field stands in what is read of a task for a control: its start and end in
    `Reading.text`, and the characters that its own text has before that start. None where it is not read, or its
    characters cannot be counted."""
    tags = {source.field: source.tag.lower() for source in config.sources}
    text = lookup(data, field)
    if tags.get(field) != "text" or not isinstance(text, str) or not countable(text):
        return None
    start = 0
    for name in config.text_fields(control):
        read = _read(data, name, tags)
        if name == field:
            return start, min(start + len(read), MAX_CHARACTERS), len(text) - len(text.lstrip())
        start += len(read) + 1 if read else 0
    return None


def portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts, in order, as many together as AT_ONCE characters hold."""
    start = size = 0
    for end, text in enumerate(texts):
        if size and size + len(text) > AT_ONCE:
            yield texts[start:end]
            start, size = end, 0
        size += len(text)
    if start < len(texts):
        yield texts[start:]


def countable(text: str) -> bool:
    """Whether a browser counts its characters as we do: it drops NUL characters, and halves of surrogate pairs are no
    characters."""
    return "\0" not in text and (text.isascii() or text.encode(errors="replace").decode() == text)


def _images(data: Mapping[str, Any], fields: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for field in fields:
        value = lookup(data, field)
        found += [it for it in (value if isinstance(value, list) else [value]) if isinstance(it, str) and it.strip()]
    return tuple(dict.fromkeys(found))[:MOST_IMAGES]


def _read(data: Mapping[str, Any], field: str, tags: Mapping[str | None, str]) -> str:
    value = data.get(field)
    text = value.strip() if type(value) is str else text_of(data, [field])
    return words_of(text[: 10 * MAX_CHARACTERS]) if tags.get(field) == "hypertext" else text


def _as_it_is(data: Mapping[str, Any], field: str | None) -> str:
    text = lookup(data, field) if field else None
    return text if isinstance(text, str) else ""


def _clean(text: str) -> str:
    text = text[:MAX_CHARACTERS].strip()
    return text if text.isascii() else text.encode(errors="replace").decode()  # halves of surrogate pairs
