"""What several annotators' answers add up to is improbable."""

from __future__ import annotations

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

LEAST = 0.05
"""Probability of being wrong from which on it is said: below, labels are as good as people expect them to be."""


@register("wrong_consensus")
class WrongConsensus:
    """The probability that the consensus of two annotators or more is wrong: 1 − its confidence.

    0: it is certain; 0.5 and more: annotators are tied, or those who gave the answer are often wrong. It knows more
    than the count of votes: how good each annotator is, which labels they confuse, how common each answer is. Below
    0.05 it says nothing.

    Why care: two against one is no reason to believe the two where the one is the best annotator; and where poor
    annotators agree, nobody looks a second time.
    """

    weight = 0.95

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        items = evidence.consensus.items.filter(pl.col("judgements") > 1)
        if items.is_empty():
            raise NotEnoughLabels(
                "No task was answered by two annotators.", mend="Give some tasks an overlap of 2 or more."
            )
        found = Findings(evidence)
        doubted = items.filter(pl.col("confidence") < 1 - LEAST)
        shown: dict[tuple[str, str], str] = {}
        for task, name, key, confidence, n, tied in doubted.iter_rows():
            if (name, key) not in shown:
                shown[name, key] = wording.show_key(evidence.config[name], key)
            said = "are tied" if tied else f"add up to {shown[name, key]}"
            detail = f"the answers of {n} annotators {said}, which is right with a probability of {confidence:.2f}"
            if tied:
                detail = (
                    f"the {n} annotators are tied; {shown[name, key]} is right with a probability of {confidence:.2f}"
                )
            found.add(task, 1 - confidence, wording.about(evidence.config, name, detail), name)
        return found.strongest
