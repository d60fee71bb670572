"""What Label Studio last listed of the projects that Tiebreak looks after: kept in Redis by the reconciler, so that a
console knows their titles and numbers without asking Label Studio.

    tiebreak:project-list           JSON: at (Unix seconds), projects
    tiebreak:project-list-problem   JSON: at, what, mend: why it could not be asked; gone once it answers again
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis

from ml_backend.labeling.errors import TiebreakError
from ml_backend.project_state import count_labels
from ml_backend.roles import role_of

LIST = "tiebreak:project-list"
PROBLEM = "tiebreak:project-list-problem"
MOST = 2_000
"""Projects that are kept, those with the highest ids."""
MOST_TITLE = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A project that people label for a model to learn from, or (`reviews_of`) the hard cases of one."""

    key: str
    id: int
    title: str
    tasks: int
    labels: int
    """Annotations, without skipped ones."""
    reviews_of: int | None = None


@dataclass(frozen=True, slots=True)
class ProjectList:
    at: float
    """Unix seconds; 0: Label Studio has not been asked yet."""
    projects: tuple[Listed, ...]
    problem: Mapping[str, Any] | None
    """Why Label Studio could not be asked since: at, what, mend."""


def keep_list(connection: redis.Redis, found: Mapping[str, Mapping[str, Any]], known: Collection[str]) -> None:
    """`found` is Label Studio's list by `project_key`; the known projects are kept, and their review projects."""
    ids = {found[key]["id"] for key in known if key in found}
    lines = []
    for key, project in found.items():
        role = role_of(project)
        if (role.learns and key in known) or role.reviews_of in ids:
            lines.append(_line(key, project, role.reviews_of))
    lines.sort(key=lambda it: it.id, reverse=True)
    document = {"at": time.time(), "projects": [asdict(it) for it in lines[:MOST]]}
    with connection.pipeline() as pipe:
        pipe.set(LIST, json.dumps(document))
        pipe.delete(PROBLEM)
        pipe.execute()


def keep_problem(connection: redis.Redis, error: TiebreakError) -> None:
    """Label Studio could not be asked."""
    connection.set(PROBLEM, json.dumps({"at": time.time(), "what": error.what, "mend": error.mend.strip()}))


def read_list(connection: redis.Redis) -> ProjectList:
    """Empty where nothing is kept, or nothing that can be read."""
    kept, problem = cast("list[bytes | None]", connection.mget(LIST, PROBLEM))
    at, projects, why = 0.0, tuple[Listed, ...](), None
    with suppress(ValueError, TypeError, KeyError):
        if kept:
            document = json.loads(kept)
            at, projects = float(document["at"]), tuple(Listed(**it) for it in document["projects"])
    with suppress(ValueError, TypeError, KeyError):
        if problem:
            read = json.loads(problem)
            why = {"at": float(read["at"]), "what": str(read["what"]), "mend": str(read["mend"])}
    return ProjectList(at, projects, why)


def _line(key: str, project: Mapping[str, Any], reviews_of: int | None) -> Listed:
    title = " ".join(str(project.get("title") or "").split())[:MOST_TITLE]
    tasks = project.get("task_number")
    return Listed(
        key, int(project["id"]), title, tasks if isinstance(tasks, int) else 0, count_labels(project), reviews_of
    )
