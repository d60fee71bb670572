"""Jobs that say they are queued and stand in no queue.

RQ takes a job off its queue before it notes that the job runs. A worker that is killed in between leaves such a job,
and so does a Redis that was cut off in that moment. Nobody would ever run it, and all who ask would wait for it.
"""

from __future__ import annotations

import redis
import structlog
from rq import Queue
from rq.job import Job, JobStatus

log = structlog.stdlib.get_logger(__name__)

LOST_SECONDS = 30.0
"""A worker needs milliseconds to note that it runs a job."""
_MARK_SECONDS = 3600.0


def put_back(queue: Queue, job: Job) -> None:
    """Queues the job again where it has been lost for LOST_SECONDS, by Redis' clock, and by all who asked since."""
    connection: redis.Redis = queue.connection
    if connection.lpos(queue.key, job.id) is not None:
        return
    mark = f"tiebreak:lost:{job.id}"
    first = connection.set(mark, 1, nx=True, px=int(1000 * _MARK_SECONDS))
    if first or connection.pttl(mark) > 1000 * (_MARK_SECONDS - LOST_SECONDS):
        return
    if connection.delete(mark) and job.get_status(refresh=True) == JobStatus.QUEUED:  # only one of those who ask
        log.warning("a job was in no queue and is queued again", job=job.id)
        queue.push_job_id(job.id)
