"""What texts say about the right answer, as the prior of an annotator model that learns how far to believe it.

A classifier trained on a noisy consensus is less sure than it may be of the truth, and leans to what annotators prefer.
So the prior of an answer is softmax(log p / temperature + bias), whose temperature is the one that makes the votes most
probable while the annotators are estimated. (By expectation-maximisation it would hardly move from where it starts:
measured, the calibration error of single judgements was 0.10 to 0.12 instead of 0.01 to 0.03.) A classifier that knows
nothing ends up hot, and what is left are biases, which say how common each answer is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml_backend.labeling.units import Floats, Ints

_COLDEST, _HOTTEST = 0.2, 50.0
_ENOUGH = 20_000  # units for estimating a temperature
_BIAS_STEPS = 3


@dataclass(frozen=True)
class TextPrior:
    log_probabilities: Floats
    """(U, K)"""
    bias: Floats
    """(K,)"""
    temperature: float = 1.0

    @classmethod
    def of(cls, log_probabilities: Floats) -> TextPrior:
        return cls(log_probabilities, np.zeros(log_probabilities.shape[1]))

    def log(self) -> Floats:
        """(U, K), normalised."""
        return _log_softmax(self.log_probabilities / self.temperature + self.bias)

    def refitted(self, votes: Floats, known: Ints) -> TextPrior:
        """With the temperature and the biases that make the votes most probable, whose log-likelihoods given each
        answer are `votes`, (U, K), and the answers that are `known`, (U,), −1 for the others."""
        from scipy.optimize import minimize_scalar

        step = max(1, len(votes) // _ENOUGH)
        said, votes = self.log_probabilities[::step], votes[::step].copy()
        certain = np.flatnonzero(known[::step] >= 0)
        votes[certain] = -np.inf
        votes[certain, known[::step][certain]] = 0.0

        def loss(log_temperature: float) -> float:
            return -float(_log_sum_exp(_log_softmax(said / np.exp(log_temperature) + self.bias) + votes).mean())

        bounds = (np.log(_COLDEST), np.log(_HOTTEST))
        temperature = float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.01}).x))
        bias = self.bias
        for _ in range(_BIAS_STEPS):  # towards as much of each answer before the votes as after them
            prior = _log_softmax(said / temperature + bias)
            after = np.exp(_log_softmax(prior + votes)).sum(axis=0)
            bias = bias + np.log((after + 1) / (np.exp(prior).sum(axis=0) + 1))
        return replace(self, temperature=temperature, bias=bias)


def _log_sum_exp(z: Floats) -> Floats:
    most = z.max(axis=1)
    total: Floats = most + np.log(np.exp(z - most[:, None]).sum(axis=1))
    return total


def _log_softmax(z: Floats) -> Floats:
    z = z - z.max(axis=1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
    return z
