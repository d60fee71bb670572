"""Conformal sets: instead of one label, all those that cannot be ruled out, so that the right one is among them at a
stated rate, whatever the probabilities are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_backend.labeling.errors import InputError, NotEnoughLabels
from ml_backend.labeling.units import Floats

Score = Literal["lac", "aps"]
EVERYTHING = math.inf
"""The quantile where there are too few examples to rule anything out."""


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Sets of labels that hold the right one with probability `level`: over all data (`by_class` false), or over the
    data of each class (true), so that a rare class cannot be the one that pays.

    Split conformal prediction (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023), class by class as Mondrian
    (Vovk 2012). The guarantee is for data like those it was fitted on, and exact where one model gave the probabilities
    of both. Fitted on out-of-fold probabilities (cross-conformal, Vovk 2015) it is met in practice, as the models of
    the folds differ little from the final one; proven is 2 · level − 1 (Barber, Candès, Ramdas & Tibshirani 2021).
    """

    level: float
    score: Score
    quantiles: Floats
    """(k,): a label is in the set where its score is at most this."""

    @classmethod
    def fit(
        cls,
        probabilities: ArrayLike,
        targets: ArrayLike,
        *,
        level: float = 0.9,
        score: Score = "lac",
        by_class: bool = False,
    ) -> ConformalSets:
        """From probabilities (n, k) of examples the model had not seen and the codes (n,) of their right labels.

        `lac` rules out labels by their probability alone: the smallest sets on average (Sadinle, Lei & Wasserman 2019).
        `aps` takes labels in the order of their probability until the sum is large enough, without randomisation:
        larger sets, never empty, which grow with the difficulty of the example (Romano, Sesia & Candès 2020). A class
        with fewer than level / (1 − level) examples is in every set of `by_class`. Raises NotEnoughLabels for no
        examples, InputError for shapes, codes or a level that are none.
        """
        rows = _probabilities(probabilities)
        right = np.asarray(targets)
        if not 0 < level < 1:
            raise InputError(f"The level of conformal sets is a share between 0 and 1, not {level}.")
        if right.shape != (len(rows),):
            raise InputError(f"{len(rows)} rows of probabilities need as many targets, not shape {right.shape}.")
        if not len(rows):
            raise NotEnoughLabels("Conformal sets need examples that the model had not seen, and there are none.")
        k = rows.shape[1]
        if not np.issubdtype(right.dtype, np.integer) or right.min() < 0 or right.max() >= k:
            raise InputError(f"Targets are columns of the probabilities: whole numbers from 0 to {k - 1}.")
        scores = _scores(rows, score)[np.arange(len(rows)), right]
        if by_class:
            quantiles = np.array([quantile(scores[right == label], level) for label in range(k)])
        else:
            quantiles = np.full(k, quantile(scores, level))
        return cls(level, score, quantiles)

    def sets(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """(n, k) -> (n, k): which labels are in each row's set. A set may be empty (`lac`): nothing is likely enough.

        Raises InputError for probabilities of another number of labels."""
        rows = _probabilities(probabilities)
        if rows.shape[1] != len(self.quantiles):
            raise InputError(f"These sets are of {len(self.quantiles)} labels, not of {rows.shape[1]}.")
        within: NDArray[np.bool_] = _scores(rows, self.score) <= self.quantiles + 1e-12  # sums round
        return within


def quantile(scores: Floats, level: float) -> float:
    """The ⌈(n + 1) · level⌉-th smallest score, which the next one is not above with probability `level`; infinite
    where n is too small for that."""
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else EVERYTHING


def _scores(rows: Floats, score: Score) -> Floats:
    """How strange each label would be: (n, k), in [0, 1]. For `aps`, how probable the labels before it are together."""
    if score == "lac":
        return 1 - rows
    order = np.argsort(-rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    scores = np.empty_like(rows)
    np.put_along_axis(scores, order, np.cumsum(ordered, axis=1) - ordered, axis=1)
    return scores


def _probabilities(probabilities: ArrayLike) -> Floats:
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"Probabilities are rows of one or more labels, not an array of shape {rows.shape}.")
    if not np.isfinite(rows).all() or (rows < -1e-9).any() or (rows > 1 + 1e-6).any():
        raise InputError("Probabilities are numbers between 0 and 1.")
    return rows
