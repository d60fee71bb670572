"""Severe answers have no reason beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.answers import answers
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._names import Names

_STANDARD = {"description": 'tiebreak hard cases: {"severity": {"high": 5}}'}


class Reasons(Parameters):
    minimum: int = Field(default=5, ge=1, description="least number of severe annotations")
    control: str = Field(
        default="", description="the TextArea of the reason; the first that asks about the task if empty"
    )
    labels: tuple[str, ...] = Field(
        default=(), description="answers that need a reason; those of `severity_from` by the standard if empty"
    )
    severity_from: float = Field(
        default=3.0, gt=0, description="severity of `hard_cases` from which a reason is needed"
    )
    characters: int = Field(default=5, ge=1, description="a shorter text is no reason")
    tolerated: float = Field(default=0.1, ge=0, lt=1, description="share of severe annotations that may lack one")


@register("missing_rationale")
class MissingRationale:
    """Annotations with a severe answer whose reason is empty or shorter than `characters`, of those with one. Off where
    the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is tolerated. That it is missing is a
    fact, so there is no p-value."""

    dimension = "content"
    severity: Severity = "medium"
    why = "Nobody can check or learn from a severe decision that says nothing of its reason."
    do = "Ask for the reasons of these tasks, or make the field required in the label config."
    parameters = Reasons

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: "")

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: "It threatens the seller." if task > 1 else "")

    def __call__(self, inspected: Inspected, parameters: Reasons) -> Iterator[Observation]:
        evidence = inspected.evidence
        config, severities = evidence.config, evidence.standard.severity
        areas = [it.name for it in config.answerable if it.tag.lower() == "textarea"]
        reason = parameters.control or next(iter(areas), "")
        if reason not in config:
            raise NotEnoughLabels("The label config has no TextArea for a reason.", mend="Name one: `control`.")
        if not parameters.labels and not any(it >= parameters.severity_from for it in severities.values()):
            raise NotEnoughLabels(
                "Nothing says which answers are severe.",
                mend="Give `labels` in rules.yaml, or `severity` in the project's hard_cases.",
            )
        wanted = frozenset(
            parameters.labels or (label for label, it in severities.items() if it >= parameters.severity_from)
        )
        names = Names(config, [it.name for it in config.answerable if it.name != reason])
        found: dict[str, tuple[list[int], list[int]]] = {}
        for task, annotation in inspected.submitted:
            severe = [name for name, said in names.of(annotation).items() if not wanted.isdisjoint(said)]
            if severe and not answers(config, annotation.regions).keys().isdisjoint(severe):
                asked, missing = found.setdefault(annotation.person, ([], []))
                asked.append(task.id)
                if len(inspected.words_of(annotation, reason)) < parameters.characters:
                    missing.append(task.id)
        for who, (asked, missing) in found.items():
            n = len(asked)
            if n < parameters.minimum:
                continue
            low, _ = wilson_interval(len(missing) / n, n)
            worst = sorted(missing, key=lambda task: -evidence.severity_of(task))
            yield Observation(
                subject=who,
                value=len(missing) / n,
                threshold=parameters.tolerated,
                n=n,
                off=low > parameters.tolerated,
                evidence=tuple(worst[:MAX_EVIDENCE]),
                message=f"{len(missing)} of {n} severe answers have no {reason} ({len(missing) / n:.0%}).",
            )


def _answered(reason: Callable[[int], str]) -> Dataset:
    rows = []
    for task in range(1, 13):
        words = {"rationale": (said,)} if (said := reason(task)) else {}
        rows.append(Given(task, "ana", {"sentiment": "negative", "severity": "high", **words}))
    return example(rows, project=_STANDARD)
