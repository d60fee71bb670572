"""Coded judgements of known agreement, and alpha by its definition."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.units import Cells

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: 4 observers, 12 units; 0 is missing.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def codes(observers: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(unit, value - 1) for row in observers for unit, value in enumerate(row) if value]
    units, values = zip(*pairs, strict=True)
    return np.array(units), np.array(values)


def cells(units: np.ndarray, values: np.ndarray) -> Cells:
    return Cells.count_up(units, values, int(units.max()) + 1, int(values.max()) + 1)


def choices(*labels: str, multiple: bool = False) -> LabelConfig:
    inner = "".join(f'<Choice value="{label}"/>' for label in labels)
    many = ' choice="multiple"' if multiple else ""
    return parse(f'<View><Text name="t" value="$text"/><Choices name="c" toName="t"{many}>{inner}</Choices></View>')


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return round(value, 9) if isinstance(value, float) else value


def observed_over_expected(units: np.ndarray, values: np.ndarray, distance: np.ndarray) -> float:
    """Alpha by its definition: every ordered pair of judgements, one at a time."""
    by_unit: dict[int, list[int]] = {}
    for unit, value in zip(units.tolist(), values.tolist(), strict=True):
        by_unit.setdefault(unit, []).append(value)
    pairable = [row for row in by_unit.values() if len(row) > 1]
    everything = [value for row in pairable for value in row]
    n = len(everything)
    if n == 0:
        return math.nan
    observed = sum(distance[a, b] / (len(row) - 1) for row in pairable for a, b in permutations(row, 2)) / n
    expected = sum(distance[a, b] for a, b in permutations(everything, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected > 0 else math.nan
