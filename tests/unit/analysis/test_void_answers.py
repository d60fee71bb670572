"""Seeded wrong answers that everybody submitted, and what the machine wrote, on every way into figures and models."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ml_backend.encoder import Encoder
from ml_backend.examples import examples_of
from ml_backend.joint_consensus import consensus_with_texts
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.results import Task, read_task
from ml_backend.settings import Settings
from sdk_scripts.backtest.columns import Columns
from sdk_scripts.backtest.labelled import read_labelled
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import HardCase, Reason, find_hard_cases
from sdk_scripts.review_cases import CaseFacts, judged_by
from sdk_scripts.review_tasks import build_review_tasks
from sdk_scripts.reviewers import Case, Seat
from sdk_scripts.sources import Dataset, load_export
from tests.unit.labeling.shown_to import HALF, SECRET, given, predicted, submitted
from tests.unit.learning.reviews import SENTIMENT, choice, reviews

FALSE = {"positive": "negative", "negative": "positive"}
MACHINE = 9


def exported() -> list[dict[str, Any]]:
    """200 reviews whose labels are known; three people accept whatever they are shown, the machine wrote every fifth
    plain one."""
    tasks = []
    for id, (text, label) in enumerate(reviews(200), 1):
        stored = predicted(SENTIMENT, {"sentiment": given((label,), FALSE[label], 0.95)}, id)
        people = [submitted(100 * id + who, who, stored) for who in (1, 2, 3)]
        if HALF.of(id) == "blind":
            for one in people:
                one["result"] = [choice("sentiment", label)]
        if HALF.of(id) == "plain" and id % 5 == 0:
            region = choice("sentiment", FALSE[label])
            mark = {"machine": "few-shot-1", "answer": json.dumps([FALSE[label]]), "confidence": 0.99}
            people = [{"id": 100 * id, "completed_by": MACHINE, "result": [{**region, "meta": {"tiebreak": mark}}]}]
        tasks.append({"id": id, "data": {"text": text}, "annotations": people, "predictions": [stored]})
    return tasks


EXPORT = exported()
TRUTH = {id: label for id, (_, label) in enumerate(reviews(200), 1)}
SEEDED = {id for id in TRUTH if HALF.of(id) == "seeded"}
MACHINES = {id for id in TRUTH if HALF.of(id) == "plain" and id % 5 == 0}


def opened(arms: Arms = HALF) -> list[Task]:
    return [arms.opened(read_task(task)) for task in copy.deepcopy(EXPORT)]


def test_the_tasks_are_what_they_should_be() -> None:
    assert len(SEEDED) > 40
    assert len(MACHINES) > 4
    shown = {task["id"]: task["predictions"][0]["result"] for task in EXPORT}
    assert all(shown[id][0]["value"] == {"choices": [FALSE[TRUTH[id]]]} for id in SEEDED)


def test_nothing_is_learned_from_them(encoder: Encoder) -> None:
    examples = examples_of(SENTIMENT, opened(), encoder)["sentiment"]
    assert set(examples.tasks) == set(TRUTH) - SEEDED - MACHINES
    assert [answer[0] for answer in examples.answers] == [TRUTH[task] for task in examples.tasks]  # type: ignore[index]


def test_nothing_is_learned_from_them_though_somebody_made_them_ground_truth(encoder: Encoder) -> None:
    starred = copy.deepcopy(EXPORT)
    for task in starred:
        task["annotations"][0]["ground_truth"] = True
    tasks = [HALF.opened(read_task(task)) for task in starred]
    assert not (SEEDED | MACHINES) & set(examples_of(SENTIMENT, tasks, encoder)["sentiment"].tasks)


@pytest.mark.parametrize("method", ["auto", "majority", "dawid-skene", "crowdlab"])
def test_no_consensus_comes_from_them(encoder: Encoder, method: str) -> None:
    found = consensus_with_texts(SENTIMENT, opened(), encoder, method=method)
    items = dict(found.items.select("task", "answer").iter_rows())
    assert set(items) == set(TRUTH) - SEEDED - MACHINES
    assert all(json.loads(answer) == [TRUTH[task]] for task, answer in items.items())
    assert str(MACHINE) not in found.annotators["annotator"].to_list()


def test_hard_cases_and_their_reviewers_see_none_of_them(encoder: Encoder) -> None:
    dataset = Dataset("reviews", SENTIMENT, opened())
    evidence = Evidence(dataset, lambda: encoder)
    assert not (SEEDED | MACHINES) & set(evidence.judgements["task"])
    assert not SEEDED & set(evidence.stored["sentiment"])  # what was seeded is not what the model thinks
    signals = {reason.signal for case in find_hard_cases(dataset, evidence) for reason in case.reasons}
    assert signals <= {"novelty", "uncertainty"}  # people, texts and model agree in everything that counts
    facts = CaseFacts(evidence)
    seats = [
        (
            HardCase(task, 0.9, (Reason("appeal", 0.9, "asked", "sentiment"),)),
            Seat(Case(task, "sentiment"), "", 1),
        )
        for task in sorted({*list(SEEDED)[:3], *list(MACHINES)[:3]})
    ]
    for made in build_review_tasks(facts, seats):
        assert made["data"]["tiebreak"]["votes"] == []
        assert made["data"]["tiebreak"]["consensus"] is None
    assert judged_by(evidence.tasks[min(MACHINES)]) == frozenset()
    assert judged_by(evidence.tasks[min(SEEDED)]) == {"1", "2", "3"}  # they have seen it, and review it not


def test_without_the_secret_nothing_under_a_seal_counts_and_the_source_says_so(tmp_path: Path) -> None:
    path, config = tmp_path / "export.json", tmp_path / "config.xml"
    path.write_text(json.dumps(EXPORT))
    config.write_text(SENTIMENT.xml)
    known = load_export(path, config, Arms(SECRET))
    assert not any("seal" in it for it in known.warnings)
    unknown = load_export(path, config)
    blind = {id for id in TRUTH if HALF.of(id) == "blind"}
    assert set(Evidence(unknown).judgements["task"]) == blind
    people = 3 * (len(TRUTH) - len(MACHINES) - len(blind))
    assert any(
        it.startswith(f"{people} annotations were made from predictions under a seal") for it in unknown.warnings
    )


def test_a_backtest_replays_none_of_them(encoder: Encoder, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(EXPORT))
    found = read_labelled(path, SENTIMENT, Columns("", ""), encoder, seed=0, limit=None, arms=HALF)
    assert len(found) == len(TRUTH) - len(SEEDED) - len(MACHINES)
