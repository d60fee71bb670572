"""Tasks take somebody far longer than the others."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least
from sdk_scripts.rules._usual import middle

HALF = 0.5


class Pace(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of annotations with a time")
    times_usual: float = Field(default=2.5, gt=1, description="longer than that is slow")


@register("too_slow")
class TooSlow:
    """Share of annotations that took more than `times_usual` of what others take for texts of like length: more than
    half of them, by the lower bound of the Wilson interval, so that a task left open over lunch says nothing (a sign
    test of the median; Arbuthnot, 1710)."""

    dimension = "speed"
    severity: Severity = "low"
    why = "Somebody is stuck: with the guidelines, the tool, or a language; or the time is not spent on the tasks."
    do = "Watch a few tasks together, and ask what holds them up."
    parameters = Pace

    @staticmethod
    def bad() -> Dataset:
        return _paced({"ana": 120, "ben": 20, "chi": 25})

    @staticmethod
    def good() -> Dataset:
        return _paced({"ana": 40, "ben": 20, "chi": 25})

    def __call__(self, inspected: Inspected, parameters: Pace) -> Iterator[Observation]:
        slow = pl.col("lead_time") > pl.col("usual") * parameters.times_usual
        table = inspected.timed.with_columns(slow=slow, times=pl.col("lead_time") / pl.col("usual"))
        for (annotator,), rows in table.group_by("annotator", maintain_order=True):
            n, late = len(rows), rows.filter("slow")
            if n < parameters.minimum:
                continue
            low, _ = wilson_interval(len(late) / n, n)
            yield Observation(
                subject=str(annotator),
                value=len(late) / n,
                threshold=HALF,
                n=n,
                off=low > HALF,
                p=at_least(len(late), n, HALF),
                evidence=tuple(late.sort("times", descending=True)["task"].head(MAX_EVIDENCE).to_list()),
                message=f"{len(late)} of {n} tasks took more than {parameters.times_usual:g} times what is usual: "
                f"{middle(rows['lead_time']):.0f} s in the middle, where {middle(rows['usual']):.0f} s are usual.",
            )


def _paced(seconds: dict[str, float]) -> Dataset:
    return example(Given(task, who, "positive", seconds=pace) for task in range(1, 41) for who, pace in seconds.items())
