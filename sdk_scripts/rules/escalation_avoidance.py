"""Somebody decides alone what others pass on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_most
from sdk_scripts.standards import names_of


class Escalations(Parameters):
    minimum: int = Field(default=8, ge=3, description="least number of tasks that another person escalated")
    labels: tuple[str, ...] = Field(
        default=("escalate", "escalated", "unsure", "uncertain", "cannot decide", "needs review"),
        min_length=1,
        description="labels that pass a task on, by alias, path or branch; case does not matter",
    )
    ratio: float = Field(default=0.4, gt=0, lt=1, description="of the others' rate; below it somebody avoids them")


@register("escalation_avoidance")
class EscalationAvoidance:
    """Of the tasks that at least one other person escalated, the share that somebody escalated too, against how often
    the others do so of tasks that yet another one escalated. Off where the upper bound of the Wilson interval (95 %;
    JASA 22, 1927) is below `ratio` times their rate; p is the binomial probability of as few at their rate."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Cases that need an expert are decided by a guess, and nobody notices."
    do = "Go through these tasks together, and make sure that escalating costs nobody anything."
    parameters = Escalations

    @staticmethod
    def bad() -> Dataset:
        return _seen(lambda task, who: who != "ana")

    @staticmethod
    def good() -> Dataset:
        return _seen(lambda task, who: (task + len(who)) % 4 > 0 or who != "ana")

    def __call__(self, inspected: Inspected, parameters: Escalations) -> Iterator[Observation]:
        wanted = {label.casefold() for label in parameters.labels}
        kinds = {name: kind for name, control in inspected.controls.items() if (kind := kind_of(control))}
        table = inspected.judgements.filter(pl.col("control").is_in(list(kinds)))
        said = table.select("control", "answer").unique().iter_rows()
        passing = [
            (control, key)
            for control, key in said
            if any(it.casefold() in wanted for it in names_of(kinds[control].labels(kinds[control].from_key(key))))
        ]
        if not passing:
            raise NotEnoughLabels(
                "Nobody has given an answer that passes a task on.", mend="Name them in rules.yaml: `labels`."
            )
        picked = pl.DataFrame(passing, schema=["control", "answer"], orient="row").with_columns(escalated=pl.lit(True))
        item = ["control", "task"]
        escalated = pl.col("escalated")
        cases = (
            table.join(picked, on=["control", "answer"], how="left", maintain_order="left")
            .with_columns(escalated.fill_null(False))
            .filter(pl.col("control").is_in([control for control, _ in passing]))
            .filter(escalated.sum().over(item).cast(pl.Int64) - escalated.cast(pl.Int64) > 0)
        )
        counted = cases.group_by("annotator", "control", maintain_order=True).agg(n=pl.len(), hits=escalated.sum())
        totals = {row[0]: row[1:] for row in counted.group_by("control").agg(pl.sum("n"), pl.sum("hits")).iter_rows()}
        for annotator, control, n, hits in counted.iter_rows():
            all_n, all_hits = totals[control]
            if n < parameters.minimum or all_n - n < parameters.minimum:
                continue
            theirs = (all_hits - hits) / (all_n - n)
            threshold = parameters.ratio * theirs
            _, high = wilson_interval(hits / n, n)
            mine = (pl.col("annotator") == annotator) & (pl.col("control") == control) & ~escalated
            decided = cases.filter(mine).sort("severity", "at", descending=True)["task"].head(MAX_EVIDENCE)
            yield Observation(
                subject=annotator,
                control=control,
                value=hits / n,
                threshold=threshold,
                n=n,
                off=high < threshold,
                p=at_most(hits, n, theirs),
                evidence=tuple(decided.to_list()),
                message=f"{hits} of {n} tasks that others escalated were escalated ({hits / n:.0%}, at most "
                f"{high:.0%}); for the others it is {theirs:.0%}.",
            )


_CONFIG = """<View><Text name="text" value="$text"/><Choices name="verdict" toName="text">
<Choice value="Allow" alias="allow"/><Choice value="Reject" alias="reject"/><Choice value="Escalate" alias="escalate"/>
</Choices></View>"""


def _seen(escalates: Callable[[int, str], bool]) -> Dataset:
    return example(
        (
            Given(task, who, "escalate" if task % 2 and escalates(task, who) else "allow")
            for task in range(1, 81)
            for who in ("ana", "ben", "chi")
        ),
        config=_CONFIG,
    )
