"""Single sampling plans: how many units of a lot are inspected, and how many may be nonconforming."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import index
from typing import Any, Literal

from sdk_scripts.sampling.tables import Inspection, Level, looked_up


@dataclass(frozen=True, slots=True)
class Plan:
    """Inspect `n` of `lot` units: at most `accept` nonconforming ones accept the lot, more reject it."""

    lot: int
    """Units; 0 for an empty lot, which has nothing to inspect."""
    n: int
    accept: int
    scheme: Literal["iso-2859-1", "zero-acceptance"]
    letter: str = ""
    """The code letter the sample size belongs to."""
    aql: float | None = None
    """Per cent."""
    level: Level | None = None
    inspection: Inspection | None = None
    tolerated: float | None = None
    """Of a zero-acceptance plan: the share of the lot that may be nonconforming, 0–1."""
    risk: float | None = None
    """Of a zero-acceptance plan: the most probable acceptance of a lot with more than that, 0–1."""

    @property
    def reject(self) -> int:
        return self.accept + 1

    @property
    def whole(self) -> bool:
        """Whether each unit is inspected."""
        return self.n == self.lot

    def to_json(self) -> dict[str, Any]:
        said = {
            "scheme": self.scheme,
            "lot": self.lot,
            "n": self.n,
            "accept": self.accept,
            "reject": self.reject,
            "letter": self.letter or None,
            "aql": self.aql,
            "level": self.level,
            "inspection": self.inspection,
            "tolerated": self.tolerated,
            "risk": self.risk,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Plan:
        """Of `to_json`. Raises TypeError or AttributeError where it is something else."""
        plan = cls(**{name: value for name, value in said.items() if name != "reject"})
        for count in (plan.lot, plan.n, plan.accept):
            index(count)
        return plan


def iso_plan(lot: int, *, aql: float, level: Level = "II", inspection: Inspection = "normal") -> Plan:
    """The plan of ISO 2859-1. Where its sample is as large as the lot, the whole lot is inspected, by the same
    acceptance number; a lot of one unit is inspected whole and accepts none.

    Raises InputError for an AQL that the tables do not have.
    """
    letter, n, accept = looked_up(max(lot, 2), aql, level, inspection)
    if n >= lot:
        n, accept = lot, min(accept, max(lot - 1, 0)) if lot > 1 else 0
    return Plan(lot, n, accept, "iso-2859-1", letter, aql, level, inspection)


def zero_acceptance(lot: int, *, tolerated: float, risk: float) -> Plan:
    """The smallest sample that, with none nonconforming, accepts a lot of more than `tolerated` nonconforming with at
    most the probability `risk`.

    The fewest units that are too many are D = ⌊tolerated · lot⌋ + 1. Of them a sample has none with the hypergeometric
    probability C(lot − D, n) / C(lot, n), which falls as n grows.
    """
    too_many = math.floor(tolerated * lot + 1e-9) + 1
    low, high = 0, max(lot - min(too_many, lot) + 1, 0) if lot else 0  # a sample of `high` has one of them for sure
    while low < high:
        n = (low + high) // 2
        if _none(lot, too_many, n) <= risk * (1 + 1e-9):
            high = n
        else:
            low = n + 1
    return Plan(lot, low, 0, "zero-acceptance", tolerated=tolerated, risk=risk)


def _none(lot: int, bad: int, n: int) -> float:
    """The probability that a sample of n has none of `bad` units of the lot."""
    if n > lot - bad:
        return 0.0
    good = lot - bad
    ways = math.lgamma(good + 1) - math.lgamma(good - n + 1) - math.lgamma(lot + 1) + math.lgamma(lot - n + 1)
    return math.exp(ways)
