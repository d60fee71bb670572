"""Annotator models as others published them, by their packages: crowd-kit's Dawid-Skene and cleanlab's CROWDLAB."""

from __future__ import annotations

import warnings

import numpy as np

from ml_backend.labeling.annotator_models import Fit, Votes
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Floats

_LEAST = 1e-10
_MOST_CELLS = 50_000_000


def dawid_skene(votes: Votes) -> Fit:
    """crowd-kit's Dawid-Skene: maximum likelihood, at most 100 iterations."""
    import pandas as pd  # type: ignore[import-untyped]
    from crowdkit.aggregation.classification.dawid_skene import DawidSkene

    data = pd.DataFrame({"task": votes.unit, "worker": votes.annotator, "label": votes.value})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas deprecations in crowd-kit
        units = np.flatnonzero(np.isin(votes.known, votes.value) & (votes.per_unit > 0))
        found = DawidSkene(n_iter=100).fit(data, pd.Series(votes.known[units], units) if len(units) else None)
    posterior = np.full((votes.units, votes.values), 1 / votes.values)
    columns = found.probas_.columns.to_numpy()
    posterior[np.ix_(found.probas_.index.to_numpy(), columns)] = found.probas_.to_numpy()
    unseen = np.setdiff1d(np.arange(votes.values), columns)
    seen_units = found.probas_.index.to_numpy()
    posterior[np.ix_(seen_units, unseen)] = 0.0
    votes.clamp(posterior)
    confusion = np.full((votes.annotators, votes.values, votes.values), _LEAST)
    who, said = (found.errors_.index.get_level_values(name).to_numpy() for name in ("worker", "label"))
    confusion[who[:, None], said[:, None], columns[None, :]] = np.maximum(found.errors_.to_numpy(), _LEAST)
    return Fit(posterior, _accuracy(votes, posterior), confusion)


def crowdlab(votes: Votes) -> Fit:
    """cleanlab's CROWDLAB (Goh, Tkachenko & Mueller 2022): annotators and the classifier behind `votes.texts` weighted
    by how well each predicts the others; with its own, often too low, probabilities.

    Raises InputError where no texts are given, nothing is judged twice, or its table of units by annotators would not
    fit (400 MB).
    """
    instead = "Use auto, which joins annotators and texts, too."
    if votes.texts is None:
        raise InputError("The method crowdlab needs a trained model's out-of-fold predictions.", mend=instead)
    if (votes.per_unit < 2).all():
        raise InputError("The method crowdlab needs tasks with two judgements.", mend=instead)
    if votes.units * votes.annotators > _MOST_CELLS:
        raise InputError(
            f"The method crowdlab works on a table of {votes.units:,} tasks by {votes.annotators:,} annotators, which "
            "is too large.",
            mend=instead,
        )
    from cleanlab.multiannotator import get_label_quality_multiannotator

    said = np.full((votes.units, votes.annotators), np.nan)
    said[votes.unit, votes.annotator] = votes.value
    texts = np.exp(votes.texts - votes.texts.max(axis=1, keepdims=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_label_quality_multiannotator(
            said, texts / texts.sum(axis=1, keepdims=True), verbose=False, return_detailed_quality=False
        )
    consensus, quality = (found["label_quality"][f"consensus_{it}"].to_numpy() for it in ("label", "quality_score"))
    posterior = np.repeat(((1 - quality) / (votes.values - 1))[:, None], votes.values, axis=1)
    posterior[np.arange(votes.units), consensus.astype(int)] = quality
    votes.clamp(posterior)
    return Fit(posterior, _accuracy(votes, posterior))


def _accuracy(votes: Votes, posterior: Floats) -> Floats:
    right = np.bincount(votes.annotator, posterior[votes.unit, votes.value], minlength=votes.annotators)
    given = np.bincount(votes.annotator, minlength=votes.annotators)
    accuracy: Floats = right / np.maximum(given, 1)
    return accuracy
