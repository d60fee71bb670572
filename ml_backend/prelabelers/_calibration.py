"""Logits -> probabilities that can be believed, fitted on logits of examples the model had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ml_backend.labeling.confidence import Temperature
from ml_backend.prelabelers import Inputs, Opinion, Option
from ml_backend.prelabelers._opinions import Surroundings, chosen, several, single


class Calibration(Protocol):
    @property
    def fields(self) -> Mapping[str, float]:
        """The state, as JSON."""

    def opinions(
        self, options: Sequence[Option], logits: np.ndarray, inputs: Inputs, around: Surroundings
    ) -> list[Opinion | None]: ...


@dataclass(frozen=True)
class OneLabel:
    """One of k labels is right: softmax at a temperature.

    `doubt` is the probability kept for "anything": after n examples the next may be the first of its sort with
    probability 1 / (n + 2) (Laplace's rule of succession), however far the logits are apart.
    """

    temperature: float
    doubt: float

    @classmethod
    def fit(cls, logits: np.ndarray, targets: np.ndarray) -> OneLabel:
        """`logits` and `targets` (n, k); a row's label is its largest target."""
        return cls(Temperature.fit(logits, targets.argmax(axis=1)).value, 1 / (len(logits) + 2))

    @property
    def fields(self) -> Mapping[str, float]:
        return {"temperature": self.temperature, "doubt": self.doubt}

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        near = Temperature(self.temperature).apply(logits)
        return (1 - self.doubt) * near + self.doubt / logits.shape[1]

    def loss(self, logits: np.ndarray, targets: np.ndarray) -> float:
        """Mean log loss."""
        right = np.take_along_axis(self.probabilities(logits), targets.argmax(axis=1)[:, None], axis=1)
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    def opinions(
        self, options: Sequence[Option], logits: np.ndarray, inputs: Inputs, around: Surroundings
    ) -> list[Opinion | None]:
        return single(options, self.probabilities(logits), inputs, around)


@dataclass(frozen=True)
class SeveralLabels:
    """Any set of k labels may be right: a sigmoid a label at one temperature, then the confidence in the whole set (the
    product, as if labels were independent) at a temperature of its own, since they are not."""

    temperature: float
    set_temperature: float
    doubt: float

    @classmethod
    def fit(cls, logits: np.ndarray, targets: np.ndarray) -> SeveralLabels:
        """`logits` and `targets` (n, k)."""
        flat = targets.ravel().round().astype(np.int64)
        label = cls(Temperature.fit(_against_nothing(logits.ravel()), flat).value, 1.0, 0.0)
        probabilities = label.probabilities(logits)
        right = (chosen(probabilities) == targets.round().astype(bool)).all(axis=1)
        sets = _against_nothing(_logit(label.confidences(probabilities)))
        return cls(label.temperature, Temperature.fit(sets, right.astype(np.int64)).value, 1 / (len(logits) + 2))

    @property
    def fields(self) -> Mapping[str, float]:
        return {"temperature": self.temperature, "set_temperature": self.set_temperature, "doubt": self.doubt}

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        near = Temperature(self.temperature).apply(_against_nothing(logits.ravel()))[:, 1].reshape(logits.shape)
        return (1 - self.doubt) * near + self.doubt / 2

    def confidences(self, probabilities: np.ndarray) -> np.ndarray:
        together = np.where(chosen(probabilities), probabilities, 1 - probabilities).prod(axis=1)
        near = Temperature(self.set_temperature).apply(_against_nothing(_logit(together)))[:, 1]
        return (1 - self.doubt) * near + self.doubt / 2

    def loss(self, logits: np.ndarray, targets: np.ndarray) -> float:
        """Log loss summed over labels, mean over rows."""
        p = self.probabilities(logits)
        right = np.where(targets >= 0.5, p, 1 - p)
        return float(-np.log(np.maximum(right, 1e-12)).sum(axis=1).mean())

    def opinions(
        self, options: Sequence[Option], logits: np.ndarray, inputs: Inputs, around: Surroundings
    ) -> list[Opinion | None]:
        probabilities = self.probabilities(logits)
        return several(options, probabilities, self.confidences(probabilities), inputs, around)


def _against_nothing(logits: np.ndarray) -> np.ndarray:
    """Yes/no logits (n,) as logits of two classes (n, 2)."""
    return np.stack([np.zeros_like(logits), logits], axis=1)


def _logit(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))
