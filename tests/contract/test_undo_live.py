"""What Tiebreak did to a real Label Studio is taken back, and a project comes back from its backup."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.studio import Studio
from ml_backend.studio.trail import Trail
from sdk_scripts.cli import app
from sdk_scripts.restore import SETTINGS, restore
from sdk_scripts.undo import Chosen, Undone, undo
from sdk_scripts.undo.bulk import importable
from tests.contract.studio_projects import ids_of
from tests.contract.synced import CONFIG, EVERYTHING, ROWS, Project


@pytest.fixture
def project(synced: Project) -> Project:
    return synced


def chose(choice: str) -> list[dict[str, Any]]:
    return [{"from_name": "verdict", "to_name": "review", "type": "choices", "value": {"choices": [choice]}}]


def test_what_was_done_to_a_project_is_taken_back_but_what_people_changed_since(project: Project) -> None:
    studio, settings = Studio.connect(project.settings), project.settings
    trail = Trail(settings.home / "audit")

    def undone(*, apply: bool, **chosen: Any) -> Undone:
        return undo(studio, trail, Chosen(**chosen), settings.folder("backups"), apply=apply)

    everybody = EVERYTHING.replace(
        "cohort_percentage: 60", "cohort_percentage: 100"
    )  # else it is by chance which tasks
    project.manifest(everybody.format(name="things"))
    project.write("\n".join(json.dumps(row) for row in ROWS), "rows.jsonl")
    project.apply()
    id, view = project.id, studio.views(project.id)[0]["id"]
    hook = studio.add_webhook(
        id, {"url": "http://127.0.0.1:9/hook", "actions": ["TASKS_CREATED", "ANNOTATION_CREATED"]}
    )
    theirs, ours, begun = (task["id"] for task in studio.tasks(id))
    answered = project.studio.create_annotation(theirs, {"result": chose("ham")})["id"]
    as_before = _as_it_is(studio, id)

    # each of these is taken back, and the project is as it was
    start = datetime.now(UTC).isoformat()
    studio.update_project(
        id, {"title": "Other", "maximum_annotations": 7, "label_config": CONFIG.replace("ham", "hum")}
    )
    studio.update_view(view, {"title": "Other"})
    studio.update_webhook(hook["id"], {"is_active": False})
    studio.update_task_data(ours, {"text": "other"})
    studio.set_overlap(ours, 9)
    studio.update_annotation(answered, {"result": chose("spam"), "ground_truth": True})
    studio.delete_annotation(answered)
    made = studio.create_annotation(ours, {"result": chose("spam")})["id"]
    studio.update_annotation(made, {"ground_truth": True})
    studio.import_predictions(id, [{"task": ours, "result": chose("spam"), "score": 0.5, "model_version": "v"}])
    studio.import_tasks(id, [{"data": {"text": str(number)}} for number in range(3)])
    studio.delete_tasks(id, [begun])
    studio.delete_view(view)
    studio.delete_webhook(hook["id"])
    planned = undone(apply=False, since=start)
    assert planned.open
    assert not [step for step in planned.steps if step.state == "cannot"]
    assert not undone(apply=True, since=start).open
    assert _as_it_is(studio, id) == as_before
    again = undone(apply=True, since=start)
    assert not [step for step in again.steps if step.state != "undone"]

    # what others made or changed stays
    start = datetime.now(UTC).isoformat()
    studio.update_project(id, {"title": "Ours", "color": "#112233"})
    studio.import_tasks(id, [{"data": {"text": str(number)}} for number in range(2)])
    project.studio.update_project(id, {"title": "Somebody's"})
    last = project.studio.newest_task(id)
    project.studio.create_annotation(last, {"result": chose("ham")})
    tasks, fields = undone(apply=True, since=start).steps
    assert (tasks.state, fields.state) == ("undo", "cannot")
    assert "1 task with people's work stay" in tasks.why
    assert fields.why == "somebody changed title since"
    assert last in ids_of(studio, id)
    [first] = [entry["id"] for entry in trail.entries(project=id) if entry["call"] == "POST /api/projects/"]
    assert [step.state for step in undone(apply=True, entries=(first,)).steps] == ["cannot"]
    assert studio.project(id)["title"] == "Somebody's"


def test_a_project_that_nobody_touched_goes_with_all_it_has_and_comes_back_from_its_backup(
    project: Project, studio_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest(EVERYTHING.format(name="things"))
    project.write("\n".join(json.dumps(row) for row in ROWS), "rows.jsonl")
    project.apply()
    studio, id = Studio.connect(project.settings), project.id
    first, second, _ = ids_of(studio, id)
    who = studio.add_annotator(f"{project.name}@example.com")
    studio.create_annotation(
        first, {"result": chose("ham"), "completed_by": who, "lead_time": 4.5, "ground_truth": True}
    )
    studio.create_annotation(second, {"result": [], "was_cancelled": True})
    studio.import_predictions(id, [{"task": first, "result": chose("spam"), "score": 0.25, "model_version": "v"}])
    studio.set_overlap(second, 2)
    as_before = _as_it_is(studio, id)
    trail = Trail(project.settings.home / "audit")
    planned = CliRunner().invoke(app, ["audit", "undo", "--project", str(id), "--json"])
    assert planned.exit_code == 1, planned.output
    assert {step["state"] for step in json.loads(planned.stdout)["steps"]} == {"undo", "undone"}
    done = undo(studio, trail, Chosen(project=id), project.settings.folder("backups"), apply=True)
    assert {step.state for step in done.steps} == {"undo", "undone"}
    assert studio.stored(f"/api/projects/{id}/") is None
    assert not undo(studio, trail, Chosen(project=id), project.settings.folder("backups"), apply=True).open
    [backup] = done.backups
    planned = CliRunner().invoke(app, ["restore", str(backup)])
    assert planned.exit_code == 1, planned.output
    assert "3 tasks, 2 annotations, 1 predictions, 2 views. Nothing was changed" in planned.stdout

    sent, calls = Studio.import_tasks, []

    def breaks(self: Studio, *arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise StudioUnreachable("the cable was pulled")
        return sent(self, *arguments)

    monkeypatch.setattr("sdk_scripts.restore.BATCH", 2)
    monkeypatch.setattr(Studio, "import_tasks", breaks)
    with pytest.raises(StudioUnreachable):
        restore(studio, backup, apply=True)
    assert restore(studio, backup).missing == 1
    back = restore(studio, backup, apply=True)
    assert back.project is not None
    restored = _as_it_is(studio, back.project)
    restored["fields"]["description"] = restored["fields"]["description"].partition("\n")[2]
    assert restored == as_before
    assert restore(studio, backup, apply=True).project == back.project
    assert _as_it_is(studio, back.project)["tasks"] == as_before["tasks"]


def _as_it_is(studio: Studio, project: int) -> dict[str, Any]:
    """A project with everything in it, but ids and times."""
    fields = {
        name: value
        for name, value in studio.project(project).items()
        if name in SETTINGS or name in ("task_number", "total_annotations_number", "total_predictions_number")
    }
    tasks = [
        (json.dumps(importable(task), sort_keys=True), task["overlap"], task["is_labeled"])
        for task in studio.tasks(project)
    ]
    views = sorted(json.dumps(view["data"], sort_keys=True) for view in studio.views(project))
    hooks = sorted((hook["url"], sorted(hook["actions"]), hook["is_active"]) for hook in studio.webhooks(project))
    return {"fields": fields, "tasks": sorted(tasks), "views": views, "webhooks": hooks}
