"""What is to be done in the queue, and how a task made of a case looks."""

from __future__ import annotations

from typing import Any

import pytest
from unit.analysis.exports import annotation, choice, dataset, task

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.results import read_task
from sdk_scripts.gold.look import Look, Step, closed_overlap, taken_of
from sdk_scripts.gold.scores import scores
from sdk_scripts.gold.tasks import _data
from sdk_scripts.gold.tending import Tended
from sdk_scripts.quality import Gold
from tests.unit.gold.asked import NOW, RIGHT, SINCE, WRONG, case, question

REVIEWED = {"meta": {"tiebreak": {"review": "5/6/7"}}}
BEGUN = {"gold": {"sentiment": {"since": SINCE.isoformat(), "key": RIGHT}}}
ONE_EACH = {"maximum_annotations": 1, "show_overlap_first": True, "skip_queue": "REQUEUE_FOR_OTHERS"}


def stored(id: int, *people: int, overlap: int = 1, open_: bool = False, skipped: int = 0) -> dict[str, Any]:
    given = [annotation(n, who, choice("sentiment", "negative")) for n, who in enumerate(people)]
    given += [annotation(90 + n, 90 + n, was_cancelled=True) for n in range(skipped)]
    return {"id": id, "annotations": given, "overlap": overlap, "is_labeled": not open_}


def look(*cases: Any, project: dict[str, Any] = ONE_EACH, first: int = 1) -> Look:
    decided = annotation(10, 8, choice("sentiment", "negative") | REVIEWED, ground_truth=True)
    tasks = [task(id, f"text {id}", [decided]) for id in (1, 2, 3)]
    return Look(project, dataset(tasks), cases, Gold(first=first, most_exposures=5), Arms("s"), NOW)


def steps(seen: Look, *tasks: dict[str, Any]) -> list[tuple[str, int | None, int | None]]:
    found = seen.queue_steps({task["id"]: task for task in tasks})
    return [(it.action, it.task, it.overlap) for it in found]


def test_a_question_is_opened_for_as_many_as_may_see_it_and_is_then_as_it_should_be() -> None:
    seen = look(case(1, about=BEGUN))
    assert steps(seen, stored(1, 8)) == [("open", 1, 6)]
    assert steps(seen, stored(1, 8, overlap=6, open_=True)) == []


def test_with_one_annotator_a_task_the_queue_is_told_to_serve_the_greater_overlap_first() -> None:
    project = {**ONE_EACH, "show_overlap_first": False}
    there = stored(1, 8, overlap=6, open_=True)
    assert steps(look(case(1, about=BEGUN), project=project), there) == [("serve", None, None)]
    assert steps(look(case(1, about=BEGUN), project={**project, "maximum_annotations": 2}), there) == []
    assert steps(look(project=project)) == []


@pytest.mark.parametrize("more", [{"stale": True, "policy": "old"}, {"expires": NOW}])
def test_a_question_that_rests_is_closed(more: dict[str, Any]) -> None:
    resting = look(case(1, about=BEGUN, **more))
    assert steps(resting, stored(1, 8, 3, overlap=6, open_=True)) == [("close", 1, 1)]
    assert steps(resting, stored(1, 8, 3)) == []


def test_tasks_that_never_were_gold_are_left_alone() -> None:
    assert look(case(1, about=BEGUN), case(2, uses=("precedent",))).managed == [1]
    assert look(case(2, uses=("precedent",))).managed == []


def test_skips_count_against_the_overlap_where_label_studio_counts_them() -> None:
    one = stored(1, 8, 3, overlap=3, skipped=1)
    assert taken_of({"skip_queue": "IGNORE_SKIPPED"}, one) == (3, False)
    assert taken_of({"skip_queue": "REQUEUE_FOR_ME"}, one) == (2, True)


def test_a_closed_task_has_the_projects_overlap_and_no_more_than_it_has_annotators() -> None:
    assert closed_overlap({"maximum_annotations": 3}, stored(1, 8, 3, 3)) == 2
    assert closed_overlap({"maximum_annotations": 1}, stored(1, 8, 3)) == 1
    assert closed_overlap({"maximum_annotations": 2}, stored(1)) == 1


def test_a_case_without_a_task_is_given_one_and_one_without_a_decision_gets_it() -> None:
    elsewhere = case(7, source_task=None)
    bare = Look(ONE_EACH, dataset([task(1, "x")]), [case(1), elsewhere], Gold(), Arms("s"), NOW)
    assert [(it.action, it.case) for it in bare.library_steps()] == [
        ("decide", 1001),
        ("begin", 1001),
        ("place", 1007),
        ("begin", 1007),
    ]


def test_an_answer_that_the_label_config_does_not_have_is_no_question() -> None:
    (made,) = Look(ONE_EACH, dataset([task(1, "x")]), [case(1, answer="nowhere")], Gold(), Arms("s"), NOW).questions
    assert made.state == "disputed"
    assert made.why


def test_a_task_made_of_a_case_has_the_fields_of_the_others_and_a_key_that_no_row_has() -> None:
    others = [read_task({"id": n, "data": {"text": "x", "tiebreak_key": f"k{n}"}, "annotations": []}) for n in (1, 2)]
    made = _data(case(7, about={"severity": 3}, data={"text": "y", "tiebreak_case": {}, "secret": 1}), others)
    assert made.keys() == {"text", "tiebreak_key"}
    assert made["tiebreak_key"] not in {"k1", "k2"}


def test_there_is_something_to_do_until_it_is_done_and_who_failed_is_named() -> None:
    assert Tended(False, steps=(Step("open", 1),)).pending
    assert not Tended(True, steps=(Step("open", 1),)).pending
    failing = [question(task, [("ann", WRONG)]) for task in range(1, 31)]
    tended = Tended(True, scores=tuple(scores(failing, Gold(), NOW)))
    assert [it.annotator for it in tended.failed] == ["ann"]
