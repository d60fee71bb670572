"""Somebody decides alone what others pass on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field
from scipy.stats import chi2

from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._against_others import beside_others, tails
from sdk_scripts.standards import names_of


class Escalations(Parameters):
    minimum: int = Field(default=8, ge=3, description="least number of tasks that somebody else escalated")
    labels: tuple[str, ...] = Field(
        default=("escalate", "escalated", "unsure", "uncertain", "cannot decide", "needs review"),
        min_length=1,
        description="labels that pass a task on, by alias, path or branch; case does not matter",
    )
    ratio: float = Field(default=0.4, gt=0, lt=1, description="of the others' rate; below it somebody avoids them")


@register("escalation_avoidance")
class EscalationAvoidance:
    """How often somebody escalates, against how often the others escalate the same tasks. Off where the upper bound of
    the number (95 %, Poisson: Garwood, Biometrika 28, 1936) is below `ratio` times what the others' rates add up to; p
    is exact (see `_against_others`). Tasks that a person alone escalated speak for that person, too."""

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
        escalated = pl.col("does") == 1
        cases = beside_others(
            table.join(picked, on=["control", "answer"], how="left", maintain_order="left").filter(
                pl.col("control").is_in([control for control, _ in passing])
            ),
            pl.col("escalated").fill_null(False),
        )
        for (annotator, control), rows in cases.group_by("annotator", "control", maintain_order=True):
            others = rows.filter(pl.col("theirs") > 0)
            hits, usual = int(rows["does"].sum()), float(rows["theirs"].sum())
            if len(others) < parameters.minimum:
                continue
            most = float(chi2.ppf(0.95, 2 * (hits + 1)) / 2)
            p, _ = tails(hits, rows.group_by("chance").len().iter_rows())
            decided = others.filter(~escalated).sort("severity", "theirs", "at", descending=True)["task"]
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=hits / usual,
                threshold=parameters.ratio,
                n=len(others),
                off=most / usual < parameters.ratio,
                p=p,
                evidence=tuple(decided.head(MAX_EVIDENCE).to_list()),
                message=f"{hits} tasks were escalated; the others would have escalated {usual:.0f} of the same tasks.",
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
