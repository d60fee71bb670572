"""A label is given more often, or less, than the others give it to the same items."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts import wording
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._against_others import beside_others, tails

ROUNDS = 4
LIKE_THE_WORST = 0.7
"""Who differs at least that far, of the greatest difference, is nobody's measure in the next round."""
MOST_LABELS = 30
"""Answers of a control that are looked at, the most common ones."""
RAREST = 0.01
"""Share of all answers: rarer ones are not looked at, and neither are those that hardly come again, as spans."""


class Bias(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of items that others answered, too")
    tolerated: float = Field(
        default=0.06, gt=0, lt=1, description="share of answers by which a label may be given more or less often"
    )


@register("label_bias")
class LabelBias:
    """For the label with the clearest difference: how often somebody gives it, less how often the others give it to the
    same items. Off where the interval of the mean difference an item (95 %, normal) is beyond what is tolerated. p is
    exact: somebody's answer to an item is any of the answers to it with the same probability, so that their count is a
    sum of independent trials (Poisson-binomial; two-sided, times the number of labels). Those who differ most are then
    left out of what the others are measured by, so that one odd person does not make a small team look odd."""

    dimension = "reliability"
    severity: Severity = "medium"
    why = "A label that somebody avoids or overdoes is learned so, and a majority does not mend it where few answer."
    do = "Compare these items with what the others say; make plain in the guidelines when the label is right."
    parameters = Bias

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: "neutral" if task % 4 == 0 else "")

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: "neutral" if task % 40 == 0 else "negative" if task % 40 == 1 else "")

    def __call__(self, inspected: Inspected, parameters: Bias) -> Iterator[Observation]:
        table = inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)))
        table = table.filter((pl.len().over("control", "task") > 1) & (pl.col("annotator") != ""))
        if table.is_empty():
            raise NotEnoughLabels("No item was answered by two people.", mend="Let two people label some of the tasks.")
        for (control,), rows in table.group_by(["control"], maintain_order=True):
            yield from _of_control(inspected, str(control), rows, parameters)


@dataclass(frozen=True)
class _Bias:
    answer: str
    n: int
    share: float
    theirs: float
    least: float
    """The bound of the interval that is nearer to none."""
    clear: float
    """The difference in standard errors."""


def _of_control(inspected: Inspected, control: str, table: pl.DataFrame, parameters: Bias) -> Iterator[Observation]:
    counts = table["answer"].value_counts(sort=True).filter(pl.col("count") >= RAREST * len(table))
    answers = counts["answer"].head(MOST_LABELS).to_list()
    table, left_out = table.select("task", "annotator", "answer", "severity"), set[str]()
    for _ in range(ROUNDS):
        found = _biases(table, answers, left_out, parameters.minimum)
        off = {who: it.least for who, it in found.items() if it.least > parameters.tolerated and who not in left_out}
        if not off:
            break
        left_out |= {who for who, least in off.items() if least >= LIKE_THE_WORST * max(off.values())}
    for answer in answers:
        people = sorted(who for who, it in found.items() if it.answer == answer)
        rows = beside_others(table, pl.col("answer") == answer, left_out)
        for (who,), mine in rows.filter(pl.col("annotator").is_in(people)).group_by(["annotator"], maintain_order=True):
            it, label = found[str(who)], wording.show_key(inspected.evidence.config[control], answer)
            p = 2 * min(tails(int(mine["does"].sum()), mine.group_by("chance").len().iter_rows())) * len(answers)
            beyond = it.least > parameters.tolerated
            yield Observation(
                subject=str(who),
                control=control,
                value=it.share - it.theirs,
                threshold=math.copysign(parameters.tolerated, it.share - it.theirs),
                n=it.n,
                off=beyond,
                p=min(1.0, p),
                evidence=_differing(mine, it) if beyond else (),
                message=f"{it.share:.0%} of {it.n} answers are {label}; the others give it to {it.theirs:.0%} of the "
                "same items.",
            )


def _biases(table: pl.DataFrame, answers: list[str], left_out: Iterable[str], minimum: int) -> dict[str, _Bias]:
    """Of each annotator the clearest one."""
    found: dict[str, _Bias] = {}
    for answer in answers:
        rows = beside_others(table, pl.col("answer") == answer, left_out)
        off = pl.col("does") - pl.col("theirs")
        told = rows.group_by("annotator").agg(
            n=pl.len(), share=pl.mean("does"), theirs=pl.mean("theirs"), mean=off.mean().abs(), spread=off.std()
        )
        for who, n, share, theirs, mean, spread in told.filter(pl.col("n") >= minimum).iter_rows():
            error = max(spread or 0.0, 1e-9) / math.sqrt(n)
            it = _Bias(answer, n, share, theirs, mean - 1.96 * error, mean / error)
            if who not in found or it.clear > found[who].clear:
                found[who] = it
    return found


def _differing(mine: pl.DataFrame, it: _Bias) -> tuple[int, ...]:
    """Tasks where this person gives the label and the others do not, or the other way round."""
    gap = (pl.col("does") - pl.col("theirs")) * (1 if it.share > it.theirs else -1)
    telling = mine.with_columns(gap=gap).filter(pl.col("gap") > 0)
    ordered = telling.sort("gap", "severity", "task", descending=[True, True, False])
    return tuple(ordered["task"].head(MAX_EVIDENCE).to_list())


def _answered(ana: Callable[[int], str]) -> Dataset:
    right = ("positive", "neutral", "negative", "positive")
    return example(
        Given(task, who, (who == "ana" and ana(task)) or right[task % 4])
        for task in range(1, 121)
        for who in ("ana", "ben", "chi")
    )
