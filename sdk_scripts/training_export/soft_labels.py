"""Soft labels: how probable each training label is, from how probable each annotation label is.

Of labels that exclude each other the probabilities of those that are merged add up, those of dropped ones are left out
and the rest is made to sum to 1 again. Merging may settle a tie, or make another label the most probable: then that is
the label. Of labels that may go together, one of the merged applies with 1 − Π(1 − p), as if they were independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ml_backend.labeling.kinds import Answer, kind_of
from sdk_scripts.training_export.mapping import ControlMapping, labels_of

if TYPE_CHECKING:
    from ml_backend.labeling.config import Control
    from ml_backend.labeling.label_probabilities import LabelProbabilities
    from sdk_scripts.evidence import Evidence

DIGITS = 6
"""Of probabilities, so that machines that add in another order write the same."""
_EQUAL = 1e-9


@dataclass(frozen=True)
class Settled:
    """What a pair's label is."""

    key: str
    """Of the answer, in annotation labels."""
    answer: Answer
    labels: tuple[str, ...]
    """In training labels; empty where all are dropped, and for free answers."""
    confidence: float
    tied: bool = False
    soft: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Soft:
    """Of one control; says nothing where votes are not counted."""

    counted: bool
    multiple: bool
    names: tuple[str, ...] = ()
    """Training labels; of those that exclude each other the last column of `values` is what is dropped."""
    values: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    row: Mapping[int, int] = field(default_factory=dict)
    """Task -> row of `values`."""

    def known(self, settled: Settled) -> Settled:
        """Where a review decided."""
        return replace(settled, soft=dict.fromkeys(settled.labels, 1.0)) if self.counted else settled

    def settle(self, task: int, settled: Settled, given: Iterable[tuple[str, ...]]) -> Settled:
        """With soft labels; and, of labels that exclude each other, with the most probable of those in `given`, the
        training labels of each judgement (empty: dropped)."""
        if task not in self.row:
            return settled
        values = self.values[self.row[task]]
        if self.multiple:
            return replace(settled, soft=_shown(self.names, values))
        place: dict[tuple[str, ...], int] = {(name,): column for column, name in enumerate(self.names)} | {
            (): len(self.names)
        }
        asked = {place[labels] for labels in given} | {place[settled.labels]}
        most = max(values[it] for it in asked)
        best = [it for it in sorted(asked) if values[it] >= most - _EQUAL]
        chosen = place[settled.labels] if place[settled.labels] in best else best[0]
        kept = values[:-1].sum()
        return replace(
            settled,
            labels=next(labels for labels, column in place.items() if column == chosen),
            confidence=float(np.clip(values[chosen], 0, 0.5 if len(best) > 1 else 1)),
            tied=len(best) > 1,
            soft=_shown(self.names, values[:-1] / kept) if kept > _EQUAL else {},
        )


def soft_labels(evidence: Evidence, control: Control, mapping: ControlMapping) -> Soft:
    """Raises Unmapped."""
    kind = kind_of(control)
    if kind is None or kind.scale != "nominal":
        return Soft(False, False)
    found: LabelProbabilities | None = evidence.consensus.probabilities.get(control.name)
    if found is None:
        return Soft(True, control.multiple)
    unseen = [] if control.multiple else [it for it in labels_of(control, mapping.own) if it not in found.labels]
    targets = [mapping.training(label) for label in (*found.labels, *unseen)]
    names = tuple(dict.fromkeys(name for name in targets if name is not None))
    column = {name: place for place, name in enumerate(names)}
    row = {int(task): place for place, task in enumerate(found.tasks)}
    n = len(found.tasks)
    values = found.values
    if unseen:  # where all are of one opinion, what it may be instead has a share, too
        rest = np.clip(1 - values.sum(axis=1, keepdims=True), 0, 1) / len(unseen)
        values = np.hstack([values, np.repeat(rest, len(unseen), axis=1)])
    if control.multiple:
        against = np.ones((n, len(names)))
        for name, of_label in zip(targets, values.T, strict=True):
            if name is not None:
                against[:, column[name]] *= 1 - np.clip(of_label, 0, 1)
        return Soft(True, True, names, 1 - against, row)
    total = np.zeros((n, len(names) + 1))
    for name, of_label in zip(targets, values.T, strict=True):
        total[:, len(names) if name is None else column[name]] += of_label
    return Soft(True, False, names, total / np.maximum(total.sum(axis=1, keepdims=True), _EQUAL), row)


def _shown(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    rounded = np.round(values, DIGITS)
    return {names[place]: float(rounded[place]) for place in np.flatnonzero(rounded > 0)}
