"""Webhooks can be lost: what Label Studio has is compared with what the last jobs saw, and missing jobs are planned.

A training is due for labels that no webhook told of; finding and resolving hard cases, routing and inspecting, for
tasks that changed after the newest change the last such job had done with; predictions, for tasks that were imported
after the others got theirs. A project is inspected every so many hours, too, reports are made when their schedule asks,
and alerts that could not be sent are sent when they are due.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from ml_backend.briefs import refresh_policy
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.results import project_key, read_time
from ml_backend.model_registry import ModelRegistry
from ml_backend.project_list import keep_list
from ml_backend.project_state import ProjectState, count_labels, known_projects
from ml_backend.queues import (
    ADVANCING,
    FAILED_WAIT_SECONDS,
    INSPECTING,
    MINING,
    RESOLVING,
    ROUTING,
    TRAINING,
    Coalesced,
    Jobs,
    reaching,
)
from ml_backend.report_triggers import plan_report
from ml_backend.roles import role_of
from ml_backend.studio.tasks import LABELLED

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

EDITS_EVERY = 10
"""Changed answers do not change the counts and cost a query a project: looked for every tenth time."""


def reconcile(jobs: Jobs, studio: Studio) -> dict[str, int]:
    """Compare every known project with Label Studio; plan what is missing, forget what is gone there.

    Returns the changes of each that no webhook told of."""
    jobs.request_alerts()
    known = set(known_projects(jobs.redis))
    forgotten = _looked_at(jobs) - known
    if not known and not forgotten:
        with reaching():
            keep_list(jobs.redis, {}, known)
        return {}
    found = {project_key(project): project for project in studio.projects()}
    for key in known - found.keys():
        jobs.state(key).forget()
    for key in forgotten & found.keys():  # a Redis that lost its data: webhooks may not come for long
        jobs.remember(key)
        known.add(key)
    with reaching():
        keep_list(jobs.redis, found, known)
    watched = sorted(_watched(known, found))
    return {key: reconcile_project(jobs, key, found[key], studio) for key in watched}


def _looked_at(jobs: Jobs) -> set[str]:
    """The projects that somebody has ever looked at, by the files kept beside the models."""
    try:
        return set(GuidelineHistory(jobs.settings.models).projects())
    except ModelUnavailable as error:
        log.warning("the models cannot be reached", why=error.what)
        return set()


def _watched(known: set[str], found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The known projects that are there, and the courses of those that workers look after. Not the reviews of one whose
    hard cases are resolved by command: their job would have nothing to do, every time anew."""
    by_hand = {int(it["id"]) for it in found.values() if not role_of(it).automatic}
    for key, project in found.items():
        role = role_of(project)
        source = role.course_of
        if source:
            watched = source in known and source in found and role_of(found[source]).monitored
        else:
            watched = key in known and role.reviews_of not in by_hand
        if watched:
            yield key


def reconcile_project(jobs: Jobs, project_key: str, project: Mapping[str, Any], studio: Studio) -> int:
    """Plan what the project's role asks for; returns how many changes no webhook told of."""
    role, missed = role_of(project), 0
    if role.learns:
        refresh_policy(ModelRegistry(jobs.settings.models), project)
    with reaching():
        if role.learns:
            missed += _training(jobs, project_key, project, studio)
            _new_tasks(jobs, project_key, project)
        if role.learns and role.automatic:
            missed += _cases(jobs, MINING, project_key, int(project["id"]), studio)
        if role.learns and role.routed:
            missed += _cases(jobs, ROUTING, project_key, int(project["id"]), studio)
        if role.learns and role.monitored:
            missed += _inspection(jobs, project_key, int(project["id"]), role.every_hours, studio)
        if role.learns:
            plan_report(jobs, project_key, project, role.reports, studio)
        if role.reviews_of is not None:
            missed += _cases(jobs, RESOLVING, project_key, int(project["id"]), studio)
        if role.course_of:
            missed += _cases(jobs, ADVANCING, project_key, int(project["id"]), studio)
    return missed


def _training(jobs: Jobs, project_key: str, project: Mapping[str, Any], studio: Studio) -> int:
    state, now = jobs.state(project_key), time.time()
    last, pending, labels = state.last(), state.pending(), count_labels(project)
    if last is not None and not last.settled and labels == last.labels and not pending.labels:
        missed = labels if abs(now - last.at) > FAILED_WAIT_SECONDS else 0  # the clock may have been ahead then
    else:
        missed = abs(labels - (last.labels if last else 0)) - pending.labels
        if missed <= 0 and last is not None and not pending.labels:
            missed = _edits(jobs, state, int(project["id"]), studio)
    if missed > 0:
        jobs.labels_changed(project_key, int(project["id"]), missed)
    elif pending.labels and not jobs.failing(TRAINING, project_key, pending.generation):  # their job may have been lost
        jobs.plan(TRAINING, project_key, int(project["id"]), pending)
    return max(missed, 0)


def _new_tasks(jobs: Jobs, project_key: str, project: Mapping[str, Any]) -> None:
    version, tasks = str(project.get("model_version") or ""), int(project.get("task_number") or 0)
    jobs.prelabel_new_tasks(project_key, int(project["id"]), version, tasks)


def _cases(jobs: Jobs, work: Coalesced, project_key: str, project_id: int, studio: Studio) -> int:
    changes = jobs.changes(work, project_key)
    pending, until = changes.pending(), read_time(changes.until())
    if pending.labels:
        if not jobs.failing(work, project_key, pending.generation):  # their job may have been lost
            jobs.plan(work, project_key, project_id, pending)
        return 0
    if jobs.failing(work, project_key, pending.generation - 1):  # what it was to look at is still to be looked at
        return 0
    missed = studio.task_count(project_id, updated_after=until)
    if missed:
        jobs.cases_changed(work, project_key, project_id)
    return missed


def _inspection(jobs: Jobs, project_key: str, project_id: int, every_hours: float, studio: Studio) -> int:
    missed = _cases(jobs, INSPECTING, project_key, project_id, studio)
    changes = jobs.changes(INSPECTING, project_key)
    pending = changes.pending()
    overdue = changes.ended() + every_hours * 3600 <= time.time()
    if overdue and not changes.busy() and not jobs.failing(INSPECTING, project_key, pending.generation - 1):
        jobs.plan(INSPECTING, project_key, project_id, pending, at_once=True)
    return missed


def _edits(jobs: Jobs, state: ProjectState, project_id: int, studio: Studio) -> int:
    """Answers changed since the last training, which the counts do not show."""
    last, now = state.last(), time.time()
    until = read_time(last.until) if last else None
    if last is None or until is None:
        return 0
    if abs(now - max(last.at, last.edits_checked)) < EDITS_EVERY * jobs.settings.reconcile_seconds:
        return 0
    edited = 0
    for task in studio.tasks(project_id, updated_after=until, where=[LABELLED]):  # not those that were imported since
        for annotation in task.get("annotations") or ():
            changed = read_time(annotation.get("updated_at"))
            edited += changed is not None and changed > until
    state.record(replace(last, edits_checked=now))
    return edited
