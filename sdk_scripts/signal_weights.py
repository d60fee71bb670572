"""How far each signal convinces, learned from which reviewed cases were overturned.

The model is the ranking's own noisy-or: a case is overturned where some signal was right, signal i with probability
weight i × score i, or for a reason that no signal saw (the leak). The weights are the most probable ones a posteriori,
found by expectation-maximisation (Heckerman & Breese, IEEE Trans. SMC 26, 1996, for noisy-or), starting from the prior:
the signals' own weights, which count as PRIOR_REVIEWS reviews. So few reviews change little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

PRIOR_REVIEWS = 20.0
LEAK = 0.05
"""Of cases that no signal suspects, the share thought to be overturned before any review; learned, too."""
LEAST = 0.01
"""A weight never falls below: a signal that was wrong so far may still be right."""
_ROUNDS = 1_000
_SETTLED = 1e-6


def learn_weights(reviewed: Iterable[tuple[Mapping[str, float], bool]], prior: Mapping[str, float]) -> dict[str, float]:
    """Signal -> weight, in [LEAST, 1], for every signal of `prior`.

    `reviewed`: of each decided case its signals' scores (0–1; those not named are 0), and whether the decision
    overturned the label. Scores of signals that `prior` does not have are left aside. The same reviews, in any order,
    give the same weights; without reviews they are the prior's.
    """
    names = sorted(prior)
    cases = list(reviewed)
    given = np.array([[float(scores.get(name, 0.0)) for name in names] for scores, _ in cases]).reshape(-1, len(names))
    scores: NDArray[np.float64] = np.column_stack([np.clip(np.nan_to_num(given), 0, 1), np.ones(len(cases))])
    overturned = np.array([bool(it) for _, it in cases], dtype=bool)
    order = np.lexsort([overturned, *scores.T])
    scores, overturned = scores[order], overturned[order]

    start = np.clip(np.array([*(prior[name] for name in names), LEAK], dtype=np.float64), LEAST, 1)
    told = scores > 0
    seen = told.sum(axis=0)
    weights = np.minimum(start, 1 - 1e-6)
    for _ in range(_ROUNDS):
        fires = weights * scores
        clear = np.prod(1 - fires, axis=1, keepdims=True)
        # the probability that a signal "would convince", given what was decided: that it did, or its score held it back
        held_back = weights * (1 - scores) / (1 - fires)
        caused = fires / np.maximum(1 - clear, 1e-12)
        right = np.where(overturned[:, None], caused + (1 - caused) * held_back, held_back)
        new = (PRIOR_REVIEWS * start + (right * told).sum(axis=0)) / (PRIOR_REVIEWS + seen)
        change = float(np.abs(new - weights).max())
        weights = np.clip(new, LEAST, 1 - 1e-6)
        if change < _SETTLED:
            break
    return {name: prior[name] if not n else float(w) for name, w, n in zip(names, weights, seen, strict=False)}
