"""TF-IDF over word 1-2-grams and character 1-4-grams, without a fitted object that would need pickling.

Characters within words serve languages that the encoder, or a split at spaces, does not know. N-grams are hashed to 32
bits and only those seen in two texts are kept, so the state is two arrays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix, diags

WORD = re.compile(r"\w+", re.UNICODE)
CHARACTERS = range(1, 5)
MAX_CHARACTERS = 4_000
"""Of a text; what stands further down hardly decides its label, and cost must stay bounded."""
SPACE = ord(" ")


Grams = tuple[np.ndarray, np.ndarray]
"""Of every n-gram the number of its text (int64), and its hash (uint32): (n,) each."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The n-grams of one family: their hashes (sorted, uint32) and inverse document frequencies (float32)."""

    hashes: np.ndarray
    idf: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, hashes: np.ndarray, texts: int, *, most: int, least: int = 2) -> Vocabulary:
        """Of the n-grams `hashes` seen in text number `rows`: those in at least `least` texts, the `most` commonest."""
        pairs = np.unique(_paired(rows, hashes))
        found, frequency = np.unique((pairs & 0xFFFFFFFF).astype(np.uint32), return_counts=True)
        kept = np.flatnonzero(frequency >= least)
        if len(kept) > most:
            kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:most]])
        return cls(found[kept], (np.log((1 + texts) / (1 + frequency[kept])) + 1).astype(np.float32))

    def transform(self, rows: np.ndarray, hashes: np.ndarray, texts: int) -> csr_matrix:
        """(texts, vocabulary) TF-IDF with sublinear term frequency and unit rows (empty rows stay 0)."""
        width = len(self.hashes)
        if width == 0 or len(hashes) == 0:
            return csr_matrix((texts, width), dtype=np.float32)
        columns, known = self._columns(hashes)
        cells, counts = np.unique(_paired(rows[known], columns[known]), return_counts=True)
        columns = (cells & 0xFFFFFFFF).astype(np.int32)
        values = (1 + np.log(counts)).astype(np.float32) * self.idf[columns]
        starts = np.searchsorted(cells >> 32, np.arange(texts + 1))
        matrix = csr_matrix((values, columns, starts), shape=(texts, width))
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return (diags((1 / np.where(norms > 0, norms, 1)).astype(np.float32)) @ matrix).tocsr()

    def shares(self, rows: np.ndarray, hashes: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """What each n-gram has of `transform`'s rows: its column (n,), and its part of the value there (n,), equal
        n-grams of a text sharing it; 0 in column 0 for n-grams that are not known."""
        columns, known = np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.bool_)
        values = np.zeros(len(hashes))
        if len(self.hashes):
            columns, known = self._columns(hashes)
        if known.any():
            cells, cell, counts = np.unique(
                _paired(rows[known], columns[known]), return_inverse=True, return_counts=True
            )
            weight = (1 + np.log(counts)) * self.idf[cells & 0xFFFFFFFF]
            squares = np.bincount(cells >> 32, weight**2, minlength=texts)
            values[known] = (weight / counts / np.sqrt(squares)[cells >> 32])[cell]
        return np.where(known, columns, 0), values

    def share_of_texts(self, words: Sequence[str]) -> np.ndarray:
        """Of the texts it was fitted on the share that has each of these words, about; 0 for words it does not know."""
        if not words or not len(self.hashes):
            return np.zeros(len(words))
        hashes = np.array([crc32(it.lower().encode(errors="replace")) for it in words], np.uint32)
        columns, known = self._columns(hashes)
        return np.where(known, np.exp(1 - self.idf[columns]), 0)

    def _columns(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The column of each hash, and whether it is known; the column means nothing where it is not."""
        columns = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return columns, self.hashes[columns] == hashes


def repeated(rows: np.ndarray, hashes: np.ndarray) -> float:
    """The share of the n-grams of all texts that stand in two texts or more; 0 where there are none."""
    pairs = np.unique(_paired(rows, hashes))
    _, frequency = np.unique(pairs & 0xFFFFFFFF, return_counts=True)
    return float(frequency[frequency > 1].sum() / max(frequency.sum(), 1))


def words(texts: Sequence[str]) -> Grams:
    """Every word and pair of neighbouring words: (number of its text, hash), each (n,)."""
    rows: list[int] = []
    hashes: list[int] = []
    for number, text in enumerate(texts):
        tokens = [token.encode(errors="replace") for token in WORD.findall(text[:MAX_CHARACTERS].lower())]
        found = [crc32(token) for token in tokens]
        found += [crc32(b" " + after, one) for one, after in zip(found, tokens[1:], strict=False)]
        hashes += found
        rows += [number] * len(found)
    return np.array(rows, dtype=np.int64), np.array(hashes, dtype=np.uint32)


def characters(texts: Sequence[str]) -> Grams:
    """Every run of 1 to 4 characters inside a word and its edges: (number of its text, hash), each (n,)."""
    codes, owner = padded(texts)
    runs = list(runs_of(codes, owner))
    if not runs:
        return np.empty(0, np.int64), np.empty(0, np.uint32)
    return np.concatenate([owner[starts] for _, starts, _ in runs]), np.concatenate([hashes for *_, hashes in runs])


def padded(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The characters of all texts in a row, lower case, one space between words and around each text: their code points
    (uint32), and the number of the text of each."""
    evened = [f" {' '.join(text[:MAX_CHARACTERS].lower().split())} " for text in texts]
    codes = np.frombuffer("".join(evened).encode("utf-32-le", "replace"), dtype=np.uint32)
    return codes, np.repeat(np.arange(len(texts)), [len(text) for text in evened])


def runs_of(codes: np.ndarray, owner: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The runs of `characters`, by size: the size, and of each run the place where it starts in `codes`, and its
    hash."""
    spaces = np.concatenate([[0], np.cumsum(codes == SPACE)])
    rolling: np.ndarray = np.zeros(len(codes) + 1, np.uint64)
    for size in CHARACTERS:
        count = len(codes) - size + 1
        if count <= 0:
            break
        rolling = rolling[:count] * np.uint64(0x9E3779B1) + codes[size - 1 :]
        inner = spaces[size - 1 : size - 1 + count] - spaces[1 : count + 1]
        starts = np.flatnonzero((owner[:count] == owner[size - 1 :]) & (inner == 0))
        mixed = rolling[starts] * np.uint64(0xFF51AFD7ED558CCD)
        yield size, starts, (mixed >> np.uint64(32)).astype(np.uint32)


def _paired(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return (rows.astype(np.int64) << 32) | columns.astype(np.int64)
