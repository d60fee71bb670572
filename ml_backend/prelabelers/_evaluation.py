"""How good opinions are that were formed without seeing the answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ml_backend.labeling.confidence import expected_calibration_error, reliability
from ml_backend.labeling.kinds import Answer, Kind
from ml_backend.prelabelers import Opinion


def evaluate(kind: Kind, answers: Sequence[Answer], opinions: Sequence[Opinion]) -> dict[str, Any]:
    """JSON: `labels` (how many), `accuracy`, `macro_f1` (over the labels people gave, each against the rest), `ece`,
    `majority` (the accuracy of always giving the commonest answer), `classes` (label -> how many) and `reliability`.
    """
    correct = np.array([a == opinion.answer for a, opinion in zip(answers, opinions, strict=True)])
    confidence = np.array([opinion.confidence for opinion in opinions])
    given = Counter(label for answer in answers for label in kind.labels(answer))
    guessed = Counter(label for opinion in opinions for label in kind.labels(opinion.answer))
    shared = Counter(
        label
        for answer, opinion in zip(answers, opinions, strict=True)
        for label in set(kind.labels(answer)) & set(kind.labels(opinion.answer))
    )
    f1 = [2 * shared[label] / (given[label] + guessed[label]) for label in given]
    return {
        "labels": len(answers),
        "accuracy": round(float(correct.mean()), 6),
        "macro_f1": round(float(np.mean(f1)), 6),
        "ece": round(float(expected_calibration_error(confidence, correct)), 6),
        "majority": round(Counter(answers).most_common(1)[0][1] / len(answers), 6),
        "classes": dict(sorted(given.items())),
        "reliability": [_finite(asdict(one)) for one in reliability(confidence, correct)],
    }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """NaN, of a bin without examples, is not JSON."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
