"""What an action would do, in wrong labels avoided or hours saved, and from what that is known.

A wrong label is one that is not what review would decide. How many there are is known from reviews where there were
enough, else from the consensus' confidence, which is as honest as annotators' agreement lets it be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from ml_backend.labeling.judgements import decisions
from sdk_scripts.report.chance import Estimate

WRONG, HOURS = "wrong labels", "hours"
LEAST_REVIEWED = 10
"""Reviewed tasks from which on the share that was overturned says more than the consensus' confidence."""
_Z = 1.959964
_AT = pl.coalesce("updated_at", "created_at")


@dataclass(frozen=True, slots=True)
class Effect:
    amount: Estimate
    unit: str
    basis: str
    """How it was worked out, in a clause."""

    def worth(self, seconds: float | None) -> float:
        """In labels: to mend a wrong one costs at least as much time as to label once, which takes `seconds`."""
        if self.unit != HOURS:
            return self.amount.value
        return self.amount.value * 3600 / seconds if seconds else 0.0


def expected_wrong(items: pl.DataFrame) -> Estimate:
    """Of labels with these `confidence`s, how many are wrong: the sum of what they lack, with the interval of a sum of
    independent draws."""
    doubt = 1 - items["confidence"]
    middle, spread = float(doubt.sum()), _Z * math.sqrt(float((doubt * (1 - doubt)).sum()))
    return Estimate(middle, max(0.0, middle - spread), min(float(items.height), middle + spread))


def overturned(table: pl.DataFrame, judgements: pl.DataFrame) -> tuple[int, int]:
    """How many of the reviewed (control, task) pairs were decided against what most annotators had said, and how many
    there are. `table` is all of `labeling.judgements`, `judgements` the annotators' last ones."""
    decided = decisions(table).select("control", "task", verdict="answer", decided_at=_AT)
    before = judgements.join(decided, on=["control", "task"]).filter(
        _AT.is_null() | pl.col("decided_at").is_null() | (pl.col("decided_at") >= _AT)
    )
    votes = before.group_by("control", "task", "verdict", "answer").len()
    most = votes.group_by("control", "task").agg(
        most=pl.col("len").max(),
        right=pl.col("len").filter(pl.col("answer") == pl.col("verdict")).sum(),
    )
    return most.filter(pl.col("right") < pl.col("most")).height, most.height


def of_hard_cases(
    pairs: Iterable[tuple[str, int]], items: pl.DataFrame, reviewed: tuple[int, int], *, compared: bool
) -> Effect | str:
    """Of reviewing these (control, task) pairs, those of them that have a label. `compared`: whether enough tasks were
    judged twice for the confidence to mean something. A string says why it is not known."""
    asked = pl.DataFrame(list(pairs), schema={"control": pl.String, "task": pl.Int64}, orient="row")
    labelled = items.join(asked, on=["control", "task"])
    wrong, n = reviewed
    if n >= LEAST_REVIEWED:
        share, of = Estimate.share(wrong, n), labelled.height
        amount = Estimate(share.value * of, share.low * of, share.high * of)
        return Effect(
            amount, WRONG, f"{wrong} of {n} reviewed so far were decided against most annotators; these, at that rate"
        )
    if not compared:
        return "too few tasks have two judgements, or a decision, to say how many of these are wrong"
    return Effect(expected_wrong(labelled), WRONG, "what the confidence of the consensus lacks, summed over them")


def of_a_rule(share: Estimate, labels: int) -> Effect:
    """Of a rule that ends a confusion: `share` of the tasks with two judgements had both labels, of which one at most
    is right; so half of these are wrong where one person labels alone, as `labels` tasks are or will be."""
    amount = Estimate(*(labels * it / 2 for it in (share.value, share.low, share.high)))
    return Effect(
        amount, WRONG, f"at most, half of {100 * share.value:.1f} % of {labels:,} tasks that one person labels"
    )


def of_a_second_annotator(items: pl.DataFrame) -> Effect | str:
    """Of having everything labelled once labelled again, by what the confidence is where that was done."""
    once, twice = items.filter(pl.col("judgements") == 1), items.filter(pl.col("judgements") > 1)
    n = twice.height
    doubt, left = (1 - float(it["confidence"].mean() or 0.0) for it in (once, twice))  # type: ignore[arg-type]
    if doubt <= left:
        return "the consensus is as sure of tasks labelled once as of others"
    one, two = Estimate.share(doubt * n, n), Estimate.share(left * n, n)
    low = doubt - left - math.hypot(doubt - one.low, two.high - left)
    high = doubt - left + math.hypot(one.high - doubt, left - two.low)
    amount = Estimate(*(max(0.0, it * once.height) for it in (doubt - left, low, high)))
    basis = f"{100 * doubt:.1f} % of labels by one person are expected to be wrong, {100 * left:.1f} % of those by more"
    return Effect(amount, WRONG, basis)


def of_a_person(judgements: int, quality: Estimate, usual: float) -> Effect:
    """Of bringing somebody to what is usual."""
    ends = (usual - it for it in (quality.value, quality.high, quality.low))
    amount = Estimate(*(max(0.0, judgements * it) for it in ends))
    basis = (
        f"right {100 * quality.value:.0f} % of the time, where {100 * usual:.0f} % is usual, in as many judgements as "
        "so far"
    )
    return Effect(amount, WRONG, basis)


def of_accepting(tasks: int, coverage: float, measured: float, seconds: float, people: int, error: float) -> Effect:
    """Of letting the machine label `coverage` of `tasks`, by as many people a task, in so many `seconds` each.
    `measured`: labels that the coverage was measured on."""
    share = Estimate.share(coverage * measured, measured)
    hours = tasks * people * seconds / 3600
    amount = Estimate(coverage * hours, share.low * hours, share.high * hours)
    basis = (
        f"{100 * coverage:.0f} % of {tasks:,} tasks at {seconds:.0f} s; of those up to {100 * error:.0f} % are wrong"
    )
    return Effect(amount, HOURS, basis)


def of_showing(tasks: int, saved: Estimate, seconds: float) -> Effect:
    """Of predictions on the screen where there are none yet; `saved` is the share of time that they save."""
    hours = tasks * seconds / 3600
    amount = Estimate(*(hours * it for it in (saved.value, saved.low, saved.high)))
    return Effect(amount, HOURS, f"{100 * saved.value:.0f} % of {seconds:.0f} s for each of {tasks:,} tasks")


def of_training(gain: Estimate, doublings: float, tasks: int) -> Effect:
    """Of training anew: `gain` is the accuracy that a doubling of the labels has brought so far."""
    amount = Estimate(*(max(0.0, it * doublings * tasks) for it in (gain.value, gain.low, gain.high)))
    basis = f"{100 * gain.value:.1f} points a doubling so far, for {tasks:,} tasks that are not labelled"
    return Effect(amount, "wrong predictions", basis)
