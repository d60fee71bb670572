"""Finding hard cases and resolving them by workers, on what has changed.

Both read the tasks changed since the newest change they had done with, so their time depends on the change and not on
the project, and what a lost webhook did not tell of is found the next time. The first run of a project looks at all of
it. Killed at any point, they are done again, and find most of it done.

What is judged of changed tasks is judged beside CONTEXT others, those labelled last: to know the annotators by, and to
find near-duplicates among. What the model thinks is asked of the live version, and of texts it has not learned from;
nothing is trained. `tiebreak hard-cases` looks at the whole project and ranks better.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from rq import Retry

from ml_backend.changes import Newest
from ml_backend.labeling.errors import ModelUnavailable, StudioNotFound
from ml_backend.labeling.results import project_key
from ml_backend.queues import MINING, RESOLVING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.project_jobs import work_on

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.evidence import Evidence, Opinions
    from sdk_scripts.sources import Dataset

log = structlog.stdlib.get_logger()

CONTEXT = 300
"""Tasks labelled last that changed ones are judged beside."""


def mine_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that makes review tasks of what has become hard."""
    return work_on(MINING, project_key, project_id, generation, _mine)


def resolve_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that writes decisions back; the project is the review project."""
    return work_on(RESOLVING, project_key, project_id, generation, _resolve)


def _mine(jobs: Jobs, studio: Studio, project: dict[str, Any], since: datetime | None) -> tuple[dict[str, Any], str]:
    from sdk_scripts.mining import mine
    from sdk_scripts.sources import dataset_of

    if not role_of(project).automatic:
        return {"skipped": "hard_cases.automatic is off"}, ""
    newest = Newest()
    if since is None:
        dataset, only, evidence = dataset_of(studio, project, newest.of(studio.tasks(project["id"]))), None, None
    else:
        changed = list(newest.of(studio.tasks(project["id"], updated_after=since)))
        if not changed:
            return {"changed": 0}, newest.stamp
        only = {int(task["id"]) for task in changed}
        beside = [task for task in studio.last_labelled(project["id"], CONTEXT) if task["id"] not in only]
        dataset = dataset_of(studio, project, [*changed, *beside])
        evidence = _evidence(dataset, jobs.settings, only)
    found = mine(dataset, jobs.settings, apply=True, evidence=evidence, only=only, report=log.debug)
    created = found.review.created if found.review else 0
    if found.review and found.review.project is not None:  # so that lost webhooks of reviewers are looked for
        jobs.remember(project_key(studio.project(found.review.project)))
    return {"changed": len(dataset.tasks if only is None else only), "created": created}, newest.stamp


def _resolve(jobs: Jobs, studio: Studio, project: dict[str, Any], since: datetime | None) -> tuple[dict[str, Any], str]:
    from sdk_scripts.resolve import resolve

    source = role_of(project).reviews_of
    if source is None:
        return {"skipped": "it is no review project"}, ""
    newest = Newest()
    try:
        about = studio.project(source)
    except StudioNotFound:
        for _ in newest.of(studio.tasks(project["id"], updated_after=since)):
            pass
        return {"skipped": "the project it reviews is gone"}, newest.stamp
    if not role_of(about).automatic:
        return {"skipped": "hard_cases.automatic is off"}, ""
    changed = [int(task["id"]) for task in newest.of(studio.tasks(project["id"], updated_after=since))]
    if not changed:
        return {"resolved": 0}, newest.stamp
    done = resolve(studio, about, jobs.settings, apply=True, ids=changed, report=log.info)
    return {"resolved": len(done.resolved), "conflicts": len(done.conflicts)}, newest.stamp


def _evidence(dataset: Dataset, settings: Settings, changed: Collection[int]) -> Evidence:
    from ml_backend.encoder import load_encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.predictor import Predictor
    from sdk_scripts.evidence import Evidence

    encoder = load_encoder(settings)
    predictor = Predictor(ModelRegistry(settings.models), encoder)
    tasks = [task for task in dataset.tasks if task.id in changed]
    opinions: Opinions = {}
    with suppress(ModelUnavailable):
        opinions = predictor.opinions(project_key(dataset.project or {}), dataset.config, tasks)
    return Evidence(dataset, lambda: encoder, given_opinions=opinions)
