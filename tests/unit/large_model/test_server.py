"""The local endpoint's oracle is what it says: right at its rate, and as sure as it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.large_model_server import LargeModelServer, oracle
from tests.unit.large_model.asking import VERDICT, Given, ask, questions

LABELS = ("allow", "all", "reject")
TRUTH = {f"text {number}": {"verdict": LABELS[number % 3]} for number in range(240)}


@pytest.mark.parametrize("accuracy", [1.0, 0.8])
def test_an_oracle_is_right_as_often_as_it_is_told_and_as_sure_as_it_is_right(home: Path, accuracy: float) -> None:
    with LargeModelServer(oracle(TRUTH, accuracy=accuracy)) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *({"text": text} for text in TRUTH)))
        again = ask(server, home, VERDICT, questions(VERDICT, *({"text": text} for text in list(TRUTH)[:20])))
    assert [reply.opinions for reply in again] == [reply.opinions for reply in replies[:20]]
    opinions = [reply.opinions["verdict"] for reply in replies]
    right = [it.answer == (truth["verdict"],) for it, truth in zip(opinions, TRUTH.values(), strict=True)]
    assert sum(right) / len(right) == pytest.approx(accuracy, abs=0.05)
    for low, high in ((2 * accuracy - 1, accuracy), (accuracy, 1.0)):
        inside = [(it.confidence, hit) for it, hit in zip(opinions, right, strict=True) if low <= it.confidence <= high]
        if inside:
            assert sum(hit for _, hit in inside) == pytest.approx(
                sum(sure for sure, _ in inside), abs=0.05 * len(inside)
            )


def test_without_log_probabilities_its_samples_are_drawn_by_the_same_chances(home: Path) -> None:
    asked = questions(VERDICT, *({"text": text} for text in list(TRUTH)[:30]))
    with LargeModelServer(oracle(TRUTH, accuracy=0.7), logprobs=False) as server:
        replies = ask(server, home, VERDICT, asked, terms=Given(samples=5))
    assert len({reply.opinions["verdict"].confidence for reply in replies if reply.opinions}) > 1


def test_texts_that_an_oracle_does_not_know_it_leaves_alone(home: Path) -> None:
    with LargeModelServer(oracle(TRUTH)) as server:
        [reply] = ask(server, home, VERDICT, questions(VERDICT, {"text": "never seen"}))
    assert reply.reason == "verdict: it is unsure"
