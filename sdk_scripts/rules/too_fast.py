"""Answers come faster than the item can be read."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least
from sdk_scripts.rules._usual import middle


class Pace(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of annotations with a time")
    seconds: float = Field(default=1.0, ge=0, description="no task takes less")
    characters_a_second: float = Field(
        default=80, gt=0, description="of text that can be skimmed: 80 are about 950 words a minute"
    )
    share_of_usual: float = Field(default=0.35, ge=0, lt=1, description="less than that of what others take is fast")
    tolerated: float = Field(
        default=0.3, gt=0, lt=1, description="share of fast answers that may be: a page opened again counts little time"
    )


@register("too_fast")
class TooFast:
    """Share of annotations whose lead time is below what reading takes, or below `share_of_usual` of what others take
    for texts of like length. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is
    tolerated; p is binomial. 80 characters a second is beyond skimming (Rayner et al., Psychological Science in the
    Public Interest 17, 2016: 400 words a minute with comprehension)."""

    dimension = "speed"
    severity: Severity = "high"
    why = "What was not read was guessed or waved through."
    do = "Review what was labelled at that pace, and ask how the work is counted: speed is often what was asked for."
    parameters = Pace

    @staticmethod
    def bad() -> Dataset:
        return _paced({"ana": 1.5, "ben": 20, "chi": 25})

    @staticmethod
    def good() -> Dataset:
        return _paced({"ana": 12, "ben": 20, "chi": 25})

    def __call__(self, inspected: Inspected, parameters: Pace) -> Iterator[Observation]:
        read = pl.col("characters") / parameters.characters_a_second
        least = pl.max_horizontal(pl.lit(parameters.seconds), read, pl.col("usual") * parameters.share_of_usual)
        table = inspected.timed.with_columns(least=least).with_columns(fast=pl.col("lead_time") < pl.col("least"))
        for (annotator,), rows in table.group_by("annotator", maintain_order=True):
            n, fast = len(rows), rows.filter("fast")
            if n < parameters.minimum:
                continue
            low, _ = wilson_interval(len(fast) / n, n)
            worst = fast.sort(pl.col("lead_time") / pl.col("least"))
            yield Observation(
                subject=str(annotator),
                value=len(fast) / n,
                threshold=parameters.tolerated,
                n=n,
                off=low > parameters.tolerated,
                p=at_least(len(fast), n, parameters.tolerated),
                evidence=tuple(worst["task"].head(MAX_EVIDENCE).to_list()),
                message=f"{len(fast)} of {n} answers came too fast to have read the item ({len(fast) / n:.0%}, at "
                f"least {low:.0%}): {middle(rows['lead_time']):.1f} s in the middle, where "
                f"{middle(rows['usual']):.1f} s are usual.",
            )


def _paced(seconds: dict[str, float]) -> Dataset:
    return example(Given(task, who, "positive", seconds=pace) for task in range(1, 41) for who, pace in seconds.items())
