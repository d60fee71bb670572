"""An encoder that remembers what one backtest asked of it: its splits overlap, and read the same texts many times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ml_backend.encoder import Encoder

_AT_ONCE = 2_000
"""Texts between two lines of progress."""


class Remembered:
    """The vectors of `texts` in memory (half precision, as the cache has them); other texts go to the encoder."""

    def __init__(self, encoder: Encoder, texts: Sequence[str], report: Callable[[str], None]) -> None:
        self._encoder = encoder
        self._row = {text: row for row, text in enumerate(texts)}
        self._vectors = np.empty((len(texts), 0), np.float16)
        for start in range(0, len(texts), _AT_ONCE):
            some = encoder.encode(texts[start : start + _AT_ONCE])
            if not start:
                self._vectors = np.empty((len(texts), some.shape[1]), np.float16)
            self._vectors[start : start + len(some)] = some
            if len(texts) > _AT_ONCE:
                report(f"Reading the texts: {start + len(some):,} of {len(texts):,} …")

    @property
    def id(self) -> str:
        return self._encoder.id

    @property
    def dimension(self) -> int:
        return self._vectors.shape[1]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = [self._row.get(text, -1) for text in texts]
        vectors = self._vectors[rows].astype(np.float32)
        if strange := [i for i, row in enumerate(rows) if row < 0]:
            vectors[strange] = self._encoder.encode([texts[i] for i in strange])
        return vectors
