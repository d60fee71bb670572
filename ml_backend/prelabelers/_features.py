"""Inputs -> the rows a head reads: embedding, word n-grams and character n-grams side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import hstack

from ml_backend.prelabelers._inputs import Inputs
from ml_backend.prelabelers._ngrams import Vocabulary, characters, words
from ml_backend.prelabelers._regression import Design

EMBEDDING_SCALE = np.float32(2.0)
"""An embedding against unit n-gram rows: at 2 neither drowns the other (measured)."""


@dataclass(frozen=True)
class Features:
    words: Vocabulary
    characters: Vocabulary

    @classmethod
    def fit(cls, texts: Sequence[str], *, most: int) -> Features:
        """The n-grams of these texts, at most `most` of each kind."""
        return cls(
            Vocabulary.fit(*words(texts), len(texts), most=most),
            Vocabulary.fit(*characters(texts), len(texts), most=most),
        )

    def rows(self, inputs: Inputs) -> Design:
        count = len(inputs)
        blocks = [
            self.words.transform(*words(inputs.texts), count),
            self.characters.transform(*characters(inputs.texts), count),
        ]
        return Design(inputs.vectors * EMBEDDING_SCALE, hstack(blocks, format="csr", dtype=np.float32))
