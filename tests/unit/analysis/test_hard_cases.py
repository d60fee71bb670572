"""Ranking: one score from all signals, hardest first, the same whatever the order of the tasks."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from unit.analysis.exports import SENTIMENT, annotation, choice, dataset, predicted, task, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment
from unit.analysis.test_signals import NEED_LABELS, projects

from ml_backend.labeling.errors import InputError, UnknownName
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
    assert scores.keys() == {"disagreement", "label_error", "model_against_human", "wrong_consensus"}
    assert scores["disagreement"] == pytest.approx(2 / 3)
    assert scores["model_against_human"] == pytest.approx(0.8 / 3)
    clear = [1 - SIGNALS[name].weight * score for name, score in scores.items()]
    assert case.score == pytest.approx(1 - math.prod(clear))


def test_the_reason_that_counts_most_comes_first_and_names_the_control_in_doubt() -> None:
    tasks = [voted(1, "x", "negative", "negative", "positive")]
    (case,) = ranked(tasks, sentiment({1: opinion("positive", 1.0)}))
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
    assert item["harm"] == item["score"] == pytest.approx(1 - (1 - 0.3) * (1 - 0.95 * 0.5))
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


def with_standard(tasks, standard: dict, xml: str = SENTIMENT, learned=None):
    project = {"id": 1, "description": f"tiebreak hard cases: {json.dumps(standard)}"}
    made = dataset(tasks, xml, project=project)
    return find_hard_cases(made, GivenEvidence(made), learned=learned)


def test_the_ranking_is_by_expected_harm_and_shows_score_and_severity() -> None:
    tasks = [voted(1, "x", "negative", "neutral"), voted(2, "y", "negative", "negative", "positive"), voted(3, "z")]
    plain = with_standard(tasks, {})
    assert [case.task for case in plain] == [1, 2]
    severe = with_standard(tasks, {"severity": {"positive": 5, "neutral": 0.5}})
    assert [(case.task, case.severity) for case in severe] == [(2, 5), (1, 1)]
    assert severe[0].score == plain[1].score
    assert severe[0].harm == 5 * severe[0].score


def test_risk_words_and_the_models_answer_make_a_task_severe() -> None:
    tasks = [
        voted(1, "a gun", "negative", "neutral"),
        voted(2, "y", "negative", "neutral", predictions=[predicted(1, "positive", 0.9)]),
        voted(3, "z", "neutral"),
    ]
    standard = {"severity": {"positive": 4, "neutral": 0.5}, "risk_words": {"gun": 9}}
    project = {"id": 1, "description": f"tiebreak hard cases: {json.dumps(standard)}"}
    evidence = GivenEvidence(dataset(tasks, project=project))
    assert [evidence.severity_of(task) for task in (1, 2, 3, 4)] == [9, 4, 0.5, 1]


def test_a_label_has_the_severity_of_those_above_it() -> None:
    xml = """<View><Text name="text" value="$text"/><Taxonomy name="policy" toName="text">
      <Choice value="ip"><Choice value="fake"/></Choice><Choice value="goods"/></Taxonomy></View>"""

    def picked(id: int, *path: str) -> dict:
        region = {"from_name": "policy", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": [list(path)]}}
        return task(id, "x", [annotation(id, 1, region)])

    project = {"id": 1, "description": 'tiebreak hard cases: {"severity": {"ip": 3, "goods / guns": 8}}'}
    made = dataset([picked(1, "ip", "fake"), picked(2, "ip"), picked(3, "goods")], xml, project=project)
    assert [GivenEvidence(made).severity_of(task) for task in (1, 2, 3)] == [3, 3, 1]


def test_weights_are_the_standards_then_those_learned_then_the_signals_own() -> None:
    tasks = [voted(1, "x", "negative", "positive")]
    standard = {"signals": {"disagreement": 0.2, "wrong_consensus": 0}}
    found = with_standard(tasks, standard, learned={"disagreement": 0.9, "wrong_consensus": 0.9, "skips": 0.11})
    assert found[0].score == pytest.approx(0.2)
    assert found.weights["disagreement"] == 0.2
    assert found.weights["skips"] == 0.11
    assert found.weights["feedback"] == SIGNALS["feedback"].weight
    assert "wrong_consensus" not in found.weights


def test_a_signal_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="disagreement"):
        with_standard([voted(1, "x")], {"signals": {"disagrement": 0.5}})


def test_tasks_below_the_standards_least_score_are_no_hard_cases() -> None:
    tasks = [voted(1, "x", "negative", "positive"), voted(2, "y", *["negative"] * 9, "positive")]
    assert [case.task for case in with_standard(tasks, {"least_score": 0.6})] == [1]
    assert with_standard(tasks, {"least_score": 0.6}).total == 1


def test_a_decided_task_is_no_hard_case_unless_it_is_disputed_anew() -> None:
    review = {"meta": {"tiebreak": {"review": "9/1/1"}}}
    decided = annotation(900, 8, choice("sentiment", "positive") | review, ground_truth=True)
    again = annotation(950, 9, choice("sentiment", "negative"))
    tasks = [voted(n, f"text {n}", "negative", "positive") for n in (1, 2, 3)]
    tasks[1]["annotations"].append(decided)
    tasks[2]["annotations"] += [decided, again]
    assert sorted(case.task for case in ranked(tasks)) == [1, 3]
