"""Changes to the process, one file each, and what each would save: by what was measured, or why it cannot be said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.units import Floats
from sdk_scripts.bottlenecks.accept_risks import Accepting
from sdk_scripts.bottlenecks.costs import by_task
from sdk_scripts.bottlenecks.estimates import UNKNOWN, quantile, ratio, times
from sdk_scripts.bottlenecks.model import Estimate, Lever
from sdk_scripts.bottlenecks.steps import BEYOND, FIRST, MORE, REVIEW, Process

A_THOUSAND = 1000 / 3600
"""Seconds a task -> hours a thousand tasks."""


@dataclass(frozen=True)
class Levers:
    """What every lever looks at."""

    process: Process
    accepting: Accepting
    time: dict[str, Any] | None
    """`time_saved.time_saved`'s document; None where nobody has looked."""
    hourly: float | None = None

    @cached_property
    def spent(self) -> pl.DataFrame:
        return by_task(self.process)

    @cached_property
    def label_seconds(self) -> Estimate:
        """Median seconds of one label."""
        return quantile(np.sort(self.process.judged["told"].drop_nulls().to_numpy()), 0.5)

    @cached_property
    def second_seconds(self) -> Estimate:
        """Median seconds of a second label; where nobody gave one, of any."""
        second = self.process.judged.filter(pl.col("step").is_in([MORE, BEYOND]))["told"].drop_nulls()
        found = quantile(np.sort(second.to_numpy()), 0.5)
        return found if found.known else self.label_seconds

    @cached_property
    def task_seconds(self) -> Estimate:
        """Median seconds that annotators spend on a task, all its labels together, of those that have as many as they
        need."""
        whole = self.process.tasks.filter(pl.col("n") >= pl.col("needed"))["task"]
        rows = self.spent.filter(pl.col("task").is_in(whole.implode()))
        seconds = rows.select(s=pl.sum_horizontal(FIRST, MORE))["s"]
        return quantile(np.sort(seconds.filter(seconds > 0).to_numpy()), 0.5)

    @cached_property
    def review_seconds(self) -> Estimate:
        """Median seconds of a decision."""
        return quantile(np.sort(self.process.done.filter(step=REVIEW)["told"].drop_nulls().to_numpy()), 0.5)

    @cached_property
    def all_seconds(self) -> Estimate:
        """Mean seconds of all work a task that was worked on."""
        total = self.spent.select(s=pl.sum_horizontal(pl.exclude("task")))["s"].to_numpy()
        return ratio(total, np.ones(len(total)))

    def lever(self, lever: str, setting: str, seconds: Estimate, *, basis: str, **more: Any) -> Lever:
        """`seconds` of work saved, a task."""
        hours = times(seconds, A_THOUSAND)
        of = self.all_seconds.value
        money = UNKNOWN if self.hourly is None else times(hours, self.hourly)
        return Lever(
            lever=lever,
            setting=setting,
            hours_per_1000_tasks=hours,
            share=times(seconds, 1 / of) if of else UNKNOWN,
            money_per_1000_tasks=money,
            errors_per_1000_tasks=more.pop("errors", UNKNOWN),
            basis=basis,
            **more,
        )


def columns(frame: pl.DataFrame, names: list[str]) -> Floats:
    return frame.select(pl.sum_horizontal(names).alias("s"))["s"].to_numpy().astype(np.float64)


def all_levers(given: Levers) -> list[Lever]:
    """What saves most first; then what nothing is known of."""
    from sdk_scripts.bottlenecks.levers.auto_accept import auto_accept
    from sdk_scripts.bottlenecks.levers.guideline import guideline
    from sdk_scripts.bottlenecks.levers.prelabeling import prelabeling
    from sdk_scripts.bottlenecks.levers.routing import routing
    from sdk_scripts.bottlenecks.levers.second_annotator import second_annotator

    found = [*auto_accept(given), *routing(given), *second_annotator(given), *guideline(given), *prelabeling(given)]
    return sorted(found, key=lambda it: -_middle(it.hours_per_1000_tasks))


def _middle(it: Estimate) -> float:
    if it.value is not None:
        return it.value
    if it.low is None or it.high is None:
        return float("-inf")
    return (it.low + it.high) / 2
