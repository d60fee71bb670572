"""Another risk than the one in force, and sending to a reviewer at once what ends there anyway."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sdk_scripts.bottlenecks.estimates import product, ratio, share_of, times
from sdk_scripts.bottlenecks.levers import Levers, columns
from sdk_scripts.bottlenecks.levers.auto_accept import coverage, errors_of
from sdk_scripts.bottlenecks.model import Estimate, Lever
from sdk_scripts.bottlenecks.steps import AGAIN, BEYOND, FIRST, MORE


def routing(given: Levers) -> Iterator[Lever]:
    yield from _thresholds(given)
    yield from _to_reviewers(given)


def _thresholds(given: Levers) -> Iterator[Lever]:
    """The next stricter and the next laxer risk, against that in force. One accepts what the other does and more, of
    the same labelled tasks, so the difference is a share of its own. Of several controls it cannot be told."""
    by_error = {it.error: it for it in given.accepting.risks}
    now = by_error.get(given.accepting.in_force or 0.0)
    if now is None or len(by_error) < len(given.accepting.risks):
        return
    risks = sorted(by_error)
    place = risks.index(now.error)
    for error in (*risks[max(0, place - 1) : place], *risks[place + 1 : place + 2]):
        other = by_error[error]
        more = share_of(round(abs(other.coverage - now.coverage) * now.labels), now.labels)
        sign = 1 if error > now.error else -1
        saved = times(product(more, given.task_seconds), sign * (1 - given.accepting.audit))
        wrong = errors_of(coverage([other if sign > 0 else now]), max(error, now.error))
        yield given.lever(
            "routing",
            f"accept at most {100 * error:g} % wrong instead of {100 * now.error:g} %",
            saved,
            errors=times(wrong, sign),
            basis=f"It would accept {100 * other.coverage:.0f} % instead of {100 * now.coverage:.0f} % of "
            f"{now.labels:,} labelled tasks.",
        )


def _to_reviewers(given: Levers) -> Iterator[Lever]:
    """What annotators spent on tasks that a review decided: all of it where each could be told beforehand, none of it
    where none could."""
    decided = given.process.tasks.filter("decided")["task"]
    if not len(decided):
        return
    rows = given.spent.with_columns(ends=pl.col("task").is_in(decided.implode()))
    spent = columns(rows, [FIRST, MORE, BEYOND, AGAIN]) * rows["ends"].cast(pl.Float64).to_numpy()
    most = ratio(spent, np.ones(len(spent)))
    yield given.lever(
        "routing",
        "straight to a reviewer what a review decides anyway",
        Estimate(low=0.0, high=most.high if most.high is not None else most.value, n=most.n),
        basis=f"Annotators' time on {len(decided):,} decided tasks: from none of it to all, by how well such "
        "tasks can be told beforehand.",
        record="Switch on `policy: {expert: …}` in project.yaml: what it sends to reviewers shows how many it tells.",
    )
