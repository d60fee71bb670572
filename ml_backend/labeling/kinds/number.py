"""Number, typed or set with a slider (`slider="true"`)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, finite, region, register, values


@register("number")
class Number:
    """A finite float within the control's `min` and `max`, where it has them."""

    tags = ("Number",)
    scale = "interval"

    def read(self, control: Control, regions: Sequence[Region]) -> float | None:
        answer = None
        low, high = _range(control)
        for value in values(regions):
            found = finite(value.get("number"))
            if found is not None and low <= found <= high:
                answer = float(found)
        return answer

    def write(self, control: Control, answer: float) -> list[dict[str, Any]]:
        found, (low, high) = finite(answer), _range(control)
        if found is None or not low <= found <= high:
            raise InputError(
                f"{control.name!r} takes a number from {low:g} to {high:g}, not {answer!r}.",
                mend="Give one, or change min and max in the label config.",
            )
        return [region(control, {"number": found})]

    def key(self, answer: float) -> str:
        return repr(float(answer) + 0.0)  # -0.0 + 0.0 is 0.0

    def from_key(self, key: str) -> float:
        return float(json.loads(key))

    def distance(self, a: float, b: float) -> float:
        """|a − b| / (|a| + |b|): the Canberra distance (Lance & Williams 1967). It needs no range, which a Number need
        not have: 100 and 101 are close, 1 and −1 are not."""
        if a == b:
            return 0.0
        largest = max(abs(a), abs(b))  # divided first: the sum of two huge numbers overflows
        return abs(a / largest - b / largest) / (abs(a / largest) + abs(b / largest))

    def labels(self, answer: float) -> tuple[str, ...]:
        return ()

    def show(self, answer: float) -> str:
        return f"{answer:.12g}"

    def example(self, control: Control) -> float:
        low, high = _range(control)
        return float(low if math.isfinite(low) else min(1.0, high))


def _range(control: Control) -> tuple[float, float]:
    low, high = control.number("min", -math.inf), control.number("max", math.inf)
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
