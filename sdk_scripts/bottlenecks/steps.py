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
FIRST, MORE, BEYOND, AGAIN = "first label", "second label", "beyond the overlap", "labelled again"
SKIP, AUDIT, REVIEW = "skipped", "audit", "review"
WORK = (FIRST, MORE, BEYOND, AGAIN, SKIP, AUDIT, REVIEW)
_OF_ONE = ("nominal", "ordinal")


@dataclass(frozen=True)
class Process:
    """Tables that several figures read, each made once."""

    work: Work

    @cached_property
    def done(self) -> pl.DataFrame:
        """A row for all that a person did with a task: ANNOTATIONS and

        step      one of WORK
        told      seconds; null where nothing was measured, or more than TIMES_USUAL times the person's median (the
                  team's, who has fewer than LEAST): a tab left open
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
        usual = pl.col("lead_time").median().over("annotator")
        usual = pl.when(pl.col("lead_time").count().over("annotator") >= LEAST).then(usual)
        most = TIMES_USUAL * pl.coalesce(usual, pl.col("lead_time").median())
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
        first_lead    seconds of the first
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
        """[task, control, one, other]: where no answer has more than half of the judgements, and the two commonest.

        Answers that are seldom quite the same (marks, free text, numbers) do not tell.
        """
        rows = self.standing.filter(pl.col("control").is_in(comparable(self.work.config)))
        counts = rows.group_by("task", "control", "answer").len()
        return (
            counts.filter(pl.len().over("task", "control") > 1)
            .sort("task", "control", "len", "answer", descending=[False, False, True, False])
            .group_by("task", "control", maintain_order=True)
            .agg(
                most=pl.col("len").first(),
                of=pl.col("len").sum(),
                one=pl.col("answer").first(),
                other=pl.col("answer").get(1),
            )
            .filter(2 * pl.col("most") <= pl.col("of"))
            .select("task", "control", "one", "other")
        )

    @cached_property
    def standing(self) -> pl.DataFrame:
        """Each annotator's last judgement (`labeling.judgements.SCHEMA`)."""
        return latest(of_annotators(self.work.answers))

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
    """The step of each, in the order of the table, which is that of time within a task."""
    label = pl.col("step").is_null()
    nobody = pl.when(pl.col("annotator") == "").then(pl.int_range(pl.len()))
    rows = people.select("task", "annotator", "step").join(needed, on="task", how="left", maintain_order="left")
    rows = rows.with_columns(nobody=nobody)
    again = label & (label.cum_sum().over("task", "annotator", "nobody") > 1)
    rows = rows.with_columns(again=again)
    place = (label & ~pl.col("again")).cum_sum().over("task")
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
