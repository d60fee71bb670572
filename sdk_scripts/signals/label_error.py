"""A label that neither the model nor the labelled texts nearest to the task bear out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MODEL = 3.0
"""Weight of the model's opinion, that of the neighbours being 1."""
LEAST = 1e-5
"""Added to both probabilities: less than that nobody knows."""


@register("label_error")
class LabelError:
    """How much likelier another label is than the one given: by the model's probabilities, out of fold, with a weight
    of 3, and by the shares of the nearest labelled texts, with a weight of 1, as the model has learned how far to trust
    them. In each, it is (√r − 1) / (√r + 1) of the ratio r of the two.

    0: they bear the label out, or speak neither for nor against it; 0.5: the other is nine times likelier; 1: both are
    certain that the label is another. Of several annotators' consensus it is so many times less: `wrong_consensus`
    weighs the model's word against theirs. It looks at answers of one label; annotators that are tied are left to
    `disagreement`. A ratio, because to an item that can be read two ways the given label is unlikely, too, but not as
    unlikely as a slip: measured on three sets with 5 and 10 % of the labels exchanged, it found as many among the first
    hundred as the normalised margin and the self-confidence of confident learning (Northcutt, Jiang & Chuang, JAIR 70,
    2021) where there are three classes, and more where there are forty (0.87 and 0.95 instead of 0.76 and 0.89).

    Why care: slips, misread guidelines and careless annotators leave labels that contradict those of all similar texts.
    They cost a model most, and where one person answers a task nothing else shows them.
    """

    weight = 0.6

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        opinions = evidence.opinions
        try:
            neighbourhoods = evidence.neighbourhoods
        except ModelUnavailable:  # opinions may come from elsewhere
            neighbourhoods = {}
        found = Findings(evidence)
        for control in evidence.config.answerable:
            name, kind = control.name, kind_of(control)
            around = neighbourhoods[name].labelled if name in neighbourhoods else {}
            agreed = evidence.consensus.items.filter(~pl.col("tied"), control=name)
            for task, key, n in agreed.select("task", "answer", "judgements").iter_rows():
                opinion = opinions.get(name, {}).get(task)
                labels = kind.labels(kind.from_key(key)) if kind and opinion else ()
                if opinion is None or len(labels) != 1:
                    continue
                rest = [(p, label) for label, p in opinion.probabilities.items() if label != labels[0]]
                p, other = max(rest, default=(0.0, ""))
                own = opinion.probabilities.get(labels[0], _hidden(opinion.probabilities))
                score, who = _against(p, own), "the model rather says"
                if near := around.get(task):
                    score = (MODEL * score + _against(near.other_share, near.own_share)) / (MODEL + 1)
                    who = "model and nearest labelled texts rather say"
                score /= max(n, 1)
                if score > 0 and other:
                    people = wording.people_said(n, unanimous=(name, task) not in evidence.split)
                    detail = f"{people} {wording.show_key(control, key)}, {who} {wording.short(other)}"
                    found.add(task, score, wording.about(evidence.config, name, detail), name)
        return found.strongest


def _against(other: float, own: float) -> float:
    """−1 to 1, from the likeliest other label's probability and the given one's."""
    root = math.sqrt((other + LEAST) / (own + LEAST))
    return (root - 1) / (root + 1)


def _hidden(shown: Mapping[str, float]) -> float:
    """What a label may have that is not among the likeliest, which are all that an opinion shows."""
    return min(min(shown.values(), default=0.0) / 2, max(0.0, 1 - sum(shown.values())))
