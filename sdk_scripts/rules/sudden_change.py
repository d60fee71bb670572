"""From one day on somebody works at another pace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from pydantic import Field

from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._usual import middle, timed


class Change(Parameters):
    minimum: int = Field(default=60, ge=20, description="least number of annotations with a time")
    least: int = Field(default=20, ge=5, description="annotations on each side of the change")
    times: float = Field(default=2.5, gt=1, description="so many times as fast, or as slow, matters")


@register("sudden_change")
class SuddenChange:
    """Where the median time of a task, relative to what is usual for texts of like length and to the others on the same
    day, changes: Pettitt's rank test (Applied Statistics 28, 1979), p ≈ 2 exp(-6 K² / (n³ + n²)). Off where the medians
    before and after differ by the factor that matters."""

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
        times = timed(inspected).filter(pl.col("at").is_not_null())
        table = _beside_the_others(times.with_columns(rest=(pl.col("lead_time") / pl.col("usual")).log()))
        for (annotator,), rows in table.group_by("annotator", maintain_order=True):
            n = len(rows)
            if n < max(parameters.minimum, 2 * parameters.least):
                continue
            rest = rows["rest"].to_numpy()
            place, p = pettitt(rest, parameters.least)
            before, after = float(np.median(rest[:place])), float(np.median(rest[place:]))
            change = math.exp(abs(after - before))
            since, later = rows["at"][place], rows[place:]
            yield Observation(
                subject=str(annotator),
                value=change,
                threshold=parameters.times,
                n=n,
                off=change >= parameters.times,
                p=p,
                evidence=tuple(later.sort("rest", descending=after > before)["task"].head(MAX_EVIDENCE).to_list()),
                message=f"Since {since:%Y-%m-%d %H:%M} tasks take {change:.1f} times as "
                f"{'long' if after > before else 'short'}: {middle(later['lead_time']):.0f} s in the middle instead "
                f"of {middle(rows[:place]['lead_time']):.0f} s.",
            )


def pettitt(values: np.ndarray, least: int) -> tuple[int, float]:
    """The place before which (n,) values are most unlike those from it on, with at least so many on each side, and the
    p-value of no change."""
    n = len(values)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable") + 1.0
    sums = 2 * np.cumsum(ranks)[:-1] - np.arange(1, n) * (n + 1)
    inner = np.abs(sums[least - 1 : n - least])
    place = int(np.argmax(inner)) + least
    return place, float(min(1.0, 2 * math.exp(-6 * float(inner.max()) ** 2 / (n**3 + n**2))))


def _beside_the_others(table: pl.DataFrame) -> pl.DataFrame:
    """Less what the others' pace is that day, where three others worked."""
    day = pl.col("at").dt.date()
    days = table.group_by("annotator", day=day).agg(own=pl.col("rest").median())
    others = (
        days.join(days, on="day", suffix="_other")
        .filter(pl.col("annotator") != pl.col("annotator_other"))
        .group_by("annotator", "day")
        .agg(theirs=pl.col("own_other").median(), people=pl.len())
        .filter(pl.col("people") >= 3)
    )
    joined = table.with_columns(day=day).join(others, on=["annotator", "day"], how="left", maintain_order="left")
    return joined.with_columns(rest=pl.col("rest") - pl.col("theirs").fill_null(0.0))


def _paced(pace: Callable[[int], float]) -> Dataset:
    rows = [Given(task, "ana", "positive", seconds=pace(task), at=5.0 * task) for task in range(1, 121)]
    return example([*rows, *(Given(task, "ben", "positive", seconds=25, at=5.0 * task) for task in range(1, 121))])
