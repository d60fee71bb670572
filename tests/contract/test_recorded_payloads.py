"""Every payload that Label Studio 1.23.2 really sent or returned is read for what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.judgements import judgements, latest
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import Task, read_annotation, read_prediction, read_task

RECORDED = Path(__file__).parent / "recorded"
VERDICT = parse(
    '<View><Image name="img" value="$image"/><Choices name="verdict" toName="img">'
    '<Choice value="allow"/><Choice value="reject"/><Choice value="escalate"/></Choices></View>'
)
REGIONS = parse(
    """<View><Image name="img" value="$image"/><Text name="desc" value="$text"/>
    <Choices name="verdict" toName="img"><Choice value="allow"/><Choice value="reject"/></Choices>
    <RectangleLabels name="box" toName="img"><Label value="logo"/><Label value="nudity"/></RectangleLabels>
    <Choices name="sev" toName="img" perRegion="true"><Choice value="minor"/><Choice value="major"/></Choices>
    <Labels name="spans" toName="desc"><Label value="claim"/></Labels></View>"""
)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text("utf-8"))


def body(name: str) -> dict[str, Any]:
    [request] = recorded(name)
    return request["body"]


def table(task: Task, config: LabelConfig = VERDICT) -> list[dict[str, Any]]:
    return judgements([task], config).to_dicts()


def inside(json_value: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere inside."""
    if isinstance(json_value, dict):
        yield json_value
        json_value = list(json_value.values())
    if isinstance(json_value, list):
        for item in json_value:
            yield from inside(item)


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda it: it.stem)
def test_every_config_task_and_result_in_a_payload_is_read(file: Path) -> None:
    for item in inside(json.loads(file.read_text("utf-8"))):
        if isinstance(xml := item.get("label_config") or item.get("schema"), str):
            assert parse(xml).controls[0].keys[:2] in (("allow", "reject"), ("Brand", "Price"))
        if isinstance(item.get("data"), dict) and "id" in item:
            task = read_task(item)
            assert task.id == item["id"]
            assert len(task.annotations) == len(item.get("annotations", []))
        if isinstance(item.get("result"), list):
            known = [region for region in item["result"] if region["from_name"] in REGIONS]
            assert set(answers(REGIONS, known)) == {it["from_name"] for it in known if it["from_name"] != "sev"}


def test_a_plain_export_has_user_ids_and_prediction_ids_only() -> None:
    tasks = [read_task(item) for item in recorded("export_json_sample")]
    assert [annotation.annotator for annotation in tasks[0].annotations] == ["4", "5", "6"]
    assert tasks[0].predictions == ()
    named = read_task(recorded("export_json_sample")[0], {4: "ann3@example.com"})
    assert [annotation.annotator for annotation in named.annotations] == ["ann3@example.com", "5", "6"]
    rows = judgements(tasks, VERDICT)
    assert rows["answer"].to_list() == ['["allow"]'] * 6
    assert rows["ground_truth"].to_list() == [True] * 6
    assert rows["lead_time"].to_list() == [17.1, 7.7, 14.2, 14.6, 13.0, 20.9]
    assert rows["prediction"].to_list() == rows["changed"].to_list() == [None] * 6


def test_a_snapshot_has_e_mails_and_whole_predictions() -> None:
    [task] = [read_task(item) for item in recorded("export_snapshot_sample")]
    assert task.annotations[0].annotator == "ann3@example.com"
    assert task.predictions
    assert all(prediction.model_version and prediction.regions for prediction in task.predictions)


def test_a_task_s_page_has_annotators_as_objects_and_a_skip_that_judges_nothing() -> None:
    task = read_task(recorded("task_detail_with_annotations"))
    assert [it.cancelled for it in task.annotations] == [False, False, True]
    assert {row["annotator"]: row["answer"] for row in table(task)} == {
        "ann3@example.com": '["allow"]',
        "ann1@example.com": '["reject"]',
    }
    assert task.meta == {"batch": 0}


def test_a_prediction_to_a_control_that_is_not_there_says_nothing() -> None:
    task = read_task(recorded("task_detail_with_annotations"))
    versions = {it.model_version: answers(VERDICT, it.regions) for it in task.predictions}
    assert versions == {"clf-1": {"verdict": ("allow",)}, "clf-single": {"verdict": ("allow",)}, "bad": {}}


def test_stored_predictions_keep_their_score_and_version() -> None:
    predictions = [read_prediction(item) for item in recorded("predictions_stored")]
    assert [(it.id, it.model_version, it.score) for it in predictions] == [(20053, "m1", 0.32), (21053, "m2", 0.32)]
    assert read_task(recorded("task_with_predictions")).predictions[0].regions == predictions[0].regions


def test_what_a_person_submitted_from_a_prediction_is_read_with_what_they_changed() -> None:
    [annotation] = [read_annotation(item) for item in recorded("annotation_submitted_from_prediction")]
    assert answers(REGIONS, annotation.regions) == {
        "verdict": ("allow",),
        "box": (Box(5, 5, 15, 15, 0, ("nudity",)), Box(30, 25, 40, 50, 0, ("logo",))),
        "spans": (Span(6, 15, ("claim",)),),
    }
    rows = table(Task(23160, {}, (annotation,)), REGIONS)
    assert {row["control"]: row["changed"] for row in rows} == {"verdict": True, "box": False, "spans": False}
    assert {row["prediction"] for row in rows} == {21212}


def test_where_the_prediction_is_at_hand_it_decides_what_was_changed() -> None:
    [annotation] = [read_annotation(item) for item in recorded("annotation_submitted_from_prediction")]
    given = answers(REGIONS, annotation.regions)
    before = {"verdict": ("reject",), "box": given["box"][:1]}
    prediction = read_prediction({"id": 21212, "result": write_answers(REGIONS, before), "model_version": "m"})
    rows = table(Task(23160, {}, (annotation,), (prediction,)), REGIONS)
    assert {row["control"]: row["changed"] for row in rows} == {"verdict": True, "box": True, "spans": None}


def test_what_is_read_is_written_as_it_was_recorded() -> None:
    [annotation] = [read_annotation(item) for item in recorded("annotation_submitted_from_prediction")]
    regions = write_answers(REGIONS, answers(REGIONS, annotation.regions))
    by_control = {(it["from_name"], json.dumps(it["value"], sort_keys=True)) for it in regions}
    as_recorded = {
        (it["from_name"], json.dumps({**it["value"]}, sort_keys=True))
        for it in json.loads(json.dumps([dict(it) for it in annotation.regions]), parse_int=float)
        if it["from_name"] != "sev"
    }
    assert {(name, json.dumps(json.loads(value, parse_int=float), sort_keys=True)) for name, value in by_control} == (
        as_recorded
    )


@pytest.mark.parametrize("name", ["webhook_ANNOTATION_CREATED", "webhook_ANNOTATION_UPDATED"])
def test_an_annotation_s_webhook_says_who_answered_what(name: str) -> None:
    event = body(name)
    annotation = read_annotation(event["annotation"])
    [row] = table(Task(event["task"]["id"], {}, (annotation,)))
    assert (row["annotator"], row["answer"], row["annotation"]) == ("1", '["allow"]', 30010)


def test_a_skip_comes_as_a_creation_and_judges_nothing() -> None:
    event = body("webhook_ANNOTATION_SKIPPED")
    assert event["action"] == "ANNOTATION_CREATED"
    assert table(Task(1, {}, (read_annotation(event["annotation"]),))) == []


def test_predictions_turned_into_annotations_come_as_a_list() -> None:
    event = body("webhook_PREDICTIONS_TO_ANNOTATIONS")
    found = [read_annotation(item) for item in event["annotation"]]
    assert [answers(VERDICT, it.regions) for it in found] == [{"verdict": ("allow",)}] * len(found)
    assert found[0].parent_prediction is not None


def test_predict_requests_carry_tasks_and_their_config() -> None:
    for request in (recorded("predict_batch_request_trimmed"), *recorded("interactive_predict_request")):
        config = parse(request["body"]["label_config"])
        assert [read_task(item).data["title"] for item in request["body"]["tasks"]]
        assert config["verdict"].keys == ("allow", "reject", "escalate")
        assert config.text_fields(config["verdict"]) == ("title",)


def test_the_judgements_of_every_recorded_task_fit_one_table() -> None:
    tasks = [read_task(item) for item in recorded("export_json_sample")]
    tasks += [read_task(item) for item in recorded("export_snapshot_sample")]
    tasks += [read_task(recorded("task_detail_with_annotations")), read_task(recorded("next_task_response"))]
    rows = judgements(tasks, VERDICT)
    assert latest(rows).height == rows.select("task", "control", "annotator").n_unique()
