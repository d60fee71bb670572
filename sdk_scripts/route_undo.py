"""Taking auto-accept back, and having it go on after it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.briefs import note_resumed
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import project_key
from ml_backend.policy import Stop, policy_of, stop_of, with_stop, without_stop
from sdk_scripts.machine_annotations import written

if TYPE_CHECKING:
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.studio import Studio


@dataclass
class Undone:
    applied: bool
    tasks: list[int] = field(default_factory=list)
    """Those whose machine annotation went, or would go."""
    kept: list[dict[str, Any]] = field(default_factory=list)
    """`{task, annotation, why}` of those that people changed."""
    stops: bool = False
    """Whether auto-accept stops, or would stop, so that it does not write them again."""

    @property
    def open(self) -> bool:
        return not self.applied and bool(self.tasks or self.stops)

    def to_json(self) -> dict[str, Any]:
        return {"applied": self.applied, "undone": self.tasks, "kept": self.kept, "stops": self.stops}


def undo(studio: Studio, project: Mapping[str, Any], *, version: str | None = None, apply: bool = False) -> Undone:
    """Delete the machine annotations (of one model version, where given) that are as they were written, and set their
    tasks' overlap back; what people changed stays. A second run finds nothing.

    Without a version auto-accept stops first, until somebody has it go on: it would write them again. Raises
    StudioError, and ConfigError for a policy that cannot be read.
    """
    config, found = parse(project["label_config"]), Undone(apply)
    found.stops = version is None and policy_of(project).accept is not None and stop_of(project) is None
    if apply and found.stops:
        stop = Stop(at=now(), version="", audits=0, errors=0, why="It was taken back with `tiebreak route --undo`.")
        studio.update_project(project["id"], {"description": with_stop(project, stop)})
    for json in studio.annotated(project["id"]):
        for it in written(config, json):
            if version not in (None, it.version):
                continue
            if why := it.edited(config):
                found.kept.append({"task": it.task.id, "annotation": it.annotation.id, "why": why})
                continue
            found.tasks.append(it.task.id)
            if apply:  # the overlap first: killed in between, the annotation still says what it was
                studio.set_overlap(it.task.id, it.overlap)
                studio.delete_annotation(it.annotation.id)
    return found


def resume(
    studio: Studio, registry: ModelRegistry, project: Mapping[str, Any], *, apply: bool = False
) -> dict[str, Any]:
    """Remove the line that keeps auto-accept still. Audits of what was written so far count no more: they broke the
    promise, and somebody has looked into it. Raises StudioError, ModelUnavailable."""
    stop = stop_of(project)
    if stop is not None and apply:
        note_resumed(registry, project_key(project), now())
        studio.update_project(project["id"], {"description": without_stop(str(project["description"]))})
    return {"applied": apply, "stopped": stop.model_dump(mode="json") if stop else None}


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
