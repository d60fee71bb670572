"""The consensus where answers can be near each other: a medoid by distance, or a weighted median of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.labeling.alpha import Distances
from ml_backend.labeling.units import Coded, Floats, Ints

_SHRINK = 4.0  # pseudo-judgements that draw an annotator's figures towards everybody's
_EQUAL = 1e-9
_ASSUMED_VARIANCE = 0.5  # of stars; all there is to go by where nobody shares a task
_ROUNDING = 1 / 12  # the variance that rounding to whole numbers adds (Sheppard)
_UNKNOWN_SIMILARITY = 0.5


@dataclass(frozen=True)
class Central:
    """For each unit, (U,): the code of the answer (for a median: the number), its confidence, whether it was a tie."""

    answer: NDArray[Any]
    confidence: Floats
    tied: NDArray[np.bool_]
    quality: Floats
    """Of each annotator, (A,), 0–1: the mean similarity to the others' answers, or to the decided one, drawn towards
    everybody's by four pseudo-judgements."""
    usual: float
    """The mean similarity of two judgements of a task."""


def medoid(coded: Coded, distances: Distances) -> Central:
    """The answer given that is most similar to all answers to the task, each weighted by its annotator's quality.

    Confidence is its mean similarity to the other judgements and to one more, imagined, that is as similar as two
    judgements usually are: so it grows with the number of judgements, and a single one has the usual similarity. Of
    equally central answers the one more common elsewhere is taken, then the first in order, with a confidence of at
    most 0.5.
    """
    cells = coded.cells
    n = cells.per_unit[cells.unit]
    apart = distances.within(cells) / np.maximum(cells.count, 1)  # of one judgement of the cell, to all of its unit
    alike = (n - apart - 1) / np.maximum(n - 1, 1)
    place = _cell_of(coded)
    quality, usual = _quality(coded, distances, alike[place])
    weight = np.bincount(place, quality[coded.annotator] + 1e-3, len(cells.unit))
    first, second = cells.pairs
    similar = 1 - distances.of(cells.value[first], cells.value[second])
    central = weight + np.bincount(first, weight[second] * similar, len(weight))
    central += np.bincount(second, weight[first] * similar, len(weight))
    common = cells.per_value[cells.value]
    order = np.lexsort((cells.value, -common, -np.round(central, 9), cells.unit))
    starts = np.searchsorted(cells.unit[order], np.arange(cells.units))
    best = order[starts]
    most = central[best]
    rivals = np.bincount(cells.unit, central >= most[cells.unit] - _EQUAL, cells.units)
    tied = (rivals > 1) | _even_split(coded)
    confidence = (cells.per_unit - apart[best] - 1 + usual) / cells.per_unit
    confidence = np.clip(confidence, 0, np.where(tied, 0.5, 1))
    return Central(cells.value[best], confidence, tied, quality, usual)


def weighted_median(coded: Coded, numbers: Floats, distances: Distances, ends: tuple[float, float]) -> Central:
    """The median of whole numbers (stars), each weighted by its annotator's precision.

    Where the median lies between two answers, the whole number there that is most probable is taken, as a tie (a
    confidence of at most 0.5). Confidence is the probability of that number under a normal model: tasks vary around the
    overall mean, judgements around their task, each annotator and each task with a spread of their own (drawn towards
    the usual one by four pseudo-judgements). `ends` are the least and the most stars there are.
    """
    value = numbers[coded.value]
    units = len(coded.tasks)
    place = _cell_of(coded)
    cells = coded.cells
    n = cells.per_unit[cells.unit]
    alike = (n - distances.within(cells) / np.maximum(cells.count, 1) - 1) / np.maximum(n - 1, 1)
    quality, usual = _quality(coded, distances, alike[place])
    within, between, precision = _spreads(coded, value)
    weight = precision[coded.annotator]

    order = np.lexsort((value, coded.unit))
    cumulated = np.cumsum(weight[order])
    total = np.bincount(coded.unit, weight, units)
    before = np.r_[0.0, np.cumsum(total)[:-1]]
    half = before + total / 2
    slack = _EQUAL * max(float(cumulated[-1]) if len(cumulated) else 0.0, 1.0)
    low = value[order[np.searchsorted(cumulated, half - slack)]]
    high = value[order[np.minimum(np.searchsorted(cumulated, half + slack), len(order) - 1)]]
    high = np.maximum(low, high)

    mean = float(value.mean())
    spread = 1 / (1 / between + total / within)
    centre = spread * (mean / between + np.bincount(coded.unit, weight * value, units) / within)
    answer = np.where(low < high, np.clip(np.round(centre), low, high), low)
    centre = 0.7 * centre + 0.15 * (low + high)  # the median is less moved by one wild judgement than the mean
    apart = np.bincount(coded.unit, weight * (value - centre[coded.unit]) ** 2, units)
    scale = np.sqrt(spread * (apart + _SHRINK * within) / (within * (cells.per_unit + _SHRINK)))
    above = np.where(answer >= ends[1], 1.0, _normal((answer + 0.5 - centre) / scale))
    below = np.where(answer <= ends[0], 0.0, _normal((answer - 0.5 - centre) / scale))
    confidence = above - below
    tied = (low < high) | _even_split(coded)
    confidence = np.clip(confidence, 0, np.where(tied, 0.5, 1))
    return Central(answer, confidence, tied, quality, usual)


def _spreads(coded: Coded, value: Floats) -> tuple[float, float, Floats]:
    """Variance within tasks and between them, and each annotator's precision relative to everybody's, (A,)."""
    units = len(coded.tasks)
    n = np.bincount(coded.unit, minlength=units)
    mean = np.bincount(coded.unit, value, units) / np.maximum(n, 1)
    off = value - mean[coded.unit]
    shared = n[coded.unit] > 1
    freedom = float((n[n > 0] - 1).sum())
    overall = float(value.var()) if len(value) else 1.0
    within = (float((off**2).sum()) + _SHRINK * _ASSUMED_VARIANCE) / (freedom + _SHRINK) - _ROUNDING
    within = max(within, 0.05)
    between = max(overall - within * (1 - 1 / max(float(n.mean()), 1.0)), _ASSUMED_VARIANCE)
    adjusted = off[shared] ** 2 * (n / np.maximum(n - 1, 1))[coded.unit[shared]]
    who = coded.annotator[shared]
    size = len(coded.annotators)
    own = (np.bincount(who, adjusted, size) + _SHRINK * within) / (np.bincount(who, minlength=size) + _SHRINK)
    return within, between, np.clip(within / np.maximum(own, 1e-6), 0.2, 5.0)


def _quality(coded: Coded, distances: Distances, alike: Floats) -> tuple[Floats, float]:
    """(A,) from each judgement's similarity to the others', (N,), or to what was decided; and the mean of all."""
    shared, final = coded.telling[coded.unit], coded.settled[coded.unit]
    decided = np.flatnonzero(final >= 0)
    if len(decided):
        alike = alike.copy()
        alike[decided] = 1 - distances.of(coded.value[decided], final[decided])
    usual = float(alike[shared].mean()) if shared.any() else _UNKNOWN_SIMILARITY
    who, size = coded.annotator[shared], len(coded.annotators)
    total = np.bincount(who, alike[shared], size) + _SHRINK * usual
    return np.clip(total / (np.bincount(who, minlength=size) + _SHRINK), 0, 1), usual


def _even_split(coded: Coded) -> NDArray[np.bool_]:
    """Units with two judgements that differ, (U,): one word against another, which no weight turns into a certainty."""
    cells = coded.cells
    different = np.bincount(cells.unit, minlength=cells.units)
    return (cells.per_unit == 2) & (different == 2)


def _cell_of(coded: Coded) -> Ints:
    cells = coded.cells
    size = max(cells.values, 1)
    return np.searchsorted(cells.unit * size + cells.value, coded.unit * size + coded.value)


def _normal(z: Floats) -> Floats:
    from scipy.special import ndtr

    found: Floats = ndtr(z)
    return found
