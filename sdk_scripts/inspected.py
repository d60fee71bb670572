"""What inspection rules look at: who answered what, when, how fast, and what is right; each worked out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import attrgetter

import polars as pl

from ml_backend.labeling.config import Control
from ml_backend.labeling.judgements import decisions
from ml_backend.labeling.kinds import string, values
from ml_backend.labeling.results import Annotation, Task
from ml_backend.prelabelers import options
from sdk_scripts.blind_answers import BlindAnswers
from sdk_scripts.evidence import Evidence
from sdk_scripts.quality import Quality

PAUSE = timedelta(minutes=30)
"""A longer one ends a session."""

_AT = pl.coalesce("updated_at", "created_at")
_ID = attrgetter("id")


@dataclass(frozen=True)
class Inspected:
    """Lazily computed tables of one dataset, shared by all rules."""

    evidence: Evidence
    quality: Quality = field(default_factory=Quality)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    ask_blind: Callable[[], BlindAnswers] | None = None
    """How to learn what the machine would have said of tasks labelled blind, asked only by rules that compare."""

    @cached_property
    def controls(self) -> dict[str, Control]:
        """Those with labels, whose answers of two people are the same or not."""
        return {control.name: control for control in self.evidence.config.answerable if options(control)}

    @property
    def texts(self) -> dict[int, str]:
        return self.evidence.texts

    @property
    def all_judgements(self) -> pl.DataFrame:
        """`labeling.judgements.SCHEMA`: void and seeded ones, too, and decisions of reviews."""
        return self.evidence.all_judgements

    @cached_property
    def gold(self) -> dict[tuple[str, int], str]:
        """(control, task) -> key of the answer that is known to be right: a review decided it."""
        known = decisions(self.all_judgements).select("control", "task", "answer")
        return {(control, task): answer for control, task, answer in known.iter_rows()}

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """People's last judgements (`labeling.judgements.SCHEMA`; none void), in order of annotator and time, with

        at        when it was given; null where nothing says
        truth     key of the answer that is known to be right, else null
        others    key of what most of the others say; null on a tie, and where nobody else answered
        others_n  how many others answered
        severity  of the task, > 0; 1 is usual
        """
        table = self.evidence.judgements.with_columns(at=_AT)
        gold = pl.DataFrame(
            [(control, task, answer) for (control, task), answer in self.gold.items()],
            schema={"control": pl.String, "task": pl.Int64, "truth": pl.String},
            orient="row",
        )
        severity = self.evidence.severity_of
        severities = {task: severity(task) for task in table["task"].unique().to_list()}
        return (
            _with_others(table)
            .join(gold, on=["control", "task"], how="left")
            .with_columns(
                severity=pl.col("task").replace_strict(severities, default=1.0, return_dtype=pl.Float64)
                if severities
                else pl.lit(1.0)
            )
            .sort("annotator", "at", "annotation", "control", nulls_last=False)
        )

    @cached_property
    def told(self) -> pl.DataFrame:
        """The `judgements` of which something tells whether they are right, with `known`, `truth` or else `others`."""
        return self.judgements.with_columns(known=pl.coalesce("truth", "others")).filter(pl.col("known").is_not_null())

    @cached_property
    def annotations(self) -> pl.DataFrame:
        """A row an annotation of a person, in order of annotator and time, skipped tasks too:

        task, annotation, annotator, at, lead_time (seconds), skipped, answers (controls answered), shown (a prediction
        was on the screen), characters (of the task's text), position (0.. of the annotator's), session (0.. of the
        annotator's; PAUSE ends one)
        """
        lengths = pl.DataFrame(
            {"task": list(self.texts), "characters": list(map(len, self.texts.values()))},
            schema={"task": pl.Int64, "characters": pl.Int64},
        )
        table = (
            self.evidence.annotations.filter(~pl.col("decided"), pl.col("person") != "")
            .join(lengths, on="task", how="left", maintain_order="left")
            .select(
                "task",
                "annotation",
                pl.col("person").alias("annotator"),
                _AT.alias("at"),
                "lead_time",
                "skipped",
                "answers",
                "shown",
                pl.col("characters").fill_null(0),
            )
            .sort("annotator", "at", "annotation")
        )
        paused = (pl.col("at").diff() > PAUSE).fill_null(False)
        return table.with_columns(
            position=pl.int_range(pl.len(), dtype=pl.Int64).over("annotator"),
            session=paused.cast(pl.Int64).cum_sum().over("annotator"),
        )

    @cached_property
    def timed(self) -> pl.DataFrame:
        """`rules._usual.timed`. Raises NotEnoughLabels."""
        from sdk_scripts.rules._usual import timed

        return timed(self)

    def words_of(self, annotation: Annotation, control: str) -> str:
        """What somebody wrote into a TextArea."""
        regions = [it for it in annotation.regions if it.get("from_name") == control]
        said = [value.get("text") for value in values(regions)]
        found = [string(line) for text in said for line in (text if isinstance(text, list) else [text])]
        return "\n".join(filter(None, found)).strip()

    @cached_property
    def submitted(self) -> list[tuple[Task, Annotation]]:
        """Each person's last annotation of each task that is not skipped, in order of task and annotation."""
        found: dict[tuple[int, str], tuple[Task, Annotation]] = {}
        for task in self.evidence.tasks.values():
            for it in sorted(task.annotations, key=_ID):
                if it.told is False:
                    if it.annotator and not it.cancelled:
                        found[task.id, it.annotator] = task, it
                elif not it.cancelled and (person := it.person) and not it.decided:
                    found[task.id, person] = task, it
        return list(found.values())

    @property
    def seen(self) -> pl.DataFrame:
        return self.evidence.seen

    @cached_property
    def blind(self) -> BlindAnswers:
        return self.ask_blind() if self.ask_blind else BlindAnswers()

    @cached_property
    def known(self) -> pl.DataFrame:
        """The `judgements` of `controls` of which something tells whether they are right, with

        known    key of the right answer: `truth`, else `others`
        wrong    whether the answer is another one
        stratum  alike for judgements of a control that a careful annotator gets wrong about as often: whether `known`
                 is the truth, whether the others are divided, how often they are wrong elsewhere, where at most two of
                 them tell, and how sure the machine was
        """
        item = ["control", "task"]
        table = self.judgements.filter(pl.col("control").is_in(list(self.controls)))
        table = table.with_columns(known=pl.coalesce("truth", "others"))
        wrong = pl.col("answer") != pl.col("known")
        votes = table.group_by(*item, known="answer").len("votes")
        rates = table.group_by("annotator").agg(rate=wrong.mean().fill_null(0.0))
        table = (
            table.join(rates, on="annotator", how="left")
            .with_columns(rates=pl.col("rate").sum().over(item) - pl.col("rate"))
            .filter(pl.col("known").is_not_null())
            .join(votes, on=[*item, "known"], how="left")
            .with_columns(wrong=wrong, votes=pl.col("votes").fill_null(0) - (~wrong).cast(pl.Int64))
        )
        settled, n = pl.col("truth").is_not_null(), pl.col("others_n")
        divided = (n >= 2) & (pl.col("votes") < n)
        elsewhere = (
            pl.when(~settled & n.is_between(1, 2)).then(_level(pl.col("rates") / n, 0.08, 0.16, 0.3)).otherwise(0)
        )
        sure = pl.when(pl.col("score").is_null()).then(0).otherwise(_level(pl.col("score"), 0.85) + 1)
        stratum = settled.cast(pl.Int64) + 2 * divided.cast(pl.Int64) + 4 * elsewhere + 16 * sure
        return table.with_columns(stratum=stratum).drop("rate", "rates", "votes")


def _level(of: pl.Expr, *steps: float) -> pl.Expr:
    """How many of the steps it reaches."""
    return pl.sum_horizontal([(of >= step).cast(pl.Int64) for step in steps])


def _with_others(table: pl.DataFrame) -> pl.DataFrame:
    """With what most of the others say (`others`) and how many they are (`others_n`): counted once for each answer,
    less the judgement's own."""
    item = ["control", "task"]
    counted = table.group_by(*item, "answer").len("votes").sort("votes", "answer", descending=[True, False])
    ranked = counted.group_by(item, maintain_order=True).agg(
        first=pl.col("answer").first(),
        second=pl.col("answer").get(1, null_on_oob=True),
        first_votes=pl.col("votes").first().cast(pl.Int64),
        second_votes=pl.col("votes").get(1, null_on_oob=True).fill_null(0).cast(pl.Int64),
        third_votes=pl.col("votes").get(2, null_on_oob=True).fill_null(0).cast(pl.Int64),
        all=pl.col("votes").sum().cast(pl.Int64),
    )
    mine = pl.col("answer") == pl.col("first")
    own = (pl.col("answer") == pl.col("second")).fill_null(False).cast(pl.Int64)
    left, second, third = pl.col("first_votes") - 1, pl.col("second_votes"), pl.col("third_votes")
    others = (
        pl.when(mine & (left > second))
        .then("first")
        .when(mine & (second > left) & (second > third))
        .then("second")
        .when(~mine & (pl.col("first_votes") > pl.max_horizontal(second - own, third)))
        .then("first")
    )
    return (
        table.join(ranked, on=item, how="left")
        .with_columns(others=others, others_n=pl.col("all") - 1)
        .drop("first", "second", "first_votes", "second_votes", "third_votes", "all")
    )
