"""Two answers to one task that cannot both be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.quality import Contradiction, Values
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._names import Names

_DECLARED = 'tiebreak quality: {"contradictions": [{"name": "glad and grave", "when": {"sentiment": ["positive"]}, ' + (
    '"never": {"severity": ["high"]}}]}'
)


class Facts(Parameters):
    minimum: int = Field(default=1, ge=1, description="least number of annotations")
    tolerated: float = Field(default=0.0, ge=0, lt=1, description="share of annotations that may contradict themselves")


@register("contradictions")
class Contradictions:
    """Annotations in which a contradiction of rules.yaml holds, answers to hidden questions included: they are in the
    export. Each one is a fact, so there is no p-value; a rating or number is meant by its digits."""

    dimension = "content"
    severity: Severity = "medium"
    why = "One of the two answers is wrong, whichever it is, and a model learns both."
    do = "Have the annotator answer these tasks again; if many people do it, the guideline or the form invites it."
    parameters = Facts

    @staticmethod
    def bad() -> Dataset:
        return _answered("high")

    @staticmethod
    def good() -> Dataset:
        return _answered("low")

    def __call__(self, inspected: Inspected, parameters: Facts) -> Iterator[Observation]:
        declared = inspected.quality.contradictions
        if not declared:
            raise NotEnoughLabels("No contradictions are declared.", mend="List them in rules.yaml (`contradictions`).")
        named = {control for one in declared for control in (*one.when, *one.never)}
        names = Names(inspected.evidence.config, named)
        seen, found = Counter[str](), dict[str, list[tuple[int, str]]]()
        for task, annotation in inspected.submitted:
            who = annotation.person
            seen[who] += 1
            given = names.of(annotation)
            if broken := next((one for one in declared if _holds(one, given)), None):
                found.setdefault(who, []).append((task.id, broken.name))
        for who, n in seen.items():
            if n < parameters.minimum:
                continue
            mine = found.get(who, [])
            severe = sorted(mine, key=lambda it: -inspected.evidence.severity_of(it[0]))
            listed = ", ".join(f"{name} ({times})" for name, times in Counter(name for _, name in mine).most_common(3))
            yield Observation(
                subject=who,
                value=len(mine) / n,
                threshold=parameters.tolerated,
                n=n,
                off=len(mine) / n > parameters.tolerated,
                evidence=tuple(task for task, _ in severe[:MAX_EVIDENCE]),
                message=f"{len(mine)} of {n} annotations contradict themselves{f': {listed}' if listed else ''}.",
            )


def _holds(one: Contradiction, given: Mapping[str, frozenset[str]]) -> bool:
    def any_of(control: str, labels: Values) -> bool:
        return not given.get(control, frozenset()).isdisjoint(map(_name, labels))

    return all(any_of(*it) for it in one.when.items()) and any(any_of(*it) for it in one.never.items())


def _name(label: str | int | float) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _answered(severity: str) -> Dataset:
    rows = (Given(task, "ana", {"sentiment": "positive", "severity": severity}) for task in range(1, 4))
    return example(rows, project={"description": _DECLARED})
