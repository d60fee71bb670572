"""Tasks are skipped that others answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least


class Skips(Parameters):
    minimum: int = Field(default=20, ge=5, description="least number of tasks opened")
    tolerated: float = Field(default=0.15, gt=0, lt=1, description="share of tasks that anybody may skip")


@register("skip_rate")
class SkipRate:
    """Tasks somebody skipped, less those that at least half of the others who opened them skipped too, of the tasks
    they opened. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is tolerated, or
    above the others' rate where that is more; p is the binomial probability of as many at that rate."""

    dimension = "process"
    severity: Severity = "low"
    why = "Who skips what is hard leaves it to the others, and the labels of what they keep look better than they are."
    do = "Ask what made them skip: unclear guidelines, broken items, or a wish for easy ones."
    parameters = Skips

    @staticmethod
    def bad() -> Dataset:
        return _opened(lambda task, who: who == "ana" and task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _opened(lambda task, who: task % 3 == 0)

    def __call__(self, inspected: Inspected, parameters: Skips) -> Iterator[Observation]:
        opened = inspected.annotations.unique(["annotator", "task"], keep="last", maintain_order=True)
        if opened.is_empty():
            raise NotEnoughLabels("Nobody has opened a task.", mend="Label some tasks.")
        others = pl.len().over("task") - 1
        skipped_too = pl.col("skipped").sum().over("task") - pl.col("skipped")
        alone = opened.with_columns(alone=pl.col("skipped") & ((others == 0) | (2 * skipped_too < others)))
        counted = alone.group_by("annotator", maintain_order=True).agg(n=pl.len(), skips=pl.col("alone").sum())
        all_n, all_skips = int(counted["n"].sum()), int(counted["skips"].sum())
        for annotator, n, skips in counted.iter_rows():
            if n < parameters.minimum:
                continue
            rest = all_n - n
            theirs = (all_skips - skips) / rest if rest >= parameters.minimum else 0.0
            threshold = max(parameters.tolerated, theirs)
            low, _ = wilson_interval(skips / n, n)
            off = low > threshold
            mine = alone.filter((pl.col("annotator") == annotator) & pl.col("alone")) if off else alone.clear()
            compared = f"; the others: {theirs:.0%}" if rest >= parameters.minimum else ""
            yield Observation(
                subject=annotator,
                value=skips / n,
                threshold=threshold,
                n=n,
                off=off,
                p=at_least(skips, n, threshold),
                evidence=tuple(mine["task"].to_list()[-MAX_EVIDENCE:][::-1]),
                message=f"{skips} of {n} tasks were skipped that others did not skip ({skips / n:.0%}, at least "
                f"{low:.0%}{compared}).",
            )


def _opened(skips: Callable[[int, str], bool]) -> Dataset:
    return example(
        Given(task, who, skipped=True) if skips(task, who) else Given(task, who, "positive")
        for task in range(1, 41)
        for who in ("ana", "ben", "chi")
    )
