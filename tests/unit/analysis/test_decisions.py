"""Decisions as they are read off review tasks, and what the seats of a case add up to."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from unit.analysis.exports import EVERY_KIND, SENTIMENT
from unit.analysis.reviews import OPTIONS, PEOPLE, decision, review_task

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.decided_answers import decided_answer
from sdk_scripts.decisions import MAX_ANSWER, MAX_CLAUSE, MAX_RATIONALE, outcomes, read_decisions, read_reviews
from sdk_scripts.review_options import OTHER
from sdk_scripts.verdicts import Conflict, Decided, Split, Waiting, by_case, verdict

CONFIG = parse(SENTIMENT)
EVERY = parse(EVERY_KIND)


def read(*tasks: dict[str, Any]):
    return read_decisions(tasks, PEOPLE)


def said(*tasks: dict[str, Any], config=CONFIG):
    """The verdict on the one case of these review tasks."""
    reviews, unreadable = read_reviews(tasks, PEOPLE)
    assert not unreadable
    ((_, rows),) = by_case(reviews).items()
    return verdict(rows, config, {"text": "x"})


def seat(number: int, who: int, option: str, *, round: int = 1, seats: int = 2, **more: Any) -> dict[str, Any]:
    id = 20 + 10 * round + number
    return review_task(id, decision(id, who, option), seat=number, round=round, kept={"seats": seats}, **more)


# Reading


def test_a_decision_says_who_decided_what_why_and_by_which_clause() -> None:
    (found,) = read(review_task(20, decision(31, 7, "negative", keep=True), consensus={"answer": "x", "confidence": 1}))
    assert (found.key, found.reviewer, found.user, found.cause) == (
        '["negative"]',
        "rev@example.com",
        7,
        "guideline_gap",
    )
    assert (found.rationale, found.clause, found.keep) == ("The zip is the product.", "2.1", True)
    assert (found.name, found.review.case, found.review.policy) == ("5/20/31", (10, "sentiment"), "0123456789ab")
    assert found.review.reasons == {"disagreement": 0.67}


def test_the_newest_answer_counts_and_the_assigned_reviewers_before_anybody_elses() -> None:
    both = [decision(31, 7, "negative"), decision(32, 7, "neutral"), decision(33, 8, "positive")]
    assert read(review_task(20, *both))[0].annotation == 33
    assert read(review_task(20, *both, reviewer="Rev@example.com"))[0].annotation == 32
    assert read(review_task(20, *both, reviewer="tom@example.com"))[0].annotation == 33


def test_a_skipped_review_is_no_decision() -> None:
    reviews, _ = read_reviews([review_task(20, decision(31, 7, "negative", was_cancelled=True))], PEOPLE)
    assert (reviews[0].decision, reviews[0].skipped) == (None, True)
    assert read(review_task(20, decision(31, 7, "negative", was_cancelled=True), decision(30, 8, "neutral")))


def test_an_option_that_is_not_offered_is_a_problem_and_no_decision() -> None:
    reviews, _ = read_reviews([review_task(20, decision(31, 7, "superb"))], PEOPLE)
    assert reviews[0].decision is None
    assert "none of those" in reviews[0].problem


def test_what_is_kept_of_a_reviewers_words_is_bounded() -> None:
    (found,) = read(review_task(20, decision(31, 7, "negative", rationale="<b>" * 9999, clause="c" * 9999)))
    assert (len(found.rationale), len(found.clause)) == (MAX_RATIONALE, MAX_CLAUSE)
    reviews, _ = read_reviews([review_task(20, decision(31, 7, OTHER, text="x" * (MAX_ANSWER + 1)))], PEOPLE)
    assert "characters" in reviews[0].problem


@pytest.mark.parametrize(
    "data",
    [
        {"source_project": 4},
        {"source_task": 11},
        {"source_task": "10"},
        {"source_task": True},
        {"control": "verdict"},
        {"control": ""},
        {"round": 0},
        {"seat": "first"},
        {"tiebreak": None},
        {"tiebreak": []},
    ],
    ids=str,
)
def test_data_that_do_not_hold_together_are_named_and_decide_nothing(data: dict[str, Any]) -> None:
    task = review_task(20, decision(31, 7, "negative"))
    task["data"].update(data)
    reviews, unreadable = read_reviews([task], PEOPLE)
    assert (reviews, [one.task for one in unreadable]) == ([], [20])


def test_an_id_that_no_database_holds_is_never_asked_for() -> None:
    reviews, unreadable = read_reviews([review_task(20, decision(31, 7, "negative"), task=2**31)], PEOPLE)
    assert (reviews, len(unreadable)) == ([], 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis(max_examples=200, deadline=None)
@given(place=st.sampled_from(["data", "tiebreak"]), values=st.data())
def test_whatever_people_make_of_a_review_tasks_data_reading_it_ends_well(place: str, values: st.DataObject) -> None:
    task = review_task(20, decision(31, 7, "negative"))
    edited = task["data"] if place == "data" else task["data"]["tiebreak"]
    name = values.draw(st.sampled_from(sorted(edited)))
    edited[name] = values.draw(JSON)
    reviews, unreadable = read_reviews([task], PEOPLE)
    assert len(reviews) + len(unreadable) == 1
    for rows in by_case(reviews).values():
        verdict(rows, CONFIG, {"text": "x"})
    list(outcomes(it.decision for it in reviews if it.decision))


# Learning from them


def test_a_decision_against_the_consensus_overturns_it() -> None:
    agreed = {"answer": '["negative"]', "confidence": 0.9}
    tasks = [
        review_task(20, decision(31, 7, "negative"), consensus=agreed),
        review_task(21, decision(32, 7, "neutral"), task=11, consensus=agreed),
    ]
    assert list(outcomes(read(*tasks))) == [({"disagreement": 0.67}, False), ({"disagreement": 0.67}, True)]


def test_ties_and_cases_without_an_answer_on_record_teach_nothing() -> None:
    tied = {"answer": '["negative"]', "confidence": 0.5}
    tasks = [
        review_task(20, decision(31, 7, "positive"), consensus=tied),
        review_task(21, decision(32, 7, "neutral"), task=11),
    ]
    assert list(outcomes(read(*tasks))) == []


def test_a_case_teaches_once_by_its_last_decision_and_its_first_consensus() -> None:
    agreed = {"answer": '["negative"]', "confidence": 0.9}
    now = {"answer": '["neutral"]', "confidence": 1.0}
    first = review_task(20, decision(31, 7, "neutral"), consensus=agreed)
    appeal = review_task(21, decision(32, 8, "negative"), consensus=now, round=2)
    assert [overturned for _, overturned in outcomes(read(appeal, first))] == [False]


# What an answer is


def answer(option: str, text: str = "", *, control: str = "verdict", options=None, config=EVERY):
    (found,) = read(review_task(20, decision(31, 7, option, text=text), control=control, options=options or {}))
    return decided_answer(found, config, {"text": "x"})


@pytest.mark.parametrize(
    ("control", "text", "expected"),
    [
        ("verdict", "Reject", ("reject",)),
        ("verdict", "  ALLOW\n", ("allow",)),
        ("policy", "ip / fake", (("ip", "fake"),)),
        ("policy", "Fake", (("ip", "fake"),)),
        ("stars", "4", 4),
        ("price", "12.50", 12.5),
        ("why", "Not the seller's <b>brand</b>", ("Not the seller's <b>brand</b>",)),
    ],
)
def test_an_answer_in_words_is_the_label_called_so_or_the_answer_itself(control, text, expected) -> None:
    assert answer(OTHER, text, control=control) == expected


@pytest.mark.parametrize(
    ("control", "text", "why"),
    [
        ("verdict", "both of them", "names no label"),
        ("verdict", "", "no other was written"),
        ("price", "a lot", "is no number"),
        ("price", "nan", "takes"),
        ("stars", "6", "1 to 5"),
        ("stars", "3.5", "is no number"),
        ("spans", "the zip", "needs a person"),
    ],
)
def test_words_that_are_no_answer_need_a_person(control, text, why) -> None:
    with pytest.raises(InputError, match=why):
        answer(OTHER, text, control=control)


@pytest.mark.parametrize("key", ['["never"]', "[]", "[[", '"allow"', "{}", "[1]", "[" * 5000, '["allow","reject"]'])
def test_a_key_that_is_no_answer_to_the_control_is_refused(key: str) -> None:
    with pytest.raises(InputError):
        answer("it", options={"it": key})


OPEN = parse(
    '<View><Text name="text" value="$text"/><Choices name="c" toName="text" choice="multiple" value="$l"/></View>'
)


@pytest.mark.parametrize("key", ['[["zip"]]', "[1]", '"zip"', "[null]"])
def test_an_open_control_takes_any_label_but_nothing_that_is_none(key: str) -> None:
    assert answer("it", control="c", options={"it": '["zip"]'}, config=OPEN) == ("zip",)
    with pytest.raises(InputError):
        answer("it", control="c", options={"it": key}, config=OPEN)


@hypothesis(max_examples=300, deadline=None)
@given(control=st.sampled_from([*EVERY.answerable, OPEN["c"]]), value=JSON)
def test_whatever_key_people_make_up_is_an_answer_to_the_control_or_refused(control, value) -> None:
    config = OPEN if control.name == "c" else EVERY
    with suppress(InputError):
        found = answer("it", control=control.name, options={"it": json.dumps(value)}, config=config)
        assert kind_of(control).read(control, write_answers(config, {control.name: found})) == found


def test_words_that_two_labels_bear_need_a_person() -> None:
    both = parse(EVERY_KIND.replace('<Choice value="goods"/>', '<Choice value="goods"><Choice value="fake"/></Choice>'))
    with pytest.raises(InputError, match="names 2 labels"):
        answer(OTHER, "fake", control="policy", config=both)
    assert answer(OTHER, "Goods / Fake", control="policy", config=both) == (("goods", "fake"),)


def test_a_control_that_is_asked_no_more_is_said_to_be_gone() -> None:
    with pytest.raises(InputError, match="asks nothing named 'sentiment'"):
        answer("it", control="sentiment", options={"it": '["negative"]'})


@pytest.mark.parametrize("control", EVERY.answerable, ids=lambda control: control.name)
def test_every_kinds_answer_comes_back_from_its_key(control) -> None:
    kind = kind_of(control)
    example = kind.example(control)
    assert answer("it", control=control.name, options={"it": kind.key(example)}) == example


def test_labels_in_another_order_than_the_configs_are_the_same_answer() -> None:
    many = parse(SENTIMENT.replace("<Choices ", '<Choices choice="multiple" '))
    found = answer(
        "it",
        control="sentiment",
        options={"it": json.dumps(["positive", "negative"], separators=(",", ":"))},
        config=many,
    )
    assert found == ("negative", "positive")


# What seats add up to


def test_one_seat_decides_alone() -> None:
    found = said(seat(1, 7, "negative", seats=1))
    assert isinstance(found, Decided)
    assert (found.answer, found.key) == (("negative",), OPTIONS["negative"])


def test_a_second_seat_is_waited_for_and_agreement_decides() -> None:
    assert isinstance(said(seat(1, 7, "negative")), Waiting)
    open_ = review_task(22, seat=2, reviewer="sue@example.com", kept={"seats": 2})
    waiting = said(seat(1, 7, "negative"), open_)
    assert isinstance(waiting, Waiting)
    assert "sue@example.com" in waiting.why
    found = said(seat(1, 7, "negative"), seat(2, 8, "negative"))
    assert isinstance(found, Decided)
    assert found.decision.review.seat == 1


def test_two_that_differ_take_a_third_and_two_of_three_decide() -> None:
    split = said(seat(1, 7, "negative"), seat(2, 8, "neutral"))
    assert isinstance(split, Split)
    assert split.seated == ((1, "rev@example.com"), (2, "sue@example.com"))
    third = review_task(23, seat=3, reviewer="tom@example.com", kept={"seats": 3})
    assert isinstance(said(seat(1, 7, "negative"), seat(2, 8, "neutral"), third), Waiting)
    found = said(seat(1, 7, "negative"), seat(2, 8, "neutral"), seat(3, 9, "neutral", seats=3))
    assert isinstance(found, Decided)
    assert (found.answer, found.decision.review.seat) == (("neutral",), 2)


def test_a_second_who_comes_round_settles_it_without_the_third() -> None:
    third = review_task(23, seat=3, reviewer="tom@example.com", kept={"seats": 3})
    assert isinstance(said(seat(1, 7, "neutral"), seat(2, 8, "neutral"), third), Decided)


def test_three_answers_of_three_reviewers_are_a_conflict() -> None:
    found = said(seat(1, 7, "negative"), seat(2, 8, "neutral"), seat(3, 9, "positive", seats=3))
    assert isinstance(found, Conflict)
    assert "3 answers" in found.why


def test_one_person_on_two_seats_is_one_opinion() -> None:
    found = said(seat(1, 7, "negative"), seat(2, 7, "negative"))
    assert isinstance(found, Conflict)
    assert "rev@example.com decided 2 seats" in found.why


def test_two_review_tasks_for_one_seat_are_a_conflict_once_both_are_decided() -> None:
    double = seat(1, 8, "negative", seats=1) | {"id": 99}
    assert isinstance(said(seat(1, 7, "negative", seats=1), double), Conflict)
    assert isinstance(said(seat(1, 7, "negative", seats=1), double | {"annotations": []}), Decided)


def test_a_reviewer_who_skipped_is_replaced() -> None:
    skipped = review_task(20, decision(30, 7, "negative", was_cancelled=True), reviewer="rev@example.com")
    assert isinstance(said(skipped), Waiting)
    found = said(skipped, seat(2, 8, "neutral", seats=1))
    assert isinstance(found, Decided)
    assert found.decision.reviewer == "sue@example.com"


def test_only_the_newest_round_speaks_and_takes_somebody_else() -> None:
    first = seat(1, 7, "negative", seats=1)
    again = seat(1, 7, "neutral", round=2, seats=1)
    refused = said(first, again)
    assert isinstance(refused, Conflict)
    assert "takes somebody else" in refused.why
    found = said(seat(1, 8, "neutral", round=2, seats=1), first)
    assert isinstance(found, Decided)
    assert found.answer == ("neutral",)
    assert isinstance(said(first, review_task(40, round=2)), Waiting)
