"""How much the neighbours add to the regression, decided on examples that neither had seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
DECIDE_AMONG = 4_000
"""Rows that decide: more would hardly change the choice, and take their time."""
WORTH = 1.0
"""Of log-likelihood, in nats over all rows, that the neighbours must gain, as Akaike asks of a parameter."""


@dataclass(frozen=True)
class Blend:
    """A logarithmic opinion pool (Genest & Zidek 1986): logits of the regression plus a multiple of those of the
    neighbours. With a multiple of 0 the neighbours are not asked."""

    neighbours: float

    @classmethod
    def fit(
        cls,
        logits: np.ndarray,
        shares: np.ndarray,
        temperature: float,
        loss: Callable[[np.ndarray, np.ndarray], float],
        *,
        independent: bool,
    ) -> Blend:
        """The multiple with the least `loss(logits, rows)`, out of fold. `temperature` is what the logits (n, k) alone
        would be divided by, so that a multiple means the same whatever their scale."""
        rows = np.arange(min(len(logits), DECIDE_AMONG))
        among, near = logits[rows], shares[rows]
        tried = [cls(share * temperature) for share in SHARES]
        lost = [loss(it.apply(among, near, independent=independent), rows) for it in tried]
        best = int(np.argmin(lost))
        return tried[best] if (lost[0] - lost[best]) * len(rows) > WORTH else tried[0]

    def apply(self, logits: np.ndarray, shares: np.ndarray, *, independent: bool) -> np.ndarray:
        """(n, k) logits, from those of the regression and the neighbours' `shares`."""
        near = np.log(shares)
        return logits + self.neighbours * (near - np.log1p(-shares) if independent else near)

    @property
    def fields(self) -> Mapping[str, float]:
        return {"neighbours": self.neighbours}
