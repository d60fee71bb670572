"""From one day on somebody works at another pace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime

import numpy as np
import polars as pl
from pydantic import Field
from scipy.stats import rankdata

from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._usual import middle

MOST_OTHERS = 20_000
"""Times of others that are looked at, evenly picked."""


class Change(Parameters):
    minimum: int = Field(default=60, ge=20, description="least number of annotations with a time")
    least: int = Field(default=20, ge=5, description="annotations on each side of the change")
    times: float = Field(default=2.0, gt=1, description="more than so many times as fast, or as slow, matters")
    warm_up: int = Field(default=20, ge=0, description="first annotations left out: everybody gets faster at first")


@register("sudden_change")
class SuddenChange:
    """Where the median time of a task, relative to what is usual for texts of like length, changes: Pettitt's rank test
    (Applied Statistics 28, 1979), p ≈ 2 exp(-6 K² / (n³ + n²)). What changed is the median after over the one before,
    over the same of the others, before and after the same moment. Off where the lower bound of its interval (95 %) is
    beyond the factor that matters; the standard error of a median is 1.2533 s / √n, s from the median absolute
    deviation."""

    dimension = "speed"
    severity: Severity = "medium"
    why = "Something happened: a shortcut was found, a bonus was promised, somebody else sits there, or a tool broke."
    do = "Compare the labels before and after, and ask what changed that day."
    parameters = Change

    @staticmethod
    def bad() -> Dataset:
        return _paced(lambda task: 30.0 if task <= 60 else 8.0)

    @staticmethod
    def good() -> Dataset:
        return _paced(lambda task: 30.0 if task % 3 else 12.0)

    def __call__(self, inspected: Inspected, parameters: Change) -> Iterator[Observation]:
        table = inspected.timed.filter(pl.col("at").is_not_null())
        table = table.filter(pl.col("position") >= parameters.warm_up)
        table = table.with_columns(rest=(pl.col("lead_time") / pl.col("usual")).log())
        others = table.gather_every(max(1, len(table) // MOST_OTHERS))
        for (annotator,), rows in table.group_by("annotator", maintain_order=True):
            n = len(rows)
            if n < max(parameters.minimum, 2 * parameters.least) or rows["at"].n_unique() < n / 2:
                continue  # imported at once: there is no order of work
            rest = rows["rest"].to_numpy()
            place, p = pettitt(rest, parameters.least)
            since, later = rows["at"][place], rows[place:]
            shift = float(np.median(rest[place:]) - np.median(rest[:place]))
            if abs(shift) > math.log(parameters.times):
                shift -= _shift(others.filter(pl.col("annotator") != annotator), since, parameters.least)
            error = 1.96 * math.hypot(_error(rest[:place]), _error(rest[place:]))
            change = math.exp(abs(shift))
            yield Observation(
                subject=str(annotator),
                value=change,
                threshold=parameters.times,
                n=n,
                off=abs(shift) - error > math.log(parameters.times),
                p=p,
                evidence=tuple(later.sort("rest", descending=shift > 0)["task"].head(MAX_EVIDENCE).to_list()),
                message=f"Since {since:%Y-%m-%d %H:%M} UTC tasks take {change:.1f} times as "
                f"{'long' if shift > 0 else 'short'}, beside the others: {middle(later['lead_time']):.0f} s in the "
                f"middle instead of {middle(rows[:place]['lead_time']):.0f} s.",
            )


def pettitt(values: np.ndarray, least: int) -> tuple[int, float]:
    """The place before which (n,) values are most unlike those from it on, with at least so many on each side, and the
    p-value of no change."""
    n = len(values)
    sums = 2 * np.cumsum(rankdata(values))[:-1] - np.arange(1, n) * (n + 1)
    inner = np.abs(sums[least - 1 : n - least])
    place = int(np.argmax(inner)) + least
    return place, float(min(1.0, 2 * math.exp(-6 * float(inner.max()) ** 2 / (n**3 + n**2))))


def _shift(others: pl.DataFrame, since: datetime, least: int) -> float:
    """How the others' median changed at that moment; 0 where they did too little before or after it."""
    before, after = others.filter(pl.col("at") < since)["rest"], others.filter(pl.col("at") >= since)["rest"]
    return middle(after) - middle(before) if min(len(before), len(after)) >= least else 0.0


def _error(values: np.ndarray) -> float:
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return 1.2533 * spread / math.sqrt(len(values))


def _paced(pace: Callable[[int], float]) -> Dataset:
    rows = [Given(task, "ana", "positive", seconds=pace(task), at=5.0 * task) for task in range(1, 121)]
    return example([*rows, *(Given(task, "ben", "positive", seconds=25, at=5.0 * task) for task in range(1, 121))])
