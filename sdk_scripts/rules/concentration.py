"""A batch's labels are one person's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.task_data import lookup
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.wording import short


class Batches(Parameters):
    minimum: int = Field(default=50, ge=10, description="least number of labelled tasks of a batch")
    field: str = Field(default="", description="key of task data that names the batch; blocks of task ids if empty")
    size: int = Field(default=100, ge=10, description="tasks of a block, in order of id")
    most: float = Field(default=0.8, gt=0, le=1, description="share of a batch's tasks that one person alone may label")


@register("concentration")
class Concentration:
    """The greatest share of a batch's labelled tasks that one person labelled and nobody else, over all batches. It is
    a fact about how work was given out, not about the person, so there is no p-value."""

    dimension = "process"
    severity: Severity = "low"
    why = "One person's habits, or one person's leaving, decide what the whole batch is worth."
    do = "Have others label part of these batches too (overlap), or review a sample of them."
    parameters = Batches

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: "ana" if task <= 95 else "ben")

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: ("ana", "ben", "chi")[task % 3])

    def __call__(self, inspected: Inspected, parameters: Batches) -> Iterator[Observation]:
        labelled = inspected.annotations.filter(~pl.col("skipped")).select("task", "annotator").unique()
        if labelled["annotator"].n_unique() < 2:
            raise NotEnoughLabels("Fewer than two people have labelled.", mend="Have a second person label, too.")
        tasks = inspected.evidence.tasks
        if parameters.field:
            batches = [_name(lookup(task.data, parameters.field)) for task in tasks.values()]
        else:
            batches = [str(place // parameters.size + 1) for place in range(len(tasks))]
        of = pl.DataFrame({"task": list(tasks), "batch": batches}, schema={"task": pl.Int64, "batch": pl.String})
        alone = (
            labelled.with_columns(alone=pl.len().over("task") == 1)
            .join(of, on="task")
            .with_columns(n=pl.col("task").n_unique().over("batch"))
            .filter(pl.col("n") >= parameters.minimum)
        )
        shares = (
            alone.group_by("batch", "annotator")
            .agg(share=pl.col("alone").sum() / pl.col("n").first(), n=pl.col("n").first())
            .sort("share", "batch", "annotator", descending=[True, False, False])
        )
        if shares.is_empty():
            return
        worst = shares.row(0, named=True)
        over = shares.filter(pl.col("share") > parameters.most)
        theirs = alone.filter("alone").join(over, on=["batch", "annotator"], how="semi").sort("task")
        others = f", and likewise in {len(over) - 1} more" if len(over) > 1 else ""
        yield Observation(
            subject="",
            value=worst["share"],
            threshold=parameters.most,
            n=worst["n"],
            off=worst["share"] > parameters.most,
            evidence=tuple(theirs["task"].head(MAX_EVIDENCE).to_list()),
            message=f"{worst['share']:.0%} of {worst['n']} tasks of batch {worst['batch']} were labelled by "
            f"{worst['annotator']} alone{others}.",
            about="process",
        )


def _name(value: object) -> str:
    return short(value if isinstance(value, str) else str(value))


def _answered(who: Callable[[int], str]) -> Dataset:
    return example(Given(task, who(task), "positive") for task in range(1, 101))
