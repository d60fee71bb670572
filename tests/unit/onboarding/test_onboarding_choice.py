"""Which questions a course asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sdk_scripts.onboarding.choice import Choice, choose
from sdk_scripts.onboarding.questions import Question
from tests.unit.onboarding.classroom import CONFIG, WHO, label_of, library, question


def chosen(questions: list[Question], who: str = WHO, **more) -> Choice:
    return choose(CONFIG, questions, who, **{"practice": 5, "exam": 20, "controls": ["sentiment"], **more})


def alike(it: Question, text: str) -> Question:
    return replace(it, data={"text": text})


def ids(some) -> set[str]:
    return {it.id for it in some}


LONG = "The kettle came on Monday, and by Tuesday it smoked so much that we carried it out of the house"


def test_what_is_nearly_the_same_is_asked_once() -> None:
    twins = [alike(question(n, "gold"), f"{LONG}{'!' * n}") for n in range(1, 11)]
    assert len(chosen([*twins, *(question(n, "gold") for n in range(11, 16))]).exam) == 6


def test_nothing_is_practised_that_is_like_gold() -> None:
    gold = alike(question(1, "gold"), LONG)
    like = alike(question(2, "precedent"), f"{LONG}!")
    other = question(3, "precedent")
    assert ids(chosen([gold, like, other], exam=0).practice) == {"task-3"}


def test_what_was_asked_before_is_left_out_with_what_is_like_it() -> None:
    before, like = alike(question(1, "gold"), LONG), alike(question(2, "gold"), f"{LONG}!")
    assert ids(chosen([before, like, question(3, "gold")], used={"task-1"}).exam) == {"task-3"}


def test_rare_labels_and_severities_are_asked_as_often_as_frequent_ones() -> None:
    many = [question(n, "gold", "positive") for n in range(1, 201)]
    rare = [question(n, "gold", "negative") for n in range(201, 213)]
    severe = [question(n, "gold", "positive", severity=4.0) for n in range(213, 220)]
    exam = chosen([*many, *rare, *severe]).exam
    labels = Counter(map(label_of, exam))
    assert 8 <= labels["negative"] <= 12
    assert 5 <= sum(it.severity == 4 for it in exam) <= 7


def test_practice_goes_from_easy_to_hard() -> None:
    some = [question(n, "precedent", difficulty=n * 7 % 10 / 10) for n in range(1, 11)]
    found = [it.difficulty for it in chosen(some, practice=10).practice]
    assert found == sorted(found)


def test_gold_of_the_source_is_asked_only_where_there_is_too_little_else() -> None:
    serving = [question(n, "gold", serves=True) for n in range(1, 31)]
    others = [question(n, "gold") for n in range(31, 51)]
    assert ids(chosen([*serving, *others]).exam) == ids(others)
    assert ids(others[:15]) < ids(chosen([*serving, *others[:15]]).exam)


def test_what_the_person_labelled_in_the_source_is_asked_only_where_there_is_too_little_else() -> None:
    known = [question(n, "gold", people=frozenset({WHO})) for n in range(1, 31)]
    others = [question(n, "gold") for n in range(31, 51)]
    assert ids(chosen([*known, *others]).exam) == ids(others)


@pytest.mark.parametrize("decided", [20, 24])
def test_decided_tasks_fill_up_the_exam_before_practice(decided: int) -> None:
    found = chosen([question(n, "decided") for n in range(1, decided + 1)])
    assert (len(found.exam), len(found.practice)) == (20, decided - 20)


def test_two_people_are_asked_differently_and_one_always_the_same() -> None:
    some = library(0, 200)
    assert chosen(some) == chosen(some[::-1])
    assert len(ids(chosen(some).exam) & ids(chosen(some, "bob@example.com").exam)) < 10


def test_what_is_stale_is_not_asked() -> None:
    assert not chosen([question(n, "gold", holds=False) for n in range(1, 31)]).exam
