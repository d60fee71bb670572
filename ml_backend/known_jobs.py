"""A job as RQ keeps it in Redis, but one that can only be what this product does.

RQ runs whatever importable function a job names, calls the functions it names as callbacks, and asks the addresses it
names as webhooks: to write to Redis would be to run programs on every worker.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.utils import import_attribute

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.redis_connection import redis_time

_OURS = re.compile(r"(ml_backend|sdk_scripts)(\.[a-z][a-z0-9_]*)*\.[a-z][a-z0-9]*_job")


class KnownJob(Job):
    @property
    def func(self) -> Callable[..., Any]:
        """Raises QueueUnavailable for a function that is no job of ours."""
        name = self.func_name
        if not (isinstance(name, str) and _OURS.fullmatch(name)):
            raise QueueUnavailable(
                f"The job names {str(name)[:80]!r}, which is no job of Tiebreak's.",
                mend="Somebody else writes to this Redis: give it a password, or Tiebreak one of its own.",
            )
        found: Callable[..., Any] = import_attribute(name)
        return found

    def restore(self, raw_data: Mapping[Any, Any]) -> Any:
        """Our jobs have neither callbacks nor webhooks."""
        result = super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        return result

    def retry(self, queue: Queue, pipeline: Pipeline) -> None:
        super().retry(queue, pipeline)
        self._wait_by_redis(queue, pipeline)

    def _handle_retry_result(self, queue: Queue, pipeline: Pipeline, *args: Any, **options: Any) -> None:
        super()._handle_retry_result(queue, pipeline, *args, **options)
        self._wait_by_redis(queue, pipeline)

    def _wait_by_redis(self, queue: Queue, pipeline: Pipeline) -> None:
        """RQ adds the pause to this machine's clock: one that is hours ahead would put the job off for hours."""
        if self.get_status(refresh=False) == JobStatus.SCHEDULED:
            ahead = time.time() - redis_time(self.connection)
            pipeline.zincrby(queue.scheduled_job_registry.key, -round(ahead), self.id)
