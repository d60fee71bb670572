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
from sdk_scripts.rules._usual import expected, taken_for


class Lines(Parameters):
    minimum: int = Field(default=40, ge=10, description="least number of answers to a control")
    margin: float = Field(
        default=0.2, gt=0, lt=1, description="share of answers by which a label may exceed what the items call for"
    )
    otherwise: int = Field(
        default=10, ge=5, description="items that call for another label, from which on only those are looked at"
    )


@register("straight_lining")
class StraightLining:
    """For the label given most often: its share of somebody's answers to items that call for another one
    (`Inspected.known`), against how often the others take it for those (`taken_for`). So neither skewed labels nor easy
    items count. With too few such items: the label that exceeds most what the others give to items like these, and its
    share of all answers. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is
    expected and the margin; p is binomial at that share, an upper bound where chances differ from item to item
    (Hoeffding, Annals of Mathematical Statistics 27, 1956)."""

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
        who = ["annotator", "control"]
        table = expected(inspected).filter(pl.col("n") >= parameters.minimum)
        known = inspected.known.filter(pl.col("annotator") != "")
        favourite = table.sort("given", "answer", descending=[True, False]).unique(
            who, keep="first", maintain_order=True
        )
        told = taken_for(known, favourite).filter(pl.col("n") >= parameters.otherwise)
        told = told.with_columns(
            pl.col("expected") / pl.col("n"), share=pl.col("given") / pl.col("n"), told=pl.lit(True)
        )
        most = table.sort(pl.col("share") - pl.col("expected"), descending=True).unique(
            who, keep="first", maintain_order=True
        )
        most = most.join(told, on=who, how="anti").with_columns(told=pl.lit(False))
        rows = pl.concat([told, most.select(told.columns)], how="vertical_relaxed").sort(who)
        for row in rows.iter_rows(named=True):
            control, n, given = row["control"], row["n"], row["given"]
            threshold = row["expected"] + parameters.margin
            low, _ = wilson_interval(row["share"], n)
            off = low > threshold
            label = wording.show_key(inspected.evidence.config[control], row["answer"])
            items = "items that call for another" if row["told"] else "items like these"
            yield Observation(
                subject=row["annotator"],
                control=control,
                value=row["share"],
                threshold=threshold,
                n=n,
                off=off,
                p=at_least(given, n, min(threshold, 1.0)),
                evidence=_unfounded(inspected, row["annotator"], control, row["answer"]) if off else (),
                message=f"{label} is the answer to {given} of {n} {items} ({row['share']:.0%}); the others give it to "
                f"{row['expected']:.0%} of those.",
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
