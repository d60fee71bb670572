"""Which annotator model suits the data: the one that predicts judgements it has not seen best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ml_backend.labeling.annotator_models import MAJORITY, MODELS, READERS, Fit, Model, Votes, temper
from ml_backend.labeling.units import Floats, Ints

_FOLDS = 5
_LARGE = 200_000
_SAMPLED_UNITS = 30_000
_FEWEST = 20
_CONTENDERS = 3
TEMPERATURES = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)


@dataclass(frozen=True)
class Choice:
    model: Model
    temperature: float
    """What the model's posterior is softened with: annotators' errors hang together, which no model here knows."""
    reason: str
    scores: Mapping[str, float] = field(default_factory=dict)
    """Mean log-likelihood of a held-out judgement by model, the best of each name: majority, and the three models that
    are ahead after the first fold, of those that read texts and of the others."""


def choose(votes: Votes, *, seed: int, models: Sequence[Model] = (*MODELS, *READERS), units_a_task: int = 1) -> Choice:
    """Hold out one judgement of every unit that has two or more, a known answer or a text that was read (in five folds;
    a sample of units, in one, where there are over 200,000 judgements), fit each model to the rest, and ask how
    probable it makes those held out. Where labels are decided one by one, a task has a unit for each."""
    held = list(_held_out(votes, np.random.default_rng(seed)))
    n = sum(len(test) for _, _, test in held)
    if (tasks := n // units_a_task) < _FEWEST:
        return Choice(MAJORITY, 1.0, f"Only {tasks} tasks have two judgements: too few to tell annotators apart.")
    possible = [model for model in models if model.fits(votes)]
    first = [_likelihoods(held[:1], model.fit)[1.0] for model in possible]
    order = np.argsort(-np.array(first), kind="stable").tolist()
    without, reading = ([place for place in order if possible[place].reads is reads] for reads in (False, True))
    ahead = sorted({0, *without[:_CONTENDERS], *reading[:_CONTENDERS]})
    found: list[tuple[float, float, Model]] = []
    for model in (possible[place] for place in ahead):  # the others are not worth four more fits
        likelihoods = _likelihoods(held, model.fit)
        found.append((likelihoods[1.0], max(TEMPERATURES, key=likelihoods.__getitem__), model))
    best = max(found, key=lambda it: it[0])  # the first of equals: the plainest
    scores: dict[str, float] = {}
    for score, _, model in found:
        scores[model.name] = max(score, scores.get(model.name, -np.inf))
    others = ", ".join(f"{name} {score:.3f}" for name, score in scores.items() if name != best[2].name)
    return Choice(
        best[2],
        math.sqrt(
            best[1]
        ),  # half way to 1: the models it was fitted on had seen fewer judgements, so were surer too soon
        f"It makes {n} held-out judgements most probable ({best[2].about}): mean log-likelihood {best[0]:.3f}"
        + (f"; {others}." if others else "."),
        scores,
    )


def _held_out(votes: Votes, rng: np.random.Generator) -> Iterator[tuple[Votes, Votes, Ints]]:
    """All votes, those kept, and the indices of those held out."""
    folds = _FOLDS
    if len(votes.unit) > _LARGE:
        units = rng.permutation(votes.units)[:_SAMPLED_UNITS]
        number = np.full(votes.units, -1)
        number[units] = np.arange(len(units))
        kept = number[votes.unit] >= 0
        sample = votes.only(kept)
        votes = replace(
            sample,
            unit=number[sample.unit],
            units=len(units),
            known=votes.known[units],
            texts=None if votes.texts is None else votes.texts[units],
        )
        folds = 1
    order = np.lexsort((rng.random(len(votes.unit)), votes.unit))
    first = order[np.r_[True, np.diff(votes.unit[order]) > 0]] if len(order) else order
    candidates = first[(votes.telling | votes.read)[votes.unit[first]]]
    fold = rng.permutation(len(candidates)) % _FOLDS
    for number_of_fold in range(folds):
        test = candidates[fold == number_of_fold]
        keep = np.ones(len(votes.unit), dtype=bool)
        keep[test] = False
        yield votes, votes.only(keep), test


def _likelihoods(held: Sequence[tuple[Votes, Votes, Ints]], fit: Callable[[Votes], Fit]) -> dict[float, float]:
    """Temperature -> mean log-likelihood of the held-out judgements given the others of their tasks."""
    parts: dict[float, list[Floats]] = {temperature: [] for temperature in TEMPERATURES}
    for votes, kept, test in held:
        if not len(test):
            continue
        fitted = fit(kept)
        likelihood = fitted.likelihood(votes.annotator[test], votes.value[test])
        for temperature, found in parts.items():
            softened = temper(fitted.posterior[votes.unit[test]], temperature)
            found.append(np.log((softened * likelihood).sum(axis=1) + 1e-12))
    return {temperature: float(np.concatenate(found).mean()) for temperature, found in parts.items()}
