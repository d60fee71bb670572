"""The machine's answers are kept where everything else speaks against them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least


class Following(Parameters):
    minimum: int = Field(default=12, ge=5, description="least number of contradicted answers of the machine shown")
    margin: float = Field(
        default=0.15, ge=0, lt=1, description="share of them that may be kept beyond what the others keep of theirs"
    )


@register("machine_following")
class MachineFollowing:
    """Of the answers shown (plain tasks, not the seeded ones) that a decision, else most of the others, contradict: the
    share that was kept, against what everybody else keeps of theirs, of judgements alike (`Inspected.known`). So nobody
    is blamed for agreeing with a good machine. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927)
    is above that and the margin; p is the binomial probability of as many at the others' share."""

    dimension = "human-ai"
    severity: Severity = "medium"
    why = "The machine's mistakes pass as people's labels, and the next model learns them."
    do = "Show these items, and have this person label without predictions for a while."
    parameters = Following

    @staticmethod
    def bad() -> Dataset:
        return _shown(lambda task: True)

    @staticmethod
    def good() -> Dataset:
        return _shown(lambda task: task % 20 == 0)

    def __call__(self, inspected: Inspected, parameters: Following) -> Iterator[Observation]:
        told = inspected.known.filter(
            (pl.col("arm") == "plain") & (pl.col("shown") != pl.col("known")) & (pl.col("annotator") != "")
        ).with_columns(kept=(pl.col("answer") == pl.col("shown")).cast(pl.Int64))
        if told.is_empty():
            raise NotEnoughLabels(
                "Nothing contradicts what the machine showed, or it showed nothing.",
                mend="Let two people label some of the tasks that show a prediction.",
            )
        alike = ["control", "stratum"]
        own = [*alike, "annotator"]
        table = told.with_columns(
            rest=pl.len().over(alike).cast(pl.Int64) - pl.len().over(own).cast(pl.Int64),
            rest_kept=pl.col("kept").sum().over(alike) - pl.col("kept").sum().over(own),
        ).filter(pl.col("rest") > 0)
        table = table.with_columns(usual=pl.col("rest_kept") / pl.col("rest"))
        for (annotator, control), rows in table.group_by("annotator", "control", maintain_order=True):
            n, kept, usual = len(rows), int(rows["kept"].sum()), float(rows.select(pl.mean("usual")).item())
            if n < parameters.minimum:
                continue
            low, _ = wilson_interval(kept / n, n)
            tasks = rows.filter(kept=1).sort("severity", "task", descending=[True, False])["task"]
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=kept / n,
                threshold=usual + parameters.margin,
                n=n,
                off=low > usual + parameters.margin,
                p=at_least(kept, n, usual),
                evidence=tuple(tasks.head(MAX_EVIDENCE).to_list()),
                message=f"{kept} of {n} answers of the machine were kept that decisions or the others contradict "
                f"({kept / n:.0%}; everybody else keeps {usual:.0%}).",
            )


def _shown(ana_keeps: Callable[[int], bool]) -> Dataset:
    slips = {"ben": 0, "chi": 3, "dan": 6}

    def answer(task: int, who: str) -> str:
        kept = ana_keeps(task) if who == "ana" else task % 15 == slips[who]
        return "negative" if task % 3 == 0 and kept else "positive"

    return example(
        Given(task, who, answer(task, who), shown="negative" if task % 3 == 0 else "positive")
        for task in range(1, 121)
        for who in ("ana", *slips)
    )
