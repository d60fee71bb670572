"""Which texts are the same, or nearly so, in time that grows with the texts and not with their pairs.

The same are texts that differ in case, blanks and the punctuation around them. Nearly the same are those whose sets of
runs of five characters are alike: a Jaccard likeness of about LEAST or more, estimated by MinHash (Broder 1997) with
one permutation (Li, Owen & Zhang 2012) and borrowed values for empty bins (Shrivastava & Li 2014). Characters and not
vectors: encoders differ in what they take to be near, and to many of them a sentence is near its negation.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEAST = 0.8
"""Likeness, 0–1, from which on texts are nearly the same."""
MAX_CHARACTERS = 4_000
"""Of a text; what stands further down does not count."""
RUN = 5  # characters
BINS, ROWS = 64, 4  # 16 bands of 4: texts with a likeness of 0.8 share one with a probability of 0.9998
NEXT = 2  # texts of the same band that each is compared with: more would grow with the pairs
_AT_ONCE = 300_000  # characters held as runs: what the processor's own memory holds
_EMPTY = np.uint32(0xFFFFFFFF)
_EDGES = " .,;:!?…'\"()[]«»‹›“”„‘’-–—*_#~"

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def same_texts(texts: Sequence[str]) -> tuple[Ints, Floats]:
    """Of n texts (n,) the number of the group each belongs to, and (n,) how alike the texts of its group are, 0–1: of
    those that joined it the least likeness. Groups have the number of their first text; a text like no other, or empty,
    is a group of its own with a likeness of 1.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    keys = [normal(text) for text in texts]
    different = {key: number for number, key in enumerate(dict.fromkeys(key for key in keys if key))}
    n = len(different)
    first, second, likeness = _alike(list(different))
    _, part = connected_components(csr_matrix((np.ones(len(first)), (first, second)), (n, n)), directed=False)
    least = np.ones(int(part.max()) + 1 if n else 0)
    np.minimum.at(least, part[first], likeness)

    place = np.array([different.get(key, -1) for key in keys], dtype=np.int64)
    known = np.flatnonzero(place >= 0)
    group, alike = np.arange(len(texts), dtype=np.int64), np.ones(len(texts))
    of = part[place[known]]
    head = np.full(len(least), len(texts), dtype=np.int64)
    np.minimum.at(head, of, known)
    group[known], alike[known] = head[of], least[of]
    return group, alike


def normal(text: str) -> str:
    """What is the same of two texts that are."""
    text = text[:MAX_CHARACTERS]
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    line = " ".join(folded.split())
    return line.strip(_EDGES) or line


def _alike(texts: Sequence[str]) -> tuple[Ints, Ints, Floats]:
    """Pairs of different texts that are nearly the same, and how alike they are: (P,) each. Enough pairs to join every
    group, not all there are."""
    signatures = _signatures(texts)
    bands = signatures.astype(np.uint64).reshape(len(texts), BINS // ROWS, ROWS)
    odd = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64)
    hashed = (bands * odd).sum(axis=2, dtype=np.uint64)
    pairs: list[Ints] = [np.empty(0, np.int64)]
    for band in range(hashed.shape[1]):
        order = np.argsort(hashed[:, band], kind="stable")
        sorted_hashes = hashed[order, band]
        for step in range(1, NEXT + 1):
            near = np.flatnonzero(sorted_hashes[step:] == sorted_hashes[:-step])
            pairs.append(order[near] * len(texts) + order[near + step])
    once = pl.Series(np.concatenate(pairs)).unique().sort().to_numpy()  # numpy's own takes five times as long
    first, second = np.divmod(once, max(len(texts), 1))
    likeness = np.empty(len(first))
    for start in range(0, len(first), 100_000):
        some = slice(start, start + 100_000)
        likeness[some] = (signatures[first[some]] == signatures[second[some]]).mean(axis=1)
    alike = likeness >= LEAST
    return first[alike], second[alike], likeness[alike]


def _signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """(n, BINS): of the runs of characters whose hash falls into a bin the least hash; empty bins borrow."""
    made = np.full((len(texts), BINS), _EMPTY)
    start = 0
    while start < len(texts):
        end, characters = start, 0
        while end < len(texts) and characters < _AT_ONCE:
            characters += len(texts[end])
            end += 1
        made[start:end] = _some_signatures(texts[start:end])
        start = end
    return made


def _some_signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    padded = [f"  {text}  " for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    count = len(codes) - RUN + 1
    rolling: NDArray[np.uint64] = np.zeros(count, np.uint64)
    for place in range(RUN):
        rolling = rolling * np.uint64(0x100000001B3) + codes[place : place + count]
    within = owner[:count] == owner[RUN - 1 :]
    mixed = rolling[within] * np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    cell = owner[:count][within] * BINS + (mixed & np.uint64(BINS - 1)).astype(np.int64)
    least = np.full(len(texts) * BINS, _EMPTY)
    np.minimum.at(least, cell, (mixed >> np.uint64(32)).astype(np.uint32))
    return _borrowed(least.reshape(-1, BINS))


def _borrowed(least: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """An empty bin gets the value of the next full one to its right, changed by how far that is."""
    rows = np.flatnonzero((least == _EMPTY).any(axis=1))
    twice = np.concatenate([least[rows]] * 2, axis=1)
    full = np.where(twice != _EMPTY, np.arange(2 * BINS), 2 * BINS)
    following = np.minimum.accumulate(full[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    lent = np.take_along_axis(twice, np.minimum(following, 2 * BINS - 1), axis=1)
    filled = least.copy()
    filled[rows] = lent + ((following - np.arange(BINS)) * 0x9E3779B1 % 2**32).astype(np.uint32)
    return filled
