"""Is the promise of auto-accept still kept? A test of audits that may be looked at after each of them.

The promise of a tier is that the expected error of an accepted task is at most its budget b. For each bet c in BETS
start with a capital of 1, and let each audit with the error x (0 right, 1 wrong) multiply it by

    1 + c (x - b) / b

While the promise holds no bet gains in expectation, so neither does the mean of their capitals: it is an e-process, and
it ever reaches 1 / alpha with a probability of at most alpha, however often one looks, and whenever one stops (Ville's
inequality; betting: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024).
A bet of c is the best one where the errors are in truth b + c (1 - b): the mean over bets need not know how bad it got.

With several tiers there is one such process for each and one for all of them together, and it is their mean that
counts, which is an e-process too. Measured, with a certainty of 0.95 (median, and 9 of 10 in brackets): a budget of 2 %
is seen broken after 440 (1,175) audits where 4 % are wrong, 130 (320) where 6 % are, 42 (108) at 10 %, 12 (29) at 20 %.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml_backend.labeling.errors import InputError

BETS = 0.01 * 1.6 ** np.arange(10)
"""(10,) shares of the capital, 0.01 to 0.69."""


@dataclass(frozen=True, slots=True)
class Audit:
    """An accepted task that people have labelled without seeing the machine's answer."""

    tier: Hashable
    budget: float
    """Of the tier, in (0, 1)."""
    error: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What audits say of the promises."""

    audits: int = 0
    errors: float = 0.0
    evidence: float = 1.0
    """The capital now: how many times likelier it is than not that some promise is broken, roughly."""
    strongest: float = 1.0
    """The greatest capital there was after any audit: where it reaches 1 / (1 - certainty), a promise is broken."""
    broken_at: int | None = None
    """Number of the audit, from 1, after which that was so."""
    tiers: dict[Hashable, tuple[int, float]] = field(default_factory=dict)
    """Tier -> audits, and the sum of their errors."""

    @property
    def broken(self) -> bool:
        return self.broken_at is not None


def watch(audits: Sequence[Audit], *, certainty: float = 0.95, tiers: int = 1) -> Watched:
    """`audits` in the order they were done, of up to `tiers` tiers. While all promises hold, the chance of ever seeing
    one broken is at most 1 - certainty. Raises InputError for an error outside [0, 1], or a budget or certainty outside
    (0, 1)."""
    if not 0 < certainty < 1 or any(not 0 < it.budget < 1 or not 0 <= it.error <= 1 for it in audits):
        raise InputError("Audits need errors in [0, 1], and budgets and a certainty in (0, 1).")
    of_tier: dict[Hashable, tuple[int, float]] = {}
    capital: dict[Hashable, np.ndarray] = {}
    together = np.zeros(len(BETS))
    evidence = strongest = 1.0
    broken_at = None
    for number, audit in enumerate(audits, 1):
        n, errors = of_tier.get(audit.tier, (0, 0.0))
        of_tier[audit.tier] = n + 1, errors + audit.error
        step = np.log1p(BETS * (audit.error - audit.budget) / audit.budget)
        capital[audit.tier] = capital.get(audit.tier, 0.0) + step
        together = together + step
        waiting = [np.zeros(len(BETS))] * (tiers - len(capital))  # those that no audit was of yet
        evidence = float(np.exp(np.minimum([together, *capital.values(), *waiting], 600.0)).mean())
        strongest = max(strongest, evidence)
        if broken_at is None and evidence * (1 - certainty) >= 1:
            broken_at = number
    total = sum(errors for _, errors in of_tier.values())
    return Watched(len(audits), total, evidence, strongest, broken_at, of_tier)
