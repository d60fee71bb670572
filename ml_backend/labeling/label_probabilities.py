"""How probable each label is for each task: what a model thinks before judgements count, or a consensus afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Kind
from ml_backend.labeling.units import Coded, Floats, Ints

_LEAST = 1e-6


@dataclass(frozen=True)
class LabelProbabilities:
    """One control's. Used as a prior they must be calibrated and out of fold: of a model that has not seen the task's
    judgements."""

    tasks: Ints
    """(n,), each once."""
    labels: tuple[str, ...]
    """The names of k labels (`Kind.labels`)."""
    values: Floats
    """(n, k) in 0 … 1; rows sum to 1 where one label is right, and need not where several may be. A row of NaN says
    nothing."""

    def of_answers(self, coded: Coded, control: Control, kind: Kind) -> Floats | None:
        """Log-probabilities of the single-label answers of the coded judgements, (U, V); even in rows without an
        opinion. None where none of the tasks has one."""
        places = self._places(coded)
        column = {label: place for place, label in enumerate(self.labels)}
        found = np.full((len(coded.tasks), max(2, len(coded.keys))), _LEAST)
        for value, answer in enumerate(coded.answers):
            labels = kind.labels(answer)
            if len(labels) == 1 and labels[0] in column:
                found[:, value] = self.values[places, column[labels[0]]]
        said = (places >= 0) & np.isfinite(found).all(axis=1) & (found > _LEAST).any(axis=1)
        if not said.any():
            return None
        found = np.log(np.clip(found, _LEAST, 1.0))
        found[~said] = 0.0
        return found

    def of_label(self, coded: Coded, label: str) -> Floats:
        """Log-probabilities that the label does not apply and that it does, (U, 2); even where nothing is known."""
        places = self._places(coded)
        if label not in self.labels:
            return np.zeros((len(places), 2))
        applies = self.values[places, self.labels.index(label)]
        applies = np.where((places < 0) | np.isnan(applies), 0.5, np.clip(applies, _LEAST, 1 - _LEAST))
        return np.log(np.column_stack([1 - applies, applies]))

    def _places(self, coded: Coded) -> Ints:
        """The row of each of the coded tasks, (U,); −1 where there is none."""
        order = np.argsort(self.tasks, kind="stable")
        place = np.searchsorted(self.tasks, coded.tasks, sorter=order)
        row = order[np.minimum(place, len(order) - 1)] if len(order) else np.full(len(coded.tasks), -1)
        return np.where(self.tasks[row] == coded.tasks, row, -1) if len(order) else row
