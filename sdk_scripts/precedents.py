"""Precedents of a hard case: the tasks nearest in meaning whose annotators did agree."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.results import text_of
from sdk_scripts.evidence import Evidence

MOST = 3
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Precedent:
    task: int
    answer: str
    """The consensus, as the kind's key."""
    confidence: float
    """Of the consensus, 0–1."""
    judgements: int
    similarity: float
    """Cosine of the two texts' vectors; comparable within one encoder only."""
    text: str


def precedents(
    evidence: Evidence, control: str, tasks: Collection[int], hard: Collection[int], most: int = MOST
) -> dict[int, list[Precedent]]:
    """For each of `tasks` the nearest others whose consensus on `control` is no tie, nearest first (equally near: by
    id). `hard` cases are no precedents for each other. Empty where there is no text, no consensus or no encoder.
    """
    fields = evidence.config.text_fields(evidence.config[control])
    texts = {task.id: text for task in evidence.tasks.values() if (text := text_of(task.data, fields))}
    agreed = {
        task: (answer, confidence, n)
        for task, answer, confidence, n in evidence.consensus.items.filter(~pl.col("tied"), control=control)
        .select("task", "answer", "confidence", "judgements")
        .iter_rows()
        if task in texts and task not in hard and (n == 1 or confidence > 0.5)
    }
    asked = sorted(task for task in tasks if task in texts)
    known = sorted(agreed)
    if not asked or not known:
        return {}
    try:
        encoder = evidence.encoder
    except ModelUnavailable:
        return {}
    near = encoder.encode([texts[task] for task in asked])
    far = encoder.encode([texts[task] for task in known])
    found: dict[int, list[Precedent]] = {}
    for start in range(0, len(asked), _ROWS_AT_ONCE):
        similarities = near[start : start + _ROWS_AT_ONCE] @ far.T
        for task, row in zip(asked[start:], similarities, strict=False):
            order = np.argsort(-row, kind="stable")[:most]
            found[task] = [
                Precedent(known[i], *agreed[known[i]], similarity=float(row[i]), text=texts[known[i]]) for i in order
            ]
    return found
