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
        escalates = {control: [key for name, key in passing if name == control] for control, _ in passing}
        for control, keys in escalates.items():
            cases = beside_others(table.filter(control=control), pl.col("answer").is_in(keys))
            for (annotator,), rows in cases.group_by(["annotator"], maintain_order=True):
                if (it := _observed(str(annotator), control, rows, parameters)) is not None:
                    yield it


def _observed(annotator: str, control: str, rows: pl.DataFrame, parameters: Escalations) -> Observation | None:
    others = rows.filter(pl.col("theirs") > 0)
    hits, usual = int(rows["does"].sum()), float(rows["theirs"].sum())
    if len(others) < parameters.minimum:
        return None
    most = float(chi2.ppf(0.95, 2 * (hits + 1)) / 2)
    p, _ = tails(hits, rows.group_by("chance").len().iter_rows())
    decided = others.filter(does=0).sort("severity", "theirs", "at", descending=True)["task"]
    return Observation(
        subject=annotator,
        control=control,
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
