"""The model, not having seen a task's labels, is sure of another answer than the people gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_backend.labeling.kinds import Answer, Kind, kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

if TYPE_CHECKING:
    from ml_backend.prelabelers import Opinion


@register("model_against_human")
class ModelAgainstHuman:
    """The distance between the model's answer and the annotators' consensus, times the margin (the probability the
    model gives its own answer less the one it gives theirs), over the number of annotators: one word against theirs.

    0: it agrees, or cannot tell the two apart; 1: it is certain of an answer that has nothing in common with the only
    annotator's. The opinion is out-of-fold, from a model that was not trained on this task. Tasks whose annotators are
    tied are left to `disagreement`: there is no answer to be against. The margin is that of Northcutt, Jiang and Chuang
    (Confident Learning, JAIR 70, 2021), cut at 0.

    Why care: it is either an annotator's slip, often the same slip many times, or something the model has not learned.
    Both are worth a look, and neither shows in agreement figures.
    """

    weight = 0.6

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        opinions = evidence.opinions
        found = Findings(evidence)
        columns = ["task", "answer", "tied", "judgements"]
        for control in evidence.config.answerable:
            kind = kind_of(control)
            agreed = evidence.consensus.items.filter(control=control.name).select(columns)
            for task, key, tied, n in agreed.iter_rows():
                opinion = opinions.get(control.name, {}).get(task)
                if kind is None or opinion is None or tied:
                    continue
                human = kind.from_key(key)
                score = _margin(opinion, kind, human) / max(n, 1)
                if score > 0:
                    people = wording.people_said(n, unanimous=(control.name, task) not in evidence.split)
                    says, said = wording.show(control, opinion.answer), wording.show(control, human)
                    detail = f"the model gives {opinion.confidence:.2f} to {says}, {people} {said}"
                    found.add(task, score, wording.about(evidence.config, control.name, detail), control.name)
        return found.strongest


def _margin(opinion: Opinion, kind: Kind, human: Answer) -> float:
    distance = min(1.0, max(0.0, float(kind.distance(opinion.answer, human))))
    labels = kind.labels(human)
    theirs = opinion.probabilities.get(labels[0], 0.0) if len(labels) == 1 else 0.0
    return distance * min(1.0, max(0.0, opinion.confidence - theirs))
