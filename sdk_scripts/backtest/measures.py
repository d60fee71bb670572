"""Opinions on texts whose answers are known -> how good they are. Shares and probabilities are in [0, 1]."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ml_backend.labeling.confidence import expected_calibration_error, reliability
from ml_backend.labeling.kinds import Answer, Kind
from ml_backend.prelabelers import Opinion

_Z = 1.959964
_DRAWN = 100


@dataclass(frozen=True)
class Answered:
    """What a model said of the n texts of the test half; a text it had no opinion on counts as wrong and unsure."""

    right: np.ndarray
    """(n,) bool."""
    confidence: np.ndarray
    """(n,)."""
    answers: tuple[Answer | None, ...]

    @classmethod
    def of(cls, opinions: Sequence[Opinion | None], truth: Sequence[Answer]) -> Answered:
        answers = tuple(opinion.answer if opinion else None for opinion in opinions)
        return cls(
            np.array([a == b for a, b in zip(answers, truth, strict=True)], dtype=bool),
            np.clip([opinion.confidence if opinion else 0.0 for opinion in opinions], 0.0, 1.0),
            answers,
        )

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def ece(self) -> float:
        return expected_calibration_error(self.confidence, self.right)

    def ece_by_chance(self) -> float:
        """The calibration error that confidences like these, all honest, stay below 95 times in 100: with few texts it
        is far from 0."""
        rng = np.random.default_rng(0)
        drawn = [rng.random(len(self.confidence)) < self.confidence for _ in range(_DRAWN)]
        return float(np.quantile([expected_calibration_error(self.confidence, right) for right in drawn], 0.95))


def macro_f1(kind: Kind, truth: Sequence[Answer], answers: Sequence[Answer | None]) -> float:
    """The mean F1 over the labels that the texts have, each against the rest."""
    rows = by_label(kind, truth, answers)
    return float(np.mean([row["f1"] for row in rows]))


def by_label(kind: Kind, truth: Sequence[Answer], answers: Sequence[Answer | None]) -> list[dict[str, Any]]:
    """JSON, one object a label that the texts have: `label`, `n`, `precision`, `recall`, `f1`, and `taken_for`, the
    label most often given in its stead; hardest first."""
    given = Counter(label for answer in truth for label in kind.labels(answer))
    said: Counter[str] = Counter()
    both: Counter[str] = Counter()
    instead: Counter[tuple[str, str]] = Counter()
    for answer, guess in zip(truth, answers, strict=True):
        wanted, got = set(kind.labels(answer)), set(kind.labels(guess)) if guess is not None else set()
        said.update(got)
        both.update(wanted & got)
        instead.update((a, b) for a in wanted - got for b in got - wanted)
    rows = []
    for label, n in given.items():
        wrong = [(count, other) for (one, other), count in instead.items() if one == label]
        rows.append(
            {
                "label": label,
                "n": n,
                "precision": both[label] / said[label] if said[label] else None,
                "recall": both[label] / n,
                "f1": 2 * both[label] / (n + said[label]),
                "taken_for": max(wrong)[1] if wrong else None,
            }
        )
    return sorted(rows, key=lambda row: (row["f1"], row["label"]))


def bins(answered: Answered) -> list[dict[str, float]]:
    """The bins of a reliability diagram that hold something, as JSON."""
    return [asdict(one) for one in reliability(answered.confidence, answered.right) if one.count]


def interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share: Wilson (1927)."""
    if not n:
        return 0.0, 1.0
    p, z2 = right / n, _Z**2
    middle, half = p + z2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def gain(right: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """(low, middle, high): by how much more is right than with the other model, on the same texts (n,), with its 95 %
    interval by the normal approximation of the paired difference."""
    difference = right.astype(np.float64) - other.astype(np.float64)
    half = _Z * float(difference.std(ddof=1)) / math.sqrt(len(difference)) if len(difference) > 1 else 1.0
    return float(difference.mean()) - half, float(difference.mean()), float(difference.mean()) + half
