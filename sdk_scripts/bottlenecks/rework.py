"""Work that is done again, undone, or not needed."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from sdk_scripts.bottlenecks.estimates import share_of
from sdk_scripts.bottlenecks.model import Rework
from sdk_scripts.bottlenecks.steps import AGAIN, BEYOND, SKIP, Process

_SAVING = timedelta(seconds=1)
"""Between the two times of an annotation that nobody changed since."""


def rework(process: Process) -> Rework:
    judged, done = process.judged, process.done
    again = judged.filter(step=AGAIN)
    dated = judged.drop_nulls(["created_at", "updated_at"])
    skipped = done.filter(step=SKIP).height
    overturned, decided = _overturned(process)
    repeated, of = _reviewed_again(process)
    return Rework(
        again=share_of(again.height, judged.height),
        again_otherwise=share_of(_otherwise(process, again), again.height),
        changed=share_of(dated.filter(pl.col("updated_at") - pl.col("created_at") > _SAVING).height, dated.height),
        skips=share_of(skipped, judged.height + skipped),
        overturned=share_of(overturned, decided),
        reviewed_again=share_of(repeated, of),
        beyond_overlap=share_of(judged.filter(step=BEYOND).height, judged.height),
    )


def _otherwise(process: Process, again: pl.DataFrame) -> int:
    """Annotations that give some control another answer than the same person's one before."""
    if not again.height:
        return 0
    own = process.work.answers.filter(~pl.col("decided"), ~pl.col("machine"), pl.col("annotator") != "")
    own = own.join(again.select("task", "annotator").unique(), on=["task", "annotator"], how="semi")
    own = own.sort("task", "created_at", "annotation", nulls_last=False)
    before = pl.col("answer").shift(1).over("task", "control", "annotator")
    other = own.filter(pl.col("answer") != before).select("task", "annotation").unique()
    return again.join(other, on=["task", "annotation"], how="semi").height


def most_said(process: Process) -> pl.DataFrame:
    """[task, control, most, n]: the answer that most annotators gave; ties left out."""
    return process.tally.filter(pl.col("votes") > pl.col("other_votes")).select("task", "control", "n", most="one")


def _overturned(process: Process) -> tuple[int, int]:
    told = process.decisions.select("task", "control", "answer").join(most_said(process), on=["task", "control"])
    return told.filter(pl.col("answer") != pl.col("most")).height, told.height


def _reviewed_again(process: Process) -> tuple[int, int]:
    """By the rounds of the review project, else by the decisions in the source."""
    if (reviews := process.work.reviews) is not None:
        rounds = reviews.drop_nulls("decided_at").group_by("task", "control").agg(pl.col("round").max())
        return rounds.filter(pl.col("round") > 1).height, rounds.height
    counts = process.work.answers.filter("decided").group_by("task", "control").len()
    return counts.filter(pl.col("len") > 1).height, counts.height
