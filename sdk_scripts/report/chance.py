"""Whether a figure has changed by more than chance, told from its intervals at both times.

The interval of a difference is made of the two of its parts (MOVER; Zou & Donner, Statistics in Medicine 27, 2008), so
it is as lopsided as they are. Both times are taken to be independent. Two reports of one project share most of their
judgements; then less changes by chance than is allowed for here, and what is said to be no chance is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float
    low: float
    high: float
    """Of its 95 % interval."""

    @classmethod
    def read(cls, row: Mapping[str, Any], name: str, low: str = "", high: str = "") -> Estimate | None:
        """From the fields of a report's row; None where one of them is no number."""
        found = [number(row.get(it)) for it in (name, low or f"{name}_low", high or f"{name}_high")]
        return None if None in found else cls(*found)  # type: ignore[arg-type]  # none is None

    @classmethod
    def share(cls, count: float, of: float) -> Estimate:
        """With Wilson's interval; of one at least."""
        from ml_backend.labeling.annotator_agreement import wilson_interval

        return cls(count / of, *wilson_interval(count / of, of))


def difference(old: Estimate, new: Estimate) -> Estimate:
    """new - old."""
    low = math.hypot(new.value - new.low, old.high - old.value)
    high = math.hypot(new.high - new.value, old.value - old.low)
    change = new.value - old.value
    return Estimate(change, change - low, change + high)


def beyond_chance(old: Estimate, new: Estimate) -> bool:
    change = difference(old, new)
    return change.low > 0 or change.high < 0


def p_value(old: Estimate, new: Estimate) -> float:
    """Of no change, two-sided; 1 where both are the same."""
    change = difference(old, new)
    wide = change.value - change.low if change.value > 0 else change.high - change.value
    if not change.value:
        return 1.0
    return math.erfc(abs(change.value) / (wide / _Z) / math.sqrt(2)) if wide > 0 else 0.0


def holm(values: Sequence[float], risk: float = 0.05) -> list[bool]:
    """Which of the p values are below what chance gives; with probability `risk` at most, one is not (Holm 1979)."""
    kept = [False] * len(values)
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] > risk / (len(values) - rank):
            break
        kept[place] = True
    return kept


def number(value: object) -> float | None:
    """A finite number of a report's JSON; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
