"""Fitting a regression with its regularisation chosen by cross-validation, and what it says of rows it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ml_backend.prelabelers._regression import MAX_ITERATIONS, Coefficients, Design, fit, rotate, stack, without

GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Of C. The best one grows with what the labels have in common with the words, and shrinks with their noise."""
SEARCH_AMONG = 1_000
"""Rows that choose C: more would hardly change the choice, and take their time."""
FULL_ITERATIONS, FOLD_ITERATIONS = 80, 30
"""With more rows than that: what comes later hardly moves the loss. Folds start from the whole fit (see `without`)."""


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

    def take(self, chosen: np.ndarray) -> Labelled:
        return replace(
            self,
            rows=self.rows.take(chosen),
            targets=self.targets[chosen],
            weights=self.weights[chosen],
            fold=self.fold[chosen],
        )

    def rotated(self) -> tuple[Labelled, Callable[[Coefficients], Coefficients]]:
        """The same, in the few dimensions the rows span, and the way back (see `_regression.rotate`)."""
        inside, back = rotate(stack(self.rows, self.always))
        n = len(self.rows)
        rows, always = inside.take(np.arange(n)), inside.take(np.arange(n, len(inside)))
        return replace(self, rows=rows, always=always), back

    def fit(self, c: float, start: Coefficients | None = None, iterations: int = MAX_ITERATIONS) -> Coefficients:
        rows = stack(self.rows, self.always)
        targets = np.vstack([self.targets, self.always_targets])
        weights = np.concatenate([self.weights, np.ones(len(self.always))])
        return fit(rows, targets, weights, c, independent=self.independent, start=start, iterations=iterations)


@dataclass(frozen=True)
class Fitted:
    coefficients: Coefficients
    c: float
    logits: np.ndarray
    """(n, k), of each row by a model that has not seen its fold."""


Starts = dict[int, Coefficients]
"""Fold -> where a fit without that fold begins."""


def fit_by_cross_validation(data: Labelled, loss: Callable[[np.ndarray, np.ndarray], float]) -> Fitted:
    """`loss(logits, rows)` of out-of-fold logits of these rows, lower is better, chooses C; rows must be in an order
    that means nothing, since large data let the first ones choose."""
    among = np.arange(min(len(data.rows), SEARCH_AMONG))
    few, back = data.take(among).rotated()
    c, starts, logits = _search(few, among, loss)
    if len(among) == len(data.rows):
        return Fitted(back(few.fit(c, next(iter(starts.values())))), c, logits)
    whole = data.fit(c, back(next(iter(starts.values()))), FULL_ITERATIONS)
    return Fitted(whole, c, _out_of_fold_near(data, c, whole))


def _search(
    data: Labelled, rows: np.ndarray, loss: Callable[[np.ndarray, np.ndarray], float]
) -> tuple[float, Starts, np.ndarray]:
    best_loss, best = math.inf, (GRID[0], Starts(), np.empty(0))
    starts = Starts()
    for c in GRID:
        starts, logits = _out_of_fold(data, c, starts)
        lost = loss(logits, rows)
        if lost < best_loss:
            best_loss, best = lost, (c, starts, logits)
        elif lost > 1.1 * best_loss:
            break  # the loss has one valley
    return best


def _out_of_fold(data: Labelled, c: float, starts: Starts) -> tuple[Starts, np.ndarray]:
    logits = np.zeros(data.targets.shape, np.float32)
    fitted: Starts = {}
    for fold in np.unique(data.fold).tolist():
        test = data.fold == fold
        fitted[fold] = data.take(np.flatnonzero(~test)).fit(c, starts.get(fold))
        logits[test] = fitted[fold].logits(data.rows.take(np.flatnonzero(test)))
    return fitted, logits


def _out_of_fold_near(data: Labelled, c: float, whole: Coefficients) -> np.ndarray:
    """Out-of-fold logits, each fold's fit beginning at the whole one without what the fold contributed to it."""
    logits = np.zeros(data.targets.shape, np.float32)
    for fold in np.unique(data.fold).tolist():
        test = np.flatnonzero(data.fold == fold)
        held_out = data.take(test)
        start = without(whole, held_out.rows, held_out.targets, held_out.weights, c, independent=data.independent)
        fitted = data.take(np.flatnonzero(data.fold != fold)).fit(c, start, FOLD_ITERATIONS)
        logits[test] = fitted.logits(held_out.rows)
    return logits
