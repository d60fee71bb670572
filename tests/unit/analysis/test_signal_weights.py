"""Weights learned from reviews: the planted ones are found, few reviews change little."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdk_scripts.signal_weights import LEAST, learn_weights

PRIOR = {"a": 0.5, "b": 0.5, "c": 0.5, "unseen": 0.3}
PLANTED = {"a": 0.9, "b": 0.4, "c": 0.05}
score = st.floats(0, 1)
reviews = st.lists(st.tuples(st.dictionaries(st.sampled_from([*PRIOR, "unknown"]), score), st.booleans()), max_size=30)


def planted(n: int) -> list[tuple[dict[str, float], bool]]:
    draw = random.Random(0)
    made = []
    for _ in range(n):
        scores = {name: draw.random() for name in PLANTED if draw.random() < 0.6}
        clear = math.prod(1 - PLANTED[name] * score for name, score in scores.items())
        made.append((scores, draw.random() > clear))
    return made


def test_the_planted_weights_are_recovered() -> None:
    found = learn_weights(planted(4_000), PRIOR)
    assert {name: found[name] for name in PLANTED} == pytest.approx(PLANTED, abs=0.1)
    assert found["unseen"] == PRIOR["unseen"]


def test_a_few_reviews_hardly_change_the_prior_and_none_do_not() -> None:
    assert learn_weights([], PRIOR) == PRIOR
    assert learn_weights(planted(5), PRIOR) == pytest.approx(PRIOR, abs=0.1)


def test_a_signal_that_was_right_gains_and_one_that_was_wrong_loses() -> None:
    right, wrong = [({"a": 0.9}, True)] * 20, [({"a": 0.9}, False)] * 20
    assert learn_weights(right, PRIOR)["a"] > 0.65
    assert learn_weights(wrong, PRIOR)["a"] < 0.35
    assert learn_weights(right + wrong, PRIOR)["a"] < learn_weights(right, PRIOR)["a"]


def test_of_two_signals_the_one_that_is_right_alone_gets_the_credit() -> None:
    cases = [({"a": 1.0, "b": 1.0}, True)] * 50 + [({"a": 1.0}, True)] * 50 + [({"b": 1.0}, False)] * 50
    found = learn_weights(cases, PRIOR)
    assert found["a"] > 0.8
    assert found["b"] < 0.3


def test_overturned_cases_that_no_signal_saw_are_nobodys_merit() -> None:
    unseen = [({}, True)] * 30 + [({}, False)] * 10
    assert learn_weights(unseen, PRIOR) == PRIOR


@settings(max_examples=25, deadline=None)
@given(reviewed=reviews, random=st.randoms(use_true_random=False))
def test_weights_stay_within_bounds_whatever_the_order_of_the_reviews(reviewed, random) -> None:
    found = learn_weights(reviewed, PRIOR)
    assert found.keys() == PRIOR.keys()
    assert all(LEAST <= weight <= 1 for weight in found.values())
    random.shuffle(reviewed)
    assert learn_weights(reviewed, PRIOR) == found


@pytest.mark.parametrize("score", [1.0, 0.5])
def test_the_more_of_a_signals_cases_were_overturned_the_more_it_weighs(score: float) -> None:
    def weight(overturned: int) -> float:
        return learn_weights([({"a": score}, place < overturned) for place in range(12)], PRIOR)["a"]

    weights = [weight(overturned) for overturned in range(13)]
    assert weights == sorted(weights)
    assert weights[0] < PRIOR["a"] < weights[-1]
