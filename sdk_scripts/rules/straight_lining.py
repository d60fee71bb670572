"""The same answer again and again, more than the items call for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from sdk_scripts import wording
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least
from sdk_scripts.rules._usual import expected


class Lines(Parameters):
    minimum: int = Field(default=40, ge=10, description="least number of answers to a control")
    margin: float = Field(
        default=0.2, gt=0, lt=1, description="share of answers by which a label may exceed what the items call for"
    )


@register("straight_lining")
class StraightLining:
    """For the label that exceeds most what the others give to items like these: its share of somebody's answers. Off
    where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is expected and the margin; p is
    binomial at that share. Where the items themselves call for one label nearly always, nothing can be said."""

    dimension = "attention"
    severity: Severity = "high"
    why = "Whoever gives one answer to everything does not look at the items."
    do = "Review a sample of what was labelled so; talk to the annotator; take their labels out if the sample is bad."
    parameters = Lines

    @staticmethod
    def bad() -> Dataset:
        return _answered(ana=lambda task: "positive")

    @staticmethod
    def good() -> Dataset:
        return _answered(ana=lambda task: "positive" if task % 9 == 0 else _right(task))

    def __call__(self, inspected: Inspected, parameters: Lines) -> Iterator[Observation]:
        table = expected(inspected).filter(pl.col("n") >= parameters.minimum)
        most = table.sort(pl.col("share") - pl.col("expected"), descending=True).unique(
            ["annotator", "control"], keep="first", maintain_order=True
        )
        for row in most.sort("annotator", "control").iter_rows(named=True):
            control, n, given = row["control"], row["n"], row["given"]
            threshold = row["expected"] + parameters.margin
            low, _ = wilson_interval(row["share"], n)
            label = wording.show_key(inspected.evidence.config[control], row["answer"])
            yield Observation(
                subject=row["annotator"],
                control=control,
                value=row["share"],
                threshold=threshold,
                n=n,
                off=low > threshold,
                p=at_least(given, n, min(threshold, 1.0)),
                evidence=_unfounded(inspected, row["annotator"], control, row["answer"]),
                message=f"{given} of {n} answers are {label} ({row['share']:.0%}); the others give it to "
                f"{row['expected']:.0%} of items like these.",
            )


def _unfounded(inspected: Inspected, annotator: str, control: str, answer: str) -> tuple[int, ...]:
    """Tasks with that answer, those first that are known to call for another one."""
    mine = inspected.judgements.filter(
        (pl.col("annotator") == annotator) & (pl.col("control") == control) & (pl.col("answer") == answer)
    )
    known = pl.coalesce("truth", "others")
    return tuple(mine.sort(known == answer, "task")["task"].head(MAX_EVIDENCE).to_list())


def _right(task: int) -> str:
    return ("positive", "neutral", "negative")[task % 3]


def _answered(ana: Callable[[int], str]) -> Dataset:
    rows = [Given(task, "ana", ana(task)) for task in range(1, 61)]
    return example([*rows, *(Given(task, who, _right(task)) for task in range(1, 61) for who in ("ben", "chi"))])
