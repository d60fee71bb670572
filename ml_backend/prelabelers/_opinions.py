"""Probabilities -> opinions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml_backend.prelabelers import Inputs, Opinion, Option

SHOWN = 20
"""Probabilities kept with an opinion: a taxonomy may have thousands of labels."""


def single(options: Sequence[Option], probabilities: np.ndarray, inputs: Inputs) -> list[Opinion | None]:
    """The likeliest option for each row of `probabilities` (n, k); None where there is no text."""
    best = probabilities.argmax(axis=1)
    confidences = probabilities[np.arange(len(best)), best].tolist()
    named = _named(options, probabilities)
    return [
        Opinion(options[i].answer, confidence, shown) if text else None
        for text, i, confidence, shown in zip(inputs.texts, best.tolist(), confidences, named, strict=True)
    ]


def several(
    options: Sequence[Option],
    probabilities: np.ndarray,
    confidences: np.ndarray,
    inputs: Inputs,
) -> list[Opinion | None]:
    """Every option at least as likely as not, or the likeliest one; `confidences` (n,) is that of the whole set.
    Answers of controls that take several labels are tuples, those of an option hold one."""
    picked = chosen(probabilities)
    named = _named(options, probabilities)
    parts: list[tuple] = [option.answer for option in options if isinstance(option.answer, tuple)]
    return [
        Opinion(sum((parts[i] for i in np.flatnonzero(row).tolist()), ()), confidence, shown) if text else None
        for text, row, confidence, shown in zip(inputs.texts, picked, confidences.tolist(), named, strict=True)
    ]


def chosen(probabilities: np.ndarray) -> np.ndarray:
    """(n, k) bool: the options that `several` picks."""
    picked = probabilities >= 0.5
    picked[np.arange(len(picked)), probabilities.argmax(axis=1)] = True
    return picked


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
