"""What is read with a snapshot is what Label Studio has, after each change that it can bring about itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.studio import standing as standing_module
from ml_backend.studio.trail import READING
from sdk_scripts.sources import read_project

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    '<Choice value="good"/><Choice value="bad"/></Choices></View>'
)
TASKS = 30


def answer(label: str) -> list[dict[str, Any]]:
    return [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}]


def action(studio: Studio, project: int, name: str, tasks: list[int]) -> None:
    """What people do in the Data Manager."""
    chosen = {"selectedItems": {"all": False, "included": tasks}}
    studio._call("POST", "/api/dm/actions", params={"id": name, "project": project}, json=chosen)


@pytest.fixture
def project(studio: Studio) -> int:
    id = int(studio.create_project({"title": "Read in part", "label_config": CONFIG})["id"])
    studio.import_tasks(id, [{"data": {"text": f"text {number}"}} for number in range(TASKS)])
    predict(studio, id, ids_of(studio, id), "v1", "good")
    for task in ids_of(studio, id)[:4]:
        studio.create_annotation(task, {"result": answer("good")})
    return id


def ids_of(studio: Studio, project: int) -> list[int]:
    return [task["id"] for task in studio.tasks(project, data_only=True)]


def predict(studio: Studio, project: int, tasks: list[int], version: str, label: str) -> None:
    rows = [{"task": id, "result": answer(label), "score": 0.5, "model_version": version} for id in tasks]
    assert studio.import_predictions(project, rows) == len(tasks)


def check(studio: Studio, project: int, settings: Settings, most: int, what: str) -> None:
    """Reads what changed, at most so many tasks, and everything: both are the same."""
    fields = studio.project(project)
    with capture_logs() as log:
        incremental = read_project(studio, fields, settings)
    assert incremental.tasks == read_project(studio, fields).tasks, what
    said = [line for line in log if "pulled" in line]
    assert said, (what, log)
    assert said[0]["pulled"] <= most, what


def test_after_every_change_the_part_that_changed_makes_the_whole(
    studio: Studio, studio_settings: Settings, project: int
) -> None:
    read_project(studio, studio.project(project), studio_settings)
    ids = ids_of(studio, project)
    made = studio.create_annotation(ids[12], {"result": answer("bad")})
    first = studio.task(ids[0])["annotations"][0]["id"]
    changes: list[tuple[str, int, Callable[[], object]]] = [
        ("label", 1, lambda: None),
        ("edit", 1, lambda: studio.update_annotation(made["id"], {"result": answer("good")})),
        ("skip", 1, lambda: studio.create_annotation(ids[13], {"result": [], "was_cancelled": True})),
        ("delete an annotation", 1, lambda: studio.delete_annotation(first)),
        ("delete annotations of tasks", 2, lambda: action(studio, project, "delete_tasks_annotations", ids[1:3])),
        ("delete tasks", TASKS, lambda: studio.delete_tasks(project, ids[20:22])),
        ("import tasks", 2, lambda: studio.import_tasks(project, [{"data": {"text": t}} for t in ("x", "y")])),
        ("bulk-import predictions", 4, lambda: predict(studio, project, ids[3:7], "v2", "bad")),
        ("the same again, otherwise", 4, lambda: again(studio, project, ids[3:7])),
        ("delete predictions of tasks", TASKS, lambda: action(studio, project, "delete_tasks_predictions", ids[5:6])),
        ("delete a version", 4, lambda: studio.delete_predictions(project, version="v2")),
        ("change task data", 1, lambda: studio.update_task_data(ids[9], {"text": "changed"})),
        ("nothing", 0, lambda: None),
    ]
    for what, most, change in changes:
        change()
        check(studio, project, studio_settings, most, what)


def again(studio: Studio, project: int, tasks: list[int]) -> None:
    studio.delete_predictions(project, version="v2")
    predict(studio, project, tasks, "v2", "good")


def test_what_was_shown_is_read_in_part_as_an_export_says_it(
    studio: Studio, studio_settings: Settings, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 10)
    monkeypatch.setattr(standing_module, "SNAPSHOT_FROM", 10)
    studio.update_project(project, {"model_version": "v1"})  # whose prediction is kept with each annotation
    read_project(studio, studio.project(project), studio_settings)
    ids = ids_of(studio, project)
    studio.create_annotation(ids[15], {"result": answer("bad")})
    studio.create_view(project, {"title": f"{READING} 2026-01-05T09:00:00+00:00"})  # as a killed reader leaves it
    mine = studio.create_view(project, {"title": f"{READING} everything"})
    files = studio._get(f"/api/projects/{project}/export/files")["export_files"]
    check(studio, project, studio_settings, 1, "label")
    assert [view["id"] for view in studio.views(project)] == [mine["id"]]
    assert not studio._get(f"/api/projects/{project}/exports/")
    assert (
        studio._get(f"/api/projects/{project}/export/files")["export_files"] == files
    )  # nothing fills the server's disk
    dataset = read_project(studio, studio.project(project), studio_settings)
    shown = next(task for task in dataset.tasks if task.id == ids[15]).annotations[0].shown
    assert shown is not None
    assert shown.model_version == "v1"
