"""Thresholds fixed on the training half, and what they let through on the test half: is the promise kept?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ml_backend.labeling.thresholds import accept_above
from sdk_scripts.backtest.measures import Answered, interval

PROMISES = (0.95, 0.99)


def promise(confidence: np.ndarray, right: np.ndarray, test: Answered, accuracy: float) -> dict[str, Any]:
    """JSON: `threshold`, fixed on `confidence` and `right` (n,) of training texts that the model had not seen;
    `coverage`, the share of the test texts at or above it; `accuracy` among those with its interval; and `kept`,
    whether that is what was promised (None where nothing was accepted)."""
    found = accept_above(confidence, right, error=1 - accuracy)
    threshold = found.confidence if found else None
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
