"""Annotators said that something is wrong with the task."""

from __future__ import annotations

from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Annotation
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MAX_SAID = 100
"""Characters of what somebody said."""


@register("feedback")
class Feedback:
    """How many people filled in a control marked `tiebreak="feedback"`, or wrote into it: n / (n + 1).

    0: nobody; 0.5: one person; it nears 1 with each further one. Who says nothing does not count against it: nobody is
    asked to say something. Feedback of people who skipped the task counts, too.

    Why care: the front line sees gaps in the guidelines first. Whoever takes the trouble to say so has a reason, and
    stops saying so where nothing follows.
    """

    weight = 0.6

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        if not any(control.feedback for control in evidence.config.controls):
            return found.strongest
        for task in evidence.tasks.values():
            by_person: dict[str, str] = {}
            for annotation in sorted(task.annotations, key=lambda it: it.id):
                if not annotation.decided and (said := _said(evidence, annotation)):
                    by_person.setdefault(annotation.annotator or f"#{annotation.id}", said)
            if by_person:
                n = len(by_person)
                who = "an annotator says" if n == 1 else f"{n} annotators say"
                words = "; ".join(sorted(set(by_person.values())))
                found.add_item(task.id, n / (n + 1), f"{who}: {wording.quoted(words, MAX_SAID)}")
        return found.strongest


def _said(evidence: Evidence, annotation: Annotation) -> str:
    words = []
    for control in evidence.config.controls:
        regions = [it for it in annotation.regions if it.get("from_name") == control.name] if control.feedback else []
        kind = kind_of(control)
        if regions and kind and (answer := kind.read(control, regions)) is not None:
            words.append(kind.show(answer))
    return ", ".join(word for word in words if word)
