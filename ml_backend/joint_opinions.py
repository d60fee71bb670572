"""What the local and the large model think of one control -> one opinion, by what was learned of both.

Controls that take one label of a listed set are pooled label by label; of all others the surer answer is final
(`labeling.evidence_pool`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml_backend.labeling.confidence import uncertainty
from ml_backend.labeling.config import Control
from ml_backend.labeling.evidence_pool import AnswerPool, LabelPool, pool_fields, read_pool
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.prelabelers import Doubt, Opinion, exclusive, options

FOLDS = 5
SHOWN = 20
"""Probabilities kept with an opinion, as local models keep them."""


@dataclass(frozen=True)
class Known:
    """A labelled text on which the large model has an opinion."""

    text: int
    """Its hash, 64 bits."""
    answer: Answer
    """The consensus."""
    local: Opinion | None
    """Of a model that has not seen the label."""
    large: Opinion
    """As it came, not calibrated."""


@dataclass(frozen=True)
class Joiner:
    """Of one control."""

    control: Control
    pool: LabelPool | AnswerPool
    tasks: int = 0
    """From which it was learned."""

    @classmethod
    def fit(cls, control: Control, known: Sequence[Known]) -> Joiner:
        """Without any, the priors."""
        labels = _labels(control)
        if not labels:
            return cls(control, _answer_pool(known), len(known))
        place = {answer: i for i, answer in enumerate(labels.values())}
        rows = [it for it in known if it.answer in place and it.large.answer in place]
        local = np.array([_row(labels, it.local) for it in rows]).reshape(-1, len(labels))
        raw = np.array([_row(labels, it.large) for it in rows]).reshape(-1, len(labels))
        right = np.array([place[it.answer] for it in rows], np.int64)
        return cls(control, LabelPool.fit(local, raw, right), len(rows))

    def alone(self, large: Opinion) -> Opinion:
        """What the large model said, recalibrated."""
        if isinstance(self.pool, AnswerPool):
            return _sure(large, self.pool.recalibrated(large.confidence))
        labels = _labels(self.control)
        return _opinion(labels, self.pool.recalibrated(_row(labels, large)[None])[0], large, None)

    def joint(self, local: Opinion | None, large: Opinion) -> Opinion:
        if local is None:
            return self.alone(large)
        if isinstance(self.pool, AnswerPool):
            return _surer(self.pool, local, large)
        labels = _labels(self.control)
        pooled = self.pool.pooled(_row(labels, local)[None], _row(labels, large)[None])[0]
        return _opinion(labels, pooled, local, local.doubt)

    def to_json(self) -> dict[str, Any]:
        return {"tasks": self.tasks, "pool": pool_fields(self.pool)}

    @classmethod
    def from_json(cls, control: Control, document: Mapping[str, Any]) -> Joiner:
        """Raises KeyError, TypeError or ValueError for what `to_json` does not give for such a control."""
        pool = read_pool(document["pool"])
        if isinstance(pool, LabelPool) != bool(_labels(control)):
            raise ValueError(f"the answers of {control.name!r} are of another kind now")
        return cls(control, pool, int(document["tasks"]))


def cross_fitted(control: Control, known: Sequence[Known]) -> list[Opinion]:
    """The joint opinion on each, by what the others in other folds tell; equal texts share a fold."""
    hashes = np.unique(np.array([it.text for it in known], np.uint64))
    fold = {text: place % FOLDS for place, text in enumerate(hashes.tolist())}
    joiners = [Joiner.fit(control, [it for it in known if fold[it.text] != i]) for i in range(FOLDS)]
    return [joiners[fold[it.text]].joint(it.local, it.large) for it in known]


def _answer_pool(known: Sequence[Known]) -> AnswerPool:
    return AnswerPool.fit(
        np.array([np.nan if it.local is None else it.local.confidence for it in known], np.float64),
        np.array([it.large.confidence for it in known], np.float64),
        np.array([it.local is not None and it.local.answer == it.large.answer for it in known], np.bool_),
        np.array([it.local is not None and it.local.answer == it.answer for it in known], np.bool_),
        np.array([it.large.answer == it.answer for it in known], np.bool_),
    )


def _surer(pool: AnswerPool, local: Opinion, large: Opinion) -> Opinion:
    if local.answer == large.answer:
        return _sure(local, pool.same(local.confidence, large.confidence))
    kept, confidence = pool.different(local.confidence, large.confidence)
    final = local if kept else replace(large, doubt=local.doubt)
    return _sure(final, confidence)


def _sure(opinion: Opinion, confidence: float) -> Opinion:
    """The same answer, that sure. Probabilities that said otherwise are left out."""
    unsure = 1 - confidence
    about = opinion.doubt
    doubt = Doubt(unsure, unsure, None, *((about.neighbour_disagreement, about.distance) if about else (None, None)))
    return replace(opinion, confidence=confidence, doubt=doubt)


def _labels(control: Control) -> Mapping[str, Answer]:
    """Name -> answer where exactly one of a listed set is right; else nothing."""
    kind = kind_of(control)
    if kind is not None and kind.name == "pairwise":
        return {"left": "left", "right": "right"}
    found = {option.name: option.answer for option in options(control)} if exclusive(control) else {}
    return found if len(found) > 1 else {}


def _row(labels: Mapping[str, Answer], opinion: Opinion | None) -> np.ndarray:
    """(k,): its probabilities, the answer's being its confidence; labels it does not show share what is left."""
    if opinion is None:
        return np.full(len(labels), np.nan)
    said = np.array([opinion.probabilities.get(name, np.nan) for name in labels], np.float64)
    place = next((i for i, answer in enumerate(labels.values()) if answer == opinion.answer), None)
    if place is not None:
        said[place] = np.nan
    confidence = min(max(opinion.confidence, 0.0), 1.0) if place is not None else 0.0
    others = np.arange(len(labels)) != (-1 if place is None else place)
    hidden = others & np.isnan(said)
    shown = np.where(np.isnan(said), 0.0, said)
    if hidden.any():
        shown[hidden] = max(0.0, 1 - confidence - shown.sum()) / hidden.sum()
    if (total := shown[others].sum()) > 0:
        shown[others] *= (1 - confidence) / total
    elif others.any():
        shown[others] = (1 - confidence) / others.sum()
    if place is not None:
        shown[place] = confidence
    return shown


def _opinion(
    labels: Mapping[str, Answer], probabilities: np.ndarray, preferred: Opinion, doubt: Doubt | None
) -> Opinion:
    """`preferred` has given the answer where two are equally likely."""
    answers, names = list(labels.values()), list(labels)
    best = int(probabilities.argmax())
    if preferred.answer in answers:
        own = answers.index(preferred.answer)
        best = own if probabilities[own] >= probabilities[best] - 1e-9 else best
    order = np.argsort(-probabilities, kind="stable")[:SHOWN].tolist()
    shown = {names[i]: float(probabilities[i]) for i in order}
    found = uncertainty(probabilities[None] / probabilities.sum())
    of_local = (doubt.neighbour_disagreement, doubt.distance) if doubt else (None, None)
    made = Doubt(float(found.least_confidence[0]), float(found.margin[0]), float(found.entropy[0]), *of_local)
    return Opinion(answers[best], float(min(1.0, probabilities[best])), shown, made)
