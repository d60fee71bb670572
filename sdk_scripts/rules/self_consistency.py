"""Somebody answers the same item differently when asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._again import asked_again
from sdk_scripts.rules._chance import at_least


class Repeats(Parameters):
    minimum: int = Field(default=10, ge=5, description="least number of answers to an item answered before")
    margin: float = Field(
        default=0.1, gt=0, lt=1, description="share of changed answers beyond the others' that matters"
    )
    usual: float = Field(default=0.1, ge=0, lt=1, description="share of changed answers that is nobody's fault")


@register("self_consistency")
class SelfConsistency:
    """Share of answers that differ from the same person's last answer to the same item: the same task, or one with the
    very same text. Intra-rater reliability (Gwet, Handbook of Inter-Rater Reliability, ch. 2), as raw disagreement. The
    threshold is the rest of the team's share, or `usual` where that is more, and the margin; off where the lower bound
    of the Wilson interval (95 %; JASA 22, 1927) is beyond it; p is binomial at the threshold."""

    dimension = "reliability"
    severity: Severity = "medium"
    why = "Between people a difference may be opinion; within one person it is a toss-up or a slip."
    do = "Show both answers to the annotator, and draw the border in the guidelines where both can be argued."
    parameters = Repeats

    @staticmethod
    def bad() -> Dataset:
        return _twice(lambda task: task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _twice(lambda task: task % 20 == 0)

    def __call__(self, inspected: Inspected, parameters: Repeats) -> Iterator[Observation]:
        again = asked_again(inspected).filter("same")
        if again.is_empty():
            raise NotEnoughLabels("Nobody answered an item twice.", mend="Put some tasks into the queue again.")
        yield from changed(again, parameters.minimum, parameters.usual, parameters.margin, "the same item")


def changed(again: pl.DataFrame, minimum: int, usual: float, margin: float, item: str) -> Iterator[Observation]:
    """Of everybody's answers to items answered before, those that differ."""
    counts = again.group_by("control").agg(n=pl.len(), differs=pl.col("differs").sum())
    of_all = {control: (n, differs) for control, n, differs in counts.iter_rows()}
    for (annotator, control), rows in again.sort("annotator", "control").group_by(
        "annotator", "control", maintain_order=True
    ):
        n, differing = len(rows), rows.filter("differs").sort("task")
        if n < minimum:
            continue
        count = len(differing)
        all_n, all_differ = of_all[str(control)]
        others = (all_differ - count) / (all_n - n) if all_n > n else 0.0
        threshold = min(1.0, max(others, usual) + margin)
        low, _ = wilson_interval(count / n, n)
        tasks = differing.select(pl.concat_list("task", "earlier")).to_series().explode().to_list()
        team = f"; the others' {all_differ - count} of {all_n - n}" if all_n > n else ""
        yield Observation(
            subject=str(annotator),
            control=str(control),
            value=count / n,
            threshold=threshold,
            n=n,
            off=low > threshold,
            p=at_least(count, n, threshold),
            evidence=tuple(dict.fromkeys(tasks))[:MAX_EVIDENCE],
            message=f"{count} of {n} answers differ from the same person's earlier answer to {item} ({count / n:.0%}, "
            f"at least {low:.0%}{team}).",
        )


def _twice(changes: Callable[[int], bool]) -> Dataset:
    """Ana and Ben answer 40 tasks, and the same tasks again."""
    rows = [Given(task, who, "positive", 20.0 + task / 7) for task in range(1, 41) for who in ("ana", "ben")]
    ana = [Given(task, "ana", "negative" if changes(task) else "positive", 15.0 + task / 7) for task in range(1, 41)]
    return example([*rows, *ana, *(Given(task, "ben", "positive", 16.0 + task / 7) for task in range(1, 41))])
