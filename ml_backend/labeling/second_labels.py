"""A second label for a doubtful item, or a first label for another? What each is expected to be worth.

The question of Sheng, Provost & Ipeirotis (Get another label?, 2008) and of Lin, Mausam & Weld (To re(label), or not to
re(label), 2014), answered by the value of information: an item, labelled or not, has a posterior over its answers
(consensus, or calibrated model), and one more label of known reliability changes it by Bayes' rule. Worth is the
expected fall of the squared error (Brier 1950) of the answer that is on record. The expected number of wrong labels
would not do: a single vote that cannot overturn the consensus seems worthless by it, however much it would tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Floats


@dataclass(frozen=True)
class Worth:
    """What one more label is worth, in [0, 1] each, and the order to give them in."""

    second: Floats
    """(m,) of another label for each labelled item."""
    first: Floats
    """(n,) of a label for each unlabelled item."""
    order: NDArray[np.int64]
    """(m + n,) both kinds, worthiest first: numbers below m are labelled items, m + j is the unlabelled item j."""


def worth_of_second_label(consensus: ArrayLike, model: ArrayLike, *, reliability: ArrayLike, answers: int) -> Worth:
    """Ranks both kinds of label.

    `consensus` (m,) is the probability that each labelled item's answer is right, `model` (n,) that the model's answer
    to each unlabelled one is. `reliability` is the probability that the next annotator is right: a number, or (m + n,)
    for annotators that differ by item. `answers` is how many there are to choose from; the wrong ones count as equally
    likely. Raises InputError for numbers that are no probabilities.
    """
    known, new = _probabilities(consensus, "consensus"), _probabilities(model, "model")
    both = worth_of_label(np.concatenate([known, new]), reliability, answers)
    return Worth(both[: len(known)], both[len(known) :], np.argsort(-both, kind="stable"))


def worth_of_label(confidence: ArrayLike, reliability: ArrayLike, answers: int) -> Floats:
    """(n,): the expected fall of the squared error when an item whose answer is right with probability `confidence`
    gets one more label, right with probability `reliability`."""
    c = _probabilities(confidence, "confidence")
    r = np.broadcast_to(_probabilities(reliability, "reliability"), c.shape)
    if answers < 2:
        raise InputError(f"There must be two answers or more to choose from, not {answers}.")
    others = answers - 1
    wrong, slip = (1 - c) / others, (1 - r) / others  # of each other answer: its probability, and of saying it
    before = c**2 + others * wrong**2
    # the label is the answer on record: then only the others' probabilities shrink
    same = c * r + (1 - c) * slip
    after_same = ((c * r) ** 2 + others * (wrong * slip) ** 2) / np.maximum(same, 1e-300)
    # or one of the others, each as likely
    one = c * slip + wrong * r + (others - 1) * wrong * slip
    squares = (c * slip) ** 2 + (wrong * r) ** 2 + (others - 1) * (wrong * slip) ** 2
    after = after_same + others * squares / np.maximum(one, 1e-300)
    gain: Floats = np.clip(after - before, 0.0, 1.0)
    return gain


def _probabilities(values: ArrayLike, name: str) -> Floats:
    found = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if not np.isfinite(found).all() or (found < 0).any() or (found > 1).any():
        raise InputError(f"Each {name} must be a probability, between 0 and 1.")
    return found
