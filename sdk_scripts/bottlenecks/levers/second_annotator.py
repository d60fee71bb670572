"""A second annotator on every task, or none: what it costs, and the wrong labels it brings to light."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sdk_scripts.bottlenecks.estimates import LEAST, UNKNOWN, product, ratio, share_of, times, total
from sdk_scripts.bottlenecks.levers import Levers, columns
from sdk_scripts.bottlenecks.model import Estimate, Lever
from sdk_scripts.bottlenecks.rework import most_said
from sdk_scripts.bottlenecks.steps import BEYOND, MORE, Process, comparable


def second_annotator(given: Levers) -> Iterator[Lever]:
    tasks = given.process.tasks
    pairs = _pairs(given.process)
    both = pairs["task"].n_unique()
    once = tasks.filter(pl.col("n") == 1).height
    if both < LEAST:
        yield given.lever(
            "second annotator",
            "on every task",
            times(given.second_seconds, -1),
            basis="A second label takes as long as a first; how often it would differ is not known.",
            record="Have some tasks labelled twice (`overlap` in project.yaml, or `tiebreak next`).",
        )
        return
    differs = share_of(pairs.filter("differs")["task"].n_unique(), both)
    wrong, basis = _found(given.process, pairs, differs)
    reviewed = product(differs, given.review_seconds)
    said = f"Two people differ on {_percent(differs)} of {both:,} tasks. {basis}"
    if given.review_seconds.known:
        said += " Reviews of what they differ on are counted with it."
    else:
        said += " What deciding between them takes is not known, and not counted."
    if once:
        cost = total(given.second_seconds, reviewed) if reviewed.known else given.second_seconds
        yield given.lever(
            "second annotator", "on every task that has one", times(cost, -1), errors=times(wrong, -1000), basis=said
        )
    spent = columns(given.spent, [MORE, BEYOND])
    saved = ratio(spent, np.ones(len(spent)))
    share = share_of(tasks.filter(pl.col("n") > 1).height, tasks.filter(pl.col("n") > 0).height)
    if reviewed.known:
        saved = total(saved, product(share, reviewed))
    yield given.lever("second annotator", "off", saved, errors=times(product(share, wrong), 1000), basis=said)


def _pairs(process: Process) -> pl.DataFrame:
    """[task, control, first, differs]: the first two people's answers."""
    rows = process.standing.filter(pl.col("control").is_in(comparable(process.work.config)))
    return (
        rows.sort("task", "created_at", "annotation", nulls_last=False)
        .group_by("task", "control", maintain_order=True)
        .agg(first=pl.col("answer").first(), second=pl.col("answer").get(1, null_on_oob=True))
        .drop_nulls("second")
        .with_columns(differs=pl.col("first") != pl.col("second"))
    )


def _found(process: Process, pairs: pl.DataFrame, differs: Estimate) -> tuple[Estimate, str]:
    """The share of tasks whose first label is wrong and whose second says so; and what tells."""
    settled = process.decisions.select("task", "control", "answer")
    third = most_said(process).filter(pl.col("n") > 2).select("task", "control", answer="most")
    third = third.join(settled, on=["task", "control"], how="anti")
    known = pairs.filter("differs").join(pl.concat([settled, third]), on=["task", "control"])
    n = known["task"].n_unique()
    wrong = known.filter(pl.col("first") != pl.col("answer"))["task"].n_unique()
    if n >= LEAST:
        found = share_of(wrong, n)
        return product(differs, found), f"Of {n:,} of these that are settled the first was wrong on {_percent(found)}."
    if not differs.known:
        return UNKNOWN, ""
    half = None if differs.value is None else differs.value / 2
    return (
        Estimate(value=half, low=0.0, high=differs.high, n=differs.n),
        "Which of the two was wrong is settled of too few: half the time it is taken to be the first, at least "
        "never, at most always.",
    )


def _percent(it: Estimate) -> str:
    return "–" if it.value is None else f"{100 * it.value:.0f} %"
