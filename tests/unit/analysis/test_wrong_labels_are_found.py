"""Wrong labels put in on purpose come out on top."""

from __future__ import annotations

import random

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import Task
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import find_hard_cases
from sdk_scripts.signals import SIGNALS
from sdk_scripts.sources import Dataset
from tests.unit.learning.reviews import SENTIMENT, choice, reviews, task

OTHER = {"positive": "negative", "negative": "positive"}


def ranking(tasks: list[Task], encoder: Encoder) -> list[int]:
    dataset = Dataset("reviews", SENTIMENT, tasks)
    return [case.task for case in find_hard_cases(dataset, Evidence(dataset, lambda: encoder))]


def found(ranked: list[int], wrong: set[int]) -> float:
    """Of as many of the hardest as there are wrong ones, the share that is wrong."""
    return len(wrong & set(ranked[: len(wrong)])) / len(wrong)


def test_labels_that_were_flipped_are_the_hardest_cases(encoder: Encoder) -> None:
    known = reviews(300)
    wrong = set(random.Random(3).sample(range(1, 301), 30))
    tasks = [
        task(id, {"text": text}, [choice("sentiment", OTHER[label] if id in wrong else label)])
        for id, (text, label) in enumerate(known, 1)
    ]
    assert found(ranking(tasks, encoder), wrong) >= 0.9


def test_wrong_consensus_of_two_is_found_twice_as_often_as_by_their_disagreement(encoder: Encoder) -> None:
    rng = random.Random(5)
    known = reviews(300)
    skills = [0.95, 0.9, 0.7, 0.65]
    tasks, votes = [], {}
    for id, (text, label) in enumerate(known, 1):
        people = rng.sample(range(4), 2)
        said = [label if rng.random() < skills[who] else OTHER[label] for who in people]
        annotations: list[list[dict]] = [[]] * 4
        for who, answer in zip(people, said, strict=True):
            annotations[who] = [choice("sentiment", answer)]
        tasks.append(task(id, {"text": text}, *annotations))
        votes[id] = said
    dataset = Dataset("reviews", SENTIMENT, tasks)
    evidence = Evidence(dataset, lambda: encoder)
    answers = dict(evidence.consensus.items.select("task", "answer").iter_rows())
    wrong = {id for id, (_, label) in enumerate(known, 1) if answers[id] != f'["{label}"]'}
    assert len(wrong) >= 5
    agreement_alone = SIGNALS["disagreement"](evidence)
    alone = sorted(votes, key=lambda id: -agreement_alone[id].score if id in agreement_alone else 0.0)
    ours = [case.task for case in find_hard_cases(dataset, evidence)]
    assert found(ours, wrong) >= max(0.5, 2 * found(alone, wrong))
