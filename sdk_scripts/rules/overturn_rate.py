"""Reviews overturn somebody's answers more often than the others' to the same tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import drawn_at_least


class Overturned(Parameters):
    minimum: int = Field(default=15, ge=5, description="least number of decided tasks that others answered, too")
    beyond: float = Field(default=0.1, ge=0, lt=1, description="excess over the others' share that matters")


@register("overturn_rate")
class OverturnRate:
    """Somebody's answers that a review decided otherwise, of those decided and not disputed since, at tasks that others
    answered too; expected is the share of all answers to the same tasks that were overturned, so it does not matter
    that hard tasks are reviewed, nor who got which. Off where it is `beyond` more than that or worse, and the lower
    bound of the Wilson interval (95 %; JASA 22, 1927) is above it; p is exact, given how many answers to each task were
    overturned (see `_chance`)."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Where people differ, this person is the one who is wrong, so their single labels likely are, too."
    do = "Show the decisions with their reasons, and review what this person labelled alone."
    parameters = Overturned

    @staticmethod
    def bad() -> Dataset:
        return _decided(lambda task, who: who == "ana" and task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _decided(lambda task, who: task % 2 == 0)

    def __call__(self, inspected: Inspected, parameters: Overturned) -> Iterator[Observation]:
        item = ["control", "task"]
        schema = {"control": pl.String, "task": pl.Int64}
        settled = pl.DataFrame(sorted(inspected.evidence.settled), schema=schema, orient="row")
        decided = (
            inspected.judgements.filter(
                pl.col("control").is_in(list(inspected.controls)), pl.col("truth").is_not_null()
            )
            .join(settled, on=item, how="semi")
            .with_columns(wrong=pl.col("answer") != pl.col("truth"))
            .with_columns(
                answers=pl.len().over(item).cast(pl.Int64), wrongs=pl.col("wrong").sum().over(item).cast(pl.Int64)
            )
            .filter(pl.col("answers") > 1)
        )
        if decided.is_empty():
            raise NotEnoughLabels("No decided task was answered by several people.", mend="Run `tiebreak resolve`.")
        for (annotator, control), rows in decided.group_by("annotator", "control", maintain_order=True):
            n, wrong = len(rows), int(rows["wrong"].sum())
            if n < parameters.minimum:
                continue
            expected = float(rows.select((pl.col("wrongs") / pl.col("answers")).sum()).item()) / n
            threshold = expected + parameters.beyond
            low, _ = wilson_interval(wrong / n, n)
            alike = rows.group_by("answers", "wrongs").len().sort("answers", "wrongs").iter_rows()
            strata = [(answers, wrongs, 1) for answers, wrongs, times in alike for _ in range(times)]
            tasks = rows.filter("wrong").sort("severity", "at", descending=True)["task"].head(MAX_EVIDENCE)
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=wrong / n,
                threshold=threshold,
                n=n,
                off=wrong / n >= threshold and low > expected,
                p=drawn_at_least(wrong, strata),
                evidence=tuple(tasks.to_list()),
                message=f"Reviews overturned {wrong} of {n} answers ({wrong / n:.0%}, at least {low:.0%}), where "
                f"{expected:.0%} of all answers to the same tasks were overturned.",
            )


def _decided(wrong: Callable[[int, str], bool]) -> Dataset:
    tasks = range(1, 41)
    return example(
        (
            Given(task, who, "neutral" if wrong(task, who) else "positive")
            for task in tasks
            for who in ("ana", "ben", "chi")
        ),
        truths=dict.fromkeys(tasks, "positive"),
    )
