"""People opened the task and left it without an answer."""

from __future__ import annotations

from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("skips")
class Skips:
    """The share of people who skipped the task and did not answer it after all, with one more who might not have:
    skipped / (skipped + answered + 1).

    0: nobody skipped it; 0.5: the only one who saw it did; it nears 1 the more people skip it and nobody answers.

    Why care: a skip is the one way to say "I cannot decide this". Who answers where others would not is often guessing.
    """

    weight = 0.6

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        for task in evidence.tasks.values():
            cancelled = [it for it in task.annotations if it.cancelled]
            if not cancelled:
                continue
            people = [it for it in task.annotations if not (it.cancelled or it.decided or it.automatic)]
            answered = {it.person or f"#{it.id}" for it in people}
            skipped = {it.annotator or f"#{it.id}" for it in cancelled} - answered
            if skipped:
                total = len(skipped) + len(answered)
                detail = wording.of_people(len(skipped), total, "skipped it")
                found.add_item(task.id, len(skipped) / (total + 1), detail)
        return found.strongest
