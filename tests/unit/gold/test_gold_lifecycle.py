"""Which gold questions are retired, and why."""

from __future__ import annotations

import numpy as np

from sdk_scripts.gold.lifecycle import Retired, retired
from sdk_scripts.gold.questions import Question
from sdk_scripts.quality import Gold
from tests.unit.gold.asked import OTHER, RIGHT, WRONG, question

GOLD = Gold()
PEOPLE = [f"p{number:02d}" for number in range(24)]


def found(questions: list[Question], seen: dict[tuple[str, int], int] | None = None) -> list[tuple[int | None, str]]:
    out: list[Retired] = retired(questions, seen or {}, dict.fromkeys(PEOPLE, 10.0), GOLD)
    return [(it.question.task, it.why) for it in out]


def usual(tasks: range) -> list[Question]:
    """Answered right by most, all the time."""
    rng = np.random.default_rng(1)
    return [question(task, [(who, RIGHT if rng.random() < 0.9 else WRONG) for who in PEOPLE]) for task in tasks]


def test_a_question_that_is_answered_as_ever_stays() -> None:
    assert found(usual(range(1, 9))) == []


def test_careful_people_retire_hardly_any_question_by_chance() -> None:
    rng = np.random.default_rng(7)
    wrongly = 0
    for _ in range(40):
        made = [
            question(
                task,
                [(who, RIGHT if rng.random() < 0.85 else WRONG) for who in rng.permutation(PEOPLE)],
                seconds=list(rng.lognormal(2.3, 0.5, len(PEOPLE))),
            )
            for task in range(1, 9)
        ]
        wrongly += bool(found(made))
    assert wrongly <= 5


def test_a_question_whose_answer_got_about_has_leaked() -> None:
    hard = question(20, [(who, WRONG if place < 11 else RIGHT) for place, who in enumerate(PEOPLE)])
    assert found([*usual(range(1, 6)), hard]) == [(20, "leaked")]


def test_a_question_that_is_suddenly_answered_at_once_has_leaked() -> None:
    fast = question(20, [(who, RIGHT) for who in PEOPLE], seconds=[10.0] * 12 + [2.0] * 12)
    assert found([*usual(range(1, 6)), fast]) == [(20, "leaked")]


def test_people_who_have_learned_have_not_been_told() -> None:
    questions = [
        question(task, [(who, WRONG if place < 11 else RIGHT) for place, who in enumerate(PEOPLE)])
        for task in range(1, 6)
    ]
    assert found(questions) == []


def test_where_those_who_are_good_at_the_others_agree_on_another_answer_the_question_is_contested() -> None:
    odd = question(20, [(who, WRONG) for who in PEOPLE[:5]])
    assert found([*usual(range(1, 9)), odd]) == [(20, "contested")]


def test_those_who_are_bad_at_the_others_contest_nothing() -> None:
    bad = [question(task, [(who, WRONG) for who in PEOPLE[:5]]) for task in range(1, 9)]
    assert found(bad) == []


def test_different_wrong_answers_contest_nothing() -> None:
    answers = [WRONG, OTHER, '["mixed"]', WRONG, OTHER, RIGHT]
    odd = question(20, list(zip(PEOPLE, answers, strict=False)))
    assert found([*usual(range(1, 9)), odd]) == []


def test_a_question_that_enough_people_have_seen_is_worn_out_and_the_next_is_not() -> None:
    seen = {("sentiment", 1): GOLD.most_exposures, ("sentiment", 2): GOLD.most_exposures - 1}
    assert found([question(1), question(2)], seen) == [(1, "worn out")]


def test_a_question_that_may_be_wrong_is_contested_first_of_all() -> None:
    odd = question(20, [(who, WRONG) for who in PEOPLE[:5]])
    assert found([*usual(range(1, 9)), odd], {odd.id: GOLD.most_exposures}) == [(20, "contested")]
