"""Where the hours go, and what an accepted label costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from sdk_scripts.bottlenecks.estimates import ratio, shares, times
from sdk_scripts.bottlenecks.model import Costs, Estimate, Queue, Step
from sdk_scripts.bottlenecks.steps import WORK, Process

_HOUR = 3600.0


def costs(process: Process, *, hourly: float | None = None, currency: str = "") -> Costs:
    """All working time for each task with an accepted label; the interval is a bootstrap over tasks.

    `hourly` is what a working hour costs, in `currency`; without it only seconds are said.
    """
    spent = by_task(process)
    tasks = process.tasks.select("task", pl.col("accepted").cast(pl.Float64)).join(
        spent, on="task", how="full", coalesce=True
    )
    total = tasks.select(pl.sum_horizontal(WORK).fill_null(0.0))[WORK[0]].to_numpy()
    accepted = tasks["accepted"].fill_null(0.0).to_numpy()
    seconds = ratio(total, accepted) if total.sum() else Estimate()
    hours = float(total.sum()) / _HOUR
    unknown = [step for step in WORK if process.done.filter(pl.col("seconds").is_null(), step=step).height]
    done = process.tasks
    return Costs(
        accepted=int(accepted.sum()),
        by_machine=done.filter("machine", ~pl.col("decided"), pl.col("n") == 0).height,
        hours=hours,
        seconds_per_label=seconds,
        money_per_label=Estimate() if hourly is None else times(seconds, hourly / _HOUR),
        currency=currency,
        hourly=hourly,
        money=None if hourly is None else hours * hourly,
        note=f"At least that: nothing says how long this takes: {', '.join(unknown)}." if unknown else "",
    )


def by_task(process: Process) -> pl.DataFrame:
    """[task, *WORK]: seconds of each step, 0 where there are none."""
    rows = process.done.drop_nulls("seconds")
    sums = [pl.col("seconds").filter(pl.col("step") == step).sum().alias(step) for step in WORK]
    return rows.group_by("task").agg(sums)


def steps(process: Process, waiting: Sequence[Queue]) -> list[Step]:
    """The working steps, the longest first, then what tasks wait for, the same; those that do not occur left out."""
    spent = by_task(process).sort("task").select(WORK).to_numpy()
    parts = shares(spent.astype(np.float64)) if len(spent) else [Estimate()] * len(WORK)
    counts = {
        str(step): (n, untimed, hours)
        for step, n, untimed, hours in process.done.group_by("step")
        .agg(pl.len(), untimed=pl.col("told").is_null().sum(), hours=pl.col("seconds").sum() / _HOUR)
        .iter_rows()
    }
    work = [_worked(step, *counts[step], part) for step, part in zip(WORK, parts, strict=True) if step in counts]
    total = sum(it.hours for it in waiting)
    waits = [
        Step(
            step=f"waiting for {'a ' if it.stage in ('decision', 'review') else 'the '}{it.stage}",
            work=False,
            n=it.over + it.waiting,
            untimed=0,
            hours=it.hours,
            share=Estimate(value=it.hours / total, n=it.over + it.waiting) if total else Estimate(),
            note=it.note,
        )
        for it in waiting
        if it.over or it.waiting
    ]
    return [*sorted(work, key=_longest), *sorted(waits, key=_longest)]


def _worked(step: str, n: int, untimed: int, hours: float, share: Estimate) -> Step:
    unknown = untimed == n
    return Step(
        step=step,
        work=True,
        n=n,
        untimed=untimed,
        hours=None if unknown else hours,
        share=Estimate() if unknown else share,
        note="Nothing says how long it takes." if unknown else "",
    )


def _longest(step: Step) -> float:
    return -(step.hours or 0.0)
