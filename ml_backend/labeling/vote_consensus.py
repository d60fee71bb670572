"""The consensus of votes: one of several answers, or several labels at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.labeling.annotator_models import MAJORITY, Fit, Votes, temper
from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Kind
from ml_backend.labeling.label_probabilities import LabelProbabilities
from ml_backend.labeling.model_choice import Choice, choose
from ml_backend.labeling.published_models import crowdlab, dawid_skene
from ml_backend.labeling.units import Coded, Floats, Ints

SHRINK = 4.0  # pseudo-judgements that draw an annotator's quality towards everybody's
_EQUAL = 1e-9
_STEPS = 20
_MOST_LABEL_VOTES = 5_000_000


@dataclass(frozen=True)
class ControlConsensus:
    """How a control's consensus was found."""

    method: str
    """A model of `annotator_models`, dawid-skene, crowdlab, median, overlap or medoid; decided where only reviews
    said anything."""
    reason: str
    temperature: float = 1.0
    """What probabilities were softened with."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Mean log-likelihood of held-out judgements by model, where `auto` chose."""
    read: bool = False
    """Whether it rests on what texts say, too."""

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "reason": self.reason,
            "temperature": self.temperature,
            "scores": dict(self.scores),
        }


@dataclass(frozen=True)
class Decided:
    """(U,) keys, confidences and ties; (A,) qualities; where votes were counted, how probable each label is."""

    keys: list[str]
    confidence: Floats
    tied: NDArray[np.bool_]
    quality: Floats
    told: Floats
    """Of how many judgements with a known answer each quality tells as much, (A,)."""
    probabilities: LabelProbabilities | None = None


def by_vote(
    coded: Coded, control: Control, kind: Kind, method: str, prior: LabelProbabilities | None, seed: int
) -> tuple[ControlConsensus, Decided]:
    texts = prior.of_answers(coded, control, kind) if prior else None
    votes = _votes(coded, coded.value, max(2, len(coded.keys)), coded.settled, texts)
    how, fit = _fitter(votes, method, seed)
    fitted = fit(votes)
    posterior = temper(fitted.posterior, how.temperature)
    answer, confidence, tied = _pick(posterior, votes, how.read)
    keys = [coded.keys[index] for index in answer]
    quality, told = _vote_quality(votes, fitted)
    names = tuple(", ".join(kind.labels(answer)) for answer in coded.answers)
    return how, Decided(
        keys, confidence, tied, quality, told, LabelProbabilities(coded.tasks, names, posterior[:, : len(names)])
    )


def by_label(
    coded: Coded, control: Control, kind: Kind, method: str, prior: LabelProbabilities | None, seed: int
) -> tuple[ControlConsensus, Decided]:
    """Each label present or not; one model for all, chosen on all their decisions together."""
    answers = [frozenset(kind.labels(answer)) for answer in coded.answers]
    names = [name for name in control.keys if any(name in answer for answer in answers)]
    names += sorted(set().union(*answers) - set(names))
    has = np.array([[name in answer for name in names] for answer in answers], dtype=np.int64)
    n, units = len(coded.unit), len(coded.tasks)
    stacked = Votes(
        np.concatenate([coded.unit + units * place for place in range(len(names))]),
        np.tile(coded.annotator, len(names)),
        has[coded.value].T.ravel(),
        units * len(names),
        len(coded.annotators),
        2,
        np.concatenate([_known_label(coded, has[:, place]) for place in range(len(names))]),
        np.concatenate([prior.of_label(coded, name) for name in names]) if prior else None,
    )
    if n * len(names) > _MOST_LABEL_VOTES:
        method = "majority"
    how, fit = _fitter(stacked, method, seed, len(names))
    sure = np.ones(units)
    likeliest, likeliest_label = np.full(units, -1.0), np.zeros(units, dtype=np.int64)
    tied = np.zeros(units, dtype=bool)
    applies = np.zeros((units, len(names)), dtype=bool)
    probable = np.zeros((units, len(names)))
    quality: Floats = np.zeros(len(coded.annotators))
    told: Floats = np.zeros(len(coded.annotators))
    for place, name in enumerate(names):
        texts = prior.of_label(coded, name) if prior else None
        votes = _votes(coded, has[coded.value, place], 2, _known_label(coded, has[:, place]), texts)
        fitted = fit(votes)
        posterior = temper(fitted.posterior, how.temperature)
        answer, confidence, even = _pick(posterior, votes, how.read)
        probable[:, place] = posterior[:, 1]
        applies[:, place] = (answer == 1) & ~even
        tied |= even
        sure *= confidence
        better = posterior[:, 1] > likeliest + _EQUAL
        likeliest[better], likeliest_label[better] = posterior[better, 1], place
        here, worth = _vote_quality(votes, fitted)
        quality, told = quality + here, told + worth
    empty = ~applies.any(axis=1)  # nobody answered with nothing, so the likeliest label stands, unsure
    applies[empty, likeliest_label[empty]] = True
    confidence = np.where(empty | tied, np.minimum(np.where(empty, likeliest, sure), 0.5), sure)
    known: dict[bytes, str] = {}
    keys = []
    for row in applies:
        pattern = row.tobytes()
        if pattern not in known:
            known[pattern] = kind.key(tuple(name for name, it in zip(names, row, strict=True) if it))
        keys.append(known[pattern])
    found = LabelProbabilities(coded.tasks, tuple(names), probable)
    return how, Decided(keys, confidence, tied | empty, quality / len(names), told / len(names), found)


def _fitter(
    votes: Votes, method: str, seed: int, units_a_task: int = 1
) -> tuple[ControlConsensus, Callable[[Votes], Fit]]:
    """What to fit, and why."""
    if not votes.telling.any() and not (votes.read.any() and method == "auto"):
        why = "No task has two judgements, so nothing is known about the annotators."
        return ControlConsensus(MAJORITY.name, why), MAJORITY.fit
    if method == "majority":
        return ControlConsensus(MAJORITY.name, "Asked for."), MAJORITY.fit
    if method == "dawid-skene":
        return ControlConsensus(method, "Asked for."), dawid_skene
    if method == "crowdlab":
        return ControlConsensus(method, "Asked for.", read=True), crowdlab
    chosen: Choice = choose(votes, seed=seed, units_a_task=units_a_task)
    model = chosen.model
    how = ControlConsensus(model.name, chosen.reason, chosen.temperature, chosen.scores, model.reads)
    return how, model.fit


def _votes(coded: Coded, value: Ints, values: int, known: Ints, texts: Floats | None) -> Votes:
    return Votes(coded.unit, coded.annotator, value, len(coded.tasks), len(coded.annotators), values, known, texts)


def _known_label(coded: Coded, has: Ints) -> Ints:
    """Whether the decided answer has a label, (U,): 0 or 1, −1 where nothing is decided. `has` is that of each answer,
    (V,)."""
    return np.where(coded.settled < 0, -1, has[coded.settled])


def _pick(posterior: Floats, votes: Votes, read: bool) -> tuple[Ints, Floats, NDArray[np.bool_]]:
    """The most probable of the values given to each unit, its probability, and whether another is as probable.

    Where people differ and texts were `read`, it may be a value that nobody gave to the unit, if more likely than not.
    """
    given = np.where(votes.counts > 0, posterior, -1.0)
    most = given.max(axis=1, keepdims=True)
    as_good = given >= most - _EQUAL
    tied = as_good.sum(axis=1) > 1
    common = votes.counts.sum(axis=0)
    order = np.lexsort((np.arange(len(common)), -common))  # the more common first, then the first in order
    answer = order[as_good[:, order].argmax(axis=1)]
    if read:
        other = ((votes.counts > 0).sum(axis=1) > 1) & (posterior.max(axis=1) > np.maximum(most[:, 0], 0.5))
        answer[other], tied[other] = posterior[other].argmax(axis=1), False
    confidence = np.clip(posterior[np.arange(len(answer)), answer], 0, np.where(tied, 0.5, 1))
    return answer, confidence, tied


def _vote_quality(votes: Votes, fit: Fit) -> tuple[Floats, Floats]:
    """Each annotator's probability of being right, (A,), and of how many judgements with a known answer it tells as
    much, (A,); judgements of tasks nobody else judged or decided say nothing.

    The maximum of the likelihood of their votes given what is thought of the tasks without them, drawn towards
    everybody's by four pseudo-judgements; its weight is q (1 − q) times the Fisher information, observed (too little
    where nobody erred) or expected (where many did).
    """
    shared = votes.telling[votes.unit]
    if not shared.any():
        return np.full(votes.annotators, math.nan), np.zeros(votes.annotators)
    who, others = votes.annotator[shared], votes.values - 1
    after = np.clip(fit.posterior[votes.unit, votes.value][shared], 0.0, 1.0)
    own = np.clip(fit.accuracy, 0.02, 0.98)[who]
    before = after * (1 - own) / others  # without the annotator's own vote, in odds
    before = before / (before + (1 - after) * own)
    n = np.bincount(who, minlength=votes.annotators)
    quality, usual = np.clip(fit.accuracy, 0.02, 0.98), float(after.mean())
    for _ in range(_STEPS):
        right = before * quality[who]
        right /= right + (1 - before) * (1 - quality[who]) / others
        quality = (np.bincount(who, right, votes.annotators) + SHRINK * usual) / (n + SHRINK)
    q = np.clip(quality, 1e-3, 1 - 1e-3)
    slope, chance = before - (1 - before) / others, before * q[who] + (1 - before) * (1 - q[who]) / others
    observed = np.bincount(who, (slope / chance) ** 2, votes.annotators)
    expected = np.bincount(who, slope**2 / (chance * (1 - chance)), votes.annotators)  # of this vote or any other
    return quality, np.minimum(q * (1 - q) * np.maximum(observed, expected), n)
