"""The same item, or nearly, was answered differently in another task."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter

import polars as pl

from ml_backend.labeling.kinds import Kind, kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MOST_ANSWERS = 50
"""Different answers to the same text that each is compared with."""


@register("near_duplicates")
class NearDuplicates:
    """The mean distance between the task's consensus and those of the tasks with the same text, or nearly the same
    (`same_texts`), and the same images; times how alike the texts are.

    0: all are answered alike, or there is no other; 1: all the others, with the very same text, got an answer that has
    nothing in common with this one. The one answer that differs from many is so suspected more than each of the many.

    Why care: at most one of two answers to the same thing is right. A model that learns both learns neither, and a
    split that puts them on both sides flatters it.
    """

    weight = 0.5

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        items = evidence.same_items.filter(pl.len().over("item") > 1)
        found = Findings(evidence)
        answered = evidence.consensus.items.select("control", "task", "answer").join(items, on="task")
        split = answered.filter(pl.col("answer").n_unique().over("control", "item") > 1)
        rows = split.select("control", "item", "task", "answer", "likeness").sort("control", "item", "task").iter_rows()
        for (name, _), group in groupby(rows, key=itemgetter(0, 1)):
            control = evidence.config[name]
            kind = kind_of(control)
            tasks = [row[2:] for row in group]
            if kind is None or kind.name == "text":
                continue
            counts = Counter(key for _, key, _ in tasks)
            apart = _apart(kind, counts)
            same = "the same" if min(likeness for *_, likeness in tasks) == 1 else "nearly the same"
            said = f"{len(tasks)} tasks have {same} text, {wording.votes(control, counts)}; another is task "
            for task, key, likeness in tasks:
                other = tasks[0][0] if tasks[0][0] != task else tasks[1][0]
                detail = wording.about(evidence.config, name, f"{said}{other}")
                found.add(task, apart[key] * likeness, detail, name)
        return found.strongest


def _apart(kind: Kind, counts: Counter[str]) -> dict[str, float]:
    """By answer (key): its mean distance to the other tasks' answers, the commonest of them where there are many."""
    known = {key: kind.from_key(key) for key in counts}
    others = counts.most_common(MOST_ANSWERS)
    apart = {}
    for key, answer in known.items():
        total = sum(n for _, n in others) - any(it == key for it, _ in others)
        distances = (n * min(1.0, float(kind.distance(answer, known[it]))) for it, n in others if it != key)
        apart[key] = sum(distances) / max(total, 1)
    return apart
