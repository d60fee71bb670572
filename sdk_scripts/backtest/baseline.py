"""What anybody would try first: TF-IDF and logistic regression, on the same texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_backend.labeling.kinds import Answer

_UNSPACED = 15
"""Characters between spaces, on average, in languages that do not put one between words."""
_CHARACTERS = 2_000  # of a text
_MOST_FEATURES = 60_000


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline for answers that are each one of several, or sets of labels where `several`."""

    vectoriser: Any
    model: Any
    answers: tuple[Answer, ...]
    """By class code; where `several`, one a label."""
    several: bool

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        rows = self.vectoriser.transform([text[:_CHARACTERS] for text in texts])
        if not self.several:
            return [self.answers[code] for code in self.model.predict(rows).tolist()]
        probabilities = self.model.predict_proba(rows)
        picked = probabilities >= 0.5
        picked[np.arange(len(picked)), probabilities.argmax(axis=1)] = True
        singles: list[tuple] = [answer for answer in self.answers if isinstance(answer, tuple)]
        return [sum((singles[i] for i in np.flatnonzero(row).tolist()), ()) for row in picked]


def fit_baseline(texts: Sequence[str], answers: Sequence[Answer], *, several: bool) -> Baseline:
    """Words and pairs of words, sublinear TF-IDF, C = 10; runs of 1 to 3 characters where the language does not put
    spaces between words. Needs two different answers."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    unspaced = sum(map(len, texts)) > _UNSPACED * sum(len(text.split()) for text in texts)
    vectoriser = TfidfVectorizer(
        analyzer="char" if unspaced else "word",
        token_pattern=None if unspaced else r"(?u)\b\w+\b",
        ngram_range=(1, 3) if unspaced else (1, 2),
        sublinear_tf=True,
        max_features=_MOST_FEATURES,
        dtype=np.float32,
    )
    rows = vectoriser.fit_transform([text[:_CHARACTERS] for text in texts])
    model = LogisticRegression(C=10, max_iter=100, tol=1e-3)
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
    return Baseline(vectoriser, model, tuple(labels), several)
