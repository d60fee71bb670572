"""Fitting a regression with its regularisation chosen by cross-validation, and what it says of rows it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ml_backend.prelabelers._regression import Coefficients, Design, fit, rotate, stack

GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Of C. The best one grows with what the labels have in common with the words, and shrinks with their noise."""
SEARCH_AMONG = 3_000
"""Rows that choose C: more would hardly change the choice, and take their time."""

ROTATED_UP_TO = 1_500
"""Rows; with more, finding the rotation costs more than it saves."""


@dataclass(frozen=True)
class Labelled:
    """Rows with targets (n, k), weights (n,) and folds (n,), as `_regression.fit` and `_folds.folds` have them.

    `always` are rows, one a label at most, that every fit sees and no fold tests: the labels' own words.
    """

    rows: Design
    targets: np.ndarray
    weights: np.ndarray
    fold: np.ndarray
    always: Design
    always_targets: np.ndarray
    independent: bool

    def fit(self, chosen: np.ndarray, c: float, start: Coefficients | None = None) -> Coefficients:
        rows = stack(self.rows.take(chosen), self.always)
        targets = np.vstack([self.targets[chosen], self.always_targets])
        weights = np.concatenate([self.weights[chosen], np.ones(len(self.always))])
        return fit(rows, targets, weights, c, independent=self.independent, start=start)


@dataclass(frozen=True)
class Fitted:
    coefficients: Coefficients
    c: float
    logits: np.ndarray
    """(n, k), of each row by a model that has not seen its fold."""


def fit_by_cross_validation(data: Labelled, loss: Callable[[np.ndarray, np.ndarray], float]) -> Fitted:
    """`loss(logits, rows)` of out-of-fold logits of these rows, lower is better, chooses C; rows must be in an order
    that means nothing, since large data let the first ones choose."""
    if len(data.rows) + len(data.always) > ROTATED_UP_TO:
        return _fit(data, loss)
    rotated, back = rotate(stack(data.rows, data.always))
    n = len(data.rows)
    few = replace(data, rows=rotated.take(np.arange(n)), always=rotated.take(np.arange(n, len(rotated))))
    fitted = _fit(few, loss)
    return replace(fitted, coefficients=back(fitted.coefficients))


def _fit(data: Labelled, loss: Callable[[np.ndarray, np.ndarray], float]) -> Fitted:
    everything = np.arange(len(data.rows))
    among = everything[:SEARCH_AMONG]
    c, starts, logits = _search(data, among, loss)
    if len(among) < len(everything):
        _, logits = _out_of_fold(data, everything, c, starts)
    start = next(iter(starts.values()), None)
    return Fitted(data.fit(everything, c, start), c, logits)


Starts = dict[int, Coefficients]


def _search(
    data: Labelled, rows: np.ndarray, loss: Callable[[np.ndarray, np.ndarray], float]
) -> tuple[float, Starts, np.ndarray]:
    best_loss, best = math.inf, (GRID[0], Starts(), np.empty(0))
    starts = Starts()
    for c in GRID:
        starts, logits = _out_of_fold(data, rows, c, starts)
        lost = loss(logits, rows)
        if lost < best_loss:
            best_loss, best = lost, (c, starts, logits)
        elif lost > 1.1 * best_loss:
            break  # the loss has one valley
    return best


def _out_of_fold(data: Labelled, rows: np.ndarray, c: float, starts: Starts) -> tuple[Starts, np.ndarray]:
    logits = np.zeros((len(rows), data.targets.shape[1]), np.float32)
    fitted: Starts = {}
    for fold in np.unique(data.fold[rows]).tolist():
        test = data.fold[rows] == fold
        fitted[fold] = data.fit(rows[~test], c, starts.get(fold))
        logits[test] = fitted[fold].logits(data.rows.take(rows[test]))
    return fitted, logits
