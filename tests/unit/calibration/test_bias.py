"""Whom a label comes to too easily."""

from __future__ import annotations

import random

import pytest
from unit.calibration.made import PEOPLE, said

from sdk_scripts.calibration.bias import accuracy, uses, wilson

LABELS = ("negative", "neutral", "positive")
KEYS = {label: f'["{label}"]' for label in LABELS}


def test_a_person_who_gives_a_label_too_often_is_told_against_both_and_the_others_are_not() -> None:
    truths = {item: LABELS[item % 3] for item in range(1, 43)}
    rows = {
        item: {"ana": truth, "ben": truth, "cho": "negative" if truth == "neutral" else truth}
        for item, truth in truths.items()
    }
    answers = said(rows)
    gold = {("sentiment", item): KEYS[truth] for item, truth in truths.items()}
    found = {(it.annotator, it.label, it.against): it for it in uses(answers, gold)}
    for against in ("gold", "others"):
        over, under = found[PEOPLE[2], "negative", against], found[PEOPLE[2], "neutral", against]
        assert (over.over, over.under, over.given, over.expected) == (14, 0, 28, 14)
        assert (over.biased(0.05), under.biased(0.05)) == ("over", "under")
        assert over.p == pytest.approx(2 / 2**14)
    assert {it.annotator for it in found.values() if it.biased(0.05)} == {PEOPLE[2]}
    (control,) = answers.config.answerable
    right = accuracy(answers, gold, control, PEOPLE[2], 0.95)
    assert (right.items, right.right, (right.low, right.high)) == (42, 28, wilson(28, 42, 0.95))


def test_careful_people_are_hardly_ever_told_of_a_bias() -> None:
    drawn, alarms, rounds = random.Random(1), 0, 60
    for _ in range(rounds):
        rows, gold = {}, {}
        for item in range(1, 41):
            truth = drawn.choice(LABELS)
            rows[item] = {who: drawn.choice(LABELS) if drawn.random() < 0.2 else truth for who in ("ana", "ben", "cho")}
            gold["sentiment", item] = KEYS[truth]
        alarms += any(it.biased(0.05) for it in uses(said(rows), gold))
    assert alarms <= 0.05 * rounds


def test_without_gold_or_others_nothing_is_held_against_anybody() -> None:
    assert uses(said({1: {"ana": "negative"}, 2: {"ben": "neutral"}}), {}) == []
