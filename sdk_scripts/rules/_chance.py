"""How likely chance alone would bring a count that far."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import binom, hypergeom, norm

Stratum = tuple[int, int, int]
"""Of so many, so many are hits, and so many are drawn."""

_EXACT = 4000


def at_least(count: int, n: int, share: float) -> float:
    """P(as many hits or more of n), each one with that probability."""
    return float(binom.sf(count - 1, n, share))


def drawn_at_least(count: int, strata: Iterable[Stratum]) -> float:
    """P(as many hits or more among all that is drawn, stratum by stratum, without replacement): exact, by convolution
    of hypergeometric distributions; by their mean and variance above 4,000 draws. It is Fisher's exact test where there
    is one stratum, and the exact form of Mantel & Haenszel's (JNCI 22, 1959) where there are several.
    """
    told = [it for it in strata if 0 < it[1] < it[0] and it[2] > 0]
    sure = sum(drawn for size, hits, drawn in strata if hits == size)
    if sum(drawn for *_, drawn in told) > _EXACT:
        size, hits, drawn = np.array(told, dtype=float).T
        mean, spread = hypergeom.stats(size, hits, drawn)
        return float(norm.sf((count - sure - 0.5 - mean.sum()) / np.sqrt(max(spread.sum(), 1e-12))))
    chances = np.ones(1)
    for size, hits, drawn in told:
        chances = np.convolve(chances, hypergeom.pmf(np.arange(min(hits, drawn) + 1), size, hits, drawn))
    return float(min(1.0, chances[max(count - sure, 0) :].sum()))


def drawn_at_most(count: int, strata: Iterable[Stratum]) -> float:
    strata = list(strata)
    drawn = sum(drawn for *_, drawn in strata)
    return drawn_at_least(drawn - count, [(size, size - hits, drawn) for size, hits, drawn in strata])
