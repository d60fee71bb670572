"""What the machine's annotation says of itself, what people's make of it, and what becomes of stored predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ml_backend.cascade import View
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import read_task
from ml_backend.prelabelers import Opinion
from ml_backend.presented import Given, prediction, shown
from sdk_scripts.machine_annotations import Accepted, Written, written
from sdk_scripts.route_decisions import Route
from sdk_scripts.route_predictions import differs
from sdk_scripts.route_predictions import update as changed
from tests.unit.analysis.exports import SENTIMENT, annotation, choice

CONFIG = parse(SENTIMENT)
SPANS = parse('<View><Text name="t" value="$t"/><Labels name="spans" toName="t"><Label value="claim"/></Labels></View>')
ACCEPTED = Accepted(1, {"sentiment": ("positive",)}, {"sentiment": 0.97}, "v1", "p", "local", 0.97, True, 2)
HUMAN, EXPERT = Route(1, "human", ""), Route(1, "expert", "it is severe", control="sentiment")


def machine(*people: dict[str, Any], accepted: Accepted = ACCEPTED, **more: Any) -> Written:
    own = {**annotation(100, 9), "result": accepted.result(CONFIG), **more}
    json = {"id": 1, "data": {"text": "x"}, "overlap": 3, "is_labeled": False, "annotations": [own, *people]}
    (found,) = written(CONFIG, json)
    return found


def said(id: int, who: int, label: str, **more: Any) -> dict[str, Any]:
    return annotation(id, who, choice("sentiment", label), **more)


def decided(id: int, label: str) -> dict[str, Any]:
    region = {**choice("sentiment", label), "meta": {"tiebreak": {"review": "9/1/1"}}}
    return annotation(id, 8, region, ground_truth=True)


def test_an_annotation_says_that_it_is_the_machines_and_nothing_of_it_is_lost() -> None:
    found = machine()
    assert found.answers == {"sentiment": '["positive"]'}
    assert (found.version, found.policy, found.by, found.audit, found.overlap) == ("v1", "p", "local", True, 2)
    assert found.edited(CONFIG) == ""
    assert found.annotation.machine == {"sentiment": '["positive"]'}
    (region,) = found.annotation.regions
    assert region["score"] == 0.97
    assert region["meta"]["tiebreak"]["confidence"] == 0.97


def test_an_answer_without_a_region_has_no_place_for_the_record_and_is_not_written() -> None:
    assert replace(ACCEPTED, answers={"spans": ()}, scores={"spans": 1.0}).result(SPANS) is None
    assert replace(ACCEPTED, answers={}).result(CONFIG) is None


@pytest.mark.parametrize(("audit", "before", "after"), [(False, 1, 1), (False, 3, 1), (True, 1, 2), (True, 3, 4)])
def test_an_accepted_task_counts_as_labelled_and_an_audited_one_once_people_have_labelled_it(
    audit: bool, before: int, after: int
) -> None:
    assert replace(ACCEPTED, audit=audit, overlap=before).overlap_after == after


@pytest.mark.parametrize(
    ("people", "error"),
    [
        ([], None),
        ([said(101, 1, "positive")], None),
        ([said(101, 1, "positive"), said(102, 1, "negative")], None),
        ([said(101, 1, "positive"), said(102, 2, "positive")], 0.0),
        ([said(101, 1, "negative"), said(102, 2, "negative")], 1.0),
        ([said(101, 1, "positive"), said(102, 2, "negative")], 0.5),
        ([said(101, 1, "negative"), said(102, 2, "neutral")], 1.0),
        ([said(101, 1, "negative"), said(102, 2, "positive"), said(103, 3, "positive")], 0.0),
        ([said(101, 1, "positive"), said(102, 2, "positive", was_cancelled=True)], None),
        ([said(101, 1, "negative"), said(102, 1, "positive"), said(103, 2, "positive")], 0.0),
        ([decided(101, "positive")], 0.0),
        ([decided(101, "negative")], 1.0),
        ([said(101, 1, "negative"), said(102, 2, "negative"), decided(103, "positive")], 0.0),
        ([annotation(101, 1), annotation(102, 2)], None),
    ],
)
def test_an_audit_is_judged_by_as_many_people_as_label_a_task_and_a_review_outweighs_them(
    people: list[dict[str, Any]], error: float | None
) -> None:
    assert machine(*people).error(CONFIG) == error


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ground_truth": True}, "ground truth"),
        ({"was_cancelled": True}, "skipped"),
        ({"result": [{**ACCEPTED.result(CONFIG)[0], "value": {"choices": ["negative"]}}]}, "answer was changed"),  # type: ignore[index]  # it has one
    ],
)
def test_what_people_did_to_it_is_seen(change: dict[str, Any], why: str) -> None:
    assert why in machine(**change).edited(CONFIG)


VIEW = View(1, {"sentiment": Opinion(("positive",), 0.9, {"positive": 0.9, "negative": 0.1})})
ARMS = Arms("secret", blind=0.3, seeded=0.2)


def stored(view: View = VIEW, task: int = 1, arms: Arms = ARMS) -> dict[str, Any]:
    """A task with the prediction that `prelabel` would have pushed."""
    it = shown(CONFIG, {name: Given.of(one) for name, one in view.opinions.items()}, task, arms)
    assert it is not None
    return {"id": task, "predictions": [{"id": 7, **prediction(CONFIG, it, "v1", task, arms)}]}


def update(task: dict[str, Any], view: View = VIEW, arms: Arms = ARMS, route: Route = HUMAN) -> Any:
    view, route = replace(view, task=task["id"]), replace(route, task=task["id"])
    it = shown(CONFIG, {name: Given.of(one) for name, one in view.opinions.items()}, task["id"], arms)
    if it is None or not differs(CONFIG, task, view, "v1", arms, route):
        return None
    found = changed(CONFIG, task, view, prediction(CONFIG, it, "v1", task["id"], arms), route)
    return found.fields if found else None


def test_a_prediction_that_is_as_it_should_be_is_left_alone_and_so_is_one_of_another_version() -> None:
    for task in range(1, 40):
        assert update(stored(task=task)) is None
        assert not differs(CONFIG, stored(task=task, arms=Arms()), replace(VIEW, task=task), "v2", ARMS, HUMAN)


def test_predictions_pushed_before_the_policy_come_to_be_as_their_arm_wants_them() -> None:
    seen = set()
    for task in range(1, 60):
        fields = update(stored(task=task, arms=Arms()))
        assert fields is not None  # at least a seal is missing, so that the seeded do not stand out
        arm = ARMS.of(task)
        seen.add(arm)
        assert (fields["result"] == []) == (arm == "blind")
        if fields["result"]:
            assert fields["result"][0]["meta"]["tiebreak"]["seal"] == ARMS.seal(task, arm, "sentiment", "v1")
            assert (fields["result"][0]["value"]["choices"] == ["negative"]) == (arm == "seeded")
        assert fields["model_version"] == "v1"
    assert seen == {"plain", "blind", "seeded"}


def test_an_accepted_task_that_people_audit_comes_to_have_an_empty_prediction_that_is_served_first() -> None:
    fields = update(stored(arms=Arms()), arms=Arms(audits=frozenset({1})))
    assert (fields["result"], fields["score"]) == ([], 0.0)


def test_a_better_view_replaces_the_stored_one_and_says_whose_it_is() -> None:
    joint = replace(VIEW, opinions={"sentiment": Opinion(("negative",), 0.95)}, by="joint", note="one was not asked")
    fields = update(stored(arms=Arms()), joint, Arms())
    (region,) = fields["result"]
    assert (region["value"], fields["score"]) == ({"choices": ["negative"]}, 0.95)
    assert region["meta"]["tiebreak"] == {"by": "joint", "note": "one was not asked"}
    task = {"id": 1, "predictions": [{"id": 7, **fields}]}
    assert update(task, joint, Arms()) is None
    assert update(task, replace(joint, note="another"), Arms()) is None


def test_the_reason_for_an_expert_stands_on_the_region_it_is_about() -> None:
    fields = update(stored(arms=Arms()), arms=Arms(), route=EXPERT)
    assert fields["result"][0]["meta"]["tiebreak"] == {"expert": "it is severe"}
    assert update({"id": 1, "predictions": [{"id": 7, **fields}]}, arms=Arms(), route=EXPERT) is None
    assert update({"id": 1, "predictions": [{"id": 7, **fields}]}, arms=Arms()) is not None


def test_a_confidence_that_differs_a_little_is_no_change() -> None:
    near = replace(VIEW, opinions={"sentiment": Opinion(("positive",), 0.905)})
    far = replace(VIEW, opinions={"sentiment": Opinion(("positive",), 0.93)})
    assert update(stored(arms=Arms()), near, Arms()) is None
    assert update(stored(arms=Arms()), far, Arms())["score"] == 0.93


def test_a_record_that_somebody_damaged_is_read_as_far_as_it_goes() -> None:
    region = {**choice("sentiment", "positive"), "meta": {"tiebreak": {"machine": "v1", "overlap": "many"}}}
    (found,) = written(CONFIG, {"id": 1, "data": {}, "annotations": [annotation(1, 9, region)]})
    assert (found.overlap, found.audit) == (1, False)
    assert found.edited(CONFIG) == "its answer was changed"
    assert read_task({"id": 1, "data": {}, "annotations": [annotation(1, 9, region)]}).annotations[0].machine
