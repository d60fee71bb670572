"""Taking back what was done to many tasks at once. What people have worked on since stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ml_backend.studio.tasks import condition
from sdk_scripts.undo.steps import GONE, NOT_KEPT, Entry, Now, Step

BEGUN = condition("draft_exists", "equal", True, "Boolean")


def imported_tasks(now: Now, entry: Entry, project: str) -> Step:
    """They are deleted, but those with an annotation that is to stay, or somebody's draft."""
    ids = entry.values.get("task_ids")
    if not isinstance(ids, list):
        return Step(entry, "cannot", f"tasks of project {project}", NOT_KEPT)
    what = f"{_many(len(ids), 'task')} of project {project}"
    if now.at(f"/api/projects/{project}/") is None:
        return Step(entry, "undone", what, GONE)
    there = list(now.studio.tasks(int(project), ids=ids))
    begun = {task["id"] for task in now.studio.tasks(int(project), ids=ids, where=[BEGUN], data_only=True)}
    free = [task["id"] for task in there if task["id"] not in begun and not staying(now, task)]
    if not there:
        return Step(entry, "undone", what, GONE)
    if not free:
        return Step(entry, "cannot", what, "people have worked on all that are left")
    stay = f"; {_many(len(there) - len(free), 'task')} with people's work stay" if len(free) < len(there) else ""
    return Step(entry, "undo", what, f"delete {len(free):,}{stay}", lambda: now.studio.delete_tasks(int(project), free))


def imported_predictions(now: Now, entry: Entry, project: str) -> Step:
    """They are deleted, but those that annotations were made from."""
    version, tasks = entry.values.get("version"), entry.values.get("tasks")
    if entry.sent.get("items") == 0 or entry.sent.get("bytes") == 2:  # an empty list has Label Studio count anew
        return Step(entry, "undone", f"project {project}", "it changed nothing")
    if not isinstance(tasks, list):
        return Step(entry, "cannot", f"predictions of project {project}", NOT_KEPT)
    what = f"{_many(len(tasks), 'prediction')} of {version} in project {project}"
    if now.at(f"/api/projects/{project}/") is None:
        return Step(entry, "undone", what, GONE)
    ids, used = [], 0
    for task in now.studio.tasks(int(project), ids=tasks):
        parents = {one.get("parent_prediction") for one in task["annotations"] if not now.removed(_path(one))}
        ours = [one["id"] for one in task["predictions"] if one["model_version"] == version]
        used += sum(id in parents for id in ours)
        ids += [id for id in ours if id not in parents]
    if not ids:
        left = "annotations were made from all that are left"
        return Step(entry, "cannot" if used else "undone", what, left if used else GONE)
    stay = f"; {_many(used, 'prediction')} that annotations were made from stay" if used else ""
    return Step(
        entry, "undo", what, f"delete {len(ids):,}{stay}", lambda: now.studio.delete_predictions(int(project), ids=ids)
    )


def deleted_tasks(now: Now, entry: Entry, _: str) -> Step:
    """They are imported again, with their annotations and predictions, and get other ids."""
    tasks, project = entry.values.get("before_tasks"), entry.project
    if not isinstance(tasks, list) or project is None:
        return Step(entry, "cannot", "deleted tasks", NOT_KEPT)
    what = f"{_many(len(tasks), 'task')} of project {project}"
    if entry.id in now.redone:
        return Step(entry, "undone", what, "they were imported again")
    if not tasks:
        return Step(entry, "undone", what, "it changed nothing")
    if now.at(f"/api/projects/{project}/") is None:
        return Step(entry, "cannot", what, "the project is not there any more")
    again = [importable(task) for task in tasks]
    return Step(
        entry, "undo", what, "import them again, with other ids", lambda: now.studio.import_tasks(project, again)
    )


def importable(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task of the API as the import takes it: what people and machines answered, without ids."""
    found: dict[str, Any] = {"data": task["data"], "meta": task.get("meta") or {}}
    said = ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time")
    found["annotations"] = [_only(one, said) for one in task.get("annotations") or ()]
    for one in found["annotations"]:
        if isinstance(one.get("completed_by"), Mapping):
            one["completed_by"] = one["completed_by"]["id"]
    found["predictions"] = [
        _only(one, ("result", "score", "model_version"))
        for one in task.get("predictions") or ()
        if isinstance(one, Mapping)
    ]
    return found


def staying(now: Now, task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The task's annotations but those that are taken back, too."""
    return [one for one in task["annotations"] if not now.removed(_path(one))]


def _path(annotation: Mapping[str, Any]) -> str:
    return f"/api/annotations/{annotation['id']}/"


def _only(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
