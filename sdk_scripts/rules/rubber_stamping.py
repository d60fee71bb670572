"""Wrong answers that the machine showed on purpose are submitted as they were."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.collaboration import seeded_wrong
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least


class Seeds(Parameters):
    minimum: int = Field(default=5, ge=3, description="least number of seeded wrong answers shown")
    tolerated: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="share of them that may be kept: some slip by, and up to a tenth are right",
    )


@register("rubber_stamping")
class RubberStamping:
    """Seeded wrong answers that were submitted as shown, of those shown (see `labeling.arms`); those that a decision
    found to be right are left out. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what
    is tolerated; p is the binomial probability of as many at that share."""

    dimension = "human-ai"
    severity: Severity = "high"
    why = "Who keeps a plainly wrong answer did not look: the machine's mistakes pass as people's labels."
    do = "Talk about it, show these items, and have this person label without predictions for a while."
    parameters = Seeds

    @staticmethod
    def bad() -> Dataset:
        return example(
            Given(task, who, "negative" if who == "ana" else "positive", shown="negative", arm="seeded")
            for task in range(1, 13)
            for who in ("ana", "ben")
        )

    @staticmethod
    def good() -> Dataset:
        return example(
            Given(task, "ana", "negative" if task == 3 else "positive", shown="negative", arm="seeded")
            for task in range(1, 13)
        )

    def __call__(self, inspected: Inspected, parameters: Seeds) -> Iterator[Observation]:
        wrong = seeded_wrong(inspected.seen).filter(pl.col("annotator") != "")
        if wrong.is_empty():
            raise NotEnoughLabels(
                "No wrong answer was seeded.", mend="Seed some: `policy: {seeded: 0.01}` in project.yaml."
            )
        for (annotator,), rows in wrong.group_by(["annotator"], maintain_order=True):
            n, kept = len(rows), rows.filter("void")
            if n < parameters.minimum:
                continue
            share = len(kept) / n
            low, _ = wilson_interval(share, n)
            yield Observation(
                subject=str(annotator),
                value=share,
                threshold=parameters.tolerated,
                n=n,
                off=low > parameters.tolerated,
                p=at_least(len(kept), n, parameters.tolerated),
                evidence=tuple(kept["task"].unique(maintain_order=True).to_list()[:MAX_EVIDENCE]),
                message=f"{len(kept)} of {n} answers that were wrong on purpose were submitted as shown ({share:.0%}, "
                f"at least {low:.0%}; up to {parameters.tolerated:.0%} may slip by).",
            )
