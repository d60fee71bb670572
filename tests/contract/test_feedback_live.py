"""Feedback in a real Label Studio: grouped, answered by a lead, and heard again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.analysis.exports import choice
from unit.feedback.panels import CONFIG, answer

from ml_backend.roles import role_of
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.feedback.said import feedback
from sdk_scripts.satellites import satellites_of
from sdk_scripts.sources import load_source

MISSING = ("There is no label for scams", "Missing a label for fraud and scams", "scam, but no label fits")
BROKEN = ("The picture does not load", "picture is broken")


@pytest.fixture
def project(studio: Studio) -> Iterator[int]:
    people = [studio.add_annotator(f"{name}@example.com") for name in ("ann", "bob", "cho")]
    id = studio.create_project({"title": "Listings", "label_config": CONFIG})["id"]
    said = [("label-missing", MISSING[0]), ("label-missing", MISSING[1]), ("guideline-unclear", BROKEN[0])]
    studio.import_tasks(
        id,
        [
            {"data": {"text": f"listing {n}"}, "annotations": [given(people[n], kind, note)]}
            for n, (kind, note) in enumerate(said)
        ],
    )
    yield id
    for satellite in satellites_of(studio, studio.project(id), "feedback"):
        studio.delete_project(satellite.id)
    studio.delete_project(id)


def given(who: int, kind: str, note: str) -> dict[str, Any]:
    return {"result": answer(0, who, "negative", kind, note=note)["result"], "completed_by": who}


def heard(project: int, settings: Settings, **options: Any) -> dict[str, Any]:
    return feedback(load_source(str(project), label_config=None, settings=settings), settings, **options).to_json()


def state_of(document: dict[str, Any], title: str) -> dict[str, Any]:
    return next(it for it in document["groups"] if title in {example["text"] for example in it["examples"]})


def test_groups_are_kept_closed_by_a_lead_and_listed_again_when_somebody_speaks_up(
    project: int, studio: Studio, studio_settings: Settings
) -> None:
    dry = heard(project, studio_settings)
    assert (dry["comments"], len(dry["groups"]), dry["project"]) == (3, 2, None)
    assert satellites_of(studio, studio.project(project), "feedback") == []

    made = heard(project, studio_settings, apply=True)
    assert [it["id"] for it in made["groups"]] == [it["id"] for it in dry["groups"]]
    (satellite,) = satellites_of(studio, studio.project(project), "feedback")
    assert not role_of(satellite.project).learns
    before = list(studio.tasks(satellite.id))
    assert len(before) == 2
    heard(project, studio_settings, apply=True)
    assert list(studio.tasks(satellite.id)) == before

    scams = state_of(made, MISSING[0])
    task = next(it for it in before if it["data"]["tiebreak_item"] == scams["id"])
    done = {"from_name": "done", "to_name": "group", "type": "textarea", "value": {"text": ["There is <b>fraud</b>."]}}
    lead = studio.add_annotator("lead@example.com")
    decision = {"result": [choice("state", "label_added", to_name="group"), done], "completed_by": lead}
    studio.create_annotation(task["id"], decision)
    closed = heard(project, studio_settings)
    found = state_of(closed, MISSING[0])
    assert (found["state"], found["done"], found["by"]) == ("label_added", "There is <b>fraud</b>.", "lead@example.com")
    assert found["id"] not in closed["open"]
    assert closed["reopened"] == []
    assert found["waited_days"] >= 0

    ann = studio.add_annotator("ann@example.com")
    new = [{"data": {"text": f"listing {n}"}} for n in (8, 9)]
    studio.import_tasks(project, new)
    (first, second) = sorted(it["id"] for it in studio.tasks(project))[-2:]
    studio.create_annotation(first, given(ann, "label-missing", MISSING[2]))
    studio.create_annotation(second, given(ann, "guideline-unclear", BROKEN[1]))
    again = heard(project, studio_settings, apply=True)
    found = state_of(again, MISSING[2])
    assert (found["id"], found["size"], found["state"]) == (scams["id"], 3, "label_added")
    assert found["new_since_closed"] == 1
    assert again["reopened"] == [scams["id"]]
    tasks = {it["data"]["tiebreak_item"]: it for it in studio.tasks(satellite.id)}
    assert len(tasks) == len(again["groups"]) == 2
    assert len(tasks[scams["id"]]["data"]["comments"]) == 3
    assert tasks[scams["id"]]["annotations"] != []
