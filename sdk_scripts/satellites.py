"""Projects that belong to a source project and are no part of its labels: a calibration round of one person, a course,
the feedback.

Each bears in its description a line

    tiebreak satellite: {"source": "12.1764000000", "kind": "calibration", "name": "round-1", "who": "ana@example.com"}

`source` is the source's `project_key`, so that a project made anew under the same id has none. Nothing learns from a
satellite. Label Studio Community has no assignment: the title names the person, and who reads a satellite counts the
answers of that person only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key
from ml_backend.roles import role_of
from sdk_scripts import wording
from sdk_scripts.resources.project import same_config
from sdk_scripts.review_project import MAX_TITLE

if TYPE_CHECKING:
    from ml_backend.studio import Studio

Kind = Literal["calibration", "course", "feedback"]

ITEM = "tiebreak_item"
"""Key of task data that tells a satellite's tasks apart."""

_LINE = re.compile(r"^[ \t]*tiebreak satellite: (?P<json>\{.*\})[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class About:
    """What a satellite is for: source, kind, name and person tell it from all others."""

    source: str
    kind: Kind
    name: str
    who: str = ""
    """E-mail of the person it is for; empty: for anybody."""
    policy: str = ""
    """Version of the guidelines it was made under (`cases.policy_version`)."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """JSON."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.source, self.kind, self.name, self.who.lower()

    def line(self) -> str:
        said = {"source": self.source, "kind": self.kind, "name": self.name, "who": self.who, "policy": self.policy}
        return json.dumps({k: v for k, v in (said | {"more": dict(self.more)}).items() if v}, sort_keys=True)


_ABOUT = TypeAdapter(About)


@dataclass(frozen=True)
class Satellite:
    id: int
    about: About
    project: Mapping[str, Any]
    """As Label Studio's API returns it."""


def satellites_of(studio: Studio, source: Mapping[str, Any], kind: Kind) -> list[Satellite]:
    """Those of a source project, in order of id. Raises StudioError."""
    key = project_key(source)
    found = [Satellite(int(it["id"]), about, it) for it in studio.projects() if (about := read_about(it)) is not None]
    mine = [it for it in found if it.about.source == key and it.about.kind == kind]
    return sorted(mine, key=lambda it: it.id)


def read_about(project: Mapping[str, Any]) -> About | None:
    """None where it is no satellite, or people have edited the line so that it cannot be read."""
    lines = list(_LINE.finditer(str(project.get("description") or "").replace("\r\n", "\n")))
    try:
        said = json.loads(lines[-1]["json"]) if lines else None
        return _ABOUT.validate_python(said) if isinstance(said, dict) else None
    except (ValueError, RecursionError):
        return None


def make_satellite(
    studio: Studio,
    source: Mapping[str, Any],
    about: About,
    *,
    title: str,
    label_config: str,
    instruction: str = "",
    description: str = "",
    **fields: Any,
) -> Satellite:
    """The satellite that is `about` this, made or brought up to date; its title stays as people changed it.

    `fields` are further ones of Label Studio's project. Raises InputError for a source that is itself a satellite, a
    library or a review project, StudioError.
    """
    if not role_of(source).learns:
        raise InputError(
            f"Project {source['id']} is no project that people label for a model.", mend="Give the source project."
        )
    wanted = {
        "title": wording.short(title, MAX_TITLE),
        "description": f"{description}\n\ntiebreak satellite: {about.line()}".strip(),
        "label_config": label_config,
        "expert_instruction": instruction,
        "show_instruction": bool(instruction),
        "sampling": "Sequential sampling",
        "maximum_annotations": 1,
        "show_collab_predictions": False,
        **fields,
    }
    known = next((it for it in satellites_of(studio, source, about.kind) if it.about.identity == about.identity), None)
    if known is None:
        made = studio.create_project(wanted, alone=True)
        return Satellite(int(made["id"]), about, made)
    changed = {name: value for name, value in wanted.items() if name != "title" and known.project.get(name) != value}
    if same_config(str(known.project["label_config"]), label_config):
        changed.pop("label_config", None)
    project = studio.update_project(known.id, changed) if changed else known.project
    return Satellite(known.id, about, project)


def fill(studio: Studio, satellite: Satellite, tasks: Sequence[Mapping[str, Any]]) -> int:
    """Import those tasks (`{"data": {…}}`, each with its own `data.tiebreak_item`) that are not there yet; how many."""
    there = items_of(studio.tasks(satellite.id))
    new = [task for task in tasks if str(task["data"][ITEM]) not in there]
    return studio.import_tasks(satellite.id, new) if new else 0


def items_of(tasks: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Label Studio's tasks by their `tiebreak_item`; those that people added have none."""
    return {str(task["data"][ITEM]): task for task in tasks if ITEM in task.get("data", {})}
