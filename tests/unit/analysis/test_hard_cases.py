"""Ranking: one score from all signals, hardest first, the same whatever the order of the tasks."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from unit.analysis.exports import dataset, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment
from unit.analysis.test_signals import NEED_LABELS, projects

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
    scores = {reason.signal: reason.score for reason in case.reasons}
    assert scores.keys() == {"disagreement", "model_against_human", "wrong_consensus"}
    assert scores["disagreement"] == pytest.approx(2 / 3)
    assert scores["model_against_human"] == pytest.approx(0.8)
    clear = [1 - SIGNALS[name].weight * score for name, score in scores.items()]
    assert case.score == pytest.approx(1 - math.prod(clear))


def test_the_reason_that_counts_most_comes_first_and_names_the_control_in_doubt() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive")]
    (case,) = ranked(tasks, sentiment({1: opinion("positive", 1.0)}))
    assert case.reasons[0].signal == "model_against_human"
    counts = [SIGNALS[reason.signal].weight * reason.score for reason in case.reasons]
    assert counts == sorted(counts, reverse=True)
    assert case.control == "sentiment"


def test_equally_hard_cases_come_in_order_of_id_and_easy_tasks_not_at_all() -> None:
    tasks = [voted(id, f"text {id}", "negative", "positive") for id in (9, 3, 7)] + [voted(1, "other", "neutral")]
    assert [case.task for case in ranked(tasks)] == [3, 7, 9]


def test_the_budget_keeps_the_hardest() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive"), voted(2, "y", "negative", "positive")]
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
    assert found.dropped.keys() == {"label_error", "model_against_human", "novelty", "uncertainty"}
    assert "20 labels" in found.dropped["model_against_human"]


def test_a_project_nobody_has_labeled_has_no_hard_cases() -> None:
    found = ranked([voted(1, "x")])
    assert (found.items, found.total) == ([], 0)
    assert set(found.dropped) == set(NEED_LABELS)


def test_the_json_is_the_designs() -> None:
    found = ranked([voted(4, "x", "negative", "positive")])
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    (item,) = document["items"]
    assert item["task"] == 4
    assert item["severity"] == 1
    assert item["harm"] == item["score"] == pytest.approx(1 - 0.5 * (1 - 0.95 * 0.5))
    reason = next(reason for reason in item["reasons"] if reason["signal"] == "disagreement")
    assert reason["score"] == 1
    assert reason["detail"] == "1 of 2 says negative, 1 says positive"
    assert document["weights"] == {name: signal.weight for name, signal in SIGNALS.items()}
    assert "review" not in document


@hypothesis(max_examples=50, deadline=None)
@given(project=projects(), random=st.randoms(use_true_random=False))
def test_the_ranking_does_not_depend_on_the_order_of_the_tasks(project, random) -> None:
    tasks, opinions = project
    before = ranked(tasks, opinions).to_json()
    random.shuffle(tasks)
    assert ranked(tasks, opinions).to_json() == before
    harms = [item["harm"] for item in before["items"]]
    assert harms == sorted(harms, reverse=True)
    assert all(0 < item["score"] <= 1 for item in before["items"])


def test_review_tasks_for_a_file_are_refused_before_any_work(settings: Settings) -> None:
    with pytest.raises(InputError, match=r"is a file.*--apply"):
        mine(dataset([voted(1, "x", "negative", "positive")]), settings, apply=True)
