"""Precedents of a hard case: settled cases like it, then the tasks nearest in meaning whose annotators did agree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.task_data import text_of
from sdk_scripts.evidence import Evidence

MOST = 3
NEAR = 10
"""A settled case is near enough to come first where fewer agreed tasks than that are nearer.

Of 1,500 hard tweets among 17,482 agreed ones, 55 % have the answer of the nearest of 300 settled ones where it is that
near, 64 % that of the nearest agreed one; the gap grows with the rank, to 15 points from rank 30 on. So rank is kept
low, and one agreed task is always shown: a case is worth its rationale more than its answer.
"""
_CELLS_AT_ONCE = 16_000_000
"""Similarities held at a time (64 MB)."""


@dataclass(frozen=True, slots=True)
class Precedent:
    task: int
    """The source's; the library's for a case that people put there by hand."""
    answer: str
    """The consensus, or what was settled, as the kind's key."""
    confidence: float
    """Of the consensus, 0–1."""
    judgements: int
    similarity: float
    """Cosine of the two texts' vectors; comparable within one encoder only."""
    text: str
    case: int | None = None
    """Its task in the case library, with `link` the address; None for an agreed task."""
    rationale: str = ""
    clause: str = ""
    link: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a case was settled so, in the words of those who did."""
        return tuple(filter(None, (self.clause, self.rationale)))


def precedents(
    evidence: Evidence, control: str, tasks: Collection[int], hard: Collection[int], most: int = MOST
) -> dict[int, list[Precedent]]:
    """For each of `tasks` at most `most` precedents: settled cases that are near enough, nearest first, then at least
    one of the nearest others whose consensus on `control` is no tie, nearest first (equally near: by id).

    How near is near enough is a matter of rank (NEAR), as cosines of one encoder mean nothing to another. `hard` cases
    are no precedents for each other, and none for itself. Empty where there is no text, no consensus or no encoder.
    """
    fields = evidence.config.text_fields(evidence.config[control])
    texts = {task.id: text for task in evidence.tasks.values() if (text := text_of(task.data, fields))}
    settled = _settled(evidence, control, fields)
    left_out = {*hard, *(case.task for case in settled)}
    agreed = [
        Precedent(task, answer, confidence, n, 0.0, texts[task])
        for task, answer, confidence, n in evidence.consensus.items.filter(~pl.col("tied"), control=control)
        .select("task", "answer", "confidence", "judgements")
        .sort("task")
        .iter_rows()
        if task in texts and task not in left_out and (n == 1 or confidence > 0.5)
    ]
    asked = sorted(task for task in tasks if task in texts)
    if not asked or not (agreed or settled):
        return {}
    try:
        encode = evidence.encoder.encode
    except ModelUnavailable:
        return {}
    own = np.array([case.task for case in settled], dtype=np.int64)
    near = encode([texts[task] for task in asked])
    far = encode([it.text for it in (*settled, *agreed)]).T
    found: dict[int, list[Precedent]] = {}
    places = min(most, max(1, most - 1)) if agreed else most
    step = max(1, _CELLS_AT_ONCE // far.shape[1])
    for start in range(0, len(asked), step):
        for task, row in zip(asked[start:], near[start : start + step] @ far, strict=False):
            cases, others = row[: len(settled)], row[len(settled) :]
            close = np.flatnonzero((cases >= _least(others, NEAR)) & (own != task))
            first = [_at(settled[i], cases[i]) for i in close[_top(cases[close], places)]]
            rest = [_at(agreed[i], others[i]) for i in _top(others, most - len(first))]
            found[task] = [*first, *rest]
    return found


def _settled(evidence: Evidence, control: str, fields: Sequence[str]) -> list[Precedent]:
    """The library's, in order of its tasks; without text there is nothing to be near to."""
    kind, studio = kind_of(evidence.config[control]), evidence.dataset.studio
    return [
        Precedent(
            task=case.task if case.source_task is None else case.source_task,
            answer=kind.key(case.answer),
            confidence=1.0,
            judgements=0,
            similarity=0.0,
            text=text,
            case=case.task,
            rationale=case.rationale,
            clause=case.clause,
            link=f"{studio.data_manager(case.project)}?task={case.task}" if studio else "",
        )
        for case in evidence.cases
        if kind and case.control == control and (text := text_of(case.data, fields))
    ]


def _least(similarities: np.ndarray, rank: int) -> float:
    """The similarity of that rank, the nearest being 1; −∞ where there are fewer."""
    return float(np.partition(similarities, -rank)[-rank]) if len(similarities) >= rank else -np.inf


def _top(similarities: np.ndarray, most: int) -> np.ndarray:
    """Positions of the nearest, nearest first, equally near in order."""
    if most <= 0:
        return np.empty(0, np.int64)
    within = np.flatnonzero(similarities >= _least(similarities, most))
    return within[np.argsort(-similarities[within], kind="stable")[:most]]


def _at(precedent: Precedent, similarity: float) -> Precedent:
    return replace(precedent, similarity=float(similarity))
