"""Which labelled tasks deserve one more label, rather than an unlabelled task its first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.consensus import Consensus, consensus
from ml_backend.labeling.judgements import judgements, latest
from ml_backend.labeling.second_labels import worth_of_second_label
from ml_backend.prelabelers import options
from sdk_scripts.next_batch import Pick, SecondLabel, labeling_of

if TYPE_CHECKING:
    from sdk_scripts.prelabel import Run

RELIABILITY = 0.8
"""Probability that the next annotator is right, where fewer than MEASURED judgements tell."""
MEASURED = 30


def second_labels(run: Run, picks: Sequence[Pick], most: int) -> tuple[SecondLabel, ...]:
    """Up to `most` tasks that the queue has done with: those that belong to the `len(picks)` worthiest labels, where
    the others are first labels of the picks.

    None gets more annotations than the project's own maximum, or the manifest's `most_annotations`.
    """
    highest = labeling_of(run.project).most_annotations or int(run.project["maximum_annotations"])
    if most < 1 or highest < 2 or not picks:
        return ()
    stored = {task["id"]: task for task in run.studio.annotated(run.id)}
    table = latest(judgements(run.studio.read(stored.values()), run.config))
    found = consensus(table, run.config)
    doubted: dict[int, dict[str, Any]] = {}
    for row in found.items.drop_nans("confidence").drop_nulls("confidence").iter_rows(named=True):
        task = stored[row["task"]]
        if task["is_labeled"] and max(row["judgements"], task["overlap"]) < highest:
            known = doubted.get(row["task"])
            if known is None or row["confidence"] < known["confidence"]:
                doubted[row["task"]] = row
    rows = list(doubted.values())
    if not rows:
        return ()
    worth = worth_of_second_label(
        [row["confidence"] for row in rows],
        [pick.confidence for pick in picks],
        reliability=reliability(found),
        answers=max(2, min(sum(option.leaf for option in options(it)) or 2 for it in run.config.answerable)),
    )
    best = [int(place) for place in worth.order[: len(picks)] if place < len(rows)][:most]
    return tuple(_second(rows[place], stored, float(worth.second[place])) for place in best)


def _second(row: dict[str, Any], stored: dict[int, dict[str, Any]], worth: float) -> SecondLabel:
    overlap = max(row["judgements"], stored[row["task"]]["overlap"]) + 1
    why = (
        f"{row['control']}: an answer that is right with probability {row['confidence']:.2f}, after {row['judgements']}"
    )
    return SecondLabel(row["task"], overlap, worth, why)


def reliability(found: Consensus) -> float:
    """Probability that the next annotator is right, as measured, or as believed where too little is known."""
    known = found.annotators.drop_nans("quality")
    judged = int(known["judgements"].sum())
    if judged < MEASURED:
        return RELIABILITY
    return min(1.0, max(0.0, float((known["quality"] * known["judgements"]).sum()) / judged))
