"""The nearest labelled examples of a text: how they vote, and how far away they are.

A regression draws borders; neighbours remember. Where the two disagree the answer is often wrong, and where no
neighbour is near the text is unlike anything labelled. Distances are only ever compared with distances between the
examples themselves: encoders differ in what a cosine of 0.8 means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

MOST = 5_000
"""Examples kept: 3.8 MB of float16 at 384 dimensions, whatever the number of labels."""
NEAREST = 30
CLOSEST = 3
"""Neighbours whose mean distance says how far a text is from the examples: one alone may be an outlier itself."""
PRIOR = 2.0
"""Votes that all examples together cast as one, against certainty from few neighbours."""
BLOCK = 1_000


@dataclass(frozen=True)
class Near:
    """What the neighbours of n texts say."""

    shares: np.ndarray
    """(n, k) in (0, 1): the weighted share of the neighbours with each label, drawn towards its share in all."""
    strangeness: np.ndarray
    """(n,) ≥ 0: mean cosine distance of the closest neighbours."""

    def take(self, rows: np.ndarray) -> Near:
        return Near(self.shares[rows], self.strangeness[rows])


@dataclass(frozen=True)
class Neighbours:
    vectors: np.ndarray
    """(m, d) float16 unit rows."""
    labels: csr_matrix
    """(m, k): what each was labelled, as weights."""
    prior: np.ndarray
    """(k,) share of each label in all examples."""
    width: float
    """Cosine distance over which a neighbour's vote falls by e."""
    usual: np.ndarray
    """(101,) percentiles of the strangeness of the examples themselves, each to those of other folds."""

    @classmethod
    def fit(
        cls, vectors: np.ndarray, targets: np.ndarray, weights: np.ndarray, fold: np.ndarray
    ) -> tuple[Neighbours, Near]:
        """From unit `vectors` (n, d), `targets` (n, k), `weights` (n,) and `fold` (n,); and what the neighbours of each
        example say that are not of its fold."""
        kept = _spread_over_classes(targets.argmax(axis=1))
        prior = (weights @ targets + 1) / (weights.sum() + targets.shape[1])
        labels = csr_matrix((targets[kept] * weights[kept, None]).astype(np.float32))
        stored = vectors[kept].astype(np.float16)
        found, near = _nearest(vectors, stored, fold, fold[kept])
        furthest = np.where(np.isfinite(near), near, np.inf).min(axis=1)
        gaps = (near[:, 0] - furthest)[np.isfinite(near[:, 0])]
        width = max(float(gaps.mean()) / 2, 1e-3) if len(gaps) else 1.0
        made = cls(stored, labels, prior.astype(np.float32), width, np.empty(0))
        seen = made._near(found, near)
        usual = np.percentile(seen.strangeness, np.arange(101)).astype(np.float32)
        return cls(stored, labels, made.prior, width, usual), seen

    def near(self, vectors: np.ndarray) -> Near:
        """For unit `vectors` (n, d)."""
        return self._near(*_nearest(vectors, self.vectors))

    def distance(self, strangeness: np.ndarray) -> np.ndarray:
        """(n,) in 0 … 1: the share of examples that are nearer to the others."""
        return np.searchsorted(self.usual[1:], strangeness, side="left") / 100

    def unknown(self, strangeness: np.ndarray) -> np.ndarray:
        """(n,) in 0 … 1: how much of an opinion to give up because the text is unlike the examples.

        Nothing for the nearest 95 % of the examples; beyond, it grows with the distance in units of the way from the
        median there. So it hardly touches texts such as those labelled, however the encoder spreads them.
        """
        median, far = float(self.usual[50]), float(self.usual[95])
        beyond = np.maximum(0, strangeness - far) / max(far - median, 1e-3)
        return 1 - np.exp(-beyond)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "neighbour_vectors": self.vectors,
            "neighbour_weights": self.labels.data.astype(np.float32),
            "neighbour_labels": self.labels.indices.astype(np.int32),
            "neighbour_starts": self.labels.indptr.astype(np.int32),
            "neighbour_prior": self.prior,
            "neighbour_width": np.array([self.width]),
            "neighbour_usual": self.usual,
        }

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray]) -> Neighbours:
        """Raises KeyError, ValueError or IndexError for damaged arrays."""
        vectors, prior = arrays["neighbour_vectors"], arrays["neighbour_prior"]
        parts = (arrays["neighbour_weights"], arrays["neighbour_labels"], arrays["neighbour_starts"])
        labels = csr_matrix(parts, shape=(len(vectors), len(prior)))
        return cls(vectors, labels, prior, float(arrays["neighbour_width"][0]), arrays["neighbour_usual"])

    def _near(self, found: np.ndarray, near: np.ndarray) -> Near:
        count, asked = found.shape
        known = np.isfinite(near)
        nearest_cosine = np.where(known[:, :1], near[:, :1], 0)
        votes = np.exp((np.where(known, near, -np.inf) - nearest_cosine) / self.width).astype(np.float32)
        starts = np.arange(0, count * asked + 1, asked)
        cast = csr_matrix((votes.ravel(), found.ravel(), starts), shape=(count, len(self.vectors)))
        shares = (np.asarray((cast @ self.labels).todense()) + PRIOR * self.prior) / (
            np.asarray((cast @ self.labels.max(axis=1)).todense()) + PRIOR
        )
        closest = np.where(known, near, -1.0)[:, :CLOSEST]
        return Near(np.clip(shares, 1e-6, 1 - 1e-6), 1 - closest.mean(axis=1))


def _nearest(
    vectors: np.ndarray, stored: np.ndarray, fold: np.ndarray | None = None, stored_fold: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, NEAREST) of the nearest of the stored vectors (m, d), nearest first, and their cosines; with folds,
    of other folds only (a cosine of -inf where there are too few)."""
    count = min(NEAREST, len(stored))
    against = np.ascontiguousarray(stored.T, dtype=np.float32)  # kept, it would double what a model takes
    found = np.empty((len(vectors), count), np.int64)
    near = np.empty((len(vectors), count), np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        cosines = vectors[block] @ against
        if fold is not None and stored_fold is not None:
            cosines[fold[block, None] == stored_fold[None, :]] = -np.inf
        top = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, top, axis=1)
        order = np.lexsort((top, -values), axis=1)
        found[block] = np.take_along_axis(top, order, axis=1)
        near[block] = np.take_along_axis(values, order, axis=1)
    return found, near


def _spread_over_classes(classes: np.ndarray) -> np.ndarray:
    """Positions of at most MOST examples or so (rare classes keep ten), the classes in their shares; sorted."""
    if len(classes) <= MOST:
        return np.arange(len(classes))
    kept = []
    for code in np.unique(classes):
        members = np.flatnonzero(classes == code)
        kept.append(members[: max(10, MOST * len(members) // len(classes))])
    return np.sort(np.concatenate(kept))
