"""How much people get done: a day, a week, and an hour of their time."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from sdk_scripts.bottlenecks.estimates import LEAST, Z, counts_per_day, mean, ratio, times
from sdk_scripts.bottlenecks.model import Estimate, Pace, Throughput, Week
from sdk_scripts.bottlenecks.queues import mostly_imported
from sdk_scripts.bottlenecks.steps import Process

MOST_WEEKS = 26
_HOUR = 3600.0


def throughput(process: Process, days: int) -> Throughput:
    """Of the last `days` days, or of as many as there are. A day's interval takes days as independent of each other,
    an hour's takes each person's days so."""
    at = process.work.at
    since = at - timedelta(days=days)
    rows = process.judged.filter(pl.col("created_at").is_not_null() & (pl.col("created_at") <= at))
    first = rows["created_at"].min()
    if first is not None:
        days = min(days, max(1, math.ceil((at - first) / timedelta(days=1))))  # type: ignore[operator]
    recent = rows.filter(pl.col("created_at") > since)
    counts = counts_per_day(recent["created_at"], at, days)
    per_day = mean(counts) if recent.height else Estimate()
    hours = (
        recent.drop_nulls("told")
        .group_by("annotator", pl.col("created_at").dt.date(), maintain_order=True)
        .agg(pl.len(), hours=pl.col("told").sum() / _HOUR)
    )
    return Throughput(
        days=days,
        imported=mostly_imported(process),
        per_day=per_day,
        per_week=times(per_day, 7),
        per_hour=ratio(hours["len"].to_numpy().astype(np.float64), hours["hours"].to_numpy()),
        people=_people(recent, at),
        weeks=_weeks(process),
    )


def _people(recent: pl.DataFrame, at: datetime) -> list[Pace]:
    """A day is 24 hours, counted back from `at`, as in `counts_per_day`."""
    named = recent.filter(pl.col("annotator") != "")
    daily = named.group_by("annotator", day=(at - pl.col("created_at")).dt.total_days()).len()
    found = {str(who): rows["len"].to_numpy().astype(np.float64) for (who,), rows in daily.group_by("annotator")}
    seconds = named.group_by("annotator").agg(
        n=pl.col("told").count(), mean=pl.col("told").mean(), sd=pl.col("told").std()
    )
    pace = {who: _per_hour(n, middle, sd) for who, n, middle, sd in seconds.iter_rows()}
    people = [
        Pace(
            annotator=who,
            annotations=int(counts.sum()),
            active_days=len(counts),
            per_active_day=mean(counts),
            per_hour=pace[who],
        )
        for who, counts in found.items()
    ]
    return sorted(people, key=lambda it: (-it.annotations, it.annotator))


def _per_hour(n: int, middle: float | None, sd: float | None) -> Estimate:
    """3600 / mean seconds; the delta method on a log scale."""
    if not n or not middle:
        return Estimate(n=n)
    value = _HOUR / middle
    if n < LEAST or sd is None:
        return Estimate(value=value, n=n)
    spread = math.exp(Z * sd / middle / math.sqrt(n))
    return Estimate(value=value, low=value / spread, high=value * spread, n=n)


def _weeks(process: Process) -> list[Week]:
    """The last of them; a week ends at the moment of the analysis, however far into the calendar's that is."""
    at = process.work.at
    series = (
        process.tasks["created_at"],
        process.judged["created_at"],
        process.tasks.filter("accepted")["accepted_at"],
    )
    arrived, annotations, accepted = (
        counts_per_day(it, at, 7 * MOST_WEEKS).reshape(-1, 7).sum(axis=1) for it in series
    )
    used = np.flatnonzero(arrived + annotations + accepted)
    if not len(used):
        return []
    return [
        Week(
            since=at - timedelta(weeks=MOST_WEEKS - week),
            arrived=int(arrived[week]),
            annotations=int(annotations[week]),
            accepted=int(accepted[week]),
        )
        for week in range(int(used[0]), MOST_WEEKS)
    ]
