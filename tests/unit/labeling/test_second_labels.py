from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.second_labels import worth_of_label, worth_of_second_label

share = st.floats(0, 1)


@given(confidence=share, reliability=share, answers=st.integers(2, 20))
def test_a_label_never_hurts_and_never_gives_more_than_there_is(
    confidence: float, reliability: float, answers: int
) -> None:
    (worth,) = worth_of_label(confidence, reliability, answers)
    spread = (1 - confidence) ** 2 / (answers - 1)
    assert 0 <= worth <= 1 - confidence**2 - spread + 1e-9


@given(confidence=share, answers=st.integers(2, 20))
def test_an_annotator_who_guesses_is_worth_nothing(confidence: float, answers: int) -> None:
    assert worth_of_label(confidence, 1 / answers, answers)[0] == pytest.approx(0, abs=1e-9)


def test_worth_is_what_averaging_over_the_labels_gives() -> None:
    """By hand, for two answers: 0.7 right so far, the annotator is right with 0.8."""
    same, other = 0.7 * 0.8 + 0.3 * 0.2, 0.7 * 0.2 + 0.3 * 0.8
    after = ((0.7 * 0.8) ** 2 + (0.3 * 0.2) ** 2) / same + ((0.7 * 0.2) ** 2 + (0.3 * 0.8) ** 2) / other
    assert worth_of_label(0.7, 0.8, 2)[0] == pytest.approx(after - (0.7**2 + 0.3**2))


def wrong_after(spent_on: str, reliability: float, seed: int = 0, budget: int = 400) -> int:
    """2,000 items with two answers. Half have one label and nothing else; of the others a calibrated model says the
    answer. Then `budget` more labels are given, and every item's likeliest answer is put on record."""
    rng = np.random.default_rng(seed)
    model = rng.uniform(0.6, 0.95, 1_000)
    prior = np.concatenate([np.full(1_000, reliability), model])
    right = rng.random(2_000) < prior
    worth = worth_of_second_label(prior[:1_000], model, reliability=reliability, answers=2)
    order = {
        "ranking": worth.order,
        "second": np.argsort(-worth.second),
        "first": 1_000 + np.argsort(-worth.first),
    }[spent_on][:budget]
    said_right = rng.random(budget) < reliability
    agrees = said_right == right[order]  # with two answers, whoever is wrong gives the other one
    odds = np.where(agrees, 1.0, -1.0) * np.log(reliability / (1 - reliability))
    evidence = np.log(prior[order] / (1 - prior[order])) + odds
    answer_right = right.copy()
    answer_right[order] = np.where(evidence > 0, right[order], ~right[order])
    return int((~answer_right).sum())


def test_with_clean_annotators_new_items_come_first_and_with_noisy_ones_labelled_ones() -> None:
    model = np.full(50, 0.8)
    clean = worth_of_second_label(np.full(50, 0.97), model, reliability=0.97, answers=4)
    noisy = worth_of_second_label(np.full(50, 0.6), model, reliability=0.6, answers=4)
    assert (clean.order[:50] >= 50).all()
    assert (noisy.order[:50] < 50).all()


def test_with_clean_annotators_the_ranking_gets_rid_of_more_wrong_labels_than_second_labels_do() -> None:
    assert wrong_after("ranking", 0.97) == wrong_after("first", 0.97) < wrong_after("second", 0.97) - 50


def test_annotators_may_differ_by_item() -> None:
    worth = worth_of_second_label([0.7, 0.7], [0.7], reliability=[0.6, 0.9, 0.75], answers=2)
    assert worth.order.tolist() == [1, 2, 0]


@pytest.mark.parametrize(("consensus", "reliability", "answers"), [([1.2], 0.9, 2), ([0.5], -1, 2), ([0.5], 0.9, 1)])
def test_what_is_no_probability_is_refused(consensus: list[float], reliability: float, answers: int) -> None:
    with pytest.raises(InputError):
        worth_of_second_label(consensus, [0.5], reliability=reliability, answers=answers)
