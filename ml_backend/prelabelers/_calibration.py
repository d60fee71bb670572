"""Logits -> probabilities that can be believed, fitted on logits of examples the model had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from ml_backend.labeling.confidence import Temperature
from ml_backend.prelabelers import Inputs, Opinion, Option
from ml_backend.prelabelers._opinions import Surroundings, chosen, several, single

IDENTITY = 10.0
"""How strongly few examples leave a confidence as it is: as if so many nats spoke against a line one unit away."""


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


@dataclass(frozen=True)
class Trust:
    """What a head's confidence is worth: a line through its logit (Platt 1999), by whether such answers were right.

    A temperature makes probabilities honest on the whole; this makes the confidence in the answer so, whatever the
    temperature could not mend (labels given carelessly, neighbours, texts far from all examples).
    """

    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def fit(cls, confidence: np.ndarray, right: np.ndarray) -> Trust:
        """`confidence` (n,) of answers to examples the head had not seen, `right` (n,) whether they were."""
        x, y = _logit(confidence), right.astype(np.float64)

        def loss(line: np.ndarray) -> float:
            slope, offset = line
            z = slope * x + offset
            doubted = IDENTITY / 2 * ((slope - 1) ** 2 + offset**2)
            return float((np.logaddexp(0, z) - y * z).sum() + doubted)

        slope, offset = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x.tolist()
        return cls(max(slope, 0.0), offset)

    @property
    def fields(self) -> Mapping[str, float]:
        return {"slope": self.slope, "offset": self.offset}

    def apply(self, confidence: np.ndarray) -> np.ndarray:
        return expit(self.slope * _logit(confidence) + self.offset)


def _against_nothing(logits: np.ndarray) -> np.ndarray:
    """Yes/no logits (n,) as logits of two classes (n, 2)."""
    return np.stack([np.zeros_like(logits), logits], axis=1)


def _logit(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))
