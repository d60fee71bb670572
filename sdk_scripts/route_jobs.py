"""Routing by workers, and by the command: one pass over a project at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from rq import Retry

from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.results import project_key as key_of
from ml_backend.queues import MINING, ROUTING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.prelabel import Superseded
from sdk_scripts.project_jobs import work_on

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

log = structlog.get_logger(__name__)


def route_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that carries out a project's policy: what `routing.Routing.to_json` says of it."""
    return work_on(ROUTING, project_key, project_id, generation, _route)


def _route(jobs: Jobs, studio: Studio, project: dict[str, Any], _: datetime | None) -> tuple[dict[str, Any], str]:
    from sdk_scripts.routing import route

    role, key = role_of(project), key_of(project)
    if not role.routed or not role.learns:
        return {"skipped": "policy.automatic is off"}, ""
    newest = studio.newest_change(project["id"])
    try:
        found = route(jobs.settings, jobs, studio, project, apply=True, report=log.debug)
    except Superseded as error:  # another job comes with the next version's predictions
        return {"error": error.what}, ""
    if found.changes["predictions"] and found.expert and role.automatic:
        jobs.cases_changed(MINING, key, project["id"])
    if found.stop:
        log.warning("auto-accept stands still", project=key, why=found.stop.why)
    return found.to_json(), newest


@contextmanager
def alone(settings: Settings, project: dict[str, Any]) -> Iterator[Jobs]:
    """While no worker routes the project. Raises TiebreakError where one does, QueueUnavailable."""
    key = key_of(project)
    with Jobs(settings) as jobs, jobs.changes(ROUTING, key).working() as ours:
        if not ours:
            raise TiebreakError(f"A worker routes project {project['id']} just now.", mend="Try again when it is done.")
        yield jobs
