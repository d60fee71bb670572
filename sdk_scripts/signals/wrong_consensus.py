"""What several annotators' answers add up to is improbable."""

from __future__ import annotations

from itertools import combinations

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

LEAST = 0.1
"""Score from which on it is said: below, labels are as good as people expect them to be."""
MOST_ANSWERS = 20
"""Different answers to one task that are compared."""


@register("wrong_consensus")
class WrongConsensus:
    """The probability that the consensus of two annotators or more is wrong: 1 − its confidence. Where answers can be
    more or less apart (paths, stars, numbers, spans, boxes), times the distance of the two that are farthest apart.

    0: it is certain; 0.5 and more: annotators are tied, or those who gave the answer are often wrong. It knows more
    than the count of votes: how good each annotator is, which labels they confuse, how common each answer is, and what
    the texts of other tasks say about this one. Below 0.1 it says nothing.

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
        shown: dict[tuple[str, str], str] = {}
        apart = _apart(evidence)
        doubted = items.filter(pl.col("confidence") <= 1 - LEAST)
        for task, name, key, confidence, n, tied in doubted.iter_rows():
            score = (1 - confidence) * (apart[name].get(task, 0.0) if name in apart else 1.0)
            if score < LEAST:
                continue
            if (name, key) not in shown:
                shown[name, key] = wording.show_key(evidence.config[name], key)
            who = f"the {n} annotators are tied; " if tied else f"the answers of {n} annotators add up to "
            detail = f"{who}{shown[name, key]}, right with a probability of {confidence:.2f}"
            found.add(task, score, wording.about(evidence.config, name, detail), name)
        return found.strongest


def _apart(evidence: Evidence) -> dict[str, dict[int, float]]:
    """Control -> task -> the greatest distance of two answers, where they differ; of kinds whose answers have one."""
    found: dict[str, dict[int, float]] = {}
    for control in evidence.config.answerable:
        kind = kind_of(control)
        if kind is None or kind.scale == "nominal":
            continue
        by_task = evidence.judgements.filter(control=control.name).group_by("task")
        split = by_task.agg(pl.col("answer").unique().sort()).filter(pl.col("answer").list.len() > 1)
        found[control.name] = {}
        for task, keys in split.iter_rows():
            answers = [kind.from_key(key) for key in keys[:MOST_ANSWERS]]
            farthest = max(float(kind.distance(a, b)) for a, b in combinations(answers, 2))
            found[control.name][task] = min(1.0, farthest)
    return found
