"""Multinomial and one-against-all logistic regression over a dense and a sparse block of features.

One head reads an embedding (dense) and n-grams (sparse) together. Kept apart, the dense block goes through BLAS, which
a stacked sparse matrix cannot; targets may be soft, and a fit can start from an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit

TOLERANCE = 1e-6
MAX_ITERATIONS = 300
SPANNED = 1e-6
"""Directions with less of the largest eigenvalue are rounding errors."""


@dataclass(frozen=True, slots=True)
class Design:
    """n rows of features: `dense` (n, d) float32 and `sparse` (n, m)."""

    dense: np.ndarray
    sparse: csr_matrix

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: np.ndarray) -> Design:
        return Design(self.dense[rows], self.sparse[rows])

    def times(self, weights: np.ndarray) -> np.ndarray:
        """Rows times weights (d + m, k) -> (n, k)."""
        split = self.dense.shape[1]
        return self.dense @ weights[:split] + self.sparse @ weights[split:]

    def transposed_times(self, residuals: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
        """Features times residuals (n, k) -> (d + m, k)."""
        split = self.dense.shape[1]
        found = np.empty((self.width, residuals.shape[1]), residuals.dtype) if into is None else into
        found[:split] = self.dense.T @ residuals
        found[split:] = self.sparse.T @ residuals
        return found

    @property
    def width(self) -> int:
        return self.dense.shape[1] + self.sparse.shape[1]


def stack(above: Design, below: Design) -> Design:
    return Design(np.vstack([above.dense, below.dense]), vstack([above.sparse, below.sparse], format="csr"))


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Weights (d + m, k) and bias (k,), float32."""

    weights: np.ndarray
    bias: np.ndarray

    def logits(self, rows: Design) -> np.ndarray:
        """(n, k) float32."""
        return rows.times(self.weights) + self.bias


def rotate(rows: Design) -> tuple[Design, Callable[[Coefficients], Coefficients]]:
    """The same rows in the few dimensions they span (n at most, all dense), and the way back for coefficients.

    The penalty does not change under rotation and the best weights lie in the span of the rows, so a fit there is the
    fit here; with hundreds of rows and ten thousands of features it takes a twentieth of the time.
    """
    gram = rows.dense.astype(np.float64) @ rows.dense.T + (rows.sparse @ rows.sparse.T).toarray()
    values, vectors = eigh(gram)
    kept = values > SPANNED * values[-1]
    lengths, vectors = np.sqrt(values[kept]), vectors[:, kept]
    inside = Design((vectors * lengths).astype(np.float32), csr_matrix((len(rows), 0), dtype=np.float32))

    def back(found: Coefficients) -> Coefficients:
        mixture = (vectors / lengths) @ found.weights
        return Coefficients(rows.transposed_times(mixture.astype(np.float32)), found.bias)

    return inside, back


def fit(
    rows: Design,
    targets: np.ndarray,
    weights: np.ndarray,
    c: float,
    *,
    independent: bool = False,
    start: Coefficients | None = None,
    iterations: int = MAX_ITERATIONS,
) -> Coefficients:
    """Minimise the weighted log loss plus |W|² / 2c (the bias is free), by L-BFGS, in `iterations` at most.

    `targets` (n, k) are probabilities: rows sum to 1, or with `independent` each column is a yes/no of its own.
    `weights` (n,) ≥ 0; a weight of 2 counts as two rows. `c` > 0 as scikit-learn's C.
    """
    starts = None if start is None else [start]
    [found] = fit_each(
        rows, targets, weights[:, None], c, independent=independent, starts=starts, iterations=iterations
    )
    return found


def fit_each(
    rows: Design,
    targets: np.ndarray,
    weights: np.ndarray,
    c: float,
    *,
    independent: bool = False,
    starts: Sequence[Coefficients] | None = None,
    iterations: int = MAX_ITERATIONS,
) -> list[Coefficients]:
    """As `fit`, once for each column of `weights` (n, f), where 0 leaves a row out: the folds of a cross-validation.

    They are one minimisation of the sum, whose parts have nothing to do with each other: reading the sparse rows once
    for all of them costs a third of reading them once for each.
    """
    (n, k), fits, width = targets.shape, weights.shape[1], rows.width
    scale = (1.0 / np.maximum(weights.sum(axis=0), 1e-12)).astype(np.float32)
    weight = (weights * scale).astype(np.float32)[:, :, None]
    penalty = np.repeat(scale / np.float32(c), k)
    targets = targets.astype(np.float32)[:, None, :]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat[: width * fits * k].reshape(width, fits * k).astype(np.float32)
        logits = (rows.times(w) + flat[width * fits * k :].astype(np.float32)).reshape(n, fits, k)
        if independent:
            losses = (np.logaddexp(0, logits) - targets * logits).sum(axis=2, keepdims=True)
            residuals = expit(logits) - targets
        else:
            highest = logits.max(axis=2, keepdims=True)
            residuals = np.exp(logits - highest)
            total = residuals.sum(axis=2, keepdims=True)
            losses = highest + np.log(total) - (targets * logits).sum(axis=2, keepdims=True)
            residuals = residuals / total - targets
        residuals = (weight * residuals).reshape(n, fits * k)
        gradient = np.empty(flat.shape)
        by_weight = gradient[: width * fits * k].reshape(width, fits * k)
        rows.transposed_times(residuals, by_weight)
        by_weight += w * penalty
        gradient[width * fits * k :] = residuals.sum(axis=0)
        value = float((weight * losses).sum(dtype=np.float64)) + 0.5 * float((w * w).sum(axis=0) @ penalty)
        return value, gradient

    flat = np.zeros((width + 1) * fits * k)
    if starts is not None:
        flat[: width * fits * k] = np.hstack([start.weights for start in starts]).ravel()
        flat[width * fits * k :] = np.concatenate([start.bias for start in starts])
    options = {"maxiter": iterations, "gtol": TOLERANCE, "ftol": 1e-7, "maxcor": 6}
    found = minimize(loss, flat, jac=True, method="L-BFGS-B", options=options).x.astype(np.float32)
    w, b = found[: width * fits * k].reshape(width, fits, k), found[width * fits * k :].reshape(fits, k)
    return [Coefficients(w[:, i].copy(), b[i].copy()) for i in range(fits)]
