"""Routing by workers, and by the command: one pass over a project at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from rq import Retry

from ml_backend.labeling.errors import ConfigError, InputError, StudioNotFound, TiebreakError
from ml_backend.labeling.results import project_key as key_of
from ml_backend.queues import MINING, ROUTING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.prelabel import Superseded

if TYPE_CHECKING:
    from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()

BUSY = Retry(max=2400, interval=3)
"""Another worker routes the project's tasks: try again when it is done."""


def route_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that carries out a project's policy: what `routing.Routing.to_json` says of it, or `{error}` where
    trying again would change nothing."""
    from ml_backend.jobs import job_settings
    from ml_backend.studio import Studio
    from sdk_scripts.routing import route

    settings = job_settings()
    with Jobs(settings) as jobs:
        changes = jobs.changes(ROUTING, project_key)
        with changes.working() as ours:
            if not ours:
                return BUSY
            changes.take(generation)
            studio = Studio.connect(settings)
            try:
                project = studio.project(project_id)
                if key_of(project) != project_key:
                    raise StudioNotFound(f"Project {project_id} was deleted and made anew.")
            except StudioNotFound as error:
                jobs.state(project_key).forget()
                return {"error": error.what}
            role = role_of(project)
            if not role.routed or not role.learns:
                return {"skipped": "policy.automatic is off"}
            newest = studio.newest_change(project_id)
            try:
                found = route(settings, jobs, studio, project, apply=True, report=log.debug)
            except (ConfigError, InputError, Superseded) as error:  # another job comes with the next change
                log.warning("cannot route", project=project_key, why=str(error))
                return {"error": error.what}
            changes.done_until(newest)
            if found.changes["predictions"] and found.expert and role.automatic:
                jobs.cases_changed(MINING, project_key, project_id)
    if found.stop:
        log.warning("auto-accept stands still", project=project_key, why=found.stop.why)
    outcome = found.to_json()
    log.info("routed", project=project_key, written=found.written, machine=found.machine, expert=found.expert)
    return outcome


@contextmanager
def alone(settings: Settings, project: dict[str, Any]) -> Iterator[Jobs]:
    """While no worker routes the project. Raises TiebreakError where one does, QueueUnavailable."""
    key = key_of(project)
    with Jobs(settings) as jobs, jobs.changes(ROUTING, key).working() as ours:
        if not ours:
            raise TiebreakError(f"A worker routes project {project['id']} just now.", mend="Try again when it is done.")
        yield jobs
