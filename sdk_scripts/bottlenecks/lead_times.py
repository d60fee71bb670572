"""How long a task takes: by label, annotator, hour of the day and weekday."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ml_backend.labeling.kinds import kind_of
from sdk_scripts.bottlenecks.estimates import LEAST, quantile
from sdk_scripts.bottlenecks.model import LeadTimes, TimeBin, TimeRow
from sdk_scripts.bottlenecks.steps import TIMES_USUAL, Process

BINS = (0, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds where the bins of the histogram begin; the last has no end."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_LABELS = 200
_MOST_KEYS = 100_000


def lead_times(process: Process) -> LeadTimes:
    """Quantiles are of times as they were measured: a few absurd ones do not move them. An interval takes the times as
    independent, so it is about these people, not about whoever comes next."""
    rows = process.judged
    timed = rows.drop_nulls("lead_time")
    longer = timed.filter(pl.col("told").is_null())
    edges = np.array([*BINS, np.inf])
    counts, _ = np.histogram(timed["lead_time"].to_numpy(), edges)
    return LeadTimes(
        timed=timed.height,
        untimed=rows.height - timed.height,
        times_usual=TIMES_USUAL,
        left_open=longer.height,
        seconds_left_out=float(longer["lead_time"].sum()),
        overall=_row("all", timed["lead_time"]),
        histogram=[
            TimeBin(low=low, high=None if np.isinf(high) else float(high), count=int(count))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
        by_label=_by_label(process, timed),
        by_annotator=_grouped(timed.filter(pl.col("annotator") != ""), pl.col("annotator")),
        by_hour=_in_order(timed, pl.col("created_at").dt.hour(), [f"{hour:02d}:00" for hour in range(24)]),
        by_weekday=_in_order(timed, pl.col("created_at").dt.weekday().cast(pl.Int64) - 1, WEEKDAYS),
    )


def _row(group: str, seconds: pl.Series, control: str = "") -> TimeRow:
    ordered = np.sort(seconds.to_numpy())
    n = len(ordered)
    p90, p95 = np.quantile(ordered, [0.9, 0.95]).tolist() if n >= 4 * LEAST else (None, None)
    return TimeRow(group=group, control=control, n=n, median=quantile(ordered, 0.5), p90=p90, p95=p95)


def _grouped(timed: pl.DataFrame, by: pl.Expr) -> list[TimeRow]:
    parts = timed.select("lead_time", group=by).drop_nulls().group_by("group")
    rows = [_row(str(group), rows["lead_time"]) for (group,), rows in parts]
    return sorted(rows, key=lambda it: (-it.n, it.group))


def _in_order(timed: pl.DataFrame, by: pl.Expr, names: Sequence[str]) -> list[TimeRow]:
    parts = timed.select("lead_time", place=by).drop_nulls().group_by("place")
    found = {int(place): rows["lead_time"] for (place,), rows in parts}
    return [_row(names[place], found[place]) for place in sorted(found)]


def _by_label(process: Process, timed: pl.DataFrame) -> list[TimeRow]:
    """An annotation counts for each label it gives; free answers have no label, and of a control with very many
    different answers the commonest tell. The slowest first."""
    times = timed.select("task", "annotation", "lead_time").unique(["task", "annotation"])
    given = process.work.answers.filter(~pl.col("decided"), ~pl.col("machine")).select(
        "task", "annotation", "control", "answer"
    )
    rows = []
    for control in process.work.config.answerable:
        kind = kind_of(control)
        own = given.filter(control=control.name)
        if kind is None or not own.height:
            continue
        keys = own.group_by("answer").len().sort("len", "answer", descending=[True, False])["answer"].head(_MOST_KEYS)
        labels = [list(dict.fromkeys(kind.labels(kind.from_key(key)))) for key in keys]
        told = pl.DataFrame(
            {"answer": keys, "label": labels}, schema={"answer": pl.String, "label": pl.List(pl.String)}
        )
        told = told.explode("label").drop_nulls()
        if not told.height:
            continue
        paired = own.join(told, on="answer").join(times, on=["task", "annotation"])
        rows += [_row(str(label), part["lead_time"], control.name) for (label,), part in paired.group_by("label")]
    rows.sort(key=lambda it: (-(it.median.value or 0.0), it.control, it.group))
    return rows[:MOST_LABELS]
