"""Thresholds fixed on the training half, and what they let through on the test half: is the promise kept?"""

from __future__ import annotations

from typing import Any

import numpy as np

from sdk_scripts.backtest.measures import CERTAINTY, Answered, interval

PROMISES = (0.95, 0.99)


def threshold_for(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float | None:
    """The lowest confidence from which on answers are right with at least that probability; None where there is none.

    Candidates are tried from the most confident answers down, in steps of twentieths, and the first whose upper bound
    of the error (Clopper & Pearson 1934, at 95 % certainty) is over what is allowed ends the search: a fixed sequence
    of tests, so their number costs nothing (Angelopoulos et al., Learn then Test, 2021).
    """
    from scipy.stats import beta

    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    accepted: float | None = None
    for n in np.unique(np.linspace(0, len(order), 21).round().astype(int))[1:].tolist():
        cut = float(confidence[order[n - 1]])
        n = int((confidence >= cut).sum())
        errors = int(wrong[n - 1])
        bound = float(beta.ppf(CERTAINTY, errors + 1, n - errors)) if errors < n else 1.0
        if bound > 1 - accuracy:
            if accepted is None and errors == 0:
                continue  # too few to tell yet
            break
        accepted = cut
    return accepted


def promise(confidence: np.ndarray, right: np.ndarray, test: Answered, accuracy: float) -> dict[str, Any]:
    """JSON: `threshold`, fixed on `confidence` and `right` (n,) of training texts that the model had not seen;
    `coverage`, the share of the test texts at or above it; `accuracy` among those with its interval; and `kept`,
    whether that is what was promised (None where nothing was accepted)."""
    threshold = threshold_for(confidence, right, accuracy)
    taken = test.confidence >= threshold if threshold is not None else np.zeros(len(test.right), bool)
    n, good = int(taken.sum()), int(test.right[taken].sum())
    low, high = interval(good, n)
    return {
        "threshold": threshold,
        "coverage": n / len(taken),
        "accepted": n,
        "accuracy": good / n if n else None,
        "accuracy_low": low if n else None,
        "accuracy_high": high if n else None,
        "kept": good / n >= accuracy if n else None,
    }
