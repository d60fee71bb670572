"""Somebody labels without a certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register

HELD = "tiebreak_certificates"
"""Key of a project without a Label Studio, an example's say: annotator -> {control: state}."""
_REQUIRED = 'tiebreak quality: {"onboarding": {"controls": ["sentiment"], "required": true}}'


class Least(Parameters):
    minimum: int = Field(default=1, ge=1, description="least number of labels of one control")


@register("uncertified")
class Uncertified:
    """Labels of a control by people who hold no certificate for it (`tiebreak onboard`), where `onboarding.required`
    is set. It is a fact, no test. A certificate of older guidelines is none."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Nobody knows yet whether these labels follow the guidelines."
    do = "Have the person take the course (`tiebreak onboard start`), and have their labels looked at until then."
    parameters = Least

    @staticmethod
    def bad() -> Dataset:
        return _example(ana="stale")

    @staticmethod
    def good() -> Dataset:
        return _example(ana="certified")

    def __call__(self, inspected: Inspected, parameters: Least) -> Iterator[Observation]:
        if not inspected.quality.onboarding.required:
            return
        states, controls = _held(inspected)
        labels = inspected.judgements.filter(pl.col("control").is_in(controls))
        for (annotator, control), rows in labels.group_by("annotator", "control", maintain_order=True):
            state = states.get(str(annotator).lower(), {}).get(str(control), "")
            if len(rows) < parameters.minimum:
                continue
            newest = rows.sort("at", descending=True, nulls_last=True)["task"].to_list()
            off = state != "certified"
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=float(len(rows)) if off else 0.0,
                threshold=0.0,
                n=len(rows),
                off=off,
                evidence=tuple(newest[:MAX_EVIDENCE]),
                message=f"{len(rows)} labels of {control} by somebody whose certificate is {state or 'missing'}.",
                about="process",
            )


def _held(inspected: Inspected) -> tuple[Mapping[str, Mapping[str, str]], list[str]]:
    """Annotator (lower case) -> control -> state, and the controls that need a certificate. Raises NotEnoughLabels for
    a file, which has no courses."""
    from sdk_scripts.onboarding.certificates import certified
    from sdk_scripts.onboarding.status import needed

    dataset, onboarding = inspected.evidence.dataset, inspected.quality.onboarding
    if dataset.project is None:
        raise NotEnoughLabels("A file has no courses.", mend="Give the project's id instead.")
    if dataset.studio is None:
        return dataset.project.get(HELD, {}), list(onboarding.controls)
    held = certified(dataset.studio, dataset.project, onboarding)
    states = {who: {name: it.state for name, it in found.items()} for who, found in held.items()}
    return states, needed(onboarding, dataset.config, held)


def _example(**states: str) -> Dataset:
    held = {who: {"sentiment": state} for who, state in states.items()}
    rows = [Given(task, who, "positive") for who in states for task in range(1, 6)]
    return example(rows, project={"description": _REQUIRED, HELD: held})
