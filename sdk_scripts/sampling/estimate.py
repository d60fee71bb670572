"""What a stratified sample says about the whole lot: its error rate, and the recall of violations.

Points are stratified (Horvitz–Thompson with equal chances in a stratum): what was found in each stratum, times units by
inspected. Intervals are exact: a stratum's sample is hypergeometric, and its bounds are the fewest and the most units
that are not too improbable to give what was found (Buonaccorsi, A note on confidence intervals for proportions in
finite populations, The American Statistician 41, 1987). Several strata share the error probability (Bonferroni), so the
interval of their sum covers at least as often as it says; so does a ratio of such sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import hypergeom

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Counted:
    """A stratum of `units`, of which `inspected` were drawn at random, and `found` of these have the property."""

    units: int
    inspected: int
    found: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval, each 0–1."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


def bounds(counted: Counted, error: float) -> tuple[int, int]:
    """The fewest and the most units of the stratum that have the property; `error`: how often, at most, the truth lies
    outside."""
    units, n, found = counted.units, counted.inspected, counted.found

    def too_few(total: int) -> bool:
        return bool(hypergeom.sf(found - 1, units, total, n) <= error / 2)

    def too_many(total: int) -> bool:
        return bool(hypergeom.cdf(found, units, total, n) <= error / 2)

    least, most = found, units - (n - found)
    if n == 0:
        return least, most
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if too_few(middle) else (low, middle)
    fewest = low
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if too_many(middle) else (middle, high)
    return min(fewest, low), max(fewest, low)


def share(strata: Sequence[Counted], level: float = LEVEL) -> Estimate | None:
    """The share of all units that have the property; None where a stratum has units and none of them was inspected."""
    strata = [it for it in strata if it.units]
    units = sum(it.units for it in strata)
    if not units or any(not it.inspected for it in strata):
        return None
    low, high = _sums(strata, (1 - level) / _sampled(strata))
    return Estimate(_total(strata) / units, low / units, high / units)


def recall(labelled: Sequence[Counted], missed: Sequence[Counted], level: float = LEVEL) -> Estimate | None:
    """Of the units that are violations, the share that were labelled so.

    `labelled`: strata of the units labelled as violations, `found` are those that are; `missed`: strata of the other
    units, `found` are violations, too. None where nothing was found, or a stratum was not inspected at all.
    """
    right, wrong = [it for it in labelled if it.units], [it for it in missed if it.units]
    if any(not it.inspected for it in (*right, *wrong)):
        return None
    hits, misses = _total(right), _total(wrong)
    if not hits + misses:
        return None
    each = (1 - level) / _sampled([*right, *wrong])
    (hits_low, hits_high), (misses_low, misses_high) = _sums(right, each), _sums(wrong, each)
    low = hits_low / (hits_low + misses_high) if hits_low + misses_high else 0.0
    high = hits_high / (hits_high + misses_low) if hits_high + misses_low else 1.0
    return Estimate(hits / (hits + misses), low, high)


def _total(strata: Sequence[Counted]) -> float:
    return sum(it.units * it.found / it.inspected for it in strata)


def _sampled(strata: Sequence[Counted]) -> int:
    """How many of them are not known in full: those share the error."""
    return max(1, sum(it.inspected < it.units for it in strata))


def _sums(strata: Sequence[Counted], error: float) -> tuple[int, int]:
    found = [bounds(it, error) for it in strata]
    return sum(low for low, _ in found), sum(high for _, high in found)
