"""Models of annotators who pick one of several answers: from their votes, the probability of each answer per task.

Every model here is Dawid & Skene's (Applied Statistics 28, 1979) with a prior of a different strength: an annotator is
described by the probability of each vote given the right answer, estimated together with the answers by
expectation-maximisation. `majority` has one accuracy for everybody, the one-coin model one a person, and the shrunken
models a confusion matrix a person, drawn towards the person's one coin or everybody's confusions by so many
pseudo-judgements. The same models may read: then what texts say (`text_prior`) is the prior of the answers, so that
annotators and classifier are weighed jointly. Plain maximum likelihood (`published_models.dawid_skene`) needs many
judgements a person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml_backend.labeling.text_prior import TextPrior
from ml_backend.labeling.units import Floats, Ints

_ASSUMED_ACCURACY = 0.7  # worth four judgements; what is left where no two annotators share a task
_ASSUMED_WEIGHT = 4.0
_ITERATIONS = 30
_REFITS = (2, 4, 6)  # iterations at which it is asked anew how far to believe texts; before the first, not at all
_SETTLED = 1e-4  # mean change of the posterior
_LEAST = 1e-10
_MOST_CONFUSIONS = 20_000_000


@dataclass(frozen=True)
class Votes:
    """Codes of one vote each, (N,), and how many units, annotators and values there are (values: two at least)."""

    unit: Ints
    annotator: Ints
    value: Ints
    units: int
    annotators: int
    values: int
    known: Ints
    """The right answer where a review decided on it, (U,); −1 elsewhere."""
    texts: Floats | None = None
    """Log-probabilities of each answer by a model that has not seen the votes, (U, K); even where it says nothing."""

    def only(self, kept: NDArray[np.bool_]) -> Votes:
        return replace(self, unit=self.unit[kept], annotator=self.annotator[kept], value=self.value[kept])

    @cached_property
    def telling(self) -> NDArray[np.bool_]:
        """The units that say something about annotators, (U,): judged twice, or with a known answer."""
        return (self.per_unit > 1) | (self.known >= 0)

    @cached_property
    def read(self) -> NDArray[np.bool_]:
        """The units of which texts say something, (U,)."""
        return np.zeros(self.units, dtype=bool) if self.texts is None else np.ptp(self.texts, axis=1) > 0

    def clamp(self, posterior: Floats) -> Floats:
        """The same (U, K), in place, with the known answers certain."""
        units = np.flatnonzero(self.known >= 0)
        posterior[units] = 0.0
        posterior[units, self.known[units]] = 1.0
        return posterior

    @cached_property
    def counts(self) -> Floats:
        """Votes of each unit for each value, (U, K)."""
        return self.weighted(np.ones(len(self.unit)))

    @cached_property
    def per_unit(self) -> Ints:
        return np.bincount(self.unit, minlength=self.units).astype(np.int64)

    def weighted(self, weights: Floats) -> Floats:
        """Sums of weights, (N,), of each unit and value: (U, K)."""
        key = self.unit * self.values + self.value
        sums = np.bincount(key, weights, minlength=self.units * self.values).astype(np.float64)
        return sums.reshape(self.units, self.values)


@dataclass(frozen=True)
class Fit:
    posterior: Floats
    """The probability of each answer to each unit, (U, K)."""
    accuracy: Floats
    """(A,)"""
    confusion: Floats | None = None
    """The probability of each vote (second axis) given the answer (third), (A, K, K); None: errors are uniform."""

    def likelihood(self, annotator: Ints, value: Ints) -> Floats:
        """The probability of these votes given each answer: (n,) and (n,) -> (n, K)."""
        if self.confusion is not None:
            return self.confusion[annotator, value]
        values = self.posterior.shape[1]
        accuracy = self.accuracy[annotator]
        rows = np.repeat(((1 - accuracy) / (values - 1))[:, None], values, axis=1)
        rows[np.arange(len(value)), value] = accuracy
        return rows


@dataclass(frozen=True)
class Model:
    name: str
    about: str
    class_prior: bool = True
    """Whether some answers may be commoner than others."""
    accuracy_strength: float = 4.0
    """Pseudo-judgements that draw a person's accuracy towards everybody's; infinite: it is everybody's."""
    confusion_strength: float = math.inf
    """Pseudo-judgements that draw a person's confusions towards those `around` them; infinite: there are none."""
    around: Literal["coin", "pooled"] = "coin"
    reads: bool = False
    """Whether what texts say is the prior of the answers."""

    def reading(self) -> Model:
        """The same model with what texts say as its prior."""
        name = f"{self.name.removesuffix('-with-prior')}-with-texts"
        return replace(self, name=name, about=f"{self.about}; with what texts say", reads=True)

    @property
    def confuses(self) -> bool:
        return math.isfinite(self.confusion_strength)

    def fits(self, votes: Votes) -> bool:
        """Whether its matrices stay within memory (160 MB)."""
        small = not self.confuses or votes.annotators * votes.values**2 <= _MOST_CONFUSIONS
        return small and not (self.reads and votes.texts is None)

    def fit(self, votes: Votes) -> Fit:
        """Expectation-maximisation from the shares of votes; deterministic."""
        texts = TextPrior.of(votes.texts) if self.reads and votes.texts is not None else None
        posterior = votes.counts + 1 / votes.values
        posterior = votes.clamp(posterior / posterior.sum(axis=1, keepdims=True))
        given = np.bincount(votes.annotator, minlength=votes.annotators)
        cells = _cells(votes) if self.confuses else None
        accuracy, confusion = np.zeros(0), None
        for step in range(_ITERATIONS):
            right = np.bincount(votes.annotator, posterior[votes.unit, votes.value], minlength=votes.annotators)
            everybody = (right.sum() + _ASSUMED_WEIGHT * _ASSUMED_ACCURACY) / (given.sum() + _ASSUMED_WEIGHT)
            accuracy = np.full(votes.annotators, everybody)
            if math.isfinite(self.accuracy_strength):
                accuracy = (right + self.accuracy_strength * everybody) / (given + self.accuracy_strength)
            accuracy = np.clip(accuracy, 1e-3, 1 - 1e-3)
            if cells is None:
                odds = np.log(accuracy * (votes.values - 1) / (1 - accuracy))
                log = votes.weighted(odds[votes.annotator])
            else:
                confusion = self._confusion(cells, posterior, accuracy, everybody)
                log = cells.T @ np.log(confusion).reshape(-1, votes.values)
            if texts is not None and step >= _REFITS[0]:
                texts = texts.refitted(log, votes.known) if step in _REFITS else texts
                log += texts.log()
            elif self.class_prior:
                log += np.log((posterior.sum(axis=0) + 1) / (votes.units + votes.values))
            log -= log.max(axis=1, keepdims=True)
            new = np.exp(log)
            new = votes.clamp(new / new.sum(axis=1, keepdims=True))
            change = float(np.abs(new - posterior).sum(axis=1).mean())
            posterior = new
            if change < _SETTLED and (texts is None or step >= _REFITS[-1]):
                break
        return Fit(posterior, accuracy, confusion)

    def _confusion(self, cells: Any, posterior: Floats, accuracy: Floats, everybody: float) -> Floats:
        values = posterior.shape[1]
        same = np.eye(values, dtype=bool)
        counts = np.asarray(cells @ posterior).reshape(len(accuracy), values, values)
        base = np.where(same, accuracy[:, None, None], ((1 - accuracy) / (values - 1))[:, None, None])
        if self.around == "pooled":
            pooled = counts.sum(axis=0) + base.mean(axis=0)
            pooled /= pooled.sum(axis=0)
            better = accuracy / (1 - accuracy) * (1 - everybody) / everybody  # than the average person, in odds
            base = pooled * np.where(same, better[:, None, None], 1.0)
            base /= base.sum(axis=1, keepdims=True)
        confusion = counts + self.confusion_strength * base + _LEAST
        normalised: Floats = confusion / confusion.sum(axis=1, keepdims=True)
        return normalised


MAJORITY = Model("majority", "everybody equally good, all answers equally likely", False, math.inf)
MODELS: tuple[Model, ...] = (
    MAJORITY,
    Model("majority-with-prior", "everybody equally good, some answers commoner", True, math.inf),
    Model("one-coin", "an accuracy a person, drawn strongly towards everybody's", True, 20.0),
    Model("one-coin", "an accuracy a person"),
    Model("shrunken-dawid-skene", "confusions a person, drawn towards their accuracy", True, 4.0, 10.0),
    Model("shrunken-dawid-skene", "confusions a person, drawn towards everybody's", True, 4.0, 10.0, "pooled"),
    Model("shrunken-dawid-skene", "confusions a person, drawn a little towards everybody's", True, 4.0, 4.0, "pooled"),
)
"""What `auto` chooses from, the plainer first."""
READERS = tuple(model.reading() for model in MODELS if model.class_prior)
"""And where there are texts: as those, in their order."""


def temper(posterior: Floats, temperature: float) -> Floats:
    """Probabilities ** (1 / temperature), normalised: (U, K) -> (U, K). Above 1 they become less extreme."""
    if temperature == 1:
        return posterior
    powered = np.maximum(posterior, 1e-300) ** (1 / temperature)
    normalised: Floats = powered / powered.sum(axis=1, keepdims=True)
    return normalised


def _cells(votes: Votes) -> Any:
    """(A K, U), sparse: how often each annotator gave each value to each unit."""
    from scipy import sparse

    key = votes.annotator * votes.values + votes.value
    return sparse.csr_matrix((np.ones(len(key)), (key, votes.unit)), (votes.annotators * votes.values, votes.units))
