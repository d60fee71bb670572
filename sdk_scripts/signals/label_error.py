"""A label that neither the model nor the labelled texts nearest to the task bear out."""

from __future__ import annotations

import polars as pl

from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MODEL = 3.0
"""Weight of the model's opinion, that of the neighbours being 1."""


@register("label_error")
class LabelError:
    """How much likelier other labels are than the one given: by the model's probabilities, out of fold, with a weight
    of 3, and by the shares of the nearest labelled texts, with a weight of 1, as the model has learned how far to trust
    them. In each, it is the mean of two margins: of the likeliest other label, and of all others together.

    0: they bear the label out, or speak neither for nor against it; 1: both are certain that it is another than the one
    annotator gave. Of several annotators' consensus it is so many times less: `wrong_consensus` weighs the model's word
    against theirs. It looks at answers of one label; annotators that are tied are left to `disagreement`. The margins
    are the normalised margin and the self-confidence of confident learning (Northcutt, Jiang & Chuang, JAIR 70, 2021);
    the mean of both, measured on three sets with 5 and 10 % of the labels exchanged, was at or near the better of the
    two on each.

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
                score, who = _against(p, opinion.probabilities.get(labels[0], 0.0)), "the model rather says"
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
    return ((other - own) + (1 - 2 * own)) / 2
