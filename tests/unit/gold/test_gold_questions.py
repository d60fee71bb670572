"""What counts as a gold question, and whose answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.analysis.exports import EVERY_KIND, annotation, choice, dataset, task

from ml_backend.examples import settled_answers
from ml_backend.labeling.arms import NO_SECRET
from ml_backend.labeling.judgements import judgements, latest
from sdk_scripts.evidence import Evidence
from sdk_scripts.gold.look import Look
from sdk_scripts.gold.questions import Question, read_questions, severity_of
from sdk_scripts.quality import Gold
from sdk_scripts.signals import SIGNALS
from sdk_scripts.sources import Dataset
from tests.unit.gold.asked import NOW, RIGHT, SINCE, case

REVIEWED = {"meta": {"tiebreak": {"review": "5/6/7"}}}
BEGUN = {"gold": {"sentiment": {"since": SINCE.isoformat(), "key": RIGHT}}}


def said(id: int, who: object, label: str, hours: float, **more: Any) -> dict[str, Any]:
    """That many hours after the task became gold."""
    at = (SINCE + timedelta(hours=hours)).isoformat()
    return annotation(id, who, choice("sentiment", label), **{"created_at": at, "updated_at": at, **more})


def decided(who: object = 8, label: str = "negative") -> dict[str, Any]:
    one = said(10, who, label, -1, ground_truth=True)
    one["result"][0] |= REVIEWED
    return one


def asked(*more: dict[str, Any]) -> Dataset:
    return dataset([task(1, "x", [decided(), *more])])


def only(found: list[Question]) -> Question:
    (one,) = found
    return one


def test_answers_count_from_when_it_was_gold_and_not_those_of_who_decided_it() -> None:
    made = asked(
        said(20, 1, "positive", -2), said(21, 2, "positive", 1), said(22, 3, "negative", 2), said(23, 8, "positive", 3)
    )
    it = only(read_questions([case(1, about=BEGUN)], made, NOW))
    assert (it.state, it.decided) == ("gold", True)
    assert [(answer.annotator, answer.right) for answer in it.answers] == [("2", False), ("3", True)]


def test_skipped_tasks_are_seen_and_not_answered() -> None:
    made = asked(said(20, 1, "positive", 1, was_cancelled=True), said(21, 2, "negative", 1))
    look = Look({}, made, [case(1, about=BEGUN)], Gold(), NO_SECRET, NOW)
    assert look.exposures == {1: 2}
    assert len(look.questions[0].answers) == 1


@pytest.mark.parametrize(
    ("made", "state"),
    [
        (case(1), "new"),
        (case(1, about=BEGUN), "gold"),
        (case(1, about=BEGUN, answer="neutral"), "disputed"),
        (case(1, about=BEGUN, policy="old", stale=True), "stale"),
        (case(1, about=BEGUN, expires=NOW), "expired"),
    ],
)
def test_a_case_is_gold_while_its_answer_holds(made: Any, state: str) -> None:
    assert only(read_questions([made], asked(), NOW)).state == state


def test_a_retired_question_says_why_and_begins_anew_when_it_is_promoted_again() -> None:
    retired = {"at": NOW.isoformat(), "why": "leaked", "detail": "It got about."}
    about = {"gold": {"sentiment": {**BEGUN["gold"]["sentiment"], "retired": retired}}}
    gone = only(read_questions([case(1, about=about, uses=("precedent",))], asked(), NOW))
    assert (gone.state, gone.why, gone.live) == ("leaked", "It got about.", False)
    again = only(read_questions([case(1, about=about)], asked(said(20, 1, "positive", 1)), NOW))
    assert (again.state, again.since, again.answers) == ("new", None, ())


def test_what_people_have_made_unreadable_counts_as_nothing() -> None:
    for kept in ("x", 3, [], {"sentiment": 4}, {"sentiment": {"since": 5, "key": None, "retired": "no"}}):
        assert only(read_questions([case(1, about={"gold": kept})], asked(), NOW)).state == "new"


def test_cases_that_are_for_other_things_are_no_questions() -> None:
    assert read_questions([case(1, uses=("precedent", "regression"))], asked(), NOW) == []


def test_free_answers_are_right_when_they_are_near() -> None:
    def price(id: int, number: float, **more: Any) -> dict[str, Any]:
        value = {"from_name": "price", "to_name": "text", "type": "number", "value": {"number": number}}
        at = (SINCE + timedelta(hours=1)).isoformat()
        return annotation(id, id, value, **{"created_at": at, "updated_at": at, **more})

    made = dataset([task(1, "x", [price(1, 101.0), price(2, 300.0)])], EVERY_KIND)
    about = {"gold": {"price": {"since": SINCE.isoformat(), "key": "100"}}}
    gold = replace(case(1, about=about, control="price"), answer=100.0)
    key = only(read_questions([gold], made, NOW)).key
    about["gold"]["price"]["key"] = key
    it = only(read_questions([gold], made, NOW, near=0.2))
    assert {answer.annotator: answer.right for answer in it.answers} == {"1": True, "2": False}


@pytest.mark.parametrize(("said", "is_"), [("high", 3), ("2.5", 2.5), ("", 1), ("nan", 1), ("-3", 1), ("odd", 1)])
def test_a_severity_may_be_a_word_or_a_number(said: str, is_: float) -> None:
    assert severity_of(case(1, severity=said)) == is_


def test_a_wrong_answer_to_gold_leaves_the_decision_settled() -> None:
    later = Evidence(asked(said(20, 1, "positive", 1)))
    assert later.settled == frozenset()  # without a library it is an objection
    known = Evidence(asked(said(20, 1, "positive", 1)))
    known.__dict__["_library"] = [case(1, about=BEGUN)]
    assert known.settled == {("sentiment", 1)}
    before = Evidence(asked(said(20, 1, "positive", -0.5)))
    before.__dict__["_library"] = [case(1, about=BEGUN)]
    assert before.settled == frozenset()


def test_wrong_answers_to_gold_change_neither_what_a_model_learns_nor_how_it_compares_with_tasks_like_it() -> None:
    wrong = [said(20 + who, who, "positive", who) for who in (1, 2, 3)]
    alike = [annotation(30 + who, who, choice("sentiment", "negative")) for who in (4, 5)]
    made = dataset([task(1, "It broke on day one.", [decided(), *wrong]), task(2, "It broke on day one.", alike)])
    learned = settled_answers(latest(judgements(made.tasks, made.config)), made.config).sort("task")
    assert learned["answer"].to_list() == [RIGHT, RIGHT]
    assert learned["confidence"][0] == 1
    evidence = Evidence(made)
    evidence.__dict__["_library"] = [case(1, about=BEGUN)]
    assert SIGNALS["near_duplicates"](evidence) == {}
    assert 1 not in SIGNALS["disagreement"](evidence)
