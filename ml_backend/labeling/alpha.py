"""Krippendorff's alpha as a function of sums over tasks, for each scale, so that a bootstrap can resample the sums.

They agree with `coefficients.krippendorff_alpha` on the scale's distance matrix, without ever building one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_backend.labeling.coefficients import mid_ranks
from ml_backend.labeling.kinds import Answer
from ml_backend.labeling.units import Cells, Floats, Ints

_EXACT_VALUES = 300  # distinct answers up to which all their distances are worked out
_SAMPLED_PAIRS = 50_000
_RANK_COLUMNS = 5_000


@dataclass(frozen=True)
class Statistic:
    features: Any
    """(U, K), dense or sparse."""
    alpha: Callable[[Floats], Floats]
    """(R, K) column sums -> (R,)."""


def nominal(cells: Cells) -> Statistic:
    """Answers are equal or not. `cells` must be pairable, here and below."""
    from scipy import sparse

    m = cells.per_unit.astype(np.float64)
    apart = (m**2 - cells.sum_by_unit(cells.count.astype(np.float64) ** 2)) / (m - 1)
    features = sparse.hstack([sparse.csr_matrix(apart[:, None]), _counts(cells)], format="csr")

    def alpha(sums: Floats) -> Floats:
        counts = sums[:, 1:]
        n = counts.sum(axis=1)
        return _ratio(sums[:, 0] * (n - 1), n**2 - np.square(counts).sum(axis=1))

    return Statistic(features, alpha)


def interval(cells: Cells, numbers: Floats) -> Statistic:
    """Squared differences of `numbers`, (V,)."""
    largest = float(np.abs(numbers).max(initial=0.0)) or 1.0
    scaled = numbers / largest  # alpha does not change, and the square of a huge number stays finite
    counts = cells.per_value
    scaled = scaled - float(counts @ scaled) / max(float(counts.sum()), 1.0)
    m = cells.per_unit.astype(np.float64)
    value = scaled[cells.value]
    by_unit = cells.sum_by_unit
    features = np.column_stack(
        [_squared_apart(cells, scaled) / (m - 1), m, by_unit(cells.count * value), by_unit(cells.count * value**2)]
    )
    tiny = 1e-14 * float((scaled**2).max(initial=0.0))

    def alpha(sums: Floats) -> Floats:
        observed, n, total, squares = sums.T
        spread = squares / n - (total / n) ** 2
        return _ratio(observed * (n - 1), np.where(spread > tiny, 2 * n**2 * spread, 0.0))

    return Statistic(features, alpha)


def ordinal(cells: Cells) -> Statistic:
    """Squared differences of mid-ranks; `cells.value` is in order. Ranks follow each resample's own counts (with over
    5,000 different pairs of values apart, they are held at those of all tasks)."""
    from scipy import sparse

    first, second = cells.pairs
    pair, column = np.unique(cells.value[first] * cells.values + cells.value[second], return_inverse=True)
    if len(pair) > _RANK_COLUMNS:
        return interval(cells, mid_ranks(cells.per_value.astype(np.float64)))
    low, high = np.divmod(pair, cells.values)
    unit = cells.unit[first]
    weight = 2.0 * cells.count[first] * cells.count[second] / (cells.per_unit[unit] - 1)
    together = sparse.csr_matrix((weight, (unit, column)), (cells.units, len(pair)))
    features = sparse.hstack([_counts(cells), together], format="csr")

    def alpha(sums: Floats) -> Floats:
        counts = sums[:, : cells.values]
        n = counts.sum(axis=1)
        rank = mid_ranks(counts) - n[:, None] / 2  # the mean of mid-ranks is n/2
        observed = (sums[:, cells.values :] * np.square(rank[:, low] - rank[:, high])).sum(axis=1)
        return _ratio(observed * (n - 1), 2 * n * (counts * rank**2).sum(axis=1))

    return Statistic(features, alpha)


def by_distance(cells: Cells, distances: Distances, *, seed: int) -> Statistic:
    """Any distance, taken as the difference function δ² itself, as is usual for sets and spans (Passonneau 2006;
    Braylan, Alonso & Lease 2022).

    Expected disagreement is exact up to 300 distinct answers; above, it is the mean over 50,000 pairs of judgements
    drawn with `seed`, and is held fixed in the bootstrap.
    """
    from scipy import sparse

    m = cells.per_unit.astype(np.float64)
    apart = cells.sum_by_unit(distances.within(cells)) / (m - 1)
    used = np.flatnonzero(cells.per_value)
    if len(used) <= _EXACT_VALUES:
        matrix = distances.matrix(used)
        features = sparse.hstack([sparse.csr_matrix(apart[:, None]), _counts(cells)[:, used]], format="csr")

        def exact(sums: Floats) -> Floats:
            counts = sums[:, 1:]
            n = counts.sum(axis=1)
            return _ratio(sums[:, 0] * (n - 1), np.einsum("rv,rv->r", counts @ matrix, counts))

        return Statistic(features, exact)

    expected = distances.expected(cells, np.random.default_rng(seed))

    def sampled(sums: Floats) -> Floats:
        return _ratio(sums[:, 0], sums[:, 1] * expected)

    return Statistic(np.column_stack([apart, m]), sampled)


class Distances:
    """A kind's distances between distinct answers, clipped to 0–1, each worked out once."""

    def __init__(self, answers: Sequence[Answer], distance: Callable[[Answer, Answer], float]) -> None:
        self._answers = answers
        self._distance = distance

    def of(self, first: Ints, second: Ints) -> Floats:
        """Between the answers with these codes, pair by pair: (P,)."""
        low, high = np.minimum(first, second), np.maximum(first, second)
        pairs, place = np.unique(low * len(self._answers) + high, return_inverse=True)
        found = np.zeros(len(pairs))
        for index, (a, b) in enumerate(zip(*np.divmod(pairs, max(len(self._answers), 1)), strict=True)):
            if a != b:
                found[index] = min(1.0, max(0.0, float(self._distance(self._answers[a], self._answers[b]))))
        return found[place]

    def within(self, cells: Cells) -> Floats:
        """For each cell, the sum over its judgements of their distances to all judgements of the unit: (C,)."""
        first, second = cells.pairs
        apart = cells.count[first] * cells.count[second] * self.of(cells.value[first], cells.value[second])
        total = np.bincount(first, apart, len(cells.unit)) + np.bincount(second, apart, len(cells.unit))
        return total.astype(np.float64)

    def matrix(self, codes: Ints) -> Floats:
        """Between all answers with these codes: (V, V)."""
        low, high = np.triu_indices(len(codes), 1)
        matrix = np.zeros((len(codes), len(codes)))
        matrix[low, high] = self.of(codes[low], codes[high])
        return matrix + matrix.T

    def expected(self, cells: Cells, rng: np.random.Generator) -> float:
        """The mean distance of two different judgements, from drawn pairs."""
        values = np.repeat(cells.value, cells.count)
        first = rng.integers(0, len(values), _SAMPLED_PAIRS)
        second = (first + rng.integers(1, len(values), _SAMPLED_PAIRS)) % len(values)
        return float(self.of(values[first], values[second]).mean())


def label_features(cells: Cells, member: Any) -> Any:
    """For each label, disagreement about whether it applies and how often it was given: (U, 2 L), sparse.

    `member` is a sparse (V, L) matrix: 1 where the value has the label.
    """
    from scipy import sparse

    given = _counts(cells) @ member
    m = cells.per_unit.astype(np.float64)
    rows = given.tocoo()
    apart = 2 * rows.data * (m[rows.row] - rows.data) / (m[rows.row] - 1)
    observed = sparse.csr_matrix((apart, (rows.row, rows.col)), given.shape)
    return sparse.hstack([observed, given], format="csr")


def label_alphas(sums: Floats, n: Floats) -> Floats:
    """Nominal alpha of each label's presence: sums (R, 2 L) of `label_features` and (R,) judgements -> (R, L)."""
    observed, given = np.hsplit(sums, 2)
    return _ratio(observed * (n[:, None] - 1), 2 * given * (n[:, None] - given))


def _counts(cells: Cells) -> Any:
    from scipy import sparse

    return sparse.csr_matrix((cells.count.astype(np.float64), (cells.unit, cells.value)), (cells.units, cells.values))


def _squared_apart(cells: Cells, numbers: Floats) -> Floats:
    """The sum of squared differences over a unit's ordered pairs of judgements, (U,); exactly 0 where all are equal."""
    first = np.searchsorted(cells.unit, np.arange(cells.units))
    offset = numbers[cells.value] - numbers[cells.value[first]][cells.unit]
    squares, total = cells.sum_by_unit(cells.count * offset**2), cells.sum_by_unit(cells.count * offset)
    return 2 * np.maximum(cells.per_unit * squares - total**2, 0.0)


def _ratio(observed: Floats, expected: Floats) -> Floats:
    """1 − observed / expected; NaN where nothing was expected."""
    return 1 - np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)
