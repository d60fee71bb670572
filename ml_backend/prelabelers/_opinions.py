"""Probabilities -> opinions, with their doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.labeling.confidence import uncertainty
from ml_backend.prelabelers import Doubt, Inputs, Opinion, Option

SHOWN = 20
"""Probabilities kept with an opinion: a taxonomy may have thousands of labels."""


@dataclass(frozen=True)
class Surroundings:
    """Where n texts stand among the examples."""

    shares: np.ndarray
    """(n, k): the share of each label among the neighbours."""
    distance: np.ndarray
    """(n,) in 0 … 1, as `Doubt.distance`."""
    unknown: np.ndarray
    """(n,) in 0 … 1: the share of each opinion that counts as a guess."""


def single(
    options: Sequence[Option], probabilities: np.ndarray, inputs: Inputs, around: Surroundings | None = None
) -> list[Opinion | None]:
    """The likeliest option for each row of `probabilities` (n, k); None where there is nothing to read."""
    best = probabilities.argmax(axis=1)
    if around is not None:
        probabilities = _towards(probabilities, around.unknown, 1 / len(options))
    confidences = probabilities[np.arange(len(best)), best].tolist()
    named = _named(options, probabilities)
    of_the_rest = uncertainty(probabilities / probabilities.sum(axis=1, keepdims=True))
    disagreement = None if around is None else 1 - around.shares[np.arange(len(best)), best]
    doubts = _doubts(of_the_rest.least_confidence, of_the_rest.margin, of_the_rest.entropy, disagreement, around)
    return [
        Opinion(options[i].answer, confidence, shown, doubt) if key else None
        for key, i, confidence, shown, doubt in zip(inputs.keys, best.tolist(), confidences, named, doubts, strict=True)
    ]


def several(
    options: Sequence[Option],
    probabilities: np.ndarray,
    confidences: np.ndarray,
    inputs: Inputs,
    around: Surroundings | None = None,
) -> list[Opinion | None]:
    """Every option at least as likely as not, or the likeliest one; `confidences` (n,) is that of the whole set.
    Answers of controls that take several labels are tuples, those of an option hold one."""
    picked = chosen(probabilities)
    if around is not None:
        probabilities = _towards(probabilities, around.unknown, 0.5)
        confidences = _towards(confidences[:, None], around.unknown, 1 / 2 ** len(options))[:, 0]
    named = _named(options, probabilities)
    parts: list[tuple] = [option.answer for option in options if isinstance(option.answer, tuple)]
    closest_call = 1 - np.abs(2 * probabilities - 1).min(axis=1)
    disagreement = None if around is None else np.abs(picked - around.shares).max(axis=1)
    doubts = _doubts(1 - confidences, closest_call, None, disagreement, around)
    return [
        Opinion(sum((parts[i] for i in np.flatnonzero(row).tolist()), ()), confidence, shown, doubt) if key else None
        for key, row, confidence, shown, doubt in zip(
            inputs.keys, picked, confidences.tolist(), named, doubts, strict=True
        )
    ]


def chosen(probabilities: np.ndarray) -> np.ndarray:
    """(n, k) bool: the options that `several` picks."""
    picked = probabilities >= 0.5
    picked[np.arange(len(picked)), probabilities.argmax(axis=1)] = True
    return picked


def _towards(probabilities: np.ndarray, unknown: np.ndarray, guess: float) -> np.ndarray:
    return (1 - unknown[:, None]) * probabilities + unknown[:, None] * guess


def _doubts(
    least_confidence: np.ndarray,
    margin: np.ndarray,
    entropy: np.ndarray | None,
    disagreement: np.ndarray | None,
    around: Surroundings | None,
) -> list[Doubt]:
    nothing = [None] * len(margin)
    return [
        Doubt(*one)
        for one in zip(
            least_confidence.tolist(),
            margin.tolist(),
            nothing if entropy is None else entropy.tolist(),
            nothing if disagreement is None else disagreement.tolist(),
            nothing if around is None else around.distance.tolist(),
            strict=True,
        )
    ]


def _named(options: Sequence[Option], probabilities: np.ndarray) -> list[dict[str, float]]:
    names = [option.name for option in options]
    if len(names) <= SHOWN:
        return [dict(zip(names, row, strict=True)) for row in probabilities.tolist()]
    top = np.argpartition(-probabilities, SHOWN, axis=1)[:, :SHOWN]
    values = np.take_along_axis(probabilities, top, axis=1)
    return [
        {names[i]: p for i, p in zip(indices, row, strict=True)}
        for indices, row in zip(top.tolist(), values.tolist(), strict=True)
    ]
