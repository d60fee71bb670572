"""A clearer guideline for the two labels that are taken for each other most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sdk_scripts import wording
from sdk_scripts.bottlenecks.estimates import ratio
from sdk_scripts.bottlenecks.levers import Levers, columns
from sdk_scripts.bottlenecks.model import Estimate, Lever
from sdk_scripts.bottlenecks.steps import AGAIN, BEYOND, REVIEW, Process, comparable


def guideline(given: Levers) -> Iterator[Lever]:
    """The rework and review time of the tasks whose annotators differ between these two: a better clause saves some of
    it, from none to all; nothing measured says how much."""
    worst = worst_pair(given.process)
    if worst is None:
        return
    control, one, other, tasks = worst
    mine = given.spent.with_columns(of=pl.col("task").is_in(tasks.implode()))
    seconds = columns(mine, [REVIEW, AGAIN, BEYOND]) * mine["of"].cast(pl.Float64).to_numpy()
    all_of_it = ratio(seconds, np.ones(len(seconds)))
    untimed = given.process.done.filter(pl.col("task").is_in(tasks.implode()), pl.col("seconds").is_null()).height
    config = given.process.work.config[control]
    names = [wording.quoted(wording.show_key(config, key)) for key in (one, other)]
    most = all_of_it.high if all_of_it.high is not None else all_of_it.value
    yield given.lever(
        "guideline",
        f"clearer between {' and '.join(names)}"
        + (f" ({control})" if len(given.process.work.config.answerable) > 1 else ""),
        Estimate(low=0.0, high=None if untimed else most, n=all_of_it.n),
        errors=Estimate(low=-1000 * len(tasks) / max(1, given.process.tasks.filter(pl.col("n") > 1).height), high=0.0),
        basis=f"Rework and reviews of {len(tasks):,} tasks whose annotators differ between the two: from none of that "
        "time to all of it." + (" Reviews have no time here, so what is all of it cannot be said." if untimed else ""),
        record="Note the version of the guidelines before and after (`tiebreak calibrate` does): the tasks that come "
        "later then show what it saved.",
    )


def worst_pair(process: Process) -> tuple[str, str, str, pl.Series] | None:
    """Control, the two answers' keys, and the tasks: the pair that most tasks with differing answers have."""
    alike = pl.col("control").is_in(comparable(process.work.config))
    two = process.tally.filter(alike, pl.col("answers") == 2).with_columns(
        one=pl.min_horizontal("one", "other"), other=pl.max_horizontal("one", "other")
    )
    if not two.height:
        return None
    counts = two.group_by("control", "one", "other").agg("task", n=pl.len())
    worst = counts.sort("n", "control", "one", "other", descending=[True, False, False, False]).row(0, named=True)
    return worst["control"], worst["one"], worst["other"], pl.Series("task", worst["task"], pl.Int64)
