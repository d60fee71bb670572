"""Reports by workers: when their schedule asks (`ml_backend.report_triggers`), or somebody does by POST /report.

Killed in the middle, a report is made again from the start; what was written of it is not in the history.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq import Retry

from ml_backend.queues import REPORTING, Jobs
from ml_backend.roles import role_of
from sdk_scripts.project_jobs import work_on

if TYPE_CHECKING:
    from ml_backend.studio import Studio


TOLD = ("schedule", "labels", "batch")
"""Who asked for a report knows of it."""


def report_job(project_key: str, project_id: int, generation: int, why: str = "schedule") -> dict[str, Any] | Retry:
    """The RQ job that makes a report and keeps it: its id in the history, and why it was made."""

    def report(jobs: Jobs, studio: Studio, project: dict[str, Any], _: datetime | None) -> tuple[dict[str, Any], str]:
        return _report(jobs, studio, project, why), ""

    return work_on(REPORTING, project_key, project_id, generation, report)


def _report(jobs: Jobs, studio: Studio, project: dict[str, Any], why: str) -> dict[str, Any]:
    from sdk_scripts.report import make_report
    from sdk_scripts.report.kept import before_of
    from sdk_scripts.report.notice import tell
    from sdk_scripts.sources import read_project

    if not role_of(project).learns:
        return {"skipped": "it is no project that people label for a model"}
    dataset = read_project(studio, project, jobs.settings)
    made = make_report(dataset, jobs.settings, before_of(dataset, jobs.settings))
    kept = made.keep(jobs.settings, why=why)
    told = kept is not None and why in TOLD and tell(jobs.settings, kept, made.document)
    return {"report": kept.id if kept else "", "why": why, "told": told}
