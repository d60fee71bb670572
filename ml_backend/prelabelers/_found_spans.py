"""Spans found in a text: which to keep where they overlap, how good they are, how sure all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from ml_backend.prelabelers.regression import Coefficients, Design, fit


class Found(NamedTuple):
    start: int
    end: int
    label: int
    probability: float


def resolved(found: Iterable[Found], *, apart: bool) -> list[Found]:
    """Of spans that overlap the longest, then the most probable one, in order of place; those of different labels are
    in each other's way only where they must lie `apart`."""
    kept: list[Found] = []
    taken: dict[int, list[tuple[int, int]]] = {}
    for span in sorted(found, key=lambda it: (it.start - it.end, -it.probability, it.start, it.label)):
        others = taken.setdefault(0 if apart else span.label, [])
        if all(span.end <= start or end <= span.start for start, end in others):
            others.append((span.start, span.end))
            kept.append(span)
    return sorted(kept, key=lambda it: (it.start, it.end, it.label))


Given = frozenset[tuple[int, int, int]]
"""Start, end and label of the spans that people marked in a text."""


def f1(found: Sequence[Sequence[Found]], given: Sequence[Given]) -> float:
    """Over all spans of all texts; a span is right where place and label are exactly those of one given."""
    right = sum((it.start, it.end, it.label) in marked for row, marked in zip(found, given, strict=True) for it in row)
    return 2 * right / max(1, sum(map(len, found)) + sum(map(len, given)))


def by_label(
    found: Sequence[Sequence[Found]], given: Sequence[Given], labels: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """JSON, label -> `spans` (how many people marked), `precision`, `recall`, `f1`; a precision of nothing is null."""
    ours = Counter(it.label for row in found for it in row)
    theirs = Counter(label for marked in given for _, _, label in marked)
    right = Counter(
        it.label
        for row, marked in zip(found, given, strict=True)
        for it in row
        if (it.start, it.end, it.label) in marked
    )
    return {
        name: {
            "spans": theirs[i],
            "precision": round(right[i] / ours[i], 6) if ours[i] else None,
            "recall": round(right[i] / theirs[i], 6),
            "f1": round(2 * right[i] / (ours[i] + theirs[i]), 6),
        }
        for i, name in enumerate(labels)
        if theirs[i]
    }


MEASURES = 6


@dataclass(frozen=True)
class SetConfidence:
    """The probability that all spans of a text are exactly those people mark, none too many and none missing.

    A logistic regression over what `measured` says. `doubt` is kept for "anything", as in `_calibration.OneLabel`.
    """

    weights: tuple[float, ...]
    """Of each measure, and the bias."""
    doubt: float

    @classmethod
    def fit(cls, measures: np.ndarray, right: np.ndarray) -> SetConfidence:
        """`measures` (n, MEASURES) of texts with spans and whether these were right, (n,) bool."""
        if not len(right):
            return cls((0.0,) * (MEASURES + 1), 1.0)
        targets = np.stack([~right, right], axis=1).astype(np.float32)
        found: Coefficients = fit(_rows(measures), targets, np.ones(len(right)), 1.0)
        weights = (found.weights[:, 1] - found.weights[:, 0], found.bias[1:] - found.bias[:1])
        return cls(tuple(float(it) for it in np.concatenate(weights)), 1 / (len(right) + 2))

    def __call__(self, measures: np.ndarray) -> np.ndarray:
        """(n,)"""
        logits = _rows(measures).dense @ np.array(self.weights[:-1], np.float32) + self.weights[-1]
        return (1 - self.doubt) / (1 + np.exp(-np.clip(logits.astype(np.float64), -30, 30))) + self.doubt / 2


def measured(found: Sequence[Found], nothing_else: float, tokens: int) -> tuple[float, ...]:
    """What tells how far the spans found in a text can be trusted. `nothing_else` is the log-probability that nothing
    else in it is a span.

    A lone span is told apart: a text learned from has at least one, so that the only candidate is more often right.
    """
    right = float(np.log([max(it.probability, 1e-3) for it in found]).sum()) if found else 0.0
    nothing_else = max(nothing_else, -20.0)
    together = min(max(float(np.exp(right + nothing_else)), 1e-3), 1 - 1e-3)
    odds = float(np.log(together / (1 - together)))
    return odds / 4, right / 4, nothing_else / 4, float(np.log1p(tokens)) / 4, len(found) / 8, float(len(found) == 1)


def _rows(measures: np.ndarray) -> Design:
    dense = np.asarray(measures).reshape(-1, MEASURES).astype(np.float32)
    return Design(dense, csr_matrix((len(dense), 0), dtype=np.float32))
