"""Somebody agrees with the others less than they do among themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field
from scipy.stats import norm

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register

WHO, ITEM = ["annotator", "control"], ["control", "task"]
PARTNERS = 3
"""Different people that somebody must have shared items with where only pairs of people share one: less does not tell
whose doing it is."""


class Quality(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of items that others answered, too")
    margin: float = Field(default=0.1, gt=0, lt=1, description="of agreement below the others' that matters")


@register("consensus_quality")
class ConsensusQuality:
    """The mean, over items, of the share of the others who answered the same, less the share of pairs among those
    others who agree. Both leave the annotator out and are of the same items, so hard items count against nobody: among
    people who work alike all are exchangeable within an item, and the mean is 0 whatever the items. Where only two
    people share an item, what stands for the others is how often other pairs agree. Off where the upper bound of the
    mean's interval (95 %; the larger of the observed variance and that of exchanging people within items) is below
    the margin; p is that normal test at the margin."""

    dimension = "reliability"
    severity: Severity = "high"
    why = "Labels that differ from everybody else's are mostly wrong, and what is trained on them learns that."
    do = "Go through the items below together, and find out whether it is a rule read differently, or haste."
    parameters = Quality

    @staticmethod
    def bad() -> Dataset:
        return _three(lambda task: task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _three(lambda task: task % 12 == 0)

    def __call__(self, inspected: Inspected, parameters: Quality) -> Iterator[Observation]:
        rows = agreeing(
            inspected.judgements.filter((pl.col("annotator") != "") & pl.col("control").is_in(list(inspected.controls)))
        )
        if rows.is_empty():
            raise NotEnoughLabels("Nobody's answers can be compared with others'.", mend="Let others label, too.")
        spread = pl.max_horizontal(pl.col("gap").var().fill_null(0), pl.col("variance").mean())
        sums = rows.group_by(WHO).agg(
            n=pl.len(), agree=pl.col("agree").mean(), usual=pl.col("usual").mean(), error=(spread / pl.len()).sqrt()
        )
        worst = (
            rows.filter(pl.col("gap") < 0)
            .sort("gap", "severity", "task", descending=[False, True, False])
            .group_by(WHO, maintain_order=True)
            .agg(pl.col("task").head(MAX_EVIDENCE))
        )
        enough = sums.filter(pl.col("n") >= parameters.minimum).join(worst, on=WHO, how="left").sort(WHO)
        for annotator, control, n, agree, usual, error, tasks in enough.iter_rows():
            below = usual - agree - parameters.margin
            p = float(norm.sf(below / error)) if error > 0 else float(below <= 0)
            yield Observation(
                subject=annotator,
                control=control,
                value=agree,
                threshold=usual - parameters.margin,
                n=n,
                off=below > 1.96 * error,
                p=p,
                evidence=tuple(tasks or ()),
                message=f"Agrees with {agree:.0%} of the others' answers to {n} items, who agree with each other in "
                f"{usual:.0%} ({agree - usual:+.0%}, give or take {1.96 * error:.0%}).",
            )


def agreeing(judgements: pl.DataFrame) -> pl.DataFrame:
    """[annotator, control, task, severity, agree, usual, gap, variance], a row a judgement that can be compared: the
    share of the others who agree with it, of the pairs of others who agree, the difference, and its variance."""
    votes = judgements.group_by(*ITEM, "answer").agg(votes=pl.len().cast(pl.Int64))
    table = (
        judgements.select(*ITEM, "annotator", "answer", "severity")
        .join(votes, on=[*ITEM, "answer"])
        .join(
            votes.group_by(ITEM).agg(n=pl.col("votes").sum(), pairs=(pl.col("votes") * (pl.col("votes") - 1)).sum()),
            on=ITEM,
        )
    )
    like, n = pl.col("votes") - 1, pl.col("n")
    many = table.filter(n > 2).with_columns(
        agree=like / (n - 1), usual=(pl.col("pairs") - 2 * like) / ((n - 1) * (n - 2))
    )
    many = many.with_columns(gap=pl.col("agree") - pl.col("usual"))
    many = many.with_columns(variance=(pl.col("gap") ** 2).mean().over(ITEM))
    columns = [*WHO, "task", "severity", "agree", "usual", "gap", "variance"]
    return pl.concat([many.select(columns), _pairs(table.filter(n == 2)).select(columns)])


def _pairs(table: pl.DataFrame) -> pl.DataFrame:
    """Of items of two people."""
    first, last = pl.col("annotator").min().over(ITEM), pl.col("annotator").max().over(ITEM)
    agree = (pl.col("votes") - 1).cast(pl.Float64)
    table = table.with_columns(agree=agree, partner=pl.when(pl.col("annotator") == first).then(last).otherwise(first))
    own, mine = pl.len().over(WHO), pl.col("agree").sum().over(WHO)
    pairs, agreeing = pl.len().over("control") / 2 - own, pl.col("agree").sum().over("control") / 2 - mine
    table = table.with_columns(partners=pl.col("partner").n_unique().over(WHO), others=pairs, usual=agreeing / pairs)
    table = table.filter((pl.col("partners") >= PARTNERS) & (pl.col("others") >= PARTNERS))
    usual = pl.col("usual")
    return table.with_columns(gap=pl.col("agree") - usual, variance=usual * (1 - usual))


def _three(wrong: Callable[[int], bool]) -> Dataset:
    rows = [Given(task, who, _right(task)) for task in range(1, 61) for who in ("ben", "chi")]
    return example([*rows, *(Given(task, "ana", _right(task + wrong(task))) for task in range(1, 61))])


def _right(task: int) -> str:
    return ("positive", "neutral", "negative")[task % 3]
