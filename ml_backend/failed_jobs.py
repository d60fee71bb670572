"""Jobs whose tries are used up (RQ's failed jobs): to be looked at, and tried again or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from redis.exceptions import WatchError
from rq.job import Job
from rq.serializers import JSONSerializer

from ml_backend import failures
from ml_backend.known_jobs import KnownJob
from ml_backend.labeling.errors import UnknownName
from ml_backend.project_state import project_id_of
from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.redis_connection import reaching

MOST_FAILED = 1000
"""Failed jobs kept of each queue; the oldest go first."""


@dataclass(frozen=True, slots=True)
class FailedJob:
    id: str
    what: str
    """train, shard, mine …: what its function is called."""
    project: str | None
    """Key or id; None where it has none."""
    failed_at: datetime | None
    tries: int
    why: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "failed_at": self.failed_at.isoformat(timespec="seconds") if self.failed_at else None}


def failed_jobs(jobs: Jobs, project_id: int | None = None) -> list[FailedJob]:
    """Latest first; of one project or all."""
    with reaching():
        seen = [_seen(job) for job in _failed(jobs)]
    wanted = [it for it in seen if project_id is None or (it.project and project_id_of(it.project) == project_id)]
    return sorted(wanted, key=lambda it: it.failed_at.timestamp() if it.failed_at else 0.0, reverse=True)


def retry(jobs: Jobs, job_id: str) -> bool:
    """Try a failed job again, as often as a new one. False where it waits or runs already, so that a second call
    changes nothing. Raises UnknownName where there is no such job."""
    with reaching(), jobs.redis.pipeline() as pipe:
        while True:
            job = _fetch(jobs, job_id)
            queue = jobs.queue(job.origin)
            failed = queue.failed_job_registry
            try:
                pipe.watch(job.key, failed.key)
                if jobs.redis.zscore(failed.key, job.id) is None:
                    return False
                job.retries_left = len(job.retry_intervals) if job.retry_intervals else None
                job.number_of_retries, job.started_at, job.ended_at = None, None, None
                job.meta.pop("tries", None)
                pipe.multi()
                pipe.hdel(job.key, "number_of_retries", "started_at", "ended_at")
                pipe.zrem(failed.key, job.id)
                queue.enqueue_job(job, pipeline=pipe)
                pipe.execute()
                return True
            except WatchError:  # somebody else was faster, or another job failed meanwhile
                continue


def drop(jobs: Jobs, job_id: str) -> bool:
    """Forget a failed job. False where it is not a failed one (any more), which is left alone. Raises UnknownName."""
    with reaching():
        job = _fetch(jobs, job_id)
        if not jobs.redis.zrem(jobs.queue(job.origin).failed_job_registry.key, job.id):
            return False
        job.delete()
        return True


def trim(jobs: Jobs) -> None:
    """Keep the MOST_FAILED latest of each queue."""
    for name in (TRAIN_QUEUE, WORK_QUEUE):
        registry = jobs.queue(name).failed_job_registry
        for id in cast("list[bytes]", jobs.redis.zrange(registry.key, 0, -MOST_FAILED - 1)):
            registry.remove(id.decode())
            if job := jobs.fetch(id.decode()):
                job.delete()


def _failed(jobs: Jobs) -> Iterator[Job]:
    for name in (TRAIN_QUEUE, WORK_QUEUE):
        ids = jobs.queue(name).failed_job_registry.get_job_ids()
        yield from (job for job in KnownJob.fetch_many(ids, jobs.redis, JSONSerializer) if job is not None)


def _fetch(jobs: Jobs, job_id: str) -> Job:
    if (job := jobs.fetch(job_id)) is not None:
        return job
    raise UnknownName("job", job_id, [job.id for job in _failed(jobs)], mend="`tiebreak jobs list` shows them.")


def _seen(job: Job) -> FailedJob:
    what, project = "unknown", None
    with suppress(Exception):  # RQ reads foreign jobs with errors of many kinds
        what = (job.func_name or "").rsplit(".", 1)[-1].removesuffix("_job")
        given = str(job.args[0])
        project_id_of(given)
        project = given
    return FailedJob(job.id, what, project, job.ended_at, max(failures.tries(job), 1), failures.why_failed(job))
