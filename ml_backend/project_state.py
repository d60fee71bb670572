"""What Redis remembers of a project between jobs: labels not yet trained on, what training saw last, who trains now.

    tiebreak:projects           the known projects: key -> when it was last heard of
    tiebreak:project:<key>      `changes.Changes` of its training, and last: JSON of Seen, what the last training saw
    tiebreak:training:<key>     a lease, held while a training of the project runs
    tiebreak:mine:<key>         `changes.Changes` of finding its hard cases
    tiebreak:resolve:<key>      the same of resolving them, of the review project
    tiebreak:route:<key>        the same of routing its tasks
    tiebreak:inspect:<key>      the same of inspecting it
    tiebreak:alerts             projects with alerts to be sent: key -> when (Unix seconds)
    tiebreak:advance:<key>      the same of a course's next step
    tiebreak:report:<key>       the same of its reports, and what they were asked for already (`report_triggers`)

All of it can be lost: Label Studio is the source of truth, and the reconciler counts the labels there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis

from ml_backend.changes import Changes, Pending
from ml_backend.labeling.errors import InputError

PROJECTS = "tiebreak:projects"
ALERTS = "tiebreak:alerts"
MINE, RESOLVE, ROUTE, INSPECT, ADVANCE, REPORT = CASE_WORK = (
    "mine",
    "resolve",
    "route",
    "inspect",
    "advance",
    "report",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a training saw in Label Studio."""

    labels: int
    """Annotations of the project, without skipped ones."""
    at: float
    """When it began; Unix seconds."""
    until: str = ""
    """The newest change of a task it read, in ISO 8601 and Label Studio's clock."""
    settled: bool = False
    """It came to an end (a version, or too few labels for one) rather than to an error."""
    edits_checked: float = 0.0


def project_id_of(project_key: str) -> int:
    """`"12.1795381865"` -> 12. Raises InputError for anything else."""
    number, dot, created = project_key.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (number, *([created] if dot else []))):
        raise InputError(
            f"{project_key[:80]!r} is not a project key.", mend="It is '<id>.<created, Unix seconds>', as in /setup."
        )
    return int(number)


def count_labels(project: Mapping[str, Any]) -> int:
    """The number of annotations in a project's JSON; Label Studio leaves skipped ones out."""
    value = project.get("total_annotations_number")
    return value if isinstance(value, int) else 0


class ProjectState(Changes):
    """What training has yet to look at, and what it saw last."""

    def __init__(self, connection: redis.Redis, project_key: str) -> None:
        project_id_of(project_key)
        super().__init__(connection, f"tiebreak:project:{project_key}", f"tiebreak:training:{project_key}")
        self.project_key = project_key

    def remember(self) -> None:
        self._redis.zadd(PROJECTS, {self.project_key: time.time()})

    def forget(self) -> None:
        """The project is gone from Label Studio."""
        with self._redis.pipeline() as pipe:
            pipe.zrem(PROJECTS, self.project_key)
            pipe.zrem(ALERTS, self.project_key)
            pipe.delete(self.key, *(changes_key(work, self.project_key) for work in CASE_WORK))
            pipe.execute()

    def add(self, labels: int) -> Pending:
        self.remember()
        return super().add(labels)

    def last(self) -> Seen | None:
        raw = cast("bytes | None", self._redis.hget(self.key, "last"))
        with suppress(ValueError, TypeError):
            return Seen(**json.loads(raw)) if raw else None
        return None

    def record(self, seen: Seen) -> None:
        self._redis.hset(self.key, "last", json.dumps(asdict(seen)))

    def is_training(self) -> bool:
        return bool(self._redis.exists(self._lease_key))


def case_changes(connection: redis.Redis, work: str, project_key: str) -> Changes:
    """What finding or resolving hard cases, routing, inspecting or reporting (CASE_WORK) has yet to look at in a
    project."""
    project_id_of(project_key)
    key = changes_key(work, project_key)
    return Changes(connection, key, f"{key}:lease")


def changes_key(work: str, project_key: str) -> str:
    return f"tiebreak:{work}:{project_key}"


def known_projects(connection: redis.Redis) -> list[str]:
    return [key.decode() for key in cast("list[bytes]", connection.zrange(PROJECTS, 0, -1))]
