"""The answer stays although the items change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least

WHO = ["annotator", "control"]


class Runs(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of changes from one item to the next")
    margin: float = Field(default=0.2, gt=0, lt=1, description="share by which staying may exceed what is usual")


@register("long_runs")
class LongRuns:
    """Of the steps from one item to the next in the order of work at which the right answer (`Inspected.known`)
    changes: the share at which the answer stays. So a queue that serves like items together is nobody's fault, as it
    is with the runs test (Wald & Wolfowitz, Annals of Mathematical Statistics 11, 1940). Off where the lower bound of
    the Wilson interval (95 %; JASA 22, 1927) is above what the others do and the margin; p is binomial."""

    dimension = "attention"
    severity: Severity = "medium"
    why = "Whoever stays with an answer until something forces a change skims the items, or works in batches by guess."
    do = "Look at the longest run with the annotator; a shuffled queue (`sampling: uncertainty`) makes it harder."
    parameters = Runs

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: _right(task // 8))

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: _right(task) if task % 10 else "neutral")

    def __call__(self, inspected: Inspected, parameters: Runs) -> Iterator[Observation]:
        known = inspected.known.filter(
            pl.col("control").is_in(list(inspected.controls)) & pl.col("at").is_not_null() & (pl.col("annotator") != "")
        )
        if known.is_empty():
            raise NotEnoughLabels("Of no item it is known what is right.", mend="Have some tasks labelled twice.")
        stays = pl.col("answer") == pl.col("answer").shift().over(WHO)
        steps = (
            known.sort(*WHO, "at", "annotation")
            .with_columns(changes=pl.col("known") != pl.col("known").shift().over(WHO), stays=stays)
            .with_columns(run=(~pl.col("stays")).fill_null(True).cast(pl.Int64).cum_sum().over(WHO))
        )
        at_changes = steps.filter(pl.col("changes").fill_null(False))
        at_once = pl.col("at").n_unique().over(WHO) < pl.len().over(WHO) / 2
        at_changes = at_changes.filter(~at_once)  # imported: there is no order of work
        own = at_changes.group_by(WHO).agg(n=pl.len(), stayed=pl.col("stays").sum())
        both = own.with_columns(
            rest=pl.col("n").sum().over("control") - pl.col("n"),
            theirs=pl.col("stayed").sum().over("control") - pl.col("stayed"),
        )
        for row in both.sort(WHO).iter_rows(named=True):
            n, stayed = row["n"], int(row["stayed"])
            if n < parameters.minimum:
                continue
            usual = row["theirs"] / row["rest"] if row["rest"] else 0.0
            threshold = usual + parameters.margin
            low, _ = wilson_interval(stayed / n, n)
            mine = (pl.col("annotator") == row["annotator"]) & (pl.col("control") == row["control"])
            off = low > threshold
            tasks, length = _longest(steps.filter(mine)) if off else ((), 0)
            longest = f"; the longest run is {length}" if off else ""
            yield Observation(
                subject=row["annotator"],
                control=row["control"],
                value=stayed / n,
                threshold=threshold,
                n=n,
                off=off,
                p=at_least(stayed, n, min(threshold, 1.0)),
                evidence=tasks,
                message=f"At {stayed} of {n} changes from one item to the next the answer stayed ({stayed / n:.0%}; "
                f"the others: {usual:.0%}){longest}.",
            )


def _longest(steps: pl.DataFrame) -> tuple[tuple[int, ...], int]:
    """The tasks of the runs with wrong answers, of the longest run first; and its length."""
    runs = steps.with_columns(length=pl.len().over("run"))
    worst = runs.sort("length", "wrong", "at", descending=[True, True, False])
    return tuple(worst["task"].head(MAX_EVIDENCE).to_list()), int(runs["length"].max() or 0)  # type: ignore[arg-type]


def _right(task: int) -> str:
    return ("positive", "neutral", "negative")[task % 3]


def _answered(ana: Callable[[int], str]) -> Dataset:
    rows = [Given(task, "ana", ana(task)) for task in range(1, 91)]
    return example([*rows, *(Given(task, who, _right(task)) for task in range(1, 91) for who in ("ben", "chi"))])
