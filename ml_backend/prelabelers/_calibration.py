"""Logits -> probabilities that can be believed, fitted on logits of examples the model had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit

from ml_backend.labeling.confidence import COLDEST, HOTTEST, Temperature
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
    """Any set of k labels may be right but the empty one, which is no answer: a sigmoid a label at one temperature,
    given that some label applies. So the labels of a text that none fits well are likelier than each alone would be.

    Picked is what is as likely as not. Thresholds of each label's own, chosen out of fold for F1 and drawn towards 0.5,
    were measured on three sets of package tags: up to 0.05 more macro-F1, but 0.3 to 4 points fewer sets that are right
    as a whole, and up to 6 % more labels to add or take away by hand.
    """

    temperature: float
    doubt: float

    @classmethod
    def fit(cls, logits: np.ndarray, targets: np.ndarray) -> SeveralLabels:
        """`logits` and `targets` (n, k); each row has a target of 1 at least."""

        def loss(log_temperature: float) -> float:
            z = logits.astype(np.float64) / np.exp(log_temperature)
            return float((_apart(z, targets) + _log_any(z)).mean())

        bounds = np.log([COLDEST, HOTTEST])
        found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
        return cls(float(np.exp(found.x)), 1 / (len(logits) + 2))

    @property
    def fields(self) -> Mapping[str, float]:
        return {"temperature": self.temperature, "doubt": self.doubt}

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(n, k): of each label, whatever the others."""
        z = logits.astype(np.float64) / self.temperature
        near = np.minimum(np.exp(log_expit(z) - _log_any(z)[:, None]), 1)
        return (1 - self.doubt) * near + self.doubt / 2

    def confidences(self, logits: np.ndarray, picked: np.ndarray) -> np.ndarray:
        """(n,): of the sets `picked` (n, k) bool, none empty, as if labels were otherwise independent."""
        z = logits.astype(np.float64) / self.temperature
        together = np.minimum(np.exp(-_apart(z, picked) - _log_any(z)), 1)
        return (1 - self.doubt) * together + self.doubt / 2

    def loss(self, logits: np.ndarray, targets: np.ndarray) -> float:
        """Log loss summed over labels, mean over rows, as if the empty set were an answer, too: regressions chosen by
        that found more of the rare labels."""
        return float(_apart(logits / self.temperature, targets).mean())

    def opinions(
        self, options: Sequence[Option], logits: np.ndarray, inputs: Inputs, around: Surroundings
    ) -> list[Opinion | None]:
        probabilities = self.probabilities(logits)
        sure = self.confidences(logits, chosen(probabilities))
        return several(options, probabilities, sure, inputs, around)


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


def _apart(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n,): the log loss of each label on its own, summed."""
    return (np.logaddexp(0, z) - targets * z).sum(axis=1)


def _log_any(z: np.ndarray) -> np.ndarray:
    """(n,): the logarithm of the probability that any of k labels with logits (n, k) applies."""
    return np.log(np.maximum(-np.expm1(-np.logaddexp(0, z).sum(axis=1)), 1e-300))


def _logit(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))
