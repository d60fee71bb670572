"""Who decides which case."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.reviewers import Case, Load, Seat, Unplaced, another, case_of, distribute, load_of
from sdk_scripts.standards import Disturbing, Reviewer, Standard

PEOPLE = [f"{name}@example.com" for name in "abcde"]
LABELS = ["ip", "goods", "contact"]
LANGUAGES = ["en", "de", "vi"]


def subsets(of: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(of))


@st.composite
def standards(draw: st.DrawFn) -> Standard:
    reviewers = [
        Reviewer(
            email=email,
            labels=sorted(draw(subsets(LABELS))),
            languages=sorted(draw(subsets(LANGUAGES))),
            open=draw(st.integers(1, 6)),
            a_day=draw(st.integers(1, 6)),
        )
        for email in sorted(draw(st.sets(st.sampled_from(PEOPLE), min_size=1)))
    ]
    disturbing = Disturbing(labels=("goods",), a_day=draw(st.integers(1, 3))) if draw(st.booleans()) else None
    return Standard(reviewers=reviewers, disturbing=disturbing)


cases = st.lists(
    st.builds(
        Case,
        task=st.integers(1, 1_000),
        control=st.just("policy"),
        labels=subsets(LABELS),
        language=st.sampled_from(["", *LANGUAGES]),
        severity=st.sampled_from([1.0, 3.0, 5.0]),
        disturbing=st.booleans(),
        judged_by=subsets(PEOPLE),
        seats=st.integers(1, 3),
    ),
    max_size=20,
    unique_by=lambda case: case.task,
)
counts = st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 4))
loads = st.builds(Load, counts, counts, counts)


@given(cases, standards(), loads)
def test_nobody_gets_more_than_they_may(found: list[Case], standard: Standard, load: Load) -> None:
    seats, _ = distribute(found, standard, load)
    given_, disturbing = Counter(s.reviewer for s in seats), Counter(s.reviewer for s in seats if s.case.disturbing)
    for reviewer in standard.reviewers:
        who = reviewer.email
        if given_[who]:
            assert load.open.get(who, 0) + given_[who] <= reviewer.open
            assert load.today.get(who, 0) + given_[who] <= reviewer.a_day
        if disturbing[who] and standard.disturbing:
            assert load.disturbing_today.get(who, 0) + disturbing[who] <= standard.disturbing.a_day


@given(cases, standards(), loads)
def test_nobody_decides_what_they_judged_or_decide_already_or_do_not_know(
    found: list[Case], standard: Standard, load: Load
) -> None:
    seats, _ = distribute(found, standard, load)
    known = {reviewer.email: reviewer for reviewer in standard.reviewers}
    assert len({(seat.case.task, seat.reviewer) for seat in seats}) == len(seats)
    assert len({(seat.case.task, seat.number) for seat in seats}) == len(seats)
    for seat in seats:
        reviewer, case = known[seat.reviewer], seat.case
        assert seat.reviewer not in case.judged_by
        assert not reviewer.labels or not case.labels or case.labels & set(reviewer.labels)
        assert not reviewer.languages or case.language in ("", *reviewer.languages)


@given(cases, standards(), loads)
def test_every_seat_is_given_or_its_case_reported_with_a_reason(
    found: list[Case], standard: Standard, load: Load
) -> None:
    seats, unplaced = distribute(found, standard, load)
    short = {case.task for case in found if sum(s.case == case for s in seats) < case.seats}
    assert [one.case.task for one in unplaced if one.reason.endswith(".")] == [one.case.task for one in unplaced]
    assert {one.case.task for one in unplaced} == short


@given(cases, standards(), loads, st.randoms())
def test_the_order_in_which_reviewers_are_named_says_nothing(found, standard, load, random) -> None:
    shuffled = list(standard.reviewers)
    random.shuffle(shuffled)
    again = distribute(found, standard.model_copy(update={"reviewers": tuple(shuffled)}), load)
    assert again == distribute(found, standard, load)


@given(st.integers(0, 60), st.integers(2, 5))
def test_where_all_may_decide_all_the_queues_differ_by_one_at_most(n: int, people: int) -> None:
    standard = Standard(reviewers=[Reviewer(email=email) for email in PEOPLE[:people]])
    seats, unplaced = distribute([Case(task, "policy") for task in range(n)], standard, Load())
    sizes = [Counter(seat.reviewer for seat in seats)[email] for email in PEOPLE[:people]]
    assert max(sizes) - min(sizes) <= 1
    assert (len(seats), unplaced) == (n, [])


def test_who_can_take_twice_as_many_gets_twice_as_many() -> None:
    standard = Standard(reviewers=[Reviewer(email="a@x.y", open=10), Reviewer(email="b@x.y", open=20)])
    seats, _ = distribute([Case(task, "policy") for task in range(15)], standard, Load())
    assert Counter(seat.reviewer for seat in seats) == {"a@x.y": 5, "b@x.y": 10}


def test_the_severest_are_seated_first_and_the_rest_is_reported_in_words() -> None:
    standard = Standard(reviewers=[Reviewer(email="a@x.y", open=1), Reviewer(email="b@x.y", labels=["ip"])])
    mild, severe = Case(1, "policy", frozenset({"goods"})), Case(2, "policy", frozenset({"goods"}), severity=5)
    seats, (left,) = distribute([mild, severe], standard, Load())
    assert [(seat.case.task, seat.reviewer) for seat in seats] == [(2, "a@x.y")]
    assert (left.case.task, left.reason) == (
        1,
        "None of the 2 reviewers can take it: has as many open cases as allowed (1), does not decide its labels (1).",
    )


def test_without_reviewers_a_case_is_for_anybody_once() -> None:
    seats, unplaced = distribute([Case(1, "policy", seats=2), Case(2, "policy")], Standard(), Load())
    assert [(seat.case.task, seat.reviewer, seat.number) for seat in seats] == [(1, "", 1), (2, "", 1)]
    assert unplaced == []


def test_a_missing_seat_goes_to_somebody_else_than_the_seat_that_is_there() -> None:
    standard = Standard(reviewers=[Reviewer(email=email) for email in PEOPLE[:2]])
    half = Case(1, "policy", seats=2, seated=((2, PEOPLE[1]),))
    assert distribute([half], standard, Load()) == ([Seat(half, PEOPLE[0], 1)], [])


def test_a_tie_is_broken_by_a_third_and_an_appeal_decided_by_a_fourth() -> None:
    standard = Standard(reviewers=[Reviewer(email=email) for email in PEOPLE[:4]])
    tied = Case(1, "policy", judged_by=frozenset(), seats=2, seated=((1, PEOPLE[0]), (2, PEOPLE[1])))
    third = another(tied, standard, Load())
    assert isinstance(third, Seat)
    assert (third.reviewer, third.number) == (PEOPLE[2], 3)
    appeal = another(replace(tied, seated=(), judged_by=frozenset(PEOPLE[:3])), standard, Load())
    assert isinstance(appeal, Seat)
    assert (appeal.reviewer, appeal.number) == (PEOPLE[3], 1)
    nobody = another(replace(tied, judged_by=frozenset(PEOPLE)), standard, Load())
    assert isinstance(nobody, Unplaced)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_equal_loads_go_by_e_mail(order: tuple[int, ...]) -> None:
    standard = Standard(reviewers=[Reviewer(email=PEOPLE[place]) for place in order])
    seats, _ = distribute([Case(task, "policy") for task in range(3)], standard, Load())
    assert [seat.reviewer for seat in seats] == PEOPLE[:3]


NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def review(who: str, made: str, *, annotations=(), **kept) -> dict:
    return {"data": {"reviewer": who, "tiebreak": kept}, "created_at": made, "annotations": list(annotations)}


def test_load_counts_what_is_open_and_what_came_today() -> None:
    tasks = [
        review("Ann@example.com", "2026-11-26T00:00:01.000000Z", disturbing=True),
        review("ann@example.com", "2026-11-25T23:59:59.000000Z", disturbing=True),
        review("ann@example.com", "2026-11-26T08:00:00.000000Z", annotations=[{"was_cancelled": False}]),
        review("bob@example.com", "2026-11-26T01:00:00+02:00", annotations=[{"was_cancelled": True}]),
        review("", "2026-11-26T08:00:00.000000Z"),
        {"data": {"source_task": 1}, "created_at": "2026-11-26T08:00:00Z", "annotations": []},
    ]
    load = load_of(tasks, NOW)
    assert +Counter(load.open) == {"ann@example.com": 2}
    assert +Counter(load.today) == {"ann@example.com": 2}
    assert +Counter(load.disturbing_today) == {"ann@example.com": 1}


def test_the_case_of_a_review_task_is_what_it_was_distributed_by() -> None:
    data = {
        "source_task": 7,
        "control": "policy",
        "severity": 5,
        "reviewer": "ann@example.com",
        "tiebreak": {"labels": ["ip"], "language": "de", "disturbing": True, "seats": 2},
    }
    found = case_of(data, ["Cho@example.com"], [(1, "ann@example.com")])
    assert found == Case(
        7, "policy", frozenset({"ip"}), "de", 5.0, True, frozenset({"cho@example.com"}), 2, ((1, "ann@example.com"),)
    )
    assert case_of({"source_task": 7, "control": "policy"}, []) == Case(7, "policy")
