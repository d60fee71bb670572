"""Which unlabelled tasks to label next: those the model doubts, spread over what there is, and some at random.

Doubt alone picks near-duplicates, diversity alone picks what is known already. Candidates are the most doubted, a few
times the budget; they are clustered, and the clusters take turns, each giving its most doubted task (after Zhdanov,
Diverse mini-batch Active Learning, 2019). A share is picked at random from everything: only on those can the model's
accuracy be estimated without bias, and they find what no model doubts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_backend.labeling.confidence import uncertainty
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Floats

EXPLORED = -1
"""The cluster of what was picked at random."""
CANDIDATES = 4
"""For each task to pick."""
MOST_CLUSTERS = 64
NEIGHBOURS = 0.25
"""Their part in `joint_doubt`."""
_WARMTH = 0.1
_COLD_CLUSTERS = 256
_SAMPLE = 10_000  # rows that place the centres
_ROUNDS = 6
_AT_ONCE = 8_192  # rows compared with the centres at a time

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Picks:
    """Tasks to label, in this order: whoever stops early still has doubted, varied and random ones."""

    rows: Codes
    """(b,) rows of the vectors, no two alike."""
    cluster: Codes
    """(b,) the group that each row stands for, from 0; `EXPLORED` where it was picked at random from all rows."""


def choose(
    doubt: ArrayLike | None, vectors: np.ndarray, budget: int, *, exploration: float = 0.1, seed: int = 0
) -> Picks:
    """At most `budget` of n tasks.

    `doubt` (n,) is any measure that grows with the model's doubt, best `joint_doubt`. Without a model it is None, and
    the tasks nearest to the centres of clusters are picked. `vectors` (n, d) have unit rows; `exploration` in [0, 1]
    is the share picked at random. The same arguments give the same picks. Takes O(n) memory beside the vectors, and
    a second or two for n = 100,000 and d = 384.

    Raises InputError for shapes that do not match, and numbers out of range.
    """
    n = len(vectors)
    scores = None if doubt is None else np.asarray(doubt, dtype=np.float64)
    if np.ndim(vectors) != 2 or (scores is not None and scores.shape != (n,)):
        shape = None if scores is None else scores.shape
        raise InputError(f"Vectors (n, d) need n doubts, not shapes {np.shape(vectors)} and {shape}.")
    if scores is not None and not np.isfinite(scores).all():
        raise InputError("Doubt must be a finite number for each task.")
    if budget < 0 or not 0 <= exploration <= 1:
        raise InputError(f"A budget is not negative and exploration a share, not {budget} and {exploration}.")
    rng = np.random.default_rng(seed)
    budget = min(budget, n)
    explored: Codes = rng.choice(n, size=min(budget, round(exploration * budget)), replace=False).astype(np.int64)
    free = np.ones(n, dtype=bool)
    free[explored] = False
    rest: Codes = rng.permutation(np.flatnonzero(free))  # so that equal doubts are picked at random
    wanted = budget - len(explored)
    if scores is None:
        rows, cluster = _central(vectors, rest, wanted, rng)
    else:
        candidates = rest[np.argsort(-scores[rest], kind="stable")[: CANDIDATES * wanted]]
        cluster = _clusters(vectors, candidates, min(wanted, MOST_CLUSTERS), rng)[0]
        rows, cluster = _in_turn(candidates, cluster, wanted)
    turn = np.arange(len(explored))
    places = np.maximum(turn * budget // max(len(explored), 1) - turn, 0)
    return Picks(np.insert(rows, places, explored), np.insert(cluster, places, EXPLORED))


def joint_doubt(head: ArrayLike, neighbours: ArrayLike) -> Floats:
    """(n,) in [0, 1]: 1 − (the greatest probability − the second) of three parts head and one part neighbours.

    Both (n, k), rows summing to 1. The head's margin alone wastes labels where classes are skewed and people disagree:
    there it is the noise that looks doubtful, and neighbours know better; where classes are many and balanced they know
    little. This serves both kinds, see `tests/benchmarks/bench_active_learning.py`.
    """
    mixed = (1 - NEIGHBOURS) * np.asarray(head, np.float64) + NEIGHBOURS * np.asarray(neighbours, np.float64)
    return uncertainty(mixed).margin


def neighbour_probabilities(
    vectors: np.ndarray, known: np.ndarray, codes: ArrayLike, classes: int, *, nearest: int = 15
) -> Floats:
    """(n, classes): what the `nearest` of the labelled vectors `known` (m, d), with their class `codes` (m,), say of
    each of `vectors` (n, d), each weighing exp(cosine / 0.1). All rows are unit; m is at least 1."""
    labels = np.asarray(codes, dtype=np.int64)
    nearest = min(nearest, len(known))
    found = np.zeros((len(vectors), classes))
    for start in range(0, len(vectors), _AT_ONCE // 4):
        cosines = vectors[start : start + _AT_ONCE // 4] @ known.T
        picked = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
        near = np.take_along_axis(cosines, picked, axis=1)
        weight = np.exp((near - near.max(axis=1, keepdims=True)) / _WARMTH)
        rows = np.arange(len(picked))[:, None] + start
        np.add.at(found, (np.broadcast_to(rows, picked.shape), labels[picked]), weight)
    totals: Floats = found / found.sum(axis=1, keepdims=True)
    return totals


def _central(vectors: np.ndarray, rows: Codes, wanted: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    cluster, nearness = _clusters(vectors, rows, min(wanted, _COLD_CLUSTERS), rng)
    order = np.argsort(-nearness, kind="stable")
    return _in_turn(rows[order], cluster[order], wanted)


def _in_turn(rows: Codes, cluster: Codes, wanted: int) -> tuple[Codes, Codes]:
    """The first `wanted` of `rows`, which are best first, when their clusters take turns."""
    by_cluster = np.argsort(cluster, kind="stable")
    sizes = np.bincount(cluster, minlength=1) if len(cluster) else np.zeros(1, np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    turn = np.empty(len(rows), dtype=np.int64)
    turn[by_cluster] = np.arange(len(rows)) - np.repeat(starts, sizes)
    order = np.lexsort((np.arange(len(rows)), turn))[:wanted]
    return rows[order], cluster[order]


def _clusters(vectors: np.ndarray, rows: Codes, count: int, rng: np.random.Generator) -> tuple[Codes, Floats]:
    """k-means on the sphere (Dhillon & Modha 2001): the cluster of each row, and its cosine to the centre."""
    if not len(rows) or count < 2:
        return np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
    sample = vectors[rng.permutation(rows)[:_SAMPLE]].astype(np.float32)
    centres = _spread_out(sample, count, rng)
    for _ in range(_ROUNDS):
        nearest = (sample @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
    cluster, nearness = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        cosines = vectors[rows[start : start + _AT_ONCE]].astype(np.float32) @ centres.T
        cluster[start : start + _AT_ONCE] = cosines.argmax(axis=1)
        nearness[start : start + _AT_ONCE] = cosines.max(axis=1)
    return cluster, nearness


def _spread_out(sample: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ seeds (Arthur & Vassilvitskii 2007); fewer where there are fewer different rows."""
    first = int(rng.integers(len(sample)))
    picked, far = [first], np.maximum(1 - sample @ sample[first], 0).astype(np.float64)
    while len(picked) < count and far.sum() > 1e-6:
        picked.append(int(rng.choice(len(sample), p=far / far.sum())))
        far = np.minimum(far, np.maximum(1 - sample @ sample[picked[-1]], 0))
    return sample[picked]
