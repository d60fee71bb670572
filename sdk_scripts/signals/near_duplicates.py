"""The same item, or nearly, was answered differently in another task."""

from __future__ import annotations

from collections import Counter

import polars as pl

from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


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
        answered = evidence.consensus.items.select("task", "control", "answer").join(items, on="task")
        split = answered.filter(pl.col("answer").n_unique().over("control", "item") > 1)
        for (name, _), rows in sorted(split.partition_by("control", "item", as_dict=True).items()):
            control = evidence.config[str(name)]
            kind = kind_of(control)
            if kind is None or kind.name == "text":
                continue
            counts = Counter(rows["answer"].to_list())
            known = {key: kind.from_key(key) for key in counts}
            apart = {
                key: sum(n * min(1.0, float(kind.distance(known[key], known[it]))) for it, n in counts.items())
                / (len(rows) - 1)
                for key in counts
            }
            same = "the same" if rows["likeness"].min() == 1 else "nearly the same"
            tasks = rows["task"].sort().to_list()
            votes = wording.votes(control, counts)
            for task, key, likeness in rows.select("task", "answer", "likeness").iter_rows():
                other = next(it for it in tasks if it != task)
                detail = f"{len(rows)} tasks have {same} text, {votes}; another is task {other}"
                found.add(
                    task, apart[key] * likeness, wording.about(evidence.config, control.name, detail), control.name
                )
        return found.strongest
