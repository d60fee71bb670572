"""What a round can ask about: the source's tasks and its gold cases, each in the stratum it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task
from ml_backend.prelabelers import options
from sdk_scripts.calibration.gold import Gold
from sdk_scripts.calibration.rounds import Round, Stratum
from sdk_scripts.calibration.sample import Candidate
from sdk_scripts.evidence import Evidence, Opinions
from sdk_scripts.hard_cases import HardCase, find_hard_cases

if TYPE_CHECKING:
    from ml_backend.cases import Case

HARD = 0.5
"""A hard case's score from which on a task is hard, where more speaks for it than the model's doubt."""


@dataclass(frozen=True)
class Found:
    candidates: list[Candidate]
    notes: tuple[str, ...]
    """What could not be looked at, a sentence each."""


def candidates(
    evidence: Evidence, gold: Gold, cases: Iterable[Case], people: Collection[str], earlier: Iterable[Round]
) -> Found:
    """Every task of the source, and the gold cases whose source task is not there (`cases`, those to be used).

    Gold are tasks with a right answer to some control; hard those that people answered differently, or hard cases for
    another reason than the model's doubt; of the others unsure is the third on which the model is least confident, and
    sure the third on which it is most. Tasks without an opinion of the model are the rest. What `earlier` rounds asked
    counts as judged by their people. Raises what `find_hard_cases` raises.
    """
    library = {-case.task: case.data for case in cases}
    notes: list[str] = []
    opinions = _opinions(evidence, notes)
    hard = find_hard_cases(evidence.dataset, evidence)
    notes += [f"Without the signal {name}: {why}" for name, why in hard.dropped.items()]
    stratum, harm = _strata(evidence, gold, hard, _confidence(evidence, opinions)), {it.task: it.harm for it in hard}
    labels = _labels(evidence, gold, opinions)
    group = _groups(evidence, library)
    items = [*evidence.tasks, *library]
    judged = _judged(evidence, group, people, earlier, items)
    return Found(
        [
            Candidate(
                item,
                stratum.get(item, "gold" if item in library else "rest"),
                labels.get(item, {}),
                group.get(item),
                judged.get(group.get(item, ("alone", item)), frozenset()),
                harm.get(item, 0.0),
            )
            for item in items
        ],
        tuple(notes),
    )


def _opinions(evidence: Evidence, notes: list[str]) -> Opinions:
    """The live version's where its predictions are stored, else those of a model that never saw the task's labels."""
    try:
        return evidence.stored
    except ModelUnavailable:
        pass
    try:
        return evidence.opinions
    except (ModelUnavailable, NotEnoughLabels) as missing:
        notes.append(f"No task is sure or unsure, as no model has an opinion: {missing}")
        return {}


def _confidence(evidence: Evidence, opinions: Opinions) -> dict[int, float]:
    """Of the least certain control of each task."""
    least: dict[int, float] = {}
    for control in evidence.config.answerable:
        for task, opinion in opinions.get(control.name, {}).items():
            least[task] = min(opinion.confidence, least.get(task, 1.0))
    return least


def _strata(
    evidence: Evidence, gold: Gold, hard: Iterable[HardCase], confidence: Mapping[int, float]
) -> dict[int, Stratum]:
    found: dict[int, Stratum] = {}
    low, high = np.quantile(list(confidence.values()), [1 / 3, 2 / 3]) if confidence else (0.0, 1.0)
    for task, confident in confidence.items():
        if confident >= high:
            found[task] = "sure"
        elif confident <= low:
            found[task] = "unsure"
    doubted = {it.task for it in hard if any(one.signal != "uncertainty" and one.score >= HARD for one in it.reasons)}
    found |= dict.fromkeys(doubted | {task for _, task in evidence.split}, "hard")
    found |= dict.fromkeys((item for _, item in gold), "gold")
    return found


def _labels(evidence: Evidence, gold: Gold, opinions: Opinions) -> dict[int, dict[str, str]]:
    """Item -> control with labels -> what is right, else what most people say, else what the model says."""
    found: dict[int, dict[str, str]] = {}
    votes = evidence.judgements.group_by("control", "task", "answer").len().sort("len", "answer")
    for control in evidence.config.answerable:
        kind = kind_of(control)
        if kind is None or not options(control):
            continue
        said = {task: kind.key(opinion.answer) for task, opinion in opinions.get(control.name, {}).items()}
        rows = votes.filter(pl.col("control") == control.name).select("task", "answer").iter_rows()
        said |= dict(rows)  # the most frequent answer comes last
        said |= {item: key for (name, item), key in gold.items() if name == control.name}
        for item, key in said.items():
            found.setdefault(item, {})[control.name] = key
    return found


def _groups(evidence: Evidence, library: Mapping[int, Mapping[str, Any]]) -> dict[int, Hashable]:
    """Item -> number of its text; items without text have none."""
    tasks: Sequence[Task] = [*evidence.tasks.values(), *(Task(item, data) for item, data in library.items())]
    same = Evidence(replace(evidence.dataset, tasks=list(tasks))).same_items
    return dict(same.select("task", "item").iter_rows())


def _judged(
    evidence: Evidence,
    group: Mapping[int, Hashable],
    people: Collection[str],
    earlier: Iterable[Round],
    items: Iterable[int],
) -> dict[Hashable, frozenset[str]]:
    """Text -> who of the people has judged it."""
    rows = [(task, who.lower()) for task, who in evidence.judgements.select("task", "annotator").unique().iter_rows()]
    there = set(items)
    rows += [(item, who) for it in earlier for item in it.plan.items if item in there for who in it.plan.people]
    found: dict[Hashable, set[str]] = {}
    for item, who in rows:
        if who in people:
            found.setdefault(group.get(item, ("alone", item)), set()).add(who)
    return {text: frozenset(them) for text, them in found.items()}
