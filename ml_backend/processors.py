"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

SHARE = Path("/sys/fs/cgroup/cpu.max")
"""Of a container, as its limit gives it: microseconds of processor time in a period, or `max`, and the period's length
(Linux's cgroup v2)."""


def processors() -> int:
    """At least 1, and no more than a container's limit, rounded up: more threads would only wait for one another."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = SHARE.read_text().split()
        return max(1, min(available, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a limit
        return available
