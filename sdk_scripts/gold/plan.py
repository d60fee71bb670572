"""Which gold questions are open, and for how many annotators more.

The first questions are the same for everybody: they stay open until they are worn out, so that whoever comes new meets
them first. After those an annotator's questions come at places that are drawn from a keyed hash, one in each stretch of
1 / share tasks, and so are the questions themselves: nobody without the secret can tell which is the next, and every
process comes to the same. Label Studio assigns no task to anybody, so a question opened for one annotator may be taken
by another who has not seen it; who it was meant for then gets another. Where a task takes three annotators or more,
Label Studio first finishes the tasks with the most annotations, and a question may have to wait for them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sdk_scripts.gold.questions import Question

if TYPE_CHECKING:
    from ml_backend.labeling.arms import Arms
    from sdk_scripts.quality import Gold

FEW = 3
"""Questions opened for an annotator at a time, beside the first ones."""


@dataclass(frozen=True, slots=True)
class Person:
    """An annotator who has been at work lately."""

    name: str
    labels: int
    """Tasks labelled, gold questions left out."""
    touched: frozenset[int]
    """Tasks judged, skipped or decided: they are not served again."""
    asked: frozenset[int]
    """Gold questions seen, skipped ones too."""

    def target(self, gold: Gold, arms: Arms) -> int:
        """How many gold questions there should have been by now."""
        if not gold.share:
            return gold.first
        stretch = 1 / gold.share
        done = int(self.labels / stretch)
        place = done + arms.draw(done, f"gold place:{self.name}")
        return gold.first + done + (self.labels >= place * stretch)


@dataclass(frozen=True, slots=True)
class Item:
    """A task with gold questions that may be asked."""

    task: int
    labels: tuple[str, ...]
    severity: float
    exposures: int
    """Annotators who have seen it since it is gold."""
    last: datetime | None
    """When it was answered last."""


@dataclass
class Slots:
    """How many annotators more each task is open for; tasks that are not in it are closed."""

    first: tuple[int, ...] = ()
    of: Counter[int] = field(default_factory=Counter)
    short: dict[str, int] = field(default_factory=dict)
    """Annotator -> questions that there should be and are none left for."""


def items_of(questions: Iterable[Question], exposures: Mapping[int, int], last: Mapping[int, datetime]) -> list[Item]:
    """The tasks to be asked, in order of id: those with a live question and none that is disputed."""
    by_task: defaultdict[int, list[Question]] = defaultdict(list)
    for question in questions:
        if question.live and question.task is not None and question.decided:
            by_task[question.task].append(question)
    return [
        Item(
            task=task,
            labels=tuple(sorted({label for it in them for label in it.labels})),
            severity=max(it.severity for it in them),
            exposures=exposures.get(task, 0),
            last=last.get(task),
        )
        for task, them in sorted(by_task.items())
    ]


def plan_slots(items: Sequence[Item], people: Iterable[Person], gold: Gold, arms: Arms, now: datetime) -> Slots:
    """Deterministic, and the same again once it is in place."""
    room = {it.task: gold.most_exposures - it.exposures for it in items}
    open_ = [it for it in items if room[it.task] > 0]
    slots = Slots(first=tuple(it.task for it in _first(open_, gold.first, arms)))
    for task in slots.first:
        slots.of[task] = room[task]
    rested = [it for it in open_ if it.task not in slots.first and _rested(it, gold, now)]
    for person in sorted(people, key=lambda it: (arms.draw(0, f"gold person:{it.name}"), it.name)):
        waiting = sum(task not in person.touched for task in slots.first)
        wanted = min(person.target(gold, arms) - len(person.asked) - waiting, FEW)
        seen = Counter(label for it in items if it.task in person.asked for label in it.labels)
        grave = Counter(it.severity for it in items if it.task in person.asked)
        free = [it for it in rested if it.task not in person.touched and _room(it, slots, room, gold)]
        for place in range(wanted):
            if not free:
                slots.short[person.name] = wanted - place
                break
            best = min(free, key=lambda it: _rank(it, person, seen, grave, arms))
            free.remove(best)
            slots.of[best.task] += 1
            seen.update(best.labels)
            grave[best.severity] += 1
    return slots


def _first(items: Sequence[Item], most: int, arms: Arms) -> list[Item]:
    """Label by label, the gravest questions first; drawn where they are alike."""
    left = sorted(items, key=lambda it: (-it.severity, arms.draw(it.task, "gold first")))
    seen: Counter[str] = Counter()
    chosen: list[Item] = []
    while left and len(chosen) < most:
        best = min(left, key=lambda it: min(seen[label] for label in it.labels))
        left.remove(best)
        chosen.append(best)
        seen.update(best.labels)
    return chosen


def _rank(item: Item, person: Person, seen: Counter[str], grave: Counter[float], arms: Arms) -> tuple[int, int, float]:
    """Labels and severities that the annotator has met least come first."""
    drawn = arms.draw(item.task, f"gold question:{person.name}")
    return min(seen[label] for label in item.labels), grave[item.severity], drawn


def _room(item: Item, slots: Slots, room: Mapping[int, int], gold: Gold) -> bool:
    """With a rest, one annotator at a time."""
    taken = slots.of[item.task]
    return taken < room[item.task] and not (gold.rest_hours and taken)


def _rested(item: Item, gold: Gold, now: datetime) -> bool:
    return item.last is None or item.last + timedelta(hours=gold.rest_hours) <= now
