"""Right answers of the machine are changed to wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least


class Corrections(Parameters):
    minimum: int = Field(default=15, ge=5, description="least number of right answers shown")
    tolerated: float = Field(default=0.1, gt=0, lt=1, description="share of them that may be spoilt")
    by_others: bool = Field(
        default=False,
        description="where nothing is decided, right is what most of the others say: who looks closer than they do is "
        "then found, too",
    )


@register("over_correction")
class OverCorrection:
    """Answers shown that are right, by a decision or another's ground truth, and were changed, of those shown. Off
    where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is tolerated, or above what the
    others spoil of theirs where that is more; p is the binomial probability of as many at that share."""

    dimension = "human-ai"
    severity: Severity = "medium"
    why = "Changing what is right costs time twice and makes the labels worse than the machine alone would."
    do = "Go through the items together: either the guideline is understood otherwise, or the machine is mistrusted."
    parameters = Corrections

    @staticmethod
    def bad() -> Dataset:
        return _shown(range(1, 31), spoils=lambda task: task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _shown(range(1, 31), spoils=lambda task: task == 7)

    def __call__(self, inspected: Inspected, parameters: Corrections) -> Iterator[Observation]:
        right = pl.col("reference" if parameters.by_others else "truth")
        shown = inspected.seen.filter(
            pl.col("control").is_in(list(inspected.controls))
            & (pl.col("arm") == "plain")
            & (pl.col("annotator") != "")
            & (pl.col("shown") == right)
        )
        if shown.is_empty():
            raise NotEnoughLabels(
                "Of no answer that the machine showed it is known that it was right.",
                mend="Have some tasks decided (`tiebreak hard-cases`, `tiebreak resolve`).",
            )
        all_spoilt = shown.filter(~pl.col("same")).group_by("control").len("n")
        spoilt_of = dict(all_spoilt.iter_rows())
        shown_of = dict(shown.group_by("control").len("n").iter_rows())
        for (annotator, control), rows in shown.group_by("annotator", "control", maintain_order=True):
            n, spoilt = len(rows), rows.filter(~pl.col("same"))
            if n < parameters.minimum:
                continue
            count, rest = len(spoilt), shown_of[control] - n
            theirs = (spoilt_of.get(control, 0) - count) / rest if rest >= parameters.minimum else 0.0
            threshold = max(parameters.tolerated, theirs)
            low, _ = wilson_interval(count / n, n)
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=count / n,
                threshold=threshold,
                n=n,
                off=low > threshold,
                p=at_least(count, n, threshold),
                evidence=tuple(spoilt["task"].to_list()[:MAX_EVIDENCE]),
                message=f"{count} of {n} right answers of the machine were changed to wrong ones ({count / n:.0%}, at "
                f"least {low:.0%}; the others: {theirs:.0%}).",
            )


def _shown(tasks: range, spoils: Callable[[int], bool]) -> Dataset:
    return example(
        (
            Given(task, who, "neutral" if who == "ana" and spoils(task) else "positive", shown="positive")
            for task in tasks
            for who in ("ana", "ben")
        ),
        truths=dict.fromkeys(tasks, "positive"),
    )
