"""Coefficients of agreement over arrays of codes. NaN where one is undefined; what that means is said at each."""

from __future__ import annotations

import numpy as np

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Cells, Floats, Ints


def krippendorff_alpha(units: Ints, values: Ints, distance: Floats) -> float:
    """Krippendorff's alpha: 1 − observed / expected disagreement, at most 1; 0 is chance.

    `units` and `values` are (N,) codes from 0, one a judgement; `distance` is the (V, V) matrix of squared differences
    δ² between values, symmetric with a zero diagonal (for the ordinal metric see `ordinal_distance`). Units with one
    judgement are left out. NaN where no unit has two judgements, or all pairable judgements are the same value: then no
    disagreement could have been expected, so that there was none says nothing.

    Krippendorff, Content Analysis, 4th ed. (2019), chapter 12; Computing Krippendorff's Alpha-Reliability (2011).
    """
    units, values = _codes(units, "units"), _codes(values, "values")
    distance = np.asarray(distance, dtype=np.float64)
    if units.shape != values.shape:
        raise InputError(f"There are {len(units)} units and {len(values)} values; each judgement has one of both.")
    if distance.ndim != 2 or distance.shape[0] != distance.shape[1] or len(distance) <= values.max(initial=-1):
        raise InputError(
            f"A distance matrix of shape {distance.shape} does not cover {values.max(initial=-1) + 1} values."
        )
    cells = Cells.count_up(units, values, int(units.max(initial=-1)) + 1, len(distance)).pairable
    n = int(cells.count.sum())
    if n == 0:
        return float("nan")
    first, second = cells.pairs
    weight = 2.0 * cells.count[first] * cells.count[second] / (cells.per_unit[cells.unit[first]] - 1)
    observed = float((weight * distance[cells.value[first], cells.value[second]]).sum()) / n
    counts = cells.per_value.astype(np.float64)
    expected = float(counts @ distance @ counts) / (n * (n - 1))
    return 1 - observed / expected if expected > 0 else float("nan")


def nominal_distance(values: int) -> Floats:
    """δ² of unordered values: 0 if equal, else 1. (V, V)."""
    return 1.0 - np.eye(values)


def interval_distance(numbers: Floats) -> Floats:
    """δ² of numbers: (a − b)². (V,) -> (V, V)."""
    numbers = np.asarray(numbers, dtype=np.float64)
    return np.square(numbers[:, None] - numbers[None, :])


def ratio_distance(numbers: Floats) -> Floats:
    """δ² of numbers with a true zero, none negative: ((a − b) / (a + b))². (V,) -> (V, V)."""
    numbers = np.asarray(numbers, dtype=np.float64)
    total = numbers[:, None] + numbers[None, :]
    return np.square(np.divide(numbers[:, None] - numbers[None, :], total, out=np.zeros_like(total), where=total != 0))


def ordinal_distance(counts: Ints | Floats) -> Floats:
    """δ² of ranked values, from the number of pairable judgements of each value in order, (V,) -> (V, V).

    (n_a/2 + everything between a and b + n_b/2)², which is the squared difference of `mid_ranks`.
    """
    return interval_distance(mid_ranks(np.asarray(counts, dtype=np.float64)))


def mid_ranks(counts: Floats) -> Floats:
    """The middle rank of each value when all judgements are lined up in order: (…, V) -> (…, V)."""
    return np.cumsum(counts, axis=-1) - counts / 2


def percent_agreement(cells: Cells) -> float:
    """The share of equal pairs of judgements of the same unit, mean over units with two judgements or more; 0–1."""
    cells = cells.pairable
    return float(pairwise_agreement(cells).mean()) if cells.units else float("nan")


def pairwise_agreement(cells: Cells) -> Floats:
    """The share of equal pairs of judgements in each unit, (U,); every unit needs two judgements."""
    m = cells.per_unit
    return cells.sum_by_unit((cells.count * (cells.count - 1)).astype(np.float64)) / (m * (m - 1))


def cohen_kappa(first: Ints, second: Ints) -> float:
    """Cohen's kappa of two annotators' codes for the same N tasks, (N,) each.

    NaN for no tasks, and where both give one and the same answer throughout. Cohen, Educational and Psychological
    Measurement 20 (1960).
    """
    first, second = _codes(first, "answers"), _codes(second, "answers")
    if first.shape != second.shape:
        raise InputError(f"Cohen's kappa compares answers to the same tasks, not {len(first)} with {len(second)}.")
    if not len(first):
        return float("nan")
    size = int(max(first.max(), second.max())) + 1
    chance = float(np.bincount(first, minlength=size) @ np.bincount(second, minlength=size)) / len(first) ** 2
    return (float((first == second).mean()) - chance) / (1 - chance) if chance < 1 else float("nan")


def fleiss_kappa(cells: Cells) -> float:
    """Fleiss' kappa; units with different numbers of judgements are allowed, those with one are left out.

    NaN where no unit has two judgements or all judgements are equal. Fleiss, Psychological Bulletin 76 (1971).
    """
    cells = cells.pairable
    if not cells.units:
        return float("nan")
    shares = cells.per_value / cells.count.sum()
    chance = float(np.square(shares).sum())
    return (percent_agreement(cells) - chance) / (1 - chance) if (shares > 0).sum() > 1 else float("nan")


def gwet_ac1(cells: Cells, categories: int | None = None) -> float:
    """Gwet's AC1, which unlike kappa and alpha stays high where nearly all answers are rightly the same.

    `categories`: how many answers could have been given (at least those that were; default: those). Units with one
    judgement take part in the chance term only. NaN where no unit has two judgements or there is one category only.
    Gwet, British Journal of Mathematical and Statistical Psychology 61 (2008).
    """
    given = int((cells.per_value > 0).sum())
    categories = max(given, categories or 0)
    agreed = percent_agreement(cells)
    if np.isnan(agreed) or categories < 2:
        return float("nan")
    shares = np.bincount(cells.value, cells.count / cells.per_unit[cells.unit], minlength=cells.values) / cells.units
    chance = float((shares * (1 - shares)).sum()) / (categories - 1)
    return (agreed - chance) / (1 - chance)


def _codes(codes: Ints, what: str) -> Ints:
    codes = np.asarray(codes)
    if codes.ndim != 1 or (codes.size and not np.issubdtype(codes.dtype, np.integer)) or codes.min(initial=0) < 0:
        raise InputError(f"The {what} must be a row of whole numbers from 0.")
    return codes.astype(np.int64)
