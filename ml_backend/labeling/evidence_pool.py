"""What two models say of the same tasks, as one calibrated opinion; how far to trust each is learned from tasks whose
answers are known.

`LabelPool` is for one label of k: a log-linear pool (Genest & Zidek, Combining Probability Distributions, 1986)

    p ∝ p_local ^ a · p_large ^ b,    p_large = (1 − doubt) · softmax(log raw / temperature) + doubt / k

after which a line through the logit of the likeliest label makes its confidence honest (Platt 1999).

`AnswerPool` is for answers that come with a confidence alone, such as spans. All is fitted by maximum a posteriori:
without labels the local model is trusted and the large one heard a little; with them, the labels decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from ml_backend.labeling.units import Floats

Bools = NDArray[np.bool_]

STRENGTH = 10.0
"""How strongly a prior holds: as if so many nats spoke against a parameter one unit away."""
STIFF = 40.0
"""The same of the line at the end: it is to mend what is plainly wrong, and follow no noise."""
LOCAL, LARGE = 1.0, 0.3
"""Weights without labels."""
TEMPERATURE = 1.5
"""Large models are mostly too sure of themselves."""
LOOSE = 2.0
"""As STRENGTH, of the logarithm of the temperature. Of priors tried on simulated models that are good, too sure, or
guess, with 10 to 400 labels, these were the best or nearly so everywhere."""
DOUBT = (1.5, 5.0)
"""Beta prior of the share of answers of the large model that say nothing."""
SLOPE, OFFSET = 0.5, 0.0
"""Of the line through the logit of a confidence that comes alone: 95 % counts as 81 % without labels."""
MOST_WEIGHT = 3.0
EDGES = (0.6, 0.85)
"""Between bins of confidence."""
PSEUDO = 10.0
"""Pseudo-count of a bin's prior."""
ERRORS_LEFT = 0.8
"""Of the errors expected, the share that equal answers of both leave, without labels."""
STILL_RIGHT = 0.9
"""Of the right answers expected, the share that stays where the other model says something else, without labels."""
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class LabelPool:
    local: float = LOCAL
    """a, 0 to 3."""
    large: float = LARGE
    """b, 0 to 3."""
    temperature: float = TEMPERATURE
    doubt: float = DOUBT[0] / sum(DOUBT)
    slope: float = 1.0
    offset: float = 0.0
    """Of a line through the logit of the likeliest label's probability, in the end: what the weights cannot mend."""
    tasks: int = 0
    """From which it was learned."""

    @classmethod
    def fit(cls, local: Floats, raw: Floats, right: NDArray[np.integer]) -> LabelPool:
        """`local` and `raw` (n, k) are probabilities of tasks that neither model has learned from, `right` (n,) the
        columns of the right labels; a row of NaN in `local` says nothing of the local model."""
        if not len(right):
            return cls()
        rows = np.arange(len(right))
        logs = _logs(raw)

        def alone(parameters: Floats) -> float:
            temperature, doubt = math.exp(parameters[0]), float(expit(parameters[1]))
            likely = _softened(logs, temperature, doubt)[rows, right]
            prior = LOOSE / 2 * (parameters[0] - math.log(TEMPERATURE)) ** 2
            prior -= DOUBT[0] * math.log(max(doubt, 1e-300)) + DOUBT[1] * math.log(max(1 - doubt, 1e-300))
            return float(prior - np.log(np.maximum(likely, 1e-300)).sum())

        start = np.array([math.log(TEMPERATURE), math.log(DOUBT[0] / DOUBT[1])])
        found = minimize(alone, start, method="L-BFGS-B", bounds=[(-2.0, 3.0), (-7.0, 7.0)]).x
        temperature, doubt = math.exp(found[0]), float(expit(found[1]))
        both = np.flatnonzero(np.isfinite(local).all(axis=1))
        x = np.stack([_logs(local[both]), np.log(_softened(logs[both], temperature, doubt))], axis=2)
        y = right[both]

        def loss(weights: Floats) -> tuple[float, Floats]:
            scores = x @ weights
            scores -= scores.max(axis=1, keepdims=True)
            total = np.exp(scores).sum(axis=1)
            away = weights - (LOCAL, LARGE)
            at = np.arange(len(y))
            value = np.log(total).sum() - scores[at, y].sum() + STRENGTH / 2 * (away**2).sum()
            expected = np.einsum("nk,nkj->j", np.exp(scores) / total[:, None], x)
            return float(value), expected - x[at, y].sum(axis=0) + STRENGTH * away

        bounds = [(0.0, MOST_WEIGHT)] * 2
        a, b = minimize(loss, np.array([LOCAL, LARGE]), jac=True, method="L-BFGS-B", bounds=bounds).x.tolist()
        together = _softmax(x @ np.array([a, b]))
        slope, offset = _line(together.max(axis=1), together.argmax(axis=1) == y, 1.0, 0.0, STIFF)
        return cls(a, b, temperature, doubt, slope, offset, len(right))

    def recalibrated(self, raw: Floats) -> Floats:
        """What the large model says alone: (n, k) -> (n, k), rows sum to 1."""
        return _softened(_logs(raw), self.temperature, self.doubt)

    def pooled(self, local: Floats, raw: Floats) -> Floats:
        """(n, k), rows sum to 1. Where both have the same label in front, it never gets less than the local model gave
        it: with a weight below 1, two that say the same could be surer apart than together."""
        local = local / local.sum(axis=1, keepdims=True)
        if (self.local, self.large, self.slope, self.offset) == (1, 0, 1, 0):
            return local
        heard = self.recalibrated(raw)
        together = self._honest(_softmax(self.local * _logs(local) + self.large * np.log(heard)))
        in_front = _in_front(local) & _in_front(heard)
        less = (in_front & (together < local)).any(axis=1)
        together[less] = local[less]
        return together

    def _honest(self, together: Floats) -> Floats:
        """With the line applied to the likeliest label, which stays that, and the others sharing the rest as before."""
        second, first = np.partition(together, -2, axis=1)[:, -2:].T
        left = np.maximum(1 - first, 1e-12)
        least = second / (left + second) + _LEAST
        wanted = np.clip(expit(self.slope * _logit(first) + self.offset), least, 1 - _LEAST)
        wanted = np.where(first - second < 1e-12, first, wanted)
        made: Floats = together * ((1 - wanted) / left)[:, None]
        made[np.arange(len(made)), together.argmax(axis=1)] = wanted
        return made


@dataclass(frozen=True, slots=True)
class Bins:
    """By which factor an expected share of events turns out smaller, in three bins of confidence: a Beta posterior in
    each, whose prior has the pseudo-count PSEUDO."""

    factors: tuple[float, float, float]
    """In 0 … 1."""

    @classmethod
    def fit(cls, confidence: Floats, expected: Floats, happened: Bools, prior: float) -> Bins:
        """All (n,): `expected` are probabilities of what `happened`; `confidence` says which bin a row falls into."""
        place = np.digitize(confidence, EDGES)
        return cls(
            (
                _factor(expected[place == 0], happened[place == 0], prior),
                _factor(expected[place == 1], happened[place == 1], prior),
                _factor(expected[place == 2], happened[place == 2], prior),
            )
        )

    def of(self, confidence: float) -> float:
        return self.factors[int(np.digitize(confidence, EDGES))]


@dataclass(frozen=True, slots=True)
class AnswerPool:
    slope: float = SLOPE
    offset: float = OFFSET
    errors_left: Bins = field(default_factory=lambda: Bins((ERRORS_LEFT,) * 3))
    """Where both give the same answer: of the errors expected by the surer one's confidence."""
    still_right: Bins = field(default_factory=lambda: Bins((STILL_RIGHT,) * 3))
    """Where they differ: of the right answers expected by the surer one's confidence."""
    tasks: int = 0

    @classmethod
    def fit(cls, local: Floats, raw: Floats, same: Bools, local_right: Bools, large_right: Bools) -> AnswerPool:
        """All (n,): confidences of both, whether the answers are equal, whether each was right; NaN in `local` where
        the local model has no answer."""
        if not len(raw):
            return cls()
        slope, offset = _line(raw, large_right, SLOPE, OFFSET, STRENGTH)
        large = expit(slope * _logit(raw) + offset)
        both = np.isfinite(local)
        surer = np.fmax(local, large)
        agree, differ = both & same, both & ~same
        won = np.where(local >= large, local_right, large_right)
        return cls(
            slope,
            offset,
            Bins.fit(surer[agree], 1 - surer[agree], ~local_right[agree], ERRORS_LEFT),
            Bins.fit(surer[differ], surer[differ], won[differ], STILL_RIGHT),
            len(raw),
        )

    def recalibrated(self, raw: float) -> float:
        """The large model's confidence, taken alone."""
        return float(expit(self.slope * _logit(np.array([raw]))[0] + self.offset))

    def same(self, local: float, raw: float) -> float:
        """The confidence in an answer that both give: never below the surer one's."""
        surer = max(local, self.recalibrated(raw))
        return 1 - self.errors_left.of(surer) * (1 - surer)

    def different(self, local: float, raw: float) -> tuple[bool, float]:
        """Whether the local answer is the final one, and how sure that is."""
        large = self.recalibrated(raw)
        surer = max(local, large)
        return local >= large, self.still_right.of(surer) * surer


def pool_fields(pool: LabelPool | AnswerPool) -> dict[str, Any]:
    """As JSON."""
    return asdict(pool)


def read_pool(fields: dict[str, Any]) -> LabelPool | AnswerPool:
    """What `pool_fields` gave. Raises KeyError, TypeError, ValueError for anything else."""
    if "temperature" in fields:
        return LabelPool(**fields)
    bins = {name: Bins(_three(fields[name]["factors"])) for name in ("errors_left", "still_right")}
    return AnswerPool(float(fields["slope"]), float(fields["offset"]), **bins, tasks=int(fields["tasks"]))


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    one, two, three = map(float, values)
    return one, two, three


def _line(confidence: Floats, right: Bools, slope: float, offset: float, strength: float) -> tuple[float, float]:
    """Slope and offset of a line through the logit of a confidence (Platt 1999), drawn towards those given."""
    x, y = _logit(confidence), right.astype(np.float64)

    def loss(line: Floats) -> float:
        z = line[0] * x + line[1]
        prior = strength / 2 * ((line[0] - slope) ** 2 + (line[1] - offset) ** 2)
        return float((np.logaddexp(0, z) - y * z).sum() + prior)

    a, b = minimize(loss, np.array([slope, offset]), method="L-BFGS-B", bounds=[(0, 5), (-9, 9)]).x.tolist()
    return a, b


def _softmax(scores: Floats) -> Floats:
    powered = np.exp(scores - scores.max(axis=1, keepdims=True))
    made: Floats = powered / powered.sum(axis=1, keepdims=True)
    return made


def _softened(logs: Floats, temperature: float, doubt: float) -> Floats:
    return (1 - doubt) * _softmax(logs / temperature) + doubt / logs.shape[1]


def _in_front(probabilities: Floats) -> Bools:
    first: Bools = probabilities >= probabilities.max(axis=1, keepdims=True) - 1e-12
    return first


def _factor(expected: Floats, happened: Bools, prior: float) -> float:
    mean = float(expected.mean()) if len(expected) else 0.0
    if mean <= 0:
        return prior
    share = (float(happened.sum()) + PSEUDO * prior * mean) / (len(expected) + PSEUDO)
    return min(1.0, share / mean)


def _logs(probabilities: Floats) -> Floats:
    return np.log(np.clip(probabilities.astype(np.float64), _LEAST, 1.0))


def _logit(probabilities: Floats) -> Floats:
    p = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.log(p / (1 - p))
