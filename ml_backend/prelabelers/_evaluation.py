"""How good opinions are that were formed without seeing the answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ml_backend.labeling.confidence import expected_calibration_error, reliability, uncertainty
from ml_backend.labeling.conformal import quantile
from ml_backend.labeling.kinds import Answer, Kind
from ml_backend.labeling.thresholds import CERTAINTY, accept_above, coverage_at
from ml_backend.prelabelers import Opinion

BINS = 15
ACCURACIES = (0.95, 0.99)
BUDGETS = (0.01, 0.02, 0.05, 0.1)
CONFORMAL_LEVELS = (0.9, 0.95)
MOST_LABELS = 200
"""Labels told apart, the commonest: a taxonomy may have thousands, and every version keeps its metrics."""


def evaluate(kind: Kind, answers: Sequence[Answer], opinions: Sequence[Opinion]) -> dict[str, Any]:
    """JSON; shares are in [0, 1], None is what cannot be said.

    labels        how many examples
    accuracy      and `majority`, that of always giving the commonest answer
    distance      mean distance (`Kind.distance`) between the answers and what people gave: 0 where they are the same
    mean_absolute_error, weighted_kappa   of ratings, else None: stars off on the average; Cohen's kappa with quadratic
                  weights (1968), None too where there is nothing to agree on
    macro_f1      over the labels people gave, each against the rest
    per_label     label -> precision, recall, support (how many gave it), of the 200 commonest
    classes       label -> how many
    ece, brier    of the confidence: expected calibration error, mean squared error; and `reliability`, in 15 bins
    auroc_wrong   the chance that a wrong answer has less confidence than a right one
    coverage      accuracy -> share that can be accepted, with certainty 0.95 (`coverage_empirical`: in hindsight)
    thresholds    one an error budget, see `labeling.thresholds`
    uncertainty   means of least_confidence, margin and entropy; only where one label is picked, like
    conformal     level -> quantile (of 1 − the label's probability), mean_size, singletons and empty (shares of sets)
    """
    correct = np.array([a == opinion.answer for a, opinion in zip(answers, opinions, strict=True)], np.bool_)
    confidence = np.clip(np.array([opinion.confidence for opinion in opinions], np.float64), 0.0, 1.0)
    given = Counter(label for answer in answers for label in kind.labels(answer))
    guessed = Counter(label for opinion in opinions for label in kind.labels(opinion.answer))
    shared = Counter(
        label
        for answer, opinion in zip(answers, opinions, strict=True)
        for label in set(kind.labels(answer)) & set(kind.labels(opinion.answer))
    )
    f1 = [2 * shared[label] / (given[label] + guessed[label]) for label in given]
    coverage = coverage_at(confidence, correct, ACCURACIES)
    return {
        "labels": len(answers),
        "accuracy": _rounded(correct.mean()),
        "distance": _rounded(np.mean([kind.distance(a, o.answer) for a, o in zip(answers, opinions, strict=True)])),
        **_of_order(kind, answers, opinions),
        "macro_f1": _rounded(np.mean(f1)) if f1 else None,
        "ece": _rounded(expected_calibration_error(confidence, correct, BINS)),
        "brier": _rounded(np.mean((confidence - correct) ** 2)),
        "auroc_wrong": _auroc(confidence, correct),
        "majority": _rounded(Counter(answers).most_common(1)[0][1] / len(answers)),
        "classes": dict(sorted(given.items())),
        "per_label": {
            label: {
                "precision": _rounded(shared[label] / guessed[label]) if guessed[label] else None,
                "recall": _rounded(shared[label] / count),
                "support": count,
            }
            for label, count in given.most_common(MOST_LABELS)
        },
        "reliability": [_finite(asdict(one)) for one in reliability(confidence, correct, BINS)],
        "coverage": {
            str(accuracy): None if it.guaranteed is None else _rounded(it.guaranteed)
            for accuracy, it in coverage.items()
        },
        "coverage_empirical": {str(accuracy): _rounded(it.empirical) for accuracy, it in coverage.items()},
        "thresholds": [_threshold(confidence, correct, error) for error in BUDGETS],
        **_of_probabilities(kind, answers, opinions),
    }


def _of_order(kind: Kind, answers: Sequence[Answer], opinions: Sequence[Opinion]) -> dict[str, float | None]:
    """What only answers in an order have: accuracy counts a star off as wrong as four."""
    if kind.scale != "ordinal":
        return {"mean_absolute_error": None, "weighted_kappa": None}
    given = np.array([float(kind.key(answer)) for answer in answers])
    guessed = np.array([float(kind.key(opinion.answer)) for opinion in opinions])
    by_chance = given.var() + guessed.var() + (given.mean() - guessed.mean()) ** 2
    return {
        "mean_absolute_error": _rounded(np.abs(given - guessed).mean()),
        "weighted_kappa": _rounded(1 - ((given - guessed) ** 2).mean() / by_chance) if by_chance else None,
    }


def _threshold(confidence: np.ndarray, correct: np.ndarray, error: float) -> dict[str, Any]:
    found = accept_above(confidence, correct, error=error)
    return {"error": error, "certainty": CERTAINTY, **(asdict(found) if found else {"confidence": None, "coverage": 0})}


def _auroc(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """Mann & Whitney's statistic; ties count half. None where all are right, or all wrong."""
    from scipy.stats import rankdata

    right, wrong = int(correct.sum()), int((~correct).sum())
    if not right or not wrong:
        return None
    above = rankdata(confidence)[correct].sum() - right * (right + 1) / 2
    return _rounded(above / (right * wrong))


def _of_probabilities(kind: Kind, answers: Sequence[Answer], opinions: Sequence[Opinion]) -> dict[str, Any]:
    """What only the probabilities of labels that exclude each other can tell."""
    shown = [list(opinion.probabilities.values()) for opinion in opinions]
    one_label = all(
        len(kind.labels(a)) == 1 == len(kind.labels(o.answer)) for a, o in zip(answers, opinions, strict=True)
    )
    if not one_label or not all(row and sum(row) <= 1.001 for row in shown):
        return {"uncertainty": None, "conformal": None}
    rows = np.zeros((len(shown), max(map(len, shown))))
    for i, row in enumerate(shown):
        rows[i, : len(row)] = row
    rest = np.maximum(1 - rows.sum(axis=1, keepdims=True), 0)  # of labels that the opinions do not list
    doubt = uncertainty(np.hstack([rows, rest]) if rest.max() > 1e-3 else rows + rest / rows.shape[1])
    # a label that is not listed counts as impossible, which makes the sets larger and never too small
    strange = np.array(
        [1 - o.probabilities.get(kind.labels(a)[0], 0.0) for a, o in zip(answers, opinions, strict=True)]
    )
    return {
        "uncertainty": {name: _rounded(np.mean(values)) for name, values in asdict(doubt).items()},
        "conformal": {str(level): _conformal(rows, quantile(strange, level)) for level in CONFORMAL_LEVELS},
    }


def _conformal(rows: np.ndarray, most: float) -> dict[str, float | None]:
    sizes = (1 - rows <= most + 1e-12).sum(axis=1)
    return {
        "quantile": _rounded(most) if math.isfinite(most) else None,
        "mean_size": _rounded(sizes.mean()),
        "singletons": _rounded((sizes == 1).mean()),
        "empty": _rounded((sizes == 0).mean()),
    }


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 6)


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """NaN, of a bin without examples, is not JSON."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
