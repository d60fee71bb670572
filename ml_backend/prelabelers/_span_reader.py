"""Reads spans from texts with a phrase memory and, where it helps, a tagger."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml_backend.prelabelers._found_spans import Found, measured, resolved
from ml_backend.prelabelers._patterns import PATTERNS
from ml_backend.prelabelers._phrase_memory import PhraseMemory
from ml_backend.prelabelers._phrases import PhraseBook, Places
from ml_backend.prelabelers._tagger import Tagger, features_of
from ml_backend.prelabelers._tokens import Tokens, tokens

LEAST = 0.02
"""Places less probable are passed over."""
_HINTED = 0.15
_STEPS = 4  # of a hint's probability


class Read(NamedTuple):
    found: list[Found]
    measures: tuple[float, ...]


@dataclass(frozen=True)
class SpanReader:
    book: PhraseBook
    memory: PhraseMemory
    tagger: Tagger | None
    floor: float
    """Remembered phrases less probable are no spans; above 1 only the tagger's are."""
    apart: bool
    """Whether spans of different labels never overlap."""

    def read(self, texts: Sequence[str]) -> list[Read]:
        words = [tokens(text) for text in texts]
        places = self.book.places(words)
        remembered = proposals(places, self.memory.probabilities(places), len(words))
        tagged: list[list[Found]] | None = None
        outside = np.empty(0)
        if self.tagger is not None:
            tagged, outside = tag(self.tagger, features(words, places, remembered), words)
        return put_together(words, remembered, tagged, outside, self.floor, apart=self.apart)


def proposals(places: Places, probabilities: np.ndarray, texts: int) -> list[list[Found]]:
    """For each text what the memory takes for possible; a phrase as it is known tells more than another form of it."""
    best: list[dict[tuple[int, int, int], tuple[bool, float]]] = [{} for _ in range(texts)]
    rows, labels = np.nonzero(probabilities > LEAST)
    for text, start, end, label, exact, p in zip(
        places.text[rows].tolist(),
        places.start[rows].tolist(),
        places.end[rows].tolist(),
        labels.tolist(),
        (~places.variant[rows]).tolist(),
        probabilities[rows, labels].tolist(),
        strict=True,
    ):
        where = (start, end, label)
        best[text][where] = max(best[text].get(where, (False, 0.0)), (exact, p))
    return [[Found(*where, p) for where, (_, p) in found.items()] for found in best]


def features(words: Sequence[Tokens], places: Places, remembered: Sequence[Sequence[Found]]) -> np.ndarray:
    """What the tagger reads of every token of these texts, (tokens, features)."""
    offsets = np.cumsum([0, *map(len, words)])
    hints, forms = (np.zeros(int(offsets[-1]), dtype=np.int64) for _ in range(2))
    for number, found in enumerate(remembered):
        for span in resolved((it for it in found if it.probability >= _HINTED), apart=True):
            step = min(int(span.probability * _STEPS), _STEPS - 1)
            _mark(hints, offsets[number], words[number], span.start, span.end, span.label * _STEPS + step)
    known = places.phrase < len(PATTERNS)
    columns = (places.text[known], places.start[known], places.end[known], places.phrase[known])
    for number, start, end, form in zip(*(it.tolist() for it in columns), strict=True):
        _mark(forms, offsets[number], words[number], start, end, form)
    return features_of(words, hints, forms)


def _mark(codes: np.ndarray, offset: int, words: Tokens, start: int, end: int, code: int) -> None:
    """Notes the code at the tokens from `start` to `end`, where nothing is noted yet; the first one is told apart."""
    first, after = bisect_left(words.starts, start), bisect_left(words.starts, end)
    here = codes[offset + first : offset + after]
    if not here.any():
        here[:] = 2 * code + 2
        here[:1] = 2 * code + 1


def tag(tagger: Tagger, rows: np.ndarray, words: Sequence[Tokens]) -> tuple[list[list[Found]], np.ndarray]:
    """The tagger's spans in each text, and how surely each token is outside all."""
    spans, outside = tagger.tag(rows, np.cumsum(list(map(len, words))).tolist())
    found = [
        [Found(text.starts[first], text.ends[last], label, p) for first, last, label, p in row]
        for text, row in zip(words, spans, strict=True)
    ]
    return found, outside


def put_together(
    words: Sequence[Tokens],
    remembered: Sequence[Sequence[Found]],
    tagged: Sequence[Sequence[Found]] | None,
    outside: np.ndarray,
    floor: float,
    *,
    apart: bool,
) -> list[Read]:
    made = []
    offset = 0
    for number, text in enumerate(words):
        kept = [it for it in remembered[number] if it.probability >= floor]
        found = resolved([*kept, *(tagged[number] if tagged else ())], apart=apart)
        if tagged is None:
            rest = [1 - it.probability for it in remembered[number] if not _overlaps(it, found)]
            nothing_else = float(np.log(np.maximum(rest, 1e-3)).sum())
        else:
            free = np.ones(len(text), dtype=bool)
            for span in found:
                free[bisect_left(text.starts, span.start) : bisect_left(text.starts, span.end)] = False
            nothing_else = float(outside[offset : offset + len(text)][free].sum())
        made.append(Read(found, measured(found, nothing_else, len(text))))
        offset += len(text)
    return made


def _overlaps(span: Found, others: Sequence[Found]) -> bool:
    return any(span.start < it.end and it.start < span.end for it in others)
