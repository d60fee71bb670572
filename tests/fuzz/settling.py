"""The one property: a proper result, or an error of ours that says what is wrong and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

from ml_backend.labeling.errors import TiebreakError

T = TypeVar("T")

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
HANGS_AFTER = 60_000
"""Milliseconds."""


def fuzzing(inputs: int) -> settings:
    """As many inputs, the same ones every time; with FUZZ_SECONDS others, as many before the clock is looked at."""
    checks = list(HealthCheck)
    if not SECONDS:
        return settings(
            max_examples=inputs, deadline=None, derandomize=True, database=None, suppress_health_check=checks
        )
    return settings(max_examples=inputs, deadline=HANGS_AFTER, database=None, suppress_health_check=checks)


def settled(work: Callable[[], T]) -> T | None:
    """What `work` gives; None where it is refused."""
    try:
        return work()
    except TiebreakError as error:
        refused = error
    assert refused.what.strip(), repr(refused)
    assert refused.mend.strip(), f"it does not say how to mend it: {refused}"
    str(refused).encode()
    return None
