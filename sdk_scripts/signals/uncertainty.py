"""The model is unsure about a task that nobody, or only one person, has answered."""

from __future__ import annotations

from bisect import bisect_right

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from sdk_scripts import wording
from sdk_scripts.evidence import Opinions
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("uncertainty")
class Uncertainty:
    """1 − the model's confidence, times the share of the looked-at tasks it is at least as sure about.

    0: the model is sure, or surer than elsewhere; near 1: it has no idea, and less than nearly anywhere. The share
    keeps a model that is modest about everything (many labels, few examples) from making every task suspicious. Tasks
    without a judgement are looked at through the stored predictions of the live version; tasks with a single one
    through the opinion of a model that was not trained on it, so that the label cannot vouch for itself. Tasks that
    several people answered are left to the signals that read their answers.

    Why care: the label of such a task rests on one person or on none, and the machine cannot back it up.
    """

    weight = 0.6

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        missing: list[str] = []
        stored: Opinions = {}
        held_out: Opinions = {}
        try:
            stored = evidence.stored
        except ModelUnavailable as error:
            missing.append(str(error))
        try:
            held_out = evidence.opinions
        except (NotEnoughLabels, ModelUnavailable) as error:
            missing.append(str(error))
        if not stored and not held_out:
            raise ModelUnavailable(" ".join(missing) or "The model has no opinion on any task.")

        found = Findings(evidence)
        for control in evidence.config.answerable:
            by_task = {}
            for task in evidence.tasks:
                n = evidence.annotators_of.get((control.name, task), 0)
                opinion = stored.get(control.name, {}).get(task)
                if n == 1:
                    opinion = held_out.get(control.name, {}).get(task, opinion)
                if n < 2 and opinion is not None:
                    by_task[task] = (n, opinion)
            ranked = sorted(1 - opinion.confidence for _, opinion in by_task.values())
            for task, (n, opinion) in by_task.items():
                unsure = min(1.0, max(0.0, 1 - opinion.confidence))
                if unsure == 0:
                    continue
                score = unsure * bisect_right(ranked, 1 - opinion.confidence) / len(ranked)
                who = "one annotator has" if n == 1 else "nobody has"
                answer = wording.show(control, opinion.answer)
                detail = f"the model gives {opinion.confidence:.2f} to {answer} and {who} answered"
                found.add(task, score, wording.about(evidence.config, control.name, detail), control.name)
        return found.strongest
