"""Learning to read spans: the phrase memory, whether a tagger adds to it, and how far the two can be trusted."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.prelabelers._found_spans import Given, SetConfidence, f1
from ml_backend.prelabelers._phrase_memory import PhraseMemory
from ml_backend.prelabelers._phrases import MOST_TOKENS, PhraseBook, Places, phrase_of
from ml_backend.prelabelers._span_reader import Read, SpanReader, features, proposals, put_together, tag
from ml_backend.prelabelers._tagger import Tagger, tags_of
from ml_backend.prelabelers._tokens import Tokens, tokens

FLOORS = (0.3, 0.4, 0.5, 0.6, 0.75)
TAGGER_ALONE = 2.0
"""A floor that no remembered phrase reaches."""
MOST_PHRASES = 20_000
MOST_COUNTS = 2_000_000
"""Of phrases times labels: 24 MB a head."""
LEAST_FOR_TAGGER = 20
"""Texts."""
USEFUL = 0.3
"""A tagger of a lower F1 is none."""
OVERLAPPING = 0.02
"""Where spans of different labels overlap in a larger share of texts, they may."""
LEAST_SPANS = 5
"""Of a label that overlaps others, to be tagged on its own."""


@dataclass(frozen=True)
class Learning:
    reader: SpanReader
    confidence: SetConfidence
    seen: list[Read]
    """Of each text, by readers that have not seen its fold."""


def learn(texts: Sequence[str], given: Sequence[Given], weights: np.ndarray, fold: np.ndarray, labels: int) -> Learning:
    """From texts in an order that means nothing, the spans people marked in each, weights (n,) > 0 and folds (n,)."""
    weights = weights / weights.mean()
    words = [tokens(text) for text in texts]
    book, often = _phrases(words, given, weights, labels)
    places = book.places(words)
    marks, counts = _judged(places, given, weights, labels, often)
    probabilities = np.zeros(marks.shape)
    for held_out in np.unique(fold):
        test = fold[places.text] == held_out
        memory = PhraseMemory.fit(*_rows(places, marks, counts, ~test), len(book))
        probabilities[test] = memory.probabilities(places.take(np.flatnonzero(test)))
    remembered = proposals(places, probabilities, len(words))
    apart = _apart(given)

    def read(tagged: list | None, outside: np.ndarray, floor: float) -> list[Read]:
        return put_together(words, remembered, tagged, outside, floor, apart=apart)

    def score(reads: list[Read]) -> float:
        return f1([it.found for it in reads], given)

    best, floor = max((score(read(None, np.empty(0), it)), it) for it in FLOORS)
    tagger: Tagger | None = None
    seen = read(None, np.empty(0), floor)
    if len(texts) >= LEAST_FOR_TAGGER:
        fitting = _Tagging(
            words,
            given,
            weights,
            features(words, places, remembered),
            features(words, places, [found if i % 2 else [] for i, found in enumerate(remembered)]),
            _layers(given, labels, apart),
        )
        tagged, outside = fitting.out_of_fold(fold // 2)
        better, its_floor = max((score(read(tagged, outside, it)), it) for it in (*FLOORS, TAGGER_ALONE))
        if better >= max(best, USEFUL):  # as good is kept: it also reads what nobody has marked yet
            floor, tagger = its_floor, fitting.fit(np.ones(len(words), dtype=bool))
            seen = read(tagged, outside, floor)
    reader = SpanReader(book, PhraseMemory.fit(places, marks, counts, len(book)), tagger, floor, apart)
    right = [
        frozenset(span[:3] for span in it.found) == marked for it, marked in zip(seen, given, strict=True) if it.found
    ]
    measures = [it.measures for it in seen if it.found]
    return Learning(reader, SetConfidence.fit(np.array(measures), np.array(right, dtype=bool)), seen)


def _phrases(
    words: Sequence[Tokens], given: Sequence[Given], weights: np.ndarray, labels: int
) -> tuple[PhraseBook, Counter[str]]:
    """The phrases people marked, and how often."""
    often: Counter[str] = Counter()
    together: dict[str, set[str]] = {}
    for text, marked in zip(words, given, strict=True):
        for start, end, _ in marked:
            if (found := _aligned(text, start, end)) is not None and found[1] - found[0] < MOST_TOKENS:
                spaced, joined = phrase_of(text, *found)
                often[spaced] += 1
                if joined != spaced:
                    together.setdefault(spaced, set()).add(joined)
    most = min(MOST_PHRASES, MOST_COUNTS // labels)
    kept = sorted(sorted(often, key=lambda phrase: (-often[phrase], phrase))[:most])
    pairs = sorted((joined, phrase) for phrase in kept for joined in together.get(phrase, ()))
    return PhraseBook(tuple(kept), tuple(pairs)), often


def _aligned(words: Tokens, start: int, end: int) -> tuple[int, int] | None:
    """The first and last token of a span, or None where it begins or ends within one."""
    first, last = bisect_left(words.starts, start), bisect_left(words.ends, end)
    if last < len(words) and first <= last and words.starts[first] == start and words.ends[last] == end:
        return first, last
    return None


def _judged(
    places: Places, given: Sequence[Given], weights: np.ndarray, labels: int, often: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Which labels each place has, (m, labels), and how much it counts, (m,): not at all where it lies within a marked
    span that is longer, since there the longer phrase is found."""
    marks = np.zeros((len(places), labels), dtype=bool)
    counts = weights[places.text].copy()
    columns = zip(places.text.tolist(), places.start.tolist(), places.end.tolist(), strict=True)
    for row, (text, start, end) in enumerate(columns):
        for marked_start, marked_end, label in given[text]:
            if (marked_start, marked_end) == (start, end):
                marks[row, label] = True
            elif marked_start <= start and end <= marked_end and not marks[row].any():
                counts[row] = 0
        if marks[row].any():
            counts[row] = weights[text]
    return marks, counts


def _rows(
    places: Places, marks: np.ndarray, counts: np.ndarray, wanted: np.ndarray
) -> tuple[Places, np.ndarray, np.ndarray]:
    rows = np.flatnonzero(wanted)
    return places.take(rows), marks[rows], counts[rows]


def _apart(given: Sequence[Given]) -> bool:
    overlapping = sum(
        any(a[2] != b[2] and a[0] < b[1] and b[0] < a[1] for a in marked for b in marked) for marked in given
    )
    return overlapping <= max(1, OVERLAPPING * len(given))


def _layers(given: Sequence[Given], labels: int, apart: bool) -> tuple[tuple[int, ...], ...]:
    often = Counter(label for marked in given for _, _, label in marked)
    if apart:
        return (tuple(it for it in range(labels) if often[it]),)
    return tuple((it,) for it in range(labels) if often[it] >= LEAST_SPANS)


@dataclass(frozen=True)
class _Tagging:
    words: Sequence[Tokens]
    given: Sequence[Given]
    weights: np.ndarray
    features: np.ndarray
    lessons: np.ndarray
    """The features learned from: every other text comes without what the memory says of it, so that the tagger also
    learns what spans look like that the memory does not know."""
    layers: tuple[tuple[int, ...], ...]

    def fit(self, among: np.ndarray) -> Tagger:
        """A tagger of the texts chosen by `among` (n,) bool."""
        size = np.array([len(text) for text in self.words])
        chosen = np.repeat(among, size)
        spans = [
            [(*found, label) for start, end, label in marked if (found := _touched(text, start, end)) is not None]
            for text, marked in zip(self.words, self.given, strict=True)
        ]
        tags = [
            np.concatenate([tags_of(it, layer, len(text)) for text, it in zip(self.words, spans, strict=True)])
            for layer in self.layers
        ]
        weights = np.repeat(self.weights, size)
        return Tagger.fit(self.lessons[chosen], [it[chosen] for it in tags], weights[chosen], self.layers)

    def out_of_fold(self, fold: np.ndarray) -> tuple[list, np.ndarray]:
        """The spans in each text by a tagger that has not seen its fold, and how surely tokens are outside."""
        size = np.array([len(text) for text in self.words])
        of_token = np.repeat(fold, size)
        found: list = [[] for _ in self.words]
        outside = np.zeros(len(of_token))
        for held_out in np.unique(fold):
            tagger = self.fit(fold != held_out)
            test = np.flatnonzero(fold == held_out)
            spans, surely = tag(tagger, self.features[of_token == held_out], [self.words[i] for i in test])
            outside[of_token == held_out] = surely
            for i, row in zip(test.tolist(), spans, strict=True):
                found[i] = row
        return found, outside


def _touched(words: Tokens, start: int, end: int) -> tuple[int, int] | None:
    """The first and last token that a span has a part in."""
    first = bisect_left(words.ends, start + 1)
    last = bisect_left(words.starts, end) - 1
    return (first, last) if first <= last else None
