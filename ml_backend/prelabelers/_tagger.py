"""A tagger of tokens: begins a span, is inside one, or neither, by logistic regression over what stands around it.

Features are what taggers of names have used since Ratnaparkhi (1996): the word, its shape and its ends, those of its
neighbours, and whether the phrase memory or a form of `_patterns` is there. They are hashed to 32 bits. The tags of a
text are the most probable sequence in which nothing is inside what has not begun (Viterbi).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

from ml_backend.prelabelers._tokens import Tokens
from ml_backend.prelabelers.regression import Coefficients, Design, fit

C = 1.0
LEAST_SEEN = 2
MOST_TOKENS = 20_000
MOST_FEATURES = 30_000
"""Learned from: more hardly help, and take their time."""
NEAR = 4
"""Tokens on each side of a span that are all learned from; of the others, every third."""
_RARELY = 3
_SURELY = np.log(0.95)
_PADDING = 2

Tag = tuple[int, int, int, float]
"""First and last token of a span (both included), its label, and the least probability along it."""


@dataclass(frozen=True)
class Tagger:
    """`hashes` (f,) sorted uint32 are the features; each layer tags some labels, which never overlap, on its own."""

    hashes: np.ndarray
    layers: tuple[tuple[int, ...], ...]
    coefficients: tuple[Coefficients, ...]

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        tags: Sequence[np.ndarray],
        weights: np.ndarray,
        layers: tuple[tuple[int, ...], ...],
    ) -> Tagger:
        """`features` (n, f) of all tokens, `tags` for each layer (n,), `weights` (n,)."""
        near = np.any([np.convolve(it > 0, np.ones(2 * NEAR + 1), "same") > 0 for it in tags], axis=0)
        rows = np.flatnonzero(near | (np.arange(len(near)) % _RARELY == 0))[:MOST_TOKENS]
        weight = weights[rows] * np.where(near[rows], 1, _RARELY)
        hashes, count = np.unique(features[rows], return_counts=True)
        common = np.sort(np.argsort(-count, kind="stable")[:MOST_FEATURES])
        hashes = hashes[common[count[common] >= LEAST_SEEN]]
        design = _design(features[rows], hashes)
        found = []
        for layer, tag in zip(layers, tags, strict=True):
            targets = np.eye(1 + 2 * len(layer), dtype=np.float32)[tag[rows]]
            found.append(fit(design, targets, weight, C))
        return cls(hashes, layers, tuple(found))

    def tag(self, features: np.ndarray, ends: Sequence[int]) -> tuple[list[list[Tag]], np.ndarray]:
        """The spans of each text, whose last token is before `ends`, and (n,) how surely each token is in none."""
        design = _design(features, self.hashes)
        found: list[list[Tag]] = [[] for _ in ends]
        outside = np.zeros(len(features))
        for layer, coefficients in zip(self.layers, self.coefficients, strict=True):
            logs = log_softmax(coefficients.logits(design).astype(np.float64), axis=1)
            outside += logs[:, 0]
            for text, (begin, end) in enumerate(pairwise([0, *ends])):
                found[text] += [
                    (first - begin, last - begin, layer[label], p) for first, last, label, p in _spans(logs, begin, end)
                ]
        return found, outside


def tags_of(spans: Sequence[tuple[int, int, int]], layer: tuple[int, ...], count: int) -> np.ndarray:
    """Spans (first token, last token, label) of one text as tags: 0 none, 2 l + 1 begins, 2 l + 2 is inside, for the
    l-th label of the layer."""
    tags = np.zeros(count, dtype=np.int64)
    for first, last, label in sorted(spans):
        if label in layer:
            at = layer.index(label)
            tags[first] = 2 * at + 1
            tags[first + 1 : last + 1] = 2 * at + 2
    return tags


def features_of(read: Sequence[Tokens], hints: np.ndarray, forms: np.ndarray) -> np.ndarray:
    """(n, f) uint32 for the tokens of all texts, one after the other. `hints` and `forms` (n,) are small numbers that
    say what the phrase memory and the patterns have at each token, 0 for nothing."""
    words: dict[str, int] = {"": 0}
    order: list[int] = []
    places: list[int] = []
    for text in read:
        order += [0] * _PADDING
        places += range(len(order), len(order) + len(text))
        order += [words.setdefault(text.surface(i), len(words)) for i in range(len(text))]
    order += [0] * _PADDING
    described = np.array([_described(word) for word in words], dtype=np.uint64)
    at = np.array(places, dtype=np.int64)
    number = np.array(order, dtype=np.int64)
    hint, form = (np.zeros(len(order), dtype=np.uint64) for _ in range(2))
    hint[at], form[at] = hints + 1, forms + 1
    columns: list[np.ndarray] = []

    def add(values: np.ndarray) -> None:
        columns.append(_mixed(values, len(columns) + 1))

    around = {offset: described[number[at + offset]] for offset in range(-_PADDING, _PADDING + 1)}
    for offset, kept in ((0, 7), (-1, 5), (1, 5), (-2, 2), (2, 2)):
        for feature in range(kept):
            add(around[offset][:, feature])
    for offset in (-1, 0):
        add(_mixed(around[offset][:, 0], 101) ^ around[offset + 1][:, 0])
    add(_mixed(around[-1][:, 0], 102) ^ around[1][:, 0])
    add(_mixed(around[-1][:, 1], 103) ^ _mixed(around[0][:, 1], 104) ^ around[1][:, 1])
    for offset in (-1, 0, 1):
        add(hint[at + offset])
        add(form[at + offset])
    return np.stack(columns, axis=1).astype(np.uint32) if len(at) else np.empty((0, len(columns)), np.uint32)


def _described(word: str) -> list[int]:
    lower = word.lower()
    shape = "".join(map(_sort, word[:20]))
    short = "".join(sign for i, sign in enumerate(shape) if i == 0 or shape[i - 1] != sign)
    known = (lower, short, lower[-3:], shape, lower[:3], lower[-2:], lower[:4])
    return [crc32(part.encode(errors="replace")) for part in known]


def _sort(sign: str) -> str:
    if sign.isdigit():
        return "0"
    if sign.isalpha():
        return "X" if sign.isupper() else "x"
    return sign


def _mixed(values: np.ndarray, salt: int) -> np.ndarray:
    """Hashes of the values, other ones for each salt, 32 bits wide (MurmurHash3's finaliser)."""
    found = values.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    found = (found ^ (found >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    found = (found ^ (found >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return found >> np.uint64(32)


def _design(features: np.ndarray, hashes: np.ndarray) -> Design:
    n = len(features)
    if not len(hashes):
        return Design(np.empty((n, 0), np.float32), csr_matrix((n, 0), dtype=np.float32))
    columns = np.minimum(np.searchsorted(hashes, features), len(hashes) - 1)
    known = hashes[columns] == features
    starts = np.r_[0, np.cumsum(known.sum(axis=1))]
    values = np.ones(int(starts[-1]), np.float32)
    sparse = csr_matrix((values, columns[known].astype(np.int32), starts), shape=(n, len(hashes)))
    return Design(np.empty((n, 0), np.float32), sparse)


def _spans(logs: np.ndarray, begin: int, end: int) -> list[tuple[int, int, int, float]]:
    """The spans in the most probable tags of tokens `begin` to `end`: (first, last, label of the layer, probability).
    Stretches that are surely outside are not looked at."""
    doubtful = np.flatnonzero(logs[begin:end, 0] < _SURELY) + begin
    found = []
    for stretch in np.split(doubtful, np.flatnonzero(np.diff(doubtful) > 1) + 1) if len(doubtful) else ():
        tags = _viterbi(logs[stretch])
        first = 0
        while first < len(tags):
            if tags[first] == 0:
                first += 1
                continue
            label, last = (tags[first] - 1) // 2, first
            while last + 1 < len(tags) and tags[last + 1] == 2 * label + 2:
                last += 1
            p = min(float(logs[stretch[i], tags[i]]) for i in range(first, last + 1))
            after = int(stretch[last]) + 1
            goes_on = float(np.exp(logs[after, 2 * label + 2])) if after < end else 0.0
            found.append((int(stretch[first]), int(stretch[last]), label, float(min(np.exp(p), 1 - goes_on))))
            first = last + 1
    return found


def _viterbi(logs: np.ndarray) -> list[int]:
    n, k = logs.shape
    allowed = np.zeros((k, k))
    for inside in range(2, k, 2):
        allowed[:, inside] = -np.inf
        allowed[inside - 1, inside] = allowed[inside, inside] = 0
    score = logs[0].copy()
    score[2::2] = -np.inf
    came = np.zeros((n, k), dtype=np.int64)
    for i in range(1, n):
        through = score[:, None] + allowed
        came[i] = through.argmax(axis=0)
        score = through[came[i], np.arange(k)] + logs[i]
    tags = [int(score.argmax())]
    for i in range(n - 1, 0, -1):
        tags.append(int(came[i][tags[-1]]))
    return tags[::-1]
