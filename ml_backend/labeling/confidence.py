"""How far a probability can be trusted: temperature scaling, calibration error, reliability, and measures of doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_backend.labeling.errors import InputError, NotEnoughLabels
from ml_backend.labeling.units import Floats

COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True, slots=True)
class Temperature:
    """Divides logits by one number before the softmax, which changes how sure a model is and never what it answers.

    Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks (2017).
    """

    value: float = 1.0
    """Above 1 softens, below 1 sharpens; in [0.05, 20]."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and COLDEST <= self.value <= HOTTEST):
            raise InputError(f"A temperature lies between {COLDEST} and {HOTTEST}, not at {self.value}.")

    @classmethod
    def fit(cls, logits: ArrayLike, targets: ArrayLike) -> Temperature:
        """The temperature with the least negative log-likelihood of `targets` (n,), codes of the right answers, under
        `logits` (n, k); log-probabilities do as well. Fit it on predictions the model was not trained on.

        Raises NotEnoughLabels for no rows, InputError for shapes that do not match or numbers that are not finite.
        """
        rows = _logits(logits)
        right = np.asarray(targets)
        if right.shape != (len(rows),):
            raise InputError(f"{len(rows)} rows of logits need as many targets, not an array of shape {right.shape}.")
        if not len(rows):
            raise NotEnoughLabels("A temperature needs held-out predictions, and there are none.")
        if not np.issubdtype(right.dtype, np.integer) or right.min() < 0 or right.max() >= rows.shape[1]:
            raise InputError(f"Targets are columns of the logits: whole numbers from 0 to {rows.shape[1] - 1}.")
        margins = rows - rows[np.arange(len(rows)), right][:, None]

        def loss(log_temperature: float) -> float:
            return float(_log_sum_exp(margins / math.exp(log_temperature)).mean())

        from scipy.optimize import minimize_scalar

        # the loss is convex in 1/T, so it has one minimum in log T too
        found = minimize_scalar(
            loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded", options={"xatol": 1e-5}
        )
        best = min((float(found.x), 0.0), key=loss)
        return cls(min(max(math.exp(best), COLDEST), HOTTEST))

    def apply(self, logits: ArrayLike) -> Floats:
        """Probabilities: (n, k) -> (n, k), rows sum to 1."""
        rows = _logits(logits) / self.value
        powered = np.exp(rows - rows.max(axis=1, keepdims=True, initial=-np.inf))
        probabilities: Floats = powered / powered.sum(axis=1, keepdims=True)
        return probabilities


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions whose confidence lies in (low, high] (the first bin: [0, high])."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean; NaN for an empty bin."""
    accuracy: float
    """The share that was right; NaN for an empty bin."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Three measures of doubt about each row of probabilities, (n,) each: 0 is sure, 1 is no idea at all."""

    least_confidence: Floats
    """1 − the greatest probability, over the most that can be: 1 − 1/k."""
    margin: Floats
    """1 − (the greatest − the second)."""
    entropy: Floats
    """Shannon's, over log k."""


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """The mean gap between confidence and accuracy over `bins` bins of equal width, weighted by their counts: 0–1.

    `confidence` (n,) in [0, 1], `correct` (n,) true or false. NaN for none. Few predictions alone make it positive: a
    calibrated model has about 0.8 · sqrt(p (1 − p) / n) in a bin of n. Naeini, Cooper & Hauskrecht (2015).
    """
    filled = [it for it in reliability(confidence, correct, bins) if it.count]
    total = sum(it.count for it in filled)
    return sum(it.count * abs(it.confidence - it.accuracy) for it in filled) / total if total else float("nan")


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> list[Bin]:
    """A reliability diagram's bins, of equal width over [0, 1], empty ones included.

    Raises InputError where confidences leave [0, 1] or the arrays differ in length.
    """
    sure, right = checked_confidences(confidence, correct)
    if bins < 1:
        raise InputError(f"Reliability needs a bin at least, not {bins}.")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    means = [np.bincount(place, it, bins) / np.where(count, count, np.nan) for it in (sure, right.astype(np.float64))]
    return [
        Bin(float(edges[i]), float(edges[i + 1]), int(count[i]), float(means[0][i]), float(means[1][i]))
        for i in range(bins)
    ]


def uncertainty(probabilities: ArrayLike) -> Uncertainty:
    """Measures of doubt of each row: (n, k) probabilities -> three (n,). With one answer only there is no doubt: 0."""
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"Probabilities are rows of one or more answers, not an array of shape {rows.shape}.")
    if not np.isfinite(rows).all() or (rows < -1e-9).any() or (np.abs(rows.sum(axis=1) - 1) > 1e-3).any():
        raise InputError("Each row of probabilities must be non-negative and sum to 1.")
    k = rows.shape[1]
    if k == 1:
        nothing = np.zeros(len(rows))
        return Uncertainty(nothing, nothing.copy(), nothing.copy())
    second, first = np.partition(rows, k - 2, axis=1)[:, -2:].T
    logs = np.log(np.where(rows > 0, rows, 1.0))
    return Uncertainty(
        least_confidence=_unit((1 - first) / (1 - 1 / k)),
        margin=_unit(1 - (first - second)),
        entropy=_unit(-(rows * logs).sum(axis=1) / math.log(k)),
    )


def checked_confidences(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    sure = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct)
    if sure.ndim != 1 or sure.shape != right.shape:
        raise InputError(f"Confidences of shape {sure.shape} do not match outcomes of shape {right.shape}.")
    if len(sure) and not (np.isfinite(sure).all() and sure.min() >= 0 and sure.max() <= 1):
        raise InputError("A confidence is a probability: between 0 and 1.")
    return sure, right.astype(np.bool_)


def _logits(logits: ArrayLike) -> Floats:
    rows = np.asarray(logits, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"Logits are rows of one or more answers, not an array of shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise InputError("Logits must be finite; clip probabilities before taking their logarithm.")
    return rows


def _log_sum_exp(rows: Floats) -> Floats:
    most = rows.max(axis=1, keepdims=True)
    summed: Floats = np.log(np.exp(rows - most).sum(axis=1)) + most[:, 0]
    return summed


def _unit(measure: Sequence[float] | Floats) -> Floats:
    return np.clip(np.asarray(measure, dtype=np.float64), 0.0, 1.0)
