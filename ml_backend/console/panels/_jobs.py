"""RQ's queues as they are: read without the cleaning up that RQ's own calls do on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from rq import Queue
from rq.job import Job
from rq.registry import (
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.serializers import JSONSerializer

from ml_backend.console.panels import text
from ml_backend.labeling.errors import InputError
from ml_backend.project_state import project_id_of
from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs

QUEUES = (TRAIN_QUEUE, WORK_QUEUE)
REGISTRIES = {
    "running": StartedJobRegistry,
    "scheduled": ScheduledJobRegistry,
    "deferred": DeferredJobRegistry,
    "failed": FailedJobRegistry,
    "finished": FinishedJobRegistry,
}
MOST_EACH = 25
"""Jobs of one state of one queue that are looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    job: Job
    queue: str
    state: str

    @property
    def what(self) -> str:
        """train, mine, inspect …: what its function is called."""
        try:
            return text((self.job.func_name or "").rsplit(".", 1)[-1].removesuffix("_job"), 40)
        except Exception:  # RQ reads foreign jobs with errors of many kinds
            return "unknown"

    @property
    def project(self) -> str | None:
        """Key or id of its project; None where it has none."""
        try:
            given = str(self.job.args[0])
            project_id_of(given)
            return given
        except (InputError, IndexError):
            return None
        except Exception:  # as above
            return None


def registry_key(name: str, queue: Queue) -> str:
    return str(REGISTRIES[name](queue=queue).key)


def some_jobs(jobs: Jobs, states: tuple[str, ...]) -> list[Seen]:
    """MOST_EACH jobs of each queue and state (those of REGISTRIES, and waiting): the next or the newest ones."""
    places = [(name, jobs.queue(name), state) for name in QUEUES for state in states]
    with jobs.redis.pipeline(transaction=False) as pipe:
        for _, queue, state in places:
            if state == "waiting":
                pipe.lrange(queue.key, 0, MOST_EACH - 1)
            elif state in ("failed", "finished"):  # kept as long as one another: the newest expire last
                pipe.zrevrange(registry_key(state, queue), 0, MOST_EACH - 1)
            else:
                pipe.zrange(registry_key(state, queue), 0, MOST_EACH - 1)
        found = cast("list[list[bytes]]", pipe.execute())
    ids: dict[str, tuple[str, str]] = {}
    for (name, _, state), some in zip(places, found, strict=True):
        for id in some:
            ids.setdefault(id.decode().partition(":")[0], (name, state))  # a running one is "id:execution"
    fetched = Job.fetch_many(list(ids), connection=jobs.redis, serializer=JSONSerializer)
    return [Seen(job, *place) for job, place in zip(fetched, ids.values(), strict=True) if job is not None]
