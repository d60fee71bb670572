"""The same person answered the same item differently."""

from __future__ import annotations

from itertools import combinations, groupby
from operator import itemgetter

import polars as pl

from ml_backend.labeling.judgements import of_annotators
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("self_inconsistency")
class SelfInconsistency:
    """The mean distance between two answers of one person to the same item: the same task judged twice, or tasks with
    nearly the same text (`same_texts`) and the same images. The person least at one with themselves counts.

    0: they repeat themselves; 1: no two of their answers have anything in common. Texts that are only nearly the same
    count by how alike they are. Who changes an annotation has one answer, the last; only a second annotation is one
    more.

    Why care: between people, difference may be opinion; within one person it is a toss-up, or a slip. Either way the
    item lies on a border that the guidelines do not draw.
    """

    weight = 0.4

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        named = of_annotators(evidence.all_judgements).filter(pl.col("annotator") != "")
        rows = named.select("task", "control", "annotator", "answer", "annotation").join(
            evidence.same_items, on="task", how="left"
        )
        rows = rows.with_columns(pl.col("item").fill_null(-1 - pl.col("task")), pl.col("likeness").fill_null(1.0))
        by = ["control", "item", "annotator"]
        again = rows.filter(pl.len().over(by) > 1)
        found = Findings(evidence)
        split = again.filter(pl.col("answer").n_unique().over(by) > 1).sort(*by, "task", "annotation")
        columns = split.select(*by, "task", "answer", "likeness").iter_rows()
        for (name, *_), group in groupby(columns, key=itemgetter(0, 1, 2)):
            own = [row[3:] for row in group]
            control = evidence.config[name]
            kind = kind_of(control)
            if kind is None or kind.name == "text":
                continue
            keys = [key for _, key, _ in own]
            answers = [kind.from_key(key) for key in keys[:_MOST]]
            distances = [min(1.0, float(kind.distance(a, b))) for a, b in combinations(answers, 2)]
            tasks = sorted({task for task, *_ in own})
            likeness = 1.0 if len(tasks) == 1 else min(it for *_, it in own)
            said = " and ".join(wording.show_key(control, key) for key in list(dict.fromkeys(keys))[:2])
            where = "this task twice" if len(tasks) == 1 else f"{len(tasks)} tasks of nearly the same text"
            for task in tasks:
                other = next((f"; another is task {it}" for it in tasks if it != task), "")
                detail = wording.about(evidence.config, name, f"one person answered {where}: {said}{other}")
                found.add(task, likeness * sum(distances) / len(distances), detail, name)
        return found.strongest


_MOST = 50  # answers of one person to one item that are compared
