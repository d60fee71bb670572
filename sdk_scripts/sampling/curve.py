"""Operating characteristic of a plan, exact: the sample of a finite lot is hypergeometric.

With D of N units nonconforming, a sample of n has x of them with probability C(D, x) C(N − D, n − x) / C(N, n); the lot
is accepted where x ≤ Ac (Montgomery, Introduction to Statistical Quality Control, 15.2). What goes out is the lot after
inspection: nonconforming units found are mended, and a rejected lot is inspected and mended as a whole. So its average
outgoing quality at D is E[(D − x) · 1(x ≤ Ac)] / N, and the largest of it over D is its limit (AOQL).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from sdk_scripts.sampling.plans import Plan

PRODUCER, CONSUMER = 0.05, 0.10
"""The risks by which a curve's two points are named (ISO 2859-1, 3.1.26–27)."""
_POINTS = 400

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    plan: Plan

    def accepted(self, bad: Counts | int) -> Floats:
        """The probability to accept a lot with that many nonconforming units, 0 to the lot's size."""
        return np.asarray(hypergeom.cdf(self.plan.accept, self.plan.lot, bad, self.plan.n), dtype=float)

    def outgoing(self, bad: Counts | int) -> Floats:
        """The average outgoing quality, a share, of a lot that comes in with that many."""
        bad = np.asarray(bad)
        found = np.arange(self.plan.accept + 1)[:, None]
        chances = hypergeom.pmf(found, self.plan.lot, bad.reshape(1, -1), self.plan.n)
        left = np.maximum(bad.reshape(1, -1) - found, 0)
        return np.asarray((chances * left).sum(axis=0) / max(self.plan.lot, 1)).reshape(bad.shape)

    @property
    def producer_risk_quality(self) -> float:
        """The largest share at which a lot is rejected with at most the producer's risk, 5 %."""
        return self._most(1 - PRODUCER) / max(self.plan.lot, 1)

    @property
    def consumer_risk_quality(self) -> float:
        """The smallest share at which a lot is accepted with at most the consumer's risk, 10 %."""
        return min(self._most(float(np.nextafter(CONSUMER, 1))) + 1, self.plan.lot) / max(self.plan.lot, 1)

    def _most(self, probability: float) -> int:
        """The most nonconforming units with which the lot is still accepted with at least that probability."""
        low, high = 0, self.plan.lot
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.accepted(middle) >= probability else (low, middle - 1)
        return low

    @property
    def rejected_at_aql(self) -> float | None:
        """The producer's risk: the probability to reject a lot that is no worse than the AQL allows."""
        if self.plan.aql is None:
            return None
        return float(1 - self.accepted(int(self.plan.lot * self.plan.aql / 100 + 1e-9)))

    @property
    def outgoing_limit(self) -> float:
        """The AOQL, a share."""
        return float(self.outgoing(self._grid).max(initial=0.0))

    @cached_property
    def _grid(self) -> Counts:
        """Counts of nonconforming units where something happens: dense up to where the lot is as good as lost."""
        most = min(self._most(1e-4) + 1, self.plan.lot)
        return np.unique(np.linspace(0, most, _POINTS).round().astype(np.int64))

    def points(self) -> list[tuple[float, float]]:
        """(share nonconforming, probability to accept), from no nonconforming unit to where acceptance is hopeless."""
        size = max(self.plan.lot, 1)
        return [(float(bad) / size, float(p)) for bad, p in zip(self._grid, self.accepted(self._grid), strict=True)]

    def to_json(self, points: int = 40) -> dict[str, Any]:
        """The named points, and the curve in about that many steps, each [share nonconforming, P(accept)]."""
        every = max(1, len(self._grid) // points)
        return {
            "producer_risk": self.rejected_at_aql,
            "producer_risk_quality": self.producer_risk_quality,
            "consumer_risk_quality": self.consumer_risk_quality,
            "aoql": self.outgoing_limit,
            "points": [[round(share, 6), round(p, 6)] for share, p in self.points()[::every]],
        }


def text_plot(curve: Curve, *, rows: int = 8, columns: int = 56) -> str:
    """The curve for a terminal: P(accept) upwards, share nonconforming to the right."""
    size = max(curve.plan.lot, 1)
    most = min(1.0, max(curve.points()[-1][0], 1 / size))
    counts = (np.linspace(0, most, columns) * size).round().astype(np.int64)
    heights = np.ceil(curve.accepted(counts) * rows - 0.5).astype(int)
    lines = []
    for row in range(rows, 0, -1):
        edge = f"{row / rows:4.0%} " if row in (rows, rows // 2) else "     "
        lines.append(edge + "│" + "".join("█" if height >= row else " " for height in heights).rstrip())
    lines.append("     └" + "─" * columns)
    end = f"{most:.2%}"
    lines.append("      0 %" + " " * (columns - 3 - len(end)) + end + " nonconforming")
    return "\n".join(lines)
