"""A label that neither the model nor the labelled texts nearest to the task bear out."""

from __future__ import annotations

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("label_error")
class LabelError:
    """The mean of two margins by which another label is likelier than the one given: by the model's probabilities, out
    of fold, and by the shares of the nearest labelled texts. The model counts twice: on some data the neighbours know
    little, and the model has learned how much to listen to them.

    0: one of them bears the label out as far as the other speaks against it; 1: both are certain of another. It looks
    at answers of one label; annotators that are tied are left to `disagreement`. The margins are those of confident
    learning (Northcutt, Jiang & Chuang, JAIR 70, 2021).

    Why care: slips, misread guidelines and careless annotators leave labels that contradict those of all similar texts.
    They cost a model most, and where one person answers a task nothing else shows them.
    """

    weight = 0.8

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        opinions = evidence.opinions
        found = Findings(evidence)
        for name, around in evidence.neighbourhoods.items():
            control = evidence.config[name]
            kind = kind_of(control)
            agreed = evidence.consensus.items.filter(~pl.col("tied"), control=name)
            for task, key, n in agreed.select("task", "answer", "judgements").iter_rows():
                opinion, near = opinions.get(name, {}).get(task), around.labelled.get(task)
                if kind is None or opinion is None or near is None:
                    continue
                labels = kind.labels(kind.from_key(key))
                if len(labels) != 1 or (own := opinion.probabilities.get(labels[0])) is None:
                    own = 0.0 if len(labels) == 1 else 1.0
                other, p = max(
                    ((label, p) for label, p in opinion.probabilities.items() if label not in labels),
                    key=lambda item: (item[1], item[0]),
                    default=("", 0.0),
                )
                score = (2 * (p - own) + near.against) / 3
                if score > 0:
                    people = wording.people_said(n, unanimous=(name, task) not in evidence.split)
                    said = wording.show_key(control, key)
                    detail = f"{people} {said}, model and nearest labelled texts rather say {wording.short(other)}"
                    found.add(task, score, wording.about(evidence.config, name, detail), name)
        if not found.strongest and not evidence.neighbourhoods:
            raise NotEnoughLabels("There are too few labelled texts to compare with.", mend="Label some more tasks.")
        return found.strongest
