"""Two people agree with each other far more than either does with anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field
from scipy.stats import binom

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register

PAIR = ["control", "annotator", "annotator_other"]
MOST_PEOPLE = 50
"""Answers to an item that are compared with each other: more would grow with their square."""


class Pairs(Parameters):
    minimum: int = Field(default=20, ge=10, description="least number of items that both answered")
    margin: float = Field(
        default=0.05, ge=0, lt=1, description="share of answers by which two may agree more than with the others"
    )


@register("collusion")
class Collusion:
    """Of each annotator, the partner with the most surprising agreement: the share of equal answers to the items that
    both answered, against the share that each of the two has with everybody else, whichever is greater, and their
    product by everybody's share: two good annotators in a poor crowd agree that often. Off where the lower bound of the
    Wilson interval (95 %; JASA 22, 1927) is above that and the margin; p is the binomial probability of as many equal
    answers at that share, times the number of partners."""

    dimension = "reliability"
    severity: Severity = "high"
    why = "Copied answers look like agreement, so what both have wrong passes as certain."
    do = "Give the two different tasks, review what they share, and ask how they work."
    parameters = Pairs

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task, who: "neutral" if who in ("ana", "ben") and task % 3 == 0 else "")

    @staticmethod
    def good() -> Dataset:
        wrong = {"ana": 0, "ben": 3, "chi": 6}
        return _answered(lambda task, who: "neutral" if task % 9 == wrong[who] else "")

    def __call__(self, inspected: Inspected, parameters: Pairs) -> Iterator[Observation]:
        shared = _shared(inspected)
        counted = shared.group_by(PAIR).agg(n=pl.len(), same=pl.sum("same"))
        if counted.is_empty():
            raise NotEnoughLabels("No item was answered by two people.", mend="Let two people label some of the tasks.")
        totals = counted.group_by("control", "annotator").agg(all_n=pl.sum("n"), all_same=pl.sum("same"))
        sums = totals.group_by("control").agg(share=pl.sum("all_same") / pl.sum("all_n"))
        everybody = {control: max(share, 1e-9) for control, share in sums.iter_rows()}
        pairs = (
            counted.filter(pl.col("n") >= parameters.minimum)
            .with_columns(partners=pl.len().over("control", "annotator"))
            .join(totals, on=["control", "annotator"])
            .join(totals, left_on=["control", "annotator_other"], right_on=["control", "annotator"], suffix="_other")
            .sort(PAIR)
        )
        best: dict[tuple[str, str], Observation] = {}
        for row in pairs.iter_rows(named=True):
            n, same = row["n"], row["same"]
            rests = [(row[f"all_same{side}"] - same, row[f"all_n{side}"] - n) for side in ("", "_other")]
            if min(rest for _, rest in rests) < parameters.minimum:
                continue
            one, two = (equal / rest for equal, rest in rests)
            usual = min(1.0, max(one, two, one * two / everybody[row["control"]]))
            low, _ = wilson_interval(same / n, n)
            who, other, control = row["annotator"], row["annotator_other"], row["control"]
            p = min(1.0, float(binom.sf(same - 1, n, usual)) * row["partners"])
            if (known := best.get((who, control))) is not None and (known.p or 0) <= p:
                continue
            off = low > min(usual + parameters.margin, 1.0)
            best[who, control] = Observation(
                subject=who,
                control=control,
                value=same / n,
                threshold=usual + parameters.margin,
                n=n,
                off=off,
                p=p,
                evidence=_evidence(shared, row) if off else (),
                message=f"{same} of {n} answers are those of {other} ({same / n:.0%}); by how each agrees with the "
                f"others it would be {usual:.0%}.",
            )
        yield from best.values()


def _shared(inspected: Inspected) -> pl.DataFrame:
    """A row an item and ordered pair of people who answered it; of items that very many answered, the first of them."""
    item = ["control", "task"]
    table = (
        inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)), pl.col("annotator") != "")
        .select(*item, "annotator", "answer", "truth", "severity")
        .filter(pl.int_range(pl.len()).over(item) < MOST_PEOPLE)
    )
    return (
        table.join(table.select(*item, "annotator", "answer"), on=item, suffix="_other")
        .filter(pl.col("annotator") != pl.col("annotator_other"))
        .with_columns(same=pl.col("answer") == pl.col("answer_other"))
    )


def _evidence(shared: pl.DataFrame, row: dict[str, object]) -> tuple[int, ...]:
    """Tasks with the same answer, those first where it is known to be wrong."""
    both = shared.filter(pl.col("same"), *(pl.col(name) == row[name] for name in PAIR))
    wrong = (pl.col("truth") != pl.col("answer")).fill_null(False)
    ordered = both.with_columns(wrong=wrong).sort("wrong", "severity", "task", descending=[True, True, False])
    return tuple(ordered["task"].head(MAX_EVIDENCE).to_list())


def _answered(instead: Callable[[int, str], str]) -> Dataset:
    return example(
        Given(task, who, instead(task, who) or ("positive", "negative")[task % 2])
        for task in range(1, 91)
        for who in ("ana", "ben", "chi")
    )
