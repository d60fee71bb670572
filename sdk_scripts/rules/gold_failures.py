"""Answers to items whose right answer is known are wrong too often."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field
from scipy.stats import binomtest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import Dataset, Inspected, Observation, Parameters, Severity, register


class Mark(Parameters):
    minimum: int = Field(default=20, ge=10, description="least number of known items answered")
    pass_mark: float = Field(default=0.8, gt=0, lt=1, description="share of right answers that is good enough")


@register("gold_failures")
class GoldFailures:
    """Share of right answers where a review or a gold question says what is right. Off where the upper bound of its
    Wilson interval (95 %; Wilson, JASA 22, 1927) is below the pass mark; p is the binomial probability of as few right
    answers at the pass mark."""

    dimension = "reliability"
    severity: Severity = "high"
    why = "These labels are wrong where it can be proved; the rest of this person's work is likely no better."
    do = "Look at the items together with the annotator, review what they labelled since, and repeat the course."
    parameters = Mark

    @staticmethod
    def bad() -> Dataset:
        truths = dict.fromkeys(range(1, 41), "positive")
        return example((Given(task, "ana", "negative" if task % 2 else "positive") for task in truths), truths=truths)

    @staticmethod
    def good() -> Dataset:
        truths = dict.fromkeys(range(1, 41), "positive")
        return example(
            (Given(task, "ana", "negative" if task % 10 == 0 else "positive") for task in truths), truths=truths
        )

    def __call__(self, inspected: Inspected, parameters: Mark) -> Iterator[Observation]:
        known = inspected.judgements.filter(pl.col("truth").is_not_null())
        if known.is_empty():
            raise NotEnoughLabels("No item has a known answer.", mend="Keep resolved cases as gold (`tiebreak cases`).")
        right = pl.col("answer") == pl.col("truth")
        for (annotator, control), rows in known.group_by("annotator", "control", maintain_order=True):
            n, good = len(rows), int(rows.select(right.sum()).item())
            if n < parameters.minimum:
                continue
            test = binomtest(good, n, parameters.pass_mark, alternative="less")
            high = binomtest(good, n).proportion_ci(method="wilson").high
            wrong = rows.filter(~right).sort("severity", "at", descending=True)
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=good / n,
                threshold=parameters.pass_mark,
                n=n,
                off=high < parameters.pass_mark,
                p=float(test.pvalue),
                evidence=tuple(wrong["task"].to_list()[:50]),
                message=f"{good} of {n} known items right ({good / n:.0%}, at most {high:.0%}; "
                f"{parameters.pass_mark:.0%} are asked for).",
            )
