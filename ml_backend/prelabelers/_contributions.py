"""Which words moved a head that reads n-grams: what each of them adds to a difference of logits, put back to where it
stands in the text.

A logit is a sum over features, so an n-gram's part of it is exact: its value times its weight. An n-gram that stands
in a text several times shares its part among its places; each place shares it among its characters, blanks left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers._inputs import Inputs
from ml_backend.prelabelers._ngrams import (
    MAX_CHARACTERS,
    SPACE,
    WORD,
    Vocabulary,
    padded,
    runs_of,
    words,
)
from ml_backend.prelabelers._tokens import tokens, unspaced

MOST_LEFT_OUT, MOST_READ_AGAIN = 24, 10_000
"""Words of a text that are left out in turn, and characters that are read again for that."""
_CHUNK = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A stretch of a text, in characters, and how it speaks for an answer (above 0) or against it: its share of all
    that does either, its sign apart."""

    start: int
    end: int
    weight: float


@runtime_checkable
class Explains(Protocol):
    """A head that can say which words moved it."""

    def words_for(self, inputs: Inputs, answers: Sequence[Answer], *, closely: bool = False) -> list[list[Weighed]]:
        """For each input the words of its text (`Reading.text`) that speak for or against this answer, whether or not
        it is the head's own, in order of place; none for an answer it does not know. `closely` may take ten times as
        long as an opinion. Raises ModelUnavailable."""


@dataclass(frozen=True)
class Lean:
    """What n answers are measured against: of n texts each, a sum of label scores with signs."""

    labels: np.ndarray
    """(n, s) int: columns of the labels."""
    signs: np.ndarray
    """(n, s) float: 0 where there are fewer labels."""

    def of(self, weights: np.ndarray, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(g,): the weights (m, k) of features (g,), each as the text `rows` (g,) leans."""
        total = np.zeros(len(features))
        for labels, signs in zip(self.labels.T, self.signs.T, strict=True):
            total += weights[features, labels[rows]] * signs[rows]
        return total

    def leaning(self, logits: np.ndarray) -> np.ndarray:
        """(n,): how far texts with these logits (n, k), or parts of logits, lean."""
        return (np.take_along_axis(logits, self.labels, axis=1) * self.signs).sum(axis=1)

    def take(self, rows: np.ndarray) -> Lean:
        return Lean(self.labels[rows], self.signs[rows])


def of_ngrams(
    texts: Sequence[str],
    word_family: tuple[Vocabulary, np.ndarray],
    character_family: tuple[Vocabulary, np.ndarray],
    lean: Lean,
) -> list[np.ndarray]:
    """Of each text what its characters add to the leaning: (length of the text,), the parts of all n-grams summed.
    Families are a vocabulary and its weights (m, k)."""
    totals = [np.zeros(len(text)) for text in texts]
    for row, place, share in _of_words(texts, *word_family, lean):
        start, end = place
        totals[row][start:end] += share / max(end - start, 1)
    codes, owner = padded(texts)
    added = _of_characters(codes, owner, len(texts), *character_family, lean)
    begins = np.searchsorted(owner, np.arange(len(texts) + 1))
    for row, text in enumerate(texts):
        if (mine := added[begins[row] : begins[row + 1]]).any():
            sources = _sources(text)
            if len(sources) == len(mine):
                np.add.at(totals[row], sources[sources >= 0], mine[sources >= 0])
    return totals


def weighed(text: str, added: np.ndarray, otherwise: float) -> list[Weighed]:
    """The words of a text by what its characters add, beside what moves the head `otherwise` (≥ 0)."""
    found = list(stretches(text, added))
    total = otherwise + sum(abs(share) for *_, share in found)
    return [Weighed(start, end, share / total) for start, end, share in found]


def without_each_word(text: str, added: np.ndarray) -> list[tuple[int, int, str]]:
    """Start, end, and the text without it, of every word; of many those whose n-grams add most, or else the longest."""
    found = tokens(text[:MAX_CHARACTERS])
    places = [
        (start, end)
        for start, end, key in zip(found.starts, found.ends, found.keys, strict=True)
        if key[0].isalnum() and not unspaced(key)
    ]
    places.sort(key=lambda place: (-abs(float(added[place[0] : place[1]].sum())), place[0] - place[1], place))
    most = min(MOST_LEFT_OUT, MOST_READ_AGAIN // max(1, len(text)))
    return [(start, end, text[:start] + text[end:]) for start, end in places[:most]]


def stretches(text: str, added: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Words with what they add; of scripts without blanks between words, stretches that lean one way on the whole."""
    found = tokens(text[:MAX_CHARACTERS])
    up_to = np.concatenate([[0], np.cumsum(added)])
    totals = up_to[found.ends] - up_to[found.starts]
    around = np.convolve(totals, np.ones(3), "same") if len(totals) > 2 else totals
    lasting: tuple[int, int, float, bool] | None = None  # the last of them: start, end, total, whether it leans for it
    for start, end, key, total, nearby in zip(
        found.starts, found.ends, found.keys, totals.tolist(), around.tolist(), strict=True
    ):
        grows = unspaced(key)
        if lasting and grows and lasting[1] == start and lasting[3] == (nearby > 0):
            lasting = lasting[0], end, lasting[2] + total, lasting[3]
            continue
        if lasting:
            yield lasting[:3]
        lasting = (start, end, total, nearby > 0) if grows else None
        if total and not grows and any(unicodedata.category(it)[0] != "P" for it in key):
            yield start, end, total
    if lasting:
        yield lasting[:3]


def _of_words(
    texts: Sequence[str], vocabulary: Vocabulary, weights: np.ndarray, lean: Lean
) -> Iterator[tuple[int, tuple[int, int], float]]:
    """Number of a text, place of a word in it, and what the word adds; half of a pair's part each."""
    rows, hashes = words(texts)
    if not len(rows) or not len(vocabulary.hashes):
        return
    columns, values = vocabulary.shares(rows, hashes, len(texts))
    parts = values * lean.of(weights, columns, rows)
    begins = np.searchsorted(rows, np.arange(len(texts) + 1)).tolist()
    for row, text in enumerate(texts):
        mine = parts[begins[row] : begins[row + 1]]
        if not mine.any():
            continue
        lower = text[:MAX_CHARACTERS].lower()
        back = _back(text) if len(lower) != len(text[:MAX_CHARACTERS]) else None
        places = [match.span() for match in WORD.finditer(lower)]
        if len(mine) != 2 * len(places) - 1:
            continue
        alone, pairs = mine[: len(places)], mine[len(places) :] / 2
        total = alone.copy()
        total[:-1] += pairs
        total[1:] += pairs
        for (start, end), share in zip(places, total.tolist(), strict=True):
            if share:
                yield row, (start, end) if back is None else (back[start], back[end - 1] + 1), share


def _of_characters(
    codes: np.ndarray, owner: np.ndarray, texts: int, vocabulary: Vocabulary, weights: np.ndarray, lean: Lean
) -> np.ndarray:
    """What each of the padded characters adds."""
    added = np.zeros(len(codes))
    runs = list(runs_of(codes, owner)) if len(vocabulary.hashes) else []
    if not runs:
        return added
    begins = np.concatenate([starts for _, starts, _ in runs])
    sizes = np.concatenate([np.full(len(starts), size) for size, starts, _ in runs])
    rows = owner[begins]
    columns, values = vocabulary.shares(rows, np.concatenate([hashes for *_, hashes in runs]), texts)
    parts = values * lean.of(weights, columns, rows)
    seen = codes != SPACE
    before = np.concatenate([[0], np.cumsum(seen)])
    parts /= np.maximum(before[begins + sizes] - before[begins], 1)
    for offset in range(int(sizes.max())):
        there = sizes > offset
        added += np.bincount(begins[there] + offset, parts[there], minlength=len(codes))
    return np.where(seen, added, 0)


def _sources(text: str) -> np.ndarray:
    """Of each character of the padded text the place it comes from, −1 for the blanks."""
    blank = np.array([-1])
    found = [blank]
    text = text[:MAX_CHARACTERS]
    for match in _CHUNK.finditer(text):
        start, end = match.span()
        if len(match[0].lower()) == end - start:
            found += [np.arange(start, end), blank]
        else:
            found += [start + np.array(_back(match[0])), blank]
    return np.concatenate(found)


def _back(text: str) -> list[int]:
    """Of each character of the text in lower case the place it comes from."""
    return [i for i, character in enumerate(text[:MAX_CHARACTERS]) for _ in character.lower()]
