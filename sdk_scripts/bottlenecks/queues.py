"""What waits, for what, and since when."""

from __future__ import annotations

import numpy as np
import polars as pl

from sdk_scripts.bottlenecks.estimates import UNKNOWN
from sdk_scripts.bottlenecks.model import Estimate, Queue
from sdk_scripts.bottlenecks.steps import REVIEW, Process
from sdk_scripts.bottlenecks.waiting import wait_quantiles

FIRST_LABEL, SECOND_LABEL, FOR_REVIEW, FOR_DECISION = "first label", "second label", "review", "decision"
_NO_TIME = "Nothing says since when."
_BEGUN = pl.col("first_at") - pl.duration(milliseconds=1000 * pl.col("first_told").fill_null(0.0))


def queues(process: Process) -> list[Queue]:
    """In the order that a task goes through them."""
    return [_first(process), _second(process), reviews(process)]


def first_waits(process: Process) -> tuple[pl.DataFrame, int]:
    """[task, since, until] of tasks that wait for their first label, or did; `until` is null where they still do. And
    how many say nothing, as they came with their labels (`came_labelled`).

    Where most did, no wait that is over says anything.
    """
    tasks = process.tasks.drop_nulls("created_at")
    came = came_labelled(process)
    waits = tasks.filter((pl.col("n") > 0) | ~(pl.col("decided") | pl.col("machine")))
    waits = waits.filter(pl.col("n").eq(0) | pl.col("first_at").is_not_null())
    if mostly_imported(process):
        waits = waits.filter(pl.col("n") == 0)
    waits = waits.filter(~pl.col("task").is_in(came.implode()))
    until = pl.when(pl.col("n") > 0).then(pl.max_horizontal(_BEGUN, "created_at"))
    return waits.select("task", since="created_at", until=until), len(came)


def came_labelled(process: Process) -> pl.Series:
    """Tasks whose first label was begun before they came, or has no time at all: imported, or clocks differ."""
    labelled = process.tasks.filter(pl.col("n") > 0).drop_nulls(["created_at", "first_at"])
    return labelled.filter((pl.col("created_at") > _BEGUN) | pl.col("first_lead").is_null())["task"]


def mostly_imported(process: Process) -> bool:
    """Whether the times of most labels are those of an import."""
    return 2 * len(came_labelled(process)) > process.tasks.filter(pl.col("n") > 0).height


def _first(process: Process) -> Queue:
    waits, came = first_waits(process)
    open_tasks = process.tasks.filter(pl.col("n") == 0, ~pl.col("decided"), ~pl.col("machine"))
    note = f"{came:,} came with their labels, or clocks differ: these are left out." * bool(came)
    return _queue(process, FIRST_LABEL, waits, open_tasks.height, note)


def _second(process: Process) -> Queue:
    """Of those that are to be judged by two or more, or were."""
    wanted = process.tasks.filter(pl.col("n") > 0, (pl.col("needed") > 1) | (pl.col("n") > 1))
    open_tasks = wanted.filter(pl.col("n") < pl.col("needed"), ~pl.col("accepted"))
    over = wanted.drop_nulls("second_at").select("task", since="first_at", until="second_at")
    still = open_tasks.select("task", since="last_at", until=pl.lit(None, pl.Datetime("ms", "UTC")))
    return _queue(process, SECOND_LABEL, pl.concat([over, still]), open_tasks.height, "")


def reviews(process: Process) -> Queue:
    """From the review being asked for to its decision. A source without a review project says only when the last
    annotator had answered and when the decision was written, of those decided."""
    known = process.work.reviews
    if known is not None:
        waits = known.select("task", since="created_at", until="decided_at")
        return _queue(process, FOR_REVIEW, waits, int(known["decided_at"].is_null().sum()), "")
    over = (
        process.tasks.filter("decided")
        .drop_nulls(["last_at", "decided_at"])
        .filter(pl.col("decided_at") >= pl.col("last_at"))
        .select("task", since="last_at", until="decided_at")
    )
    waiting = process.tasks.filter("split", ~pl.col("accepted"), pl.col("n") >= pl.col("needed"))
    still = waiting.select("task", since="last_at", until=pl.lit(None, pl.Datetime("ms", "UTC")))
    note = (
        "The source has no review project: what waits are tasks that annotators answered differently, since the "
        "last of them; whether a review was asked for is not known."
    )
    return _queue(process, FOR_DECISION, pl.concat([over, still]), waiting.height, note)


def _queue(process: Process, stage: str, waits: pl.DataFrame, waiting: int, note: str) -> Queue:
    at = process.work.at
    hours = (pl.coalesce("until", pl.lit(at)) - pl.col("since")).dt.total_milliseconds() / 3_600_000
    rows = waits.drop_nulls("since").with_columns(hours=hours).filter(pl.col("hours") >= 0)
    still = rows.filter(pl.col("until").is_null()).sort("hours", "task", descending=[True, False])
    ages = still["hours"].to_numpy()
    median, p90 = np.quantile(ages, [0.5, 0.9]).tolist() if len(ages) else (None, None)
    over = rows["until"].is_not_null().to_numpy()
    quantiles: list[Estimate] = [UNKNOWN, UNKNOWN]
    if over.any():
        quantiles = wait_quantiles(rows["hours"].to_numpy(), over)
    if waiting and not still.height:
        note = f"{note} {_NO_TIME}".strip()
    return Queue(
        stage=stage,
        waiting=waiting,
        age_hours_median=median,
        age_hours_p90=p90,
        age_hours_oldest=float(ages[0]) if len(ages) else None,
        oldest_task=int(still["task"][0]) if still.height else None,
        over=int(over.sum()),
        wait_hours_median=quantiles[0],
        wait_hours_p90=quantiles[1],
        hours=float(rows["hours"].sum()),
        note=note,
    )


def review_time(process: Process) -> tuple[Estimate, str]:
    """Median hours from asking to deciding, and what that is read from."""
    found = reviews(process)
    if found.stage == FOR_REVIEW:
        return found.wait_hours_median, "From making the review task to its decision, by the review project."
    if not process.done.filter(step=REVIEW).height:
        return UNKNOWN, "No review is on record."
    return (
        found.wait_hours_median,
        "From the last annotator's answer to the decision being written back. When the review was asked for, and what "
        "time it took, only the review project of a live project says.",
    )
