"""Two people agree with each other far more than either does with anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import Field
from scipy.stats import binom

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register

POOR = 0.85
"""Who agrees with everybody less than that, of what is usual, is nobody's measure."""
ROUNDS = 4
LIKE_THE_WORST = 0.7
"""Who is at least that far beyond, of the farthest, is nobody's measure in the next round."""
LEAST_OTHERS = 2
"""People beside the two: of three who differ nobody can say which two are alike by right."""
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
    answers at that share, times the number of partners. Who agrees with nobody, and who was just found, is left out of
    what the others are measured by."""

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
        wrong = {"ana": 0, "ben": 2, "chi": 4, "dan": 6, "eve": 8}
        return _answered(lambda task, who: "neutral" if task % 9 == wrong[who] else "")

    def __call__(self, inspected: Inspected, parameters: Pairs) -> Iterator[Observation]:
        table = _answers(inspected)
        counted = _counted(table)
        if counted.is_empty():
            raise NotEnoughLabels("No item was answered by two people.", mend="Let two people label some of the tasks.")
        for (control,), rows in counted.group_by(["control"], maintain_order=True):
            yield from _of_control(str(control), table.filter(pl.col("control") == control), rows, parameters)


@dataclass(frozen=True)
class _Pair:
    other: str
    n: int
    same: int
    usual: float
    p: float

    @property
    def low(self) -> float:
        return wilson_interval(self.same / self.n, self.n)[0]


def _of_control(control: str, table: pl.DataFrame, counted: pl.DataFrame, parameters: Pairs) -> Iterator[Observation]:
    people = counted.group_by("annotator").agg(share=pl.sum("same") / pl.sum("n"))
    left_out = set(people.filter(pl.col("share") < POOR * pl.col("share").median())["annotator"])
    for _ in range(ROUNDS):
        found = _closest(counted, left_out, parameters.minimum)
        beyond = {who: gap for who, it in found.items() if (gap := it.low - it.usual - parameters.margin) > 0}
        new = {who: gap for who, gap in beyond.items() if who not in left_out}
        if not new:
            break
        left_out |= {who for who, gap in new.items() if gap >= LIKE_THE_WORST * max(new.values())}
    for who, it in sorted(found.items()):
        yield Observation(
            subject=who,
            control=control,
            value=it.same / it.n,
            threshold=it.usual + parameters.margin,
            n=it.n,
            off=who in beyond,
            p=it.p,
            evidence=_evidence(table, who, it.other) if who in beyond else (),
            message=f"{it.same} of {it.n} answers are those of {it.other} ({it.same / it.n:.0%}); by how each agrees "
            f"with the others it would be {it.usual:.0%}.",
        )


def _closest(counted: pl.DataFrame, left_out: Iterable[str], minimum: int) -> dict[str, _Pair]:
    """Of each annotator the partner with the most surprising agreement, by those not left out."""
    others = counted.filter(~pl.col("annotator_other").is_in(list(left_out)))
    among = others.filter(~pl.col("annotator").is_in(list(left_out)))
    everybody = max(float(among["same"].sum()) / max(int(among["n"].sum()), 1), 1e-9)
    measures = others["annotator_other"].unique().to_list()
    totals = others.group_by("annotator").agg(pl.sum("same").cast(pl.Int64), pl.sum("n").cast(pl.Int64), known=pl.len())
    told = counted.filter(pl.col("n") >= minimum).with_columns(partners=pl.len().over("annotator"))
    rests = told.select("annotator", "annotator_other", pl.col("n", "same", "partners").cast(pl.Int64))
    for one, two in (("annotator", "annotator_other"), ("annotator_other", "annotator")):
        of = totals.select(pl.col("annotator").alias(one), pl.exclude("annotator").name.suffix(f" of {one}"))
        counts = pl.col(two).is_in(measures).cast(pl.Int64)
        rests = rests.join(of, on=one, how="left", maintain_order="left").with_columns(
            (pl.col(f"{name} of {one}").fill_null(0).cast(pl.Int64) - less * counts).alias(f"{name} of {one}")
            for name, less in (("same", pl.col("same")), ("n", pl.col("n")), ("known", 1))
        )
    compared = rests.filter(
        pl.min_horizontal("n of annotator", "n of annotator_other") >= minimum,
        pl.min_horizontal("known of annotator", "known of annotator_other") >= LEAST_OTHERS,
    )
    one, two = (
        compared[f"same of {it}"].to_numpy() / compared[f"n of {it}"].to_numpy()
        for it in ("annotator", "annotator_other")
    )
    usual = np.minimum(1.0, np.maximum(np.maximum(one, two), one * two / everybody))
    n, same, partners = (compared[name].to_numpy() for name in ("n", "same", "partners"))
    p = np.minimum(1.0, binom.sf(same - 1, n, usual) * partners)
    best = (
        compared.with_columns(usual=pl.Series(usual, dtype=pl.Float64), p=pl.Series(p, dtype=pl.Float64))
        .sort("p", maintain_order=True)
        .unique("annotator", keep="first", maintain_order=True)
    )
    rows = best.select("annotator", "annotator_other", "n", "same", "usual", "p").iter_rows()
    return {who: _Pair(other, n, same, usual, p) for who, other, n, same, usual, p in rows}


def _answers(inspected: Inspected) -> pl.DataFrame:
    """Who answered what; of items that very many answered, the first of them."""
    return (
        inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)), pl.col("annotator") != "")
        .select("control", "task", "annotator", "answer", "truth", "severity")
        .filter(pl.int_range(pl.len()).over("control", "task") < MOST_PEOPLE)
    )


def _counted(table: pl.DataFrame) -> pl.DataFrame:
    """Of each control and ordered pair of people how many items both answered (`n`), and how many alike (`same`), in
    order. Numbers stand for names meanwhile: there are as many rows as pairs of answers."""
    names = table["annotator"].unique().sort()
    numbered = table.select(
        pl.col("control").rank("dense").alias("of"),
        "task",
        who=pl.col("annotator").cast(pl.Enum(names)).to_physical(),
        answer=pl.col("answer").rank("dense"),
    )
    controls = table["control"].unique().sort()
    pairs = numbered.join(numbered, on=["of", "task"], suffix="_other").filter(pl.col("who") != pl.col("who_other"))
    counted = pairs.group_by("of", "who", "who_other").agg(
        n=pl.len(), same=(pl.col("answer") == pl.col("answer_other")).sum()
    )
    return counted.select(
        control=controls.gather(counted["of"] - 1),
        annotator=names.gather(counted["who"]),
        annotator_other=names.gather(counted["who_other"]),
        n="n",
        same="same",
    ).sort("control", "annotator", "annotator_other")


def _evidence(table: pl.DataFrame, annotator: str, other: str) -> tuple[int, ...]:
    """Tasks with the same answer, those first where it is known to be wrong."""
    theirs = table.filter(pl.col("annotator") == other).select("task", "answer")
    both = table.filter(pl.col("annotator") == annotator).join(theirs, on=["task", "answer"])
    wrong = (pl.col("truth") != pl.col("answer")).fill_null(False)
    ordered = both.with_columns(wrong=wrong).sort("wrong", "severity", "task", descending=[True, True, False])
    return tuple(ordered["task"].head(MAX_EVIDENCE).to_list())


def _answered(instead: Callable[[int, str], str]) -> Dataset:
    return example(
        Given(task, who, instead(task, who) or ("positive", "negative")[task % 2])
        for task in range(1, 91)
        for who in ("ana", "ben", "chi", "dan", "eve")
    )
