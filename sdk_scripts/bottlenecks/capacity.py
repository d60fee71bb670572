"""Tasks that come against tasks that get done: does the backlog shrink, and when is it gone?"""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl

from ml_backend.labeling.units import Floats
from sdk_scripts.bottlenecks.estimates import LEAST, UNKNOWN, counts_per_day, mean, product, ratio, times, total
from sdk_scripts.bottlenecks.model import Capacity, Estimate
from sdk_scripts.bottlenecks.queues import first_waits
from sdk_scripts.bottlenecks.steps import Process

_DAY = timedelta(days=1)


def capacity(process: Process, days: int, clear_in: float | None = None) -> Capacity:
    """Of the last `days` days, or of as many as there are. Days are taken as independent of each other: a weekly rhythm
    makes intervals wider than they need be."""
    at = process.work.at
    tasks = process.tasks
    came = tasks.drop_nulls("created_at")["created_at"]
    done = tasks.filter("accepted").drop_nulls("accepted_at")["accepted_at"]
    begun = [it for it in (came.min(), done.min()) if it is not None]
    days = min(days, max(1, math.ceil((at - min(begun)) / _DAY))) if begun else days  # type: ignore[operator]
    arrived, accepted = (counts_per_day(it, at, days) for it in (came, done))
    arrival_days = int((arrived > 0).sum())
    backlog = tasks.height - tasks.filter("accepted").height
    dated = bool(len(came)) and bool(len(done))
    trend = mean(arrived - accepted) if dated else UNKNOWN
    pace = mean(accepted) if len(done) else UNKNOWN
    waiting, law = _littles_law(process, days)
    return Capacity(
        days=days,
        arrivals_per_day=mean(arrived) if len(came) else UNKNOWN,
        arrival_days=arrival_days,
        accepted_per_day=pace,
        utilisation=ratio(arrived, accepted) if dated else UNKNOWN,
        backlog=backlog,
        backlog_trend_per_day=trend,
        days_to_clear=_days(backlog, times(trend, -1)),
        days_to_clear_if_none_come=_days(backlog, pace),
        clears=_chance_below_zero(arrived - accepted) if dated else None,
        hours_a_day_to_clear=_hours_needed(process, days, backlog, accepted, arrived, clear_in),
        clear_in=clear_in,
        waiting_on_average=waiting,
        littles_law=law,
        note=_note(arrival_days, days) if len(came) else "Nothing says when tasks came.",
    )


def _note(arrival_days: int, days: int) -> str:
    if arrival_days >= LEAST:
        return ""
    return (
        f"Tasks came on {arrival_days} of {days} days, in batches: what comes a day on the average says little about "
        "tomorrow; read the days to clear if none come."
    )


def _days(backlog: int, pace: Estimate) -> Estimate:
    """An end is open where the pace may be none."""
    if not backlog:
        return Estimate(value=0.0, low=0.0, high=0.0, n=pace.n)

    def of(rate: float | None) -> float | None:
        return backlog / rate if rate is not None and rate > 0 else None

    return Estimate(value=of(pace.value), low=of(pace.high), high=of(pace.low), n=pace.n)


def _chance_below_zero(growth: Floats) -> float | None:
    from scipy.stats import t

    n = len(growth)
    if n < LEAST:
        return None
    error = float(growth.std(ddof=1)) / math.sqrt(n)
    if not error:
        return float(growth.mean() < 0)
    return float(t.cdf(-growth.mean() / error, n - 1))


def _hours_needed(
    process: Process, days: int, backlog: int, accepted: Floats, arrived: Floats, clear_in: float | None
) -> Estimate:
    """(backlog / target + arrivals a day) × working hours for each task accepted in these days."""
    rows = process.done.filter(pl.col("created_at").is_not_null()).drop_nulls("seconds")
    if clear_in is None or not rows.height:
        return UNKNOWN
    start = process.work.at - days * _DAY
    recent = rows.filter(pl.col("created_at") > start, pl.col("created_at") <= process.work.at)
    back = ((pl.lit(process.work.at) - pl.col("created_at")).dt.total_milliseconds() // 86_400_000).cast(pl.Int64)
    spent = np.zeros(days)
    for day, seconds in recent.group_by(back.alias("day")).agg(pl.col("seconds").sum()).iter_rows():
        if 0 <= day < days:
            spent[days - 1 - day] = seconds / 3600
    old = backlog / clear_in
    return product(ratio(spent, accepted), total(Estimate(value=old, low=old, high=old, n=days), mean(arrived)))


def _littles_law(process: Process, days: int) -> tuple[float | None, float | None]:
    """The number that waited for the first label on the average, and arrivals a day × their mean wait in days."""
    waits, _ = first_waits(process)
    at, start = process.work.at, process.work.at - days * _DAY
    if not waits.drop_nulls("until").height:
        return None, None
    until = pl.coalesce("until", pl.lit(at)).clip(upper_bound=at)
    length = (until - pl.max_horizontal("since", pl.lit(start))).dt.total_milliseconds().clip(lower_bound=0)
    waiting = float(waits.select(length.sum()).item()) / 86_400_000 / days
    new = waits.filter(pl.col("since") > start)
    if not new.height:
        return waiting, None
    mean_wait = new.select(((until - pl.col("since")).dt.total_milliseconds()).mean()).item() / 86_400_000
    return waiting, new.height / days * float(mean_wait)
