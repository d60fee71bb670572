"""Taking back a project that Tiebreak made, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from sdk_scripts.dropped_labels import dropped, usages
from sdk_scripts.undo.bulk import BEGUN
from sdk_scripts.undo.steps import GONE, NOT_KEPT, Entry, Now, Step, moved


def made_project(now: Now, entry: Entry, _: str) -> Step:
    """It is deleted with all that is in it, where that is nobody else's. `undo` backs it up first."""
    path, made = entry.made_path, entry.made
    if path is None or made is None:
        return Step(entry, "cannot", "project", NOT_KEPT)
    what = f"project {made}"
    current = now.at(path)
    if current is None:
        return Step(entry, "undone", what, GONE)
    if "after" not in entry.values:
        return Step(entry, "cannot", what, NOT_KEPT)
    if why := _of_others(now, entry, current):
        return Step(entry, "cannot", what, why)
    now.remove(path)
    return Step(entry, "undo", what, "back it up, and delete it with all its tasks")


def _of_others(now: Now, entry: Entry, current: Mapping[str, Any]) -> str:
    """What in the project Tiebreak did not make, in words."""
    wanted = dict(entry.values["after"])
    tasks: set[int] = set()
    annotations: set[int] = set()
    for other in now.trail:
        if other.path == entry.made_path and other.method == "PATCH":
            wanted |= other.values.get("after", {})
        if other.project == entry.made:
            tasks |= set(other.values.get("task_ids") or ())
        if other.made is not None and (other.made_path or "").startswith("/api/annotations/"):
            annotations.add(other.made)
    if theirs := moved(wanted, current):
        return f"somebody changed its {', '.join(sorted(theirs))} since"
    project = int(current["id"])
    strange = labelled = 0
    for task in now.studio.tasks(project):
        strange += task["id"] not in tasks
        labelled += any(one["id"] not in annotations for one in task["annotations"])
    if strange or labelled:
        return f"{strange:,} of its tasks are not of the trail, and {labelled:,} have annotations that are not"
    begun = sum(1 for _ in now.studio.tasks(project, where=[BEGUN], data_only=True))
    return f"somebody has begun to label {begun:,} of its tasks" if begun else ""


def labels_lost(now: Now, entry: Entry, back: Mapping[str, Any]) -> str:
    """Why an older label config cannot come back: annotations use what it does not have."""
    current = now.at(entry.path)
    if "label_config" not in back or current is None:
        return ""
    try:
        gone = dropped(parse(str(current["label_config"])), parse(str(back["label_config"])))
    except ConfigError as error:
        return error.what
    used = [str(use) for use in usages(now.studio.tasks(int(current["id"])), gone)] if gone else []
    return f"labels would be lost: {'; '.join(used)}" if used else ""
