"""Rules that compare people on the same items: label bias, collusion, avoided escalations, following the machine."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules._against_others import tails
from tests.unit.rules.test_every_rule import found, observations

PEOPLE = ("ana", "ben", "chi", "dan")


@given(
    st.lists(st.tuples(st.sampled_from((0.0, 0.25, 1 / 3, 0.5, 0.9, 1.0)), st.integers(1, 3)), max_size=4),
    st.integers(0, 12),
)
def test_tails_are_those_of_all_outcomes(chances: list[tuple[float, int]], count: int) -> None:
    shares = [share for share, n in chances for _ in range(n)]
    outcomes = {
        hits: math.fsum(
            math.prod(share if hit else 1 - share for share, hit in zip(shares, drawn, strict=True))
            for drawn in itertools.product((0, 1), repeat=len(shares))
            if sum(drawn) == hits
        )
        for hits in range(len(shares) + 1)
    }
    few = math.fsum(p for hits, p in outcomes.items() if hits <= count)
    many = math.fsum(p for hits, p in outcomes.items() if hits >= count)
    assert tails(count, chances) == pytest.approx((few, many), abs=1e-9)


def test_above_some_thousand_trials_tails_are_nearly_those_of_the_exact_sum() -> None:
    exact, near = tails(1020, [(0.2, 2000), (0.3, 2000)]), tails(1020, [(0.2, 2000), (0.3, 2000), (0.999999, 1)])
    assert near[1] == pytest.approx(exact[1], abs=0.02)


def test_who_gets_other_items_has_no_bias() -> None:
    rows = [
        Given(task, who, "negative" if task <= 60 else "positive")
        for task in range(1, 121)
        for who in (("ana", "ben") if task <= 60 else ("chi", "dan"))
    ]
    assert found("label_bias", example(rows)) == []
    assert {it.value for it in observations("label_bias", example(rows))} == {0}


def test_a_label_that_is_given_too_often_or_too_rarely_is_named() -> None:
    right = ("positive", "negative", "neutral")
    rows = [
        Given(task, who, "positive" if who == "ana" and right[task % 3] == "neutral" else right[task % 3])
        for task in range(1, 121)
        for who in PEOPLE
    ]
    [ana] = [it for it in observations("label_bias", example(rows)) if it.off]
    assert ana.subject == "ana"
    assert "neutral" in ana.message or "positive" in ana.message
    assert set(ana.evidence) <= {task for task in range(1, 121) if right[task % 3] == "neutral"}


def test_both_who_copy_are_named_and_nobody_else() -> None:
    labels = ("positive", "neutral", "negative")
    rows = [
        Given(task, who, labels[(task * 7 // 3) % 3] if who in ("ana", "ben") else labels[task % 3])
        for task in range(1, 91)
        for who in (*PEOPLE, "eve", "fay")
    ]
    off = [it for it in observations("collusion", example(rows)) if it.off]
    assert {it.subject: "ben" in it.message or "ana" in it.message for it in off} == {"ana": True, "ben": True}


def test_one_who_clicks_at_random_does_not_make_the_others_collude() -> None:
    labels = ("positive", "neutral", "negative")
    slips = {"ana": 0, "ben": 3, "chi": 6}
    rows = [
        Given(task, who, labels[task * 5 // 7 % 3] if who == "dan" or task % 9 == slips[who] else labels[task % 3])
        for task in range(1, 181)
        for who in PEOPLE
    ]
    assert found("collusion", example(rows)) == []


def test_people_who_are_always_right_do_not_collude() -> None:
    rows = [Given(task, who, "positive") for task in range(1, 91) for who in PEOPLE]
    assert found("collusion", example(rows)) == []


def test_who_escalates_other_tasks_than_the_others_does_not_avoid_it() -> None:
    config = """<View><Text name="text" value="$text"/><Choices name="verdict" toName="text">
    <Choice value="allow"/><Choice value="escalate"/></Choices></View>"""

    def answer(task: int, who: str) -> str:
        return "escalate" if task % 8 == (0 if who == "ana" else 1 + len(who) % 2) else "allow"

    rows = [Given(task, who, answer(task, who)) for task in range(1, 121) for who in ("ana", "ben", "chi")]
    assert found("escalation_avoidance", example(rows, config=config)) == []


def test_agreeing_with_a_good_machine_is_not_following_it() -> None:
    rows = [
        Given(task, who, "negative" if who == "dan" and task % 10 == 0 else "positive", shown="positive")
        for task in range(1, 301)
        for who in PEOPLE
    ]
    assert found("machine_following", example(rows)) == []
