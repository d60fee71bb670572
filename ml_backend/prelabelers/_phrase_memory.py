"""How often a phrase is marked where it stands, by label: a probability from counts, for every place it is found.

A phrase is known because somebody marked it once, so that once says nothing of how often it is marked: it is left out
of its own counts (leave one out), and a phrase seen once has the precision that phrases seen again turned out to have.
Counts are shrunk towards that precision (a Beta prior of `PRIOR` occurrences), and those in the same spelling of case
towards those in any, discounted by how well case has carried over in this project; other forms (plural, hyphen) are
discounted likewise. So it is learned whether "apple" is "Apple", and "phones" is "phone".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml_backend.prelabelers._patterns import PATTERNS
from ml_backend.prelabelers._phrases import Places

PRIOR = 2.0
"""Occurrences that draw a phrase's precision towards the label's, and that of one spelling towards that of all."""
FORM_PRECISION = 0.02
"""Of a form nobody has marked so far; a form is known without having been marked."""
_CASES = 3


@dataclass(frozen=True)
class PhraseMemory:
    seen: np.ndarray
    """(phrases, 3) float32: weighted occurrences by case."""
    marked: np.ndarray
    """(phrases, labels, 3) float32: those marked."""
    variant_precision: float
    """What an occurrence in another form is worth against one in a form known, 0 to 1."""

    @classmethod
    def fit(cls, places: Places, marks: np.ndarray, weights: np.ndarray, phrases: int) -> PhraseMemory:
        """`marks` (m, labels) bool says which labels a place has, `weights` (m,) ≥ 0 how much it counts (around 1)."""
        labels = marks.shape[1]
        exact = ~places.variant
        cell = places.phrase[exact] * _CASES + places.case[exact]
        weight = weights[exact]
        seen = np.bincount(cell, weight, phrases * _CASES).reshape(phrases, _CASES)
        marked = np.stack(
            [np.bincount(cell, weight * marks[exact, it], phrases * _CASES) for it in range(labels)], axis=1
        ).reshape(phrases, _CASES, labels)
        known = cls(seen.astype(np.float32), np.swapaxes(marked, 1, 2).astype(np.float32), 1.0)
        other = places.take(np.flatnonzero(places.variant))
        expected = known.probabilities(other) * weights[places.variant][:, None]
        found = (marks[places.variant] * (expected > 0) * weights[places.variant][:, None]).sum()
        return cls(known.seen, known.marked, float(min(1.0, (found + 1.5) / (expected.sum() + 2.5))))

    def probabilities(self, places: Places) -> np.ndarray:
        """(m, labels): that the place is marked with the label; 0 where the phrase never was."""
        base, carried = self._base, self._carried
        seen, marked = self._others
        phrase, case = places.phrase, places.case
        usual = PRIOR * carried * base[phrase]
        found = (marked[phrase, :, case] + usual) / (seen[phrase, :, case] + PRIOR)
        found *= np.where(places.variant, self.variant_precision, 1.0)[:, None]
        forms = phrase < len(PATTERNS)
        found[forms] = base[phrase[forms]]
        return np.clip(found, 0.0, 1.0)

    @cached_property
    def _others(self) -> tuple[np.ndarray, np.ndarray]:
        """Seen and marked, (phrases, labels, 3), without the one mark that made the phrase known."""
        total = self.marked.sum(axis=2, keepdims=True)
        one = np.minimum(total, 1.0)
        one[: len(PATTERNS)] = 0
        share = np.divide(self.marked, total, out=np.zeros_like(self.marked), where=total > 0) * one
        seen = np.broadcast_to(self.seen[:, None, :], self.marked.shape)
        return np.maximum(seen - share, 0), np.maximum(self.marked - share, 0)

    @cached_property
    def _precision(self) -> np.ndarray:
        """(labels,) how often a phrase marked once is marked again."""
        seen, marked = self._others
        known = self.marked.sum(axis=2) > 0
        known[: len(PATTERNS)] = False
        again = (marked.sum(axis=2) * known).sum(axis=0)
        return (again + PRIOR * 0.7) / ((seen.sum(axis=2) * known).sum(axis=0) + PRIOR)

    @cached_property
    def _base(self) -> np.ndarray:
        """(phrases, labels) over all cases."""
        seen, marked = (it.sum(axis=2) for it in self._others)
        prior = np.broadcast_to(self._precision, marked.shape).copy()
        prior[: len(PATTERNS)] = FORM_PRECISION
        base = (marked + PRIOR * prior) / (seen + PRIOR)
        base[self.marked.sum(axis=2) == 0] = 0
        return base

    @cached_property
    def _carried(self) -> float:
        """How often an occurrence is marked against what occurrences in other cases make expect, 0 to 1."""
        seen, marked = self._others
        rest_marked = marked.sum(axis=2, keepdims=True) - marked
        rest_seen = seen.sum(axis=2, keepdims=True) - seen
        judged = (self.marked.sum(axis=2, keepdims=True) - self.marked > 0) & (self.seen[:, None, :] > 0)
        judged[: len(PATTERNS)] = False
        expected = (rest_marked + PRIOR * self._precision[None, :, None]) / (rest_seen + PRIOR)
        expected = (expected * self.seen[:, None, :])[judged].sum()
        return float(min(1.0, (self.marked[judged].sum() + 3.2) / (expected + 4.0)))
