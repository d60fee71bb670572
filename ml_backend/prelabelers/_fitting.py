"""Fitting a regression with its regularisation chosen by cross-validation, and what it says of rows it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ml_backend.prelabelers.regression import MAX_ITERATIONS, Coefficients, Design, fit_each, rotate, stack
from ml_backend.processors import processors

GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Of C. The best one grows with what the labels have in common with the words, and shrinks with their noise."""
SEARCH_AMONG = 1_000
"""Rows that choose C, and whether plainer rows do: more would hardly change the choice, and take their time."""
WORTH = 0.005
"""Share of the loss that the fuller rows must save to be worth several times the time of the plainer ones."""
ITERATIONS = 50
"""Of a fit whose result is only compared, or has more rows than that: what comes later hardly moves the loss."""
AT_ONCE = 1_000_000
"""Weights fitted at once, about 120 MB of L-BFGS; further folds come beside them, or after them. Which folds are fitted
together does not depend on the machine, as the last digits of the result do on that."""
MOST_THREADS = 4


@dataclass(frozen=True)
class Labelled:
    """Rows with targets (n, k), weights (n,) and folds (n,), as `regression.fit` and `_folds.folds` have them.

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
        """The same, in the few dimensions the rows span, and the way back (see `regression.rotate`)."""
        inside, back = rotate(stack(self.rows, self.always))
        n = len(self.rows)
        rows, always = inside.take(np.arange(n)), inside.take(np.arange(n, len(inside)))
        return replace(self, rows=rows, always=always), back

    def fit_without(self, folds: Sequence[int], c: float, starts: Starts, iterations: int = MAX_ITERATIONS) -> Starts:
        """Fold -> the fit to all rows but that fold's; `EVERY` leaves none out."""
        rows = stack(self.rows, self.always)
        targets = np.vstack([self.targets, self.always_targets])
        kept = np.stack([np.where(self.fold == fold, 0.0, self.weights) for fold in folds], axis=1)
        weights = np.vstack([kept, np.ones((len(self.always), len(folds)))])
        half = -(-len(folds) // 2) if len(rows) >= SEARCH_AMONG else len(folds)
        together = max(1, min(AT_ONCE // (rows.width * targets.shape[1]), half))

        def fit_some(place: int) -> Starts:
            some = folds[place : place + together]
            fits = fit_each(
                rows,
                targets,
                weights[:, place : place + together],
                c,
                independent=self.independent,
                starts=[starts[fold] for fold in some] if starts else None,
                iterations=iterations,
            )
            return dict(zip(some, fits, strict=True))

        places = range(0, len(folds), together)
        if len(places) == 1:
            return fit_some(0)
        with ThreadPoolExecutor(min(MOST_THREADS, processors())) as pool:
            return {fold: found for some in pool.map(fit_some, places) for fold, found in some.items()}

    def out_of_fold(self, fits: Starts) -> np.ndarray:
        """(n, k) logits of each row by the fit without its fold."""
        logits = np.zeros(self.targets.shape, np.float32)
        for fold, fitted in fits.items():
            test = np.flatnonzero(self.fold == fold)
            logits[test] = fitted.logits(self.rows.take(test))
        return logits


@dataclass(frozen=True)
class Fitted:
    coefficients: Coefficients
    c: float
    logits: np.ndarray
    """(n, k), of each row by a model that has not seen its fold."""
    plainer: bool
    """Whether it is a fit to the plainer rows."""


Starts = dict[int, Coefficients]
"""Fold -> a fit without that fold, or where one begins."""
EVERY = -1
"""No fold's number."""


def fit_by_cross_validation(
    data: Labelled, loss: Callable[[np.ndarray, np.ndarray], float], *, plainer: Labelled | None = None
) -> Fitted:
    """`loss(logits, rows)` of out-of-fold logits of these rows, lower is better, chooses C; rows must be in an order
    that means nothing, since large data let the first ones choose. `plainer` is the same with fewer features: large
    data do with those where they are as good."""
    with threadpool_limits(1):  # several threads an operation take twice the time in all, most of it waiting
        return _fitted(data, loss, plainer)


def _fitted(data: Labelled, loss: Callable[[np.ndarray, np.ndarray], float], plainer: Labelled | None) -> Fitted:
    folds = np.unique(data.fold).tolist()
    among = np.arange(min(len(data.rows), SEARCH_AMONG))
    few, back = data.take(among).rotated()
    c, starts, logits = _search(few, folds, among, loss)
    begin = next(iter(starts.values()))
    if len(among) == len(data.rows):
        return Fitted(back(few.fit_without([EVERY], c, {EVERY: begin})[EVERY]), c, logits, False)
    if plainer is not None:
        fewer, back_to_plainer = plainer.take(among).rotated()
        fits = fewer.fit_without(folds, c, {})
        if loss(fewer.out_of_fold(fits), among) <= (1 + WORTH) * loss(logits, among):
            data, back, starts, begin = plainer, back_to_plainer, fits, next(iter(fits.values()))
    starts = {fold: back(found) for fold, found in {**starts, EVERY: begin}.items()}
    fits = data.fit_without([*folds, EVERY], c, starts, ITERATIONS)
    whole = fits.pop(EVERY)
    return Fitted(whole, c, data.out_of_fold(fits), data is plainer)


def _search(
    data: Labelled, folds: Sequence[int], rows: np.ndarray, loss: Callable[[np.ndarray, np.ndarray], float]
) -> tuple[float, Starts, np.ndarray]:
    """The C of the least loss, the folds' fits and their logits. The loss has one valley: down it from the middle."""
    tried: dict[int, tuple[float, Starts, np.ndarray]] = {}

    def lost(place: int, starts: Starts) -> float:
        fits = data.fit_without(folds, GRID[place], starts, ITERATIONS)
        logits = data.out_of_fold(fits)
        tried[place] = loss(logits, rows), fits, logits
        return tried[place][0]

    best = GRID.index(1.0)
    lost(best, Starts())
    for step in (1, -1):
        while 0 <= best + step < len(GRID) and best + step not in tried:
            if lost(best + step, tried[best][1]) >= tried[best][0]:
                break
            best += step
    return GRID[best], tried[best][1], tried[best][2]
