"""What each annotation was for, and the seconds it counts for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.judgements import decisions, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.bottlenecks.estimates import LEAST
from sdk_scripts.bottlenecks.work import Work

TIMES_USUAL = 8.0
"""From where on `time_saved` bounds times, too."""
DAY = 86_400.0
"""Seconds. Nobody looks at one task for longer, whatever is usual."""
FIRST, MORE, BEYOND, AGAIN = "first label", "second label", "beyond the overlap", "labelled again"
SKIP, AUDIT, REVIEW = "skipped", "audit", "review"
WORK = (FIRST, MORE, BEYOND, AGAIN, SKIP, AUDIT, REVIEW)
_OF_ONE = ("nominal", "ordinal")


@dataclass(frozen=True)
class Process:
    """Tables that several figures read, each made once."""

    work: Work
    given_standing: pl.DataFrame | None = None
    """`standing`, where somebody has worked it out."""

    @cached_property
    def done(self) -> pl.DataFrame:
        """A row for all that a person did with a task: ANNOTATIONS and

        step      one of WORK
        told      seconds; null where nothing was measured, or more than TIMES_USUAL times the person's median (the
                  team's, who has fewer than LEAST) or than a DAY: a tab left open
        seconds   the same, and the mean of the step's others where nothing is told; null where nothing is of any

        The time of a decision is that of its review tasks, which stand in its place where they are known.
        """
        people = self.work.annotations.filter(~pl.col("machine")).with_columns(step=_step())
        people = people.with_columns(step=_numbered(people, self._needed, self._accepted_by_machine))
        if (reviews := self.work.reviews) is not None:
            decided = reviews.drop_nulls("decided_at").select(
                "task", "lead_time", annotator="reviewer", created_at="decided_at", step=pl.lit(REVIEW)
            )
            people = pl.concat([people.filter(pl.col("step") != REVIEW), decided], how="diagonal")
        within = pl.when(pl.col("lead_time") <= DAY).then("lead_time")
        usual = pl.when(within.count().over("annotator") >= LEAST).then(within.median().over("annotator"))
        most = pl.min_horizontal(TIMES_USUAL * pl.coalesce(usual, within.median()), pl.lit(DAY))
        told = people.with_columns(told=pl.when(pl.col("lead_time") <= most).then("lead_time"))
        return told.with_columns(seconds=pl.coalesce("told", pl.col("told").mean().over("step")))

    @cached_property
    def judged(self) -> pl.DataFrame:
        """Those of `done` that are annotators' labels: no skip, no review."""
        return self.done.filter(~pl.col("step").is_in([SKIP, REVIEW]))

    @cached_property
    def tasks(self) -> pl.DataFrame:
        """TASKS (`needed` at least 1) and

        n             people who labelled it
        first_at, second_at, nth_at, last_at   when it had its first, second, last needed and last label
        first_lead, first_told   seconds of the first, and where they tell anything
        split         no answer of some control has more than half of the judgements
        decided_at, machine_at   a review's decision, the machine's annotation
        accepted_at   when its label could be accepted; null: not yet
        accepted      decided, or the machine's, or all that were needed have labelled it and it is not split
        """
        own = self.judged.filter(pl.col("step").is_in([FIRST, MORE, BEYOND, AUDIT]))
        at = pl.col("created_at")
        needed = pl.col("needed").fill_null(1).clip(lower_bound=1)
        counted = (
            own.join(self.work.tasks.select("task", needed=needed), on="task")
            .group_by("task")
            .agg(
                n=pl.len(),
                first_at=at.first(),
                first_lead=pl.col("lead_time").first(),
                first_told=pl.col("told").first(),
                second_at=at.get(1, null_on_oob=True),
                nth_at=at.get(pl.col("needed").first() - 1, null_on_oob=True),
                last_at=at.max(),
            )
        )
        marks = self.work.annotations.group_by("task").agg(
            decided=pl.col("decided").any(),
            machine=pl.col("machine").any(),
            decided_at=at.filter("decided").min(),
            machine_at=at.filter("machine").min(),
        )
        enough = (pl.col("n") >= pl.col("needed")) & ~pl.col("split")
        return (
            self.work.tasks.with_columns(needed=needed)
            .join(counted, on="task", how="left")
            .join(marks, on="task", how="left")
            .with_columns(
                pl.col("n").fill_null(0),
                pl.col("decided", "machine").fill_null(False),
                split=pl.col("task").is_in(self.split["task"].unique().implode()),
            )
            .with_columns(accepted=pl.col("decided") | pl.col("machine") | enough)
            .with_columns(
                accepted_at=pl.when("machine").then("machine_at").when(enough).then("nth_at").otherwise("decided_at")
            )
        )

    @cached_property
    def split(self) -> pl.DataFrame:
        """Those rows of `tally` where no answer has more than half of the judgements.

        Answers that are seldom quite the same (marks, free text, numbers) do not tell.
        """
        alike = pl.col("control").is_in(comparable(self.work.config))
        return self.tally.filter(alike, pl.col("answers") > 1, 2 * pl.col("votes") <= pl.col("n"))

    @cached_property
    def standing(self) -> pl.DataFrame:
        """Each annotator's last judgement (`labeling.judgements.SCHEMA`)."""
        if self.given_standing is not None:
            return self.given_standing
        return latest(of_annotators(self.work.answers))

    @cached_property
    def tally(self) -> pl.DataFrame:
        """[task, control, n, answers, one, votes, other, other_votes]: how many judged, how many different answers they
        gave, and the two commonest; of equally common ones the first in the order of their keys."""
        counts = self.standing.group_by("task", "control", "answer").agg(votes=pl.len().cast(pl.Int64))
        return (
            counts.sort("task", "control", "votes", "answer", descending=[False, False, True, False])
            .group_by("task", "control", maintain_order=True)
            .agg(
                n=pl.col("votes").sum(),
                answers=pl.len(),
                one=pl.col("answer").first(),
                votes_=pl.col("votes").first(),
                other=pl.col("answer").get(1, null_on_oob=True),
                other_votes=pl.col("votes").get(1, null_on_oob=True).fill_null(0),
            )
            .rename({"votes_": "votes"})
        )

    @cached_property
    def decisions(self) -> pl.DataFrame:
        return decisions(self.work.answers)

    @property
    def _needed(self) -> pl.DataFrame:
        return self.work.tasks.select("task", "needed")

    @property
    def _accepted_by_machine(self) -> pl.Series:
        return self.work.annotations.filter("machine")["task"].unique()


def comparable(config: LabelConfig) -> list[str]:
    """The controls whose answers are often quite the same: no marks, no free text, no numbers."""
    kinds = {control.name: kind_of(control) for control in config.answerable}
    return [name for name, kind in kinds.items() if kind and (kind.scale in _OF_ONE or kind.name == "taxonomy")]


def _step() -> pl.Expr:
    return pl.when("cancelled").then(pl.lit(SKIP)).when("decided").then(pl.lit(REVIEW))


def _numbered(people: pl.DataFrame, needed: pl.DataFrame, machine: pl.Series) -> pl.Series:
    """The step of each, in the order of the table, which is by task and within it by time."""
    label = pl.col("step").is_null()
    nobody = pl.when(pl.col("annotator") == "").then(pl.int_range(pl.len()))
    rows = people.select("task", "annotator", "step").join(needed, on="task", how="left", maintain_order="left")
    again = label & ~pl.struct("task", "annotator", label, nobody.alias("nobody")).is_first_distinct()
    rows = rows.with_columns(again=again)
    counts = label & ~pl.col("again")
    before = counts.cum_sum() - counts  # of all rows above; less those above the task's first, it is the place in it
    place = (
        counts.cum_sum() - pl.when(pl.col("task") != pl.col("task").shift(1, fill_value=-1)).then(before).forward_fill()
    )
    return rows.select(
        pl.when(~label)
        .then("step")
        .when("again")
        .then(pl.lit(AGAIN))
        .when(pl.col("task").is_in(machine.implode()))
        .then(pl.lit(AUDIT))
        .when(place == 1)
        .then(pl.lit(FIRST))
        .when(place > pl.col("needed"))
        .then(pl.lit(BEYOND))
        .otherwise(pl.lit(MORE))
        .alias("step")
    )["step"]
