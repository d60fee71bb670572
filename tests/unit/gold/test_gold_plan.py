"""Which questions are open, and for how many."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ml_backend.labeling.arms import Arms
from sdk_scripts.gold.plan import FEW, Item, Person, plan_slots
from sdk_scripts.quality import Gold
from tests.unit.gold.asked import NOW

GOLD = Gold(first=3, share=0.1, rest_hours=0, most_exposures=20)
ARMS = Arms("secret")


def item(task: int, label: str = "a", **more: object) -> Item:
    fields = {"task": task, "labels": (label,), "severity": 1.0, "exposures": 0, "last": None, **more}
    return Item(**fields)  # type: ignore[arg-type]


def person(name: str, labels: int, asked: set[int] = frozenset()) -> Person:  # type: ignore[assignment]
    return Person(name, labels, frozenset(asked), frozenset(asked))


ITEMS = [item(task, "ab"[task % 2]) for task in range(1, 21)]


def test_whoever_comes_new_meets_the_first_questions_which_are_of_all_labels() -> None:
    slots = plan_slots(ITEMS, [], GOLD, ARMS, NOW)
    assert slots.of == dict.fromkeys(slots.first, GOLD.most_exposures)
    assert len(slots.first) == 3
    assert {ITEMS[task - 1].labels for task in slots.first} == {("a",), ("b",)}


def test_the_gravest_are_among_the_first() -> None:
    grave = item(99, "c", severity=3.0)
    assert 99 in plan_slots([*ITEMS, grave], [], GOLD, ARMS, NOW).first


def test_after_the_first_ones_gold_comes_at_the_share_and_at_places_nobody_knows() -> None:
    targets = [[person(name, n).target(GOLD, ARMS) for n in range(401)] for name in ("ann", "bob")]
    for listed in targets:
        assert listed == sorted(listed)
        assert listed[0] == GOLD.first
        assert abs(listed[400] - GOLD.first - 400 * GOLD.share) <= 1
        places = {n % 10 for n in range(1, 401) if listed[n] > listed[n - 1]}
        assert len(places) > 3
    assert targets[0] != targets[1]
    assert targets[0] != [person("ann", n).target(GOLD, Arms("another")) for n in range(401)]


def test_what_is_missing_is_opened_few_at_a_time_and_never_what_somebody_knows() -> None:
    first = set(plan_slots(ITEMS, [], GOLD, ARMS, NOW).first)
    known = {*first, *[task for task in range(1, 21) if task not in first][:5]}
    slots = plan_slots(ITEMS, [person("ann", 1000, known)], GOLD, ARMS, NOW)
    opened = slots.of.keys() - first
    assert len(opened) == FEW
    assert not opened & known
    assert plan_slots(ITEMS, [person("ann", 1000, known)], GOLD, ARMS, NOW) == slots


def test_who_has_seen_enough_gets_no_more() -> None:
    first = set(plan_slots(ITEMS, [], GOLD, ARMS, NOW).first)
    assert plan_slots(ITEMS, [person("ann", 0, first)], GOLD, ARMS, NOW).of.keys() == first


def test_labels_that_somebody_has_met_least_come_next() -> None:
    first = set(plan_slots(ITEMS, [], GOLD, ARMS, NOW).first)
    known = {*first, *[it.task for it in ITEMS if it.labels == ("a",)][:6]}
    slots = plan_slots(ITEMS, [person("ann", 100, known)], GOLD, ARMS, NOW)
    (opened,) = [slots.of.keys() - first]
    assert {ITEMS[task - 1].labels for task in opened} == {("b",)}


def test_a_question_is_shown_to_no_more_people_than_it_may_be() -> None:
    few = [replace(it, exposures=18) for it in ITEMS[:6]]
    people = [person(f"p{n}", 500) for n in range(20)]
    slots = plan_slots(few, people, GOLD, ARMS, NOW)
    assert max(slots.of.values()) <= 2
    assert sum(slots.short.values()) > 0


def test_a_question_rests_between_two_people() -> None:
    resting = GOLD.model_copy(update={"rest_hours": 2.0})
    asked = [replace(it, last=NOW - timedelta(hours=1)) for it in ITEMS]
    ready = [replace(it, last=NOW - timedelta(hours=2)) for it in ITEMS]
    people = [person(name, 500) for name in ("ann", "bob", "cho")]
    first = plan_slots(ITEMS, [], GOLD, ARMS, NOW).first
    assert plan_slots(asked, people, resting, ARMS, NOW).of.keys() == set(first)
    opened = Counter(plan_slots(ready, people, resting, ARMS, NOW).of) - Counter(dict.fromkeys(first, 99))
    assert set(opened.values()) == {1}


@pytest.mark.parametrize("everybody_at_once", [20, 200])
def test_however_people_share_the_queue_each_gets_gold_at_about_the_share(everybody_at_once: int) -> None:
    """A queue that serves an open question first, to whoever asks, is planned anew after so many tasks."""
    gold, rng = GOLD.model_copy(update={"share": 0.05}), np.random.default_rng(3)
    names = ["ann", "bob", "cho", "dan", "eve"]
    labels, asked, slots = Counter[str](), {name: set[int]() for name in names}, Counter[int]()
    questions = [item(task, "abcd"[task % 4]) for task in range(80)]
    for step in range(2500):
        if step % everybody_at_once == 0:
            seen = Counter(task for known in asked.values() for task in known)
            items = [replace(it, exposures=seen[it.task]) for it in questions]
            people = [person(name, labels[name], asked[name]) for name in names if labels[name] or asked[name]]
            slots = plan_slots(items, people, gold, ARMS, NOW).of
        name = names[int(rng.choice(5, p=[0.1, 0.15, 0.2, 0.25, 0.3]))]
        served = next((task for task, left in slots.items() if left > 0 and task not in asked[name]), None)
        if served is None:
            labels[name] += 1
        else:
            asked[name].add(served)
            slots[served] -= 1
    for name in names:
        assert 0.03 <= (len(asked[name]) - gold.first) / labels[name] <= 0.09
