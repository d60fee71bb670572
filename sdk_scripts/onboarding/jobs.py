"""The next step of courses by workers, where the source's rules say `automatic`: answers are seen a minute after they
were given, and who has finished a set need not wait for anybody."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq import Retry

from ml_backend.labeling.errors import StudioNotFound
from ml_backend.labeling.results import project_key as key_of
from ml_backend.project_state import project_id_of
from ml_backend.queues import ADVANCING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.project_jobs import work_on

if TYPE_CHECKING:
    from ml_backend.studio import Studio


def advance_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """The RQ job that gives the next step of one person's course; the project is the course."""
    return work_on(ADVANCING, project_key, project_id, generation, _advance)


def _advance(jobs: Jobs, studio: Studio, project: dict[str, Any], _: datetime | None) -> tuple[dict[str, Any], str]:
    from sdk_scripts.onboarding.courses import advance_courses
    from sdk_scripts.satellites import read_about

    key, about = role_of(project).course_of, read_about(project)
    if not key or about is None:
        return {"skipped": "it is no course"}, ""
    try:
        source = studio.project(project_id_of(key))
    except StudioNotFound:
        return {"skipped": "its project is gone"}, ""
    if key_of(source) != key or not role_of(source).monitored:
        return {"skipped": "quality.automatic is off"}, ""
    newest = studio.newest_change(project["id"])
    taken = advance_courses(studio, source, jobs.settings, who=about.who, apply=True)
    new, changed = (sum(map(len, some)) for some in zip(*((it.step.new, it.step.changed) for it in taken), strict=True))
    return {"new": new, "changed": changed}, newest
