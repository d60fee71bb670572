"""What anybody would try first: TF-IDF and logistic regression, on the same texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ml_backend.labeling.kinds import Answer

_UNSPACED = 15
"""Characters between spaces, on average, in languages that do not put one between words."""
_CHARACTERS = 2_000  # of a text
_MOST_FEATURES = 60_000


class Baseline:
    """Words and pairs of words, sublinear TF-IDF, C = 10; runs of 1 to 3 characters where the language does not put
    spaces between words.

    The n-grams of all texts are counted once; what a fit may know of them is what the texts it learns from have.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        unspaced = sum(map(len, texts)) > _UNSPACED * sum(len(text.split()) for text in texts)
        counter = CountVectorizer(
            analyzer="char" if unspaced else "word",
            token_pattern=None if unspaced else r"(?u)\b\w+\b",
            ngram_range=(1, 3) if unspaced else (1, 2),
            dtype=np.float32,
        )
        self._counts = counter.fit_transform([text[:_CHARACTERS] for text in texts])
        self._row = {text: row for row, text in enumerate(texts)}

    def answers(
        self, texts: Sequence[str], answers: Sequence[Answer], asked: Sequence[str], *, several: bool
    ) -> list[Answer]:
        """What it says of the texts `asked` once it learned from `texts` and their `answers`, two different ones at
        least: one of these each, or where `several`, any set of their labels. All are among those it counted."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        counts = self._counts[[self._row[text] for text in texts]]
        totals = np.asarray(counts.sum(axis=0)).ravel()
        known = np.flatnonzero(totals)
        if len(known) > _MOST_FEATURES:
            known = np.sort(known[np.argsort(-totals[known], kind="stable")[:_MOST_FEATURES]])
        weigh = TfidfTransformer(sublinear_tf=True)
        rows = weigh.fit_transform(counts[:, known])
        model: Any = LogisticRegression(C=10, max_iter=100, tol=1e-3)
        if several:
            labels = sorted({(label,) for answer in answers if isinstance(answer, tuple) for label in answer}, key=repr)
            targets = np.array([[label[0] in answer for label in labels] for answer in answers], dtype=np.int8)  # type: ignore[operator]
            model = OneVsRestClassifier(model)
        else:
            labels = sorted(set(answers), key=repr)  # type: ignore[arg-type]
            code = {answer: i for i, answer in enumerate(labels)}
            targets = np.array([code[answer] for answer in answers])  # type: ignore[index]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)  # a label that every text has
            model.fit(rows, targets)
        new = weigh.transform(self._counts[[self._row[text] for text in asked]][:, known])
        if not several:
            return [labels[code] for code in model.predict(new).tolist()]
        probabilities = model.predict_proba(new)
        picked = probabilities >= 0.5
        picked[np.arange(len(picked)), probabilities.argmax(axis=1)] = True
        return [sum((labels[i] for i in np.flatnonzero(row).tolist()), ()) for row in picked]
