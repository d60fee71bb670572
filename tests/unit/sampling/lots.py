"""Lots of a sentiment project, made of votes."""

from __future__ import annotations

from collections.abc import Mapping

from unit.analysis.exports import dataset, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from sdk_scripts.quality import Lot as Wanted
from sdk_scripts.sampling.draw import draw
from sdk_scripts.sampling.lots import Lot
from sdk_scripts.sampling.verdict import Judged
from sdk_scripts.standards import Standard

SEVERE = Standard(severity={"negative": 5, "neutral": 2})


def evidence(labels: Mapping[int, str], standard: Standard = SEVERE, seen: Mapping[int, float] | None = None):
    """Tasks that one person labelled; `seen`: the probability of "negative" that the model gives."""
    tasks = [voted(task, f"text {task}", label) for task, label in labels.items()]
    given = None
    if seen is not None:
        given = sentiment({task: opinion("positive", 1 - p, negative=p) for task, p in seen.items()})
    return GivenEvidence(dataset(tasks), given, standard)


def lot(labels: Mapping[int, str], name: str = "november", *, standard: Standard = SEVERE, **wanted: object) -> Lot:
    return draw(evidence(labels, standard), Wanted.model_validate(wanted), name)


def judged(lot: Lot, wrong: Mapping[int, str] | None = None, decided: int | None = None, gone=(), standard=SEVERE):
    """The lot once reviewers have decided the first `decided` of its sample (all if None); `wrong`: what they decided
    of the labels that they did not confirm."""
    answers = {task: f'["{label}"]' for task, label in (wrong or {}).items()}
    looked = [task for task in lot.sample if task not in gone][:decided]
    config = dataset([]).config
    keys = {task: answers.get(task, lot.labels[task]) for task in looked}
    return Judged(lot, config, standard, keys, lot.labels.keys() - set(gone))
