"""What jobs on a project's changes have in common: one at a time for each project and kind of work, from the newest
change that the last one had done with; done again where it was killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from rq import Retry

from ml_backend.labeling.errors import ConfigError, InputError, StudioNotFound
from ml_backend.labeling.results import project_key, read_time
from ml_backend.queues import Coalesced, Jobs

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

OVERLAP = timedelta(minutes=2)
"""Label Studio stamps a change before it commits it: so much is looked at once more."""
BUSY = Retry(max=2400, interval=3)
"""Another worker does this work for the project: try again when it is done."""

Look = Callable[[Jobs, "Studio", dict[str, Any], datetime | None], tuple[dict[str, Any], str]]
"""The work on what changed since: what became of it, and the newest change that it saw (Label Studio's own stamp)."""


def work_on(work: Coalesced, key: str, project_id: int, generation: int, look: Look) -> dict[str, Any] | Retry:
    """What became of it, or `{error}` where trying again would change nothing before people mend it. Other errors are
    raised, and RQ tries again."""
    from ml_backend.jobs import job_settings
    from ml_backend.studio import Studio

    settings = job_settings()
    with Jobs(settings) as jobs:
        changes = jobs.changes(work, key)
        with changes.working() as ours:
            if not ours:
                return BUSY
            changes.take(generation)
            studio = Studio.connect(settings)
            try:
                project = studio.project(project_id)
                if project_key(project) != key:
                    raise StudioNotFound(f"Project {project_id} was deleted and made anew.")
            except StudioNotFound as error:
                jobs.state(key).forget()
                return {"error": error.what}
            until = read_time(changes.until())
            try:
                outcome, newest = look(jobs, studio, project, until - OVERLAP if until else None)
            except (ConfigError, InputError) as error:
                log.warning("cannot be done", work=work.name, project=key, why=str(error))
                return {"error": error.what}
            if newest:
                changes.done_until(newest)
    told = {name: value for name, value in outcome.items() if isinstance(value, int | str)}
    log.info("done", work=work.name, project=key, **told)
    return outcome
