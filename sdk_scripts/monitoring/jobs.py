"""Inspection by workers: as labels change, and on a schedule; and by the command, one at a time of a project.

The whole project is read once: rules compare people with one another, so that a part of it says little. It is read at
most a tenth of the time: after an inspection the next one waits ten times as long as that took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from rq import Retry

from ml_backend.changes import Newest
from ml_backend.labeling.errors import InputError, TiebreakError
from ml_backend.labeling.results import project_key as key_of
from ml_backend.queues import INSPECTING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.project_jobs import work_on

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.sources import Dataset

log = structlog.stdlib.get_logger()

REST = 9.0
"""Times as long as an inspection took."""


def inspect_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that inspects a project: how many findings are new, continue and are cleared, and what was done."""
    return work_on(INSPECTING, project_key, project_id, generation, _inspect)


def alert_job(project_key: str) -> dict[str, Any]:
    """The RQ job that tells people what could not be told before."""
    from ml_backend.jobs import job_settings
    from sdk_scripts.monitoring.alert_delivery import deliver, summary
    from sdk_scripts.monitoring.findings_store import FindingsStore

    settings = job_settings()
    with Jobs(settings) as jobs:
        return summary(deliver(settings, jobs, FindingsStore(settings, project_key)))


@contextmanager
def alone(settings: Settings, project: dict[str, Any]) -> Iterator[Jobs]:
    """While no worker inspects the project. Raises TiebreakError where one does, QueueUnavailable."""
    with Jobs(settings) as jobs, jobs.changes(INSPECTING, key_of(project)).working() as ours:
        if not ours:
            raise TiebreakError(f"A worker inspects project {project['id']} just now.", mend="Try again in a while.")
        yield jobs


def _inspect(jobs: Jobs, studio: Studio, project: dict[str, Any], _: datetime | None) -> tuple[dict[str, Any], str]:
    from sdk_scripts.monitoring.watching import follow_up, look
    from sdk_scripts.quality import quality_of
    from sdk_scripts.snapshots import current_tasks
    from sdk_scripts.sources import dataset_of

    role = role_of(project)
    if not role.monitored or not role.learns:
        return {"skipped": "quality.automatic is off"}, ""
    began, newest = time.monotonic(), Newest()
    try:
        quality = quality_of(project)
        dataset = dataset_of(studio, project, newest.of(current_tasks(studio, project, jobs.settings)))
        watched = look(dataset, jobs.settings, quality=quality)
        new = [it for it in watched.pending() if watched.compared.states[it.key] == "new"]
        watched = follow_up(watched, jobs.settings, jobs, reviewed=new if quality.review else (), report=log.debug)
        gold = _tend_gold(studio, project, jobs.settings, dataset)
    finally:
        jobs.changes(INSPECTING, key_of(project)).note_end(REST * (time.monotonic() - began))
    for pushed in watched.reviews.values():  # so that lost webhooks of reviewers are looked for
        if pushed.project is not None:
            jobs.remember(key_of(studio.project(pushed.project)))
    found = watched.inspection.findings
    return {
        "findings": len(found),
        "new": len(new),
        "continuing": len(found) - sum(state == "new" for state in watched.compared.states.values()),
        "cleared": len(watched.compared.cleared),
        "reviews": sum(it.created for it in watched.reviews.values()),
        "alert": watched.alert.outcome if watched.alert else "off",
        "gold": gold,
    }, newest.stamp


def _tend_gold(studio: Studio, project: dict[str, Any], settings: Settings, dataset: Dataset) -> int:
    """How many changes gold questions took; they wait for the next time where somebody is changing the library."""
    from sdk_scripts.gold.tending import tend_gold

    try:
        return len(tend_gold(studio, project, settings, apply=True, dataset=dataset, report=log.debug).steps)
    except InputError as error:
        log.warning("gold waits", project=project["id"], why=str(error))
        return 0
