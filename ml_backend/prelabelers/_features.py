"""Inputs -> the rows a head reads: embedding, word n-grams and character n-grams side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import hstack

from ml_backend.prelabelers._inputs import Inputs
from ml_backend.prelabelers._ngrams import Vocabulary, repeated
from ml_backend.prelabelers.regression import Design

EMBEDDING_LENGTH = 2.0
"""Of an embedding, on the average, against unit n-gram rows: at 2 neither drowns the other (measured)."""
FOREIGN_LENGTH = 0.3
"""The same where the encoder does not know the language: at 2 it drowns words that few labels have already made clear;
at 0.3 nothing is lost against the n-grams alone, and something gained from 200 labels on (measured in Thai)."""
WORDS_REPEATED = 0.1
"""Share of the words and pairs of words that stand in two texts, from which on words are taken for words: it is 0.14 to
0.2 in 16 texts whose words have spaces between them, more in many, and almost nothing in clauses without."""


@dataclass(frozen=True)
class Features:
    words: Vocabulary
    characters: Vocabulary
    centre: np.ndarray
    """(d,) mean embedding, taken off: some encoders crowd all texts, or all of one language, into one direction."""
    scale: float
    """What then gives embeddings their length."""

    @classmethod
    def fit(cls, inputs: Inputs, *, most: int) -> Features:
        """The n-grams of these texts, at most `most` of each kind, and how their embeddings lie.

        N-grams of one text alone are worth nothing beside an embedding, and something where that says little; but words
        are not where nothing separates them, for then each is a whole sentence.
        """
        least, wanted = (1, FOREIGN_LENGTH) if inputs.foreign else (2, EMBEDDING_LENGTH)
        least_of_words = least if repeated(*inputs.words) >= WORDS_REPEATED else 2
        centre = inputs.vectors.mean(axis=0)
        length = float(np.sqrt(((inputs.vectors - centre) ** 2).sum(axis=1).mean()))
        return cls(
            Vocabulary.fit(*inputs.words, len(inputs), most=most, least=least_of_words),
            Vocabulary.fit(*inputs.characters, len(inputs), most=most, least=least),
            centre,
            wanted / max(length, 0.05),
        )

    def without_characters(self) -> Features:
        return replace(self, characters=Vocabulary(np.empty(0, np.uint32), np.empty(0, np.float32)))

    def cut(self, rows: Design) -> Design:
        """The rows as `without_characters` makes them."""
        return Design(rows.dense, rows.sparse[:, : len(self.words.hashes)])

    def rows(self, inputs: Inputs) -> Design:
        count = len(inputs)
        blocks = [
            self.words.transform(*inputs.words, count),
            self.characters.transform(*inputs.characters, count),
        ]
        return Design(
            (inputs.vectors - self.centre) * np.float32(self.scale), hstack(blocks, format="csr", dtype=np.float32)
        )
