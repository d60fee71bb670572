"""Ranking: one score from all signals, hardest first, the same whatever the order of the tasks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from unit.analysis.exports import dataset, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment
from unit.analysis.test_signals import projects

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from sdk_scripts.hard_cases import find_hard_cases
from sdk_scripts.mining import mine
from sdk_scripts.signals import SIGNALS


def ranked(tasks, opinions=None, budget=None):
    evidence = GivenEvidence(dataset(tasks), opinions)
    return find_hard_cases(evidence.dataset, evidence, budget)


def test_the_score_is_the_noisy_or_of_the_weighted_signals() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive")]
    (case,) = ranked(tasks, sentiment({1: opinion("positive", 0.9, negative=0.1)}))
    split = SIGNALS["disagreement"].weight * 2 / 3
    against = SIGNALS["model_against_human"].weight * 0.8
    assert case.score == pytest.approx(1 - (1 - split) * (1 - against))
    assert {reason.signal for reason in case.reasons} == {"disagreement", "model_against_human"}


def test_the_reason_that_counts_most_comes_first_and_names_the_control_in_doubt() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive")]
    (case,) = ranked(tasks, sentiment({1: opinion("positive", 1.0)}))
    assert [reason.signal for reason in case.reasons] == ["model_against_human", "disagreement"]
    assert case.control == "sentiment"


def test_equally_hard_cases_come_in_order_of_id_and_easy_tasks_not_at_all() -> None:
    tasks = [voted(id, "x", "negative", "positive") for id in (9, 3, 7)] + [voted(1, "x", "neutral", "neutral")]
    assert [case.task for case in ranked(tasks)] == [3, 7, 9]


def test_the_budget_keeps_the_hardest() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive"), voted(2, "x", "negative", "positive")]
    found = ranked(tasks, budget=1)
    assert [case.task for case in found] == [2]
    assert (len(found), found.total) == (1, 2)


@pytest.mark.parametrize("budget", [0, -3])
def test_a_budget_below_one_is_refused(budget: int) -> None:
    with pytest.raises(InputError, match="--budget"):
        ranked([voted(1, "x")], budget=budget)


def test_a_signal_without_evidence_is_dropped_and_named_and_the_others_go_on() -> None:
    found = ranked([voted(1, "x", "negative", "positive")])
    assert len(found) == 1
    assert found.dropped.keys() == {"model_against_human", "uncertainty"}
    assert "20 labels" in found.dropped["model_against_human"]


def test_a_project_nobody_has_labeled_has_no_hard_cases() -> None:
    found = ranked([voted(1, "x")])
    assert (found.items, found.total) == ([], 0)
    assert set(found.dropped) == set(SIGNALS)


def test_the_json_is_the_designs() -> None:
    found = ranked([voted(4, "x", "negative", "positive")])
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    (item,) = document["items"]
    assert item["task"] == 4
    assert item["score"] == 0.9
    (reason,) = item["reasons"]
    assert reason.items() >= {"signal": "disagreement", "score": 1.0}.items()
    assert reason["detail"] == "1 of 2 says negative, 1 says positive"
    assert "review" not in document


@hypothesis(max_examples=50, deadline=None)
@given(project=projects(), random=st.randoms(use_true_random=False))
def test_the_ranking_does_not_depend_on_the_order_of_the_tasks(project, random) -> None:
    tasks, opinions = project
    before = ranked(tasks, opinions).to_json()
    random.shuffle(tasks)
    assert ranked(tasks, opinions).to_json() == before
    scores = [item["score"] for item in before["items"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_review_tasks_for_a_file_are_refused_before_any_work(settings: Settings) -> None:
    with pytest.raises(InputError, match=r"is a file.*--apply"):
        mine(dataset([voted(1, "x", "negative", "positive")]), settings, apply=True)
