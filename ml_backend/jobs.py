"""The job functions (named by dotted path, JSON in and out) and the worker that runs them.

A job is a fork of a process that has the slow imports behind it. Killed at any point, a training leaves the live
version as it was; a worker that dies takes its job along, and another one tries it again.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import Any

import redis
import structlog
from redis.client import Pipeline
from rq import Queue, Retry, Worker
from rq.defaults import DEFAULT_SCHEDULER_FALLBACK_PERIOD
from rq.exceptions import AbandonedJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy

from ml_backend import failures
from ml_backend.allocator import return_large_blocks
from ml_backend.changes import Newest
from ml_backend.encoder import imports
from ml_backend.failed_jobs import trim
from ml_backend.known_jobs import KnownJob
from ml_backend.labeling.errors import (
    InputError,
    NotEnoughLabels,
    QueueUnavailable,
    StudioError,
    StudioNotFound,
    TiebreakError,
)
from ml_backend.logs import set_up_logs
from ml_backend.project_list import keep_problem
from ml_backend.project_state import ProjectState, Seen, count_labels
from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.redis_connection import reaching, redis_time
from ml_backend.settings import Settings, load_settings, secrets_of
from ml_backend.studio.trail import BY

__all__ = ["Jobs", "job_settings", "reconcile_job", "run_worker", "train_job"]

log = structlog.stdlib.get_logger()

BEAT_SECONDS = 5
DEAD_SECONDS = 30  # a job without a heartbeat for that long is tried again by another worker
PRELOADED = ("label_studio_sdk", "sklearn.linear_model")
"""They take seconds to import, as do those of the encoder. Nothing of them may run before the fork, which their thread
pools would not survive."""

JOB_SETTINGS: ContextVar[Settings | None] = ContextVar("JOB_SETTINGS", default=None)
"""The worker's settings, which its forked jobs inherit."""

PUSHING_SECONDS = 3
BUSY = Retry(max=2400, interval=3)
"""The project is being trained on another machine: try again when that one is done."""


def job_settings() -> Settings:
    return JOB_SETTINGS.get() or load_settings()


def train_job(project_key: str, project_id: int, generation: int) -> dict[str, Any] | Retry:
    """Train the project on the labels Label Studio has now: `{version, labels, metrics, promoted, reason}`.

    Where the labels or the config do not allow it, `{error, mend, status}`: trying again would change nothing. Other
    errors are raised, and RQ tries again. Killed at any point, it leaves the live version as it was.
    """
    settings = job_settings()
    with Jobs(settings) as jobs:
        state = jobs.state(project_key)
        with state.working() as ours:  # promotion is atomic: a second training does no harm
            if not ours:
                return BUSY
            if not state.asked(generation) and (wait := _pause(jobs, state, settings)):
                return Retry(max=BUSY.max, interval=wait)
            state.take(generation)
            began = time.monotonic()
            try:
                outcome = _train(settings, state, project_key, project_id, ours.still_ours)
            except StudioNotFound as error:
                state.forget()
                return _refusal(error)
            except (NotEnoughLabels, InputError) as error:
                log.info("not trained", project=project_key, why=error.what)
                return _refusal(error)
            state.took(time.monotonic() - began)
        if outcome["promoted"]:
            jobs.request_prelabeling(project_key, project_id, outcome["version"])
    log.info("trained", project=project_key, version=outcome["version"], labels=outcome["labels"])
    return outcome


def _pause(jobs: Jobs, state: ProjectState, settings: Settings) -> int:
    """Seconds until a training may begin, or be looked at again; 0: now.

    While the live version's predictions are pushed, another version would have them pushed anew from the first task on;
    where labels keep coming, no version's would ever reach the last."""
    from ml_backend.model_registry import ModelRegistry

    live = ModelRegistry(settings.models).live(state.project_key)
    if live is not None and jobs.prelabels(state.project_key, live):
        return PUSHING_SECONDS
    return math.ceil(state.resting())


def reconcile_job() -> None:
    """Plan what lost webhooks should have planned. Errors wait for the next time."""
    from ml_backend.reconciler import reconcile
    from ml_backend.studio import Studio

    settings = job_settings()
    try:
        with Jobs(settings) as jobs:
            try:
                for project_key, missed in reconcile(jobs, Studio.connect(settings)).items():
                    if missed:
                        log.info("changes without a webhook", project=project_key, changes=missed)
            except StudioError as error:
                with reaching():
                    keep_problem(jobs.redis, error)
                raise
    except TiebreakError as error:
        log.warning("cannot reconcile", why=str(error))


def _train(
    settings: Settings, state: ProjectState, project_key: str, project_id: int, still_ours: Callable[[], bool]
) -> dict[str, Any]:
    from ml_backend.briefs import refresh
    from ml_backend.cases import policy_version, read_cases, regression_cases
    from ml_backend.encoder import load_encoder, look_of
    from ml_backend.labeling.config import parse
    from ml_backend.labeling.results import project_key as key_of
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.studio import Studio
    from ml_backend.training import train

    began = time.time()
    studio = Studio.connect(settings)
    project = studio.project(project_id)
    if key_of(project) != project_key:
        raise StudioNotFound(
            f"Label Studio's project {project_id} is not the one of {project_key}.",
            mend="It was deleted and made anew; the new one trains by itself.",
        )
    seen = Seen(count_labels(project), began)
    state.record(seen)
    newest = Newest()
    tasks = studio.read(newest.of(studio.labelled(project_id)))
    settled = False
    try:
        config, now = parse(project["label_config"]), datetime.now(UTC)
        encoder, registry = load_encoder(settings), ModelRegistry(settings.models)
        cases = read_cases(studio, project, config, now)
        refresh(registry, studio, project, config, cases=cases, look=look_of(encoder))
        outcome = train(
            project_key,
            config,
            tasks,
            encoder,
            registry,
            promote=still_ours,
            cases=regression_cases(cases, project, now),
            policy_version=policy_version(project),
        )
        settled = True
    except (NotEnoughLabels, InputError):
        settled = True
        raise
    finally:
        state.record(Seen(seen.labels, began, newest.stamp, settled))
    return {
        "version": outcome.version,
        "labels": outcome.labels,
        "metrics": outcome.metrics,
        "promoted": outcome.promoted,
        "reason": outcome.reason,
    }


def _refusal(error: TiebreakError) -> dict[str, Any]:
    return {"error": error.what, "mend": error.mend, "status": error.status}


class TiebreakWorker(Worker):
    """Notices a dead worker's jobs within half a minute, asks for reconciling, and survives a restart of Redis."""

    max_connection_wait_time = 5.0
    told_to_stop = False
    _heard = 0.0
    """When Redis was last told that the job lives (monotonic)."""
    _cleaned = -math.inf
    """When the registries were last looked through (monotonic)."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        pause = min(max(int(jobs.settings.reconcile_seconds / 2), 1), 15)
        super().__init__(
            [jobs.queue(TRAIN_QUEUE), jobs.queue(WORK_QUEUE)],
            connection=jobs.redis,
            job_class=KnownJob,
            serializer=JSONSerializer,
            job_monitoring_interval=BEAT_SECONDS,
            maintenance_interval=pause,
            worker_ttl=15 + pause,  # RQ waits for a job that long less 15 s, and then does its maintenance
            exception_handlers=[_note_vanished],
        )

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return DEAD_SECONDS

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """RQ's own way, by the time of day, would not be due for as long as a clock was set back."""
        return time.monotonic() - self._cleaned > self.maintenance_interval

    def clean_registries(self) -> None:
        super().clean_registries()
        self._cleaned = time.monotonic()

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()
        trim(self.jobs)
        self.jobs.request_reconciling()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        try:
            super().heartbeat(timeout, pipeline)
        except redis.ConnectionError:
            self.jobs.revive()
            raise

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """A job outlives a short silence of Redis. After a longer one another worker has it, so this one ends it."""
        try:
            super().maintain_heartbeats(job, execution)
            self._heard = time.monotonic()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() - self._heard > DEAD_SECONDS:
                log.warning("cut off from Redis: the job is left to another worker", job=job.id)
                self.kill_horse()

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._heard = time.monotonic()
        super().execute_job(job, queue)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.told_to_stop = True
        try:
            super().request_stop(signum, frame)
        except redis.RedisError:  # which cannot be told; nobody else runs the job meanwhile
            raise StopRequested from None

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        BY.set(f"job {job.id}")
        return super().perform_job(job, queue, execution)

    def handle_job_failure(self, job: Job, *args: Any, **options: Any) -> None:
        error = sys.exception()  # in the job's process; its worker sees no more than that the process has ended
        failures.note(job, failures.describe(error) if error else failures.DIED)
        super().handle_job_failure(job, *args, **options)

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()
        _end_with_parent()  # so that no two run the same job at once

    def _start_scheduler(self, burst: bool = False, logging_level: str | None = "INFO", *_: object) -> None:
        """RQ's own, with a scheduler of ours."""
        self.scheduler = Scheduler(
            self.queues,
            connection=self.connection,
            logging_level=logging_level or self.log.level,
            serializer=self.serializer,
        )
        self.scheduler.acquire_locks()
        if not self.scheduler.acquired_locks:
            return
        if not burst:
            self.scheduler.start()
            return
        try:
            self.scheduler.register_birth()
            self.scheduler.enqueue_scheduled_jobs()
        finally:
            self.scheduler.release_locks()
            self.scheduler.register_death()


def _note_vanished(job: Job, kind: type[BaseException], *_: object) -> None:
    """Its executions go with it: RQ would look for them at the end of the next try, in vain, and call that failed."""
    if kind is AbandonedJobError:
        job.connection.delete(job.execution_registry.key)
        failures.note(job, failures.VANISHED)


class _Scheduled(ScheduledJobRegistry):
    def get_jobs_to_schedule(self, timestamp: int | None = None, chunk_size: int = 1000) -> list[str]:
        return super().get_jobs_to_schedule(int(redis_time(self.connection)), chunk_size)


class Scheduler(RQScheduler):
    """Does not outlive a killed worker: it would keep 160 MB, and the bundled Valkey from being stopped. Another
    worker's takes over once the lock of this one has run out, a minute later. Goes by Redis' clock, not this
    machine's."""

    _asked = -math.inf
    """When it last asked for its queues (monotonic)."""

    def __init__(self, queues: list[Queue], connection: redis.Redis, **options: Any) -> None:
        super().__init__(queues, connection, **options)
        self._pool = connection.connection_pool

    @property
    def should_reacquire_locks(self) -> bool:
        late = time.monotonic() - self._asked > DEFAULT_SCHEDULER_FALLBACK_PERIOD
        return late and self._queue_names != self.acquired_locks

    def acquire_locks(self, auto_start: bool = False) -> set[str]:
        self._asked = time.monotonic()
        return set(super().acquire_locks(auto_start))

    def prepare_registries(self, queue_names: Iterable[str] | None = None) -> None:
        super().prepare_registries(queue_names)
        self._scheduled_job_registries = [
            _Scheduled(it.name, connection=self.connection, serializer=self.serializer)
            for it in self._scheduled_job_registries
        ]

    def start(self) -> ForkProcess:
        """Redis hands a job to a worker that was killed while it waited, as long as anybody holds its socket: the fork
        gets none."""
        self._pool.disconnect(inuse_connections=False)
        return super().start()

    def work(self) -> None:
        _end_with_parent()
        super().work()


def _end_with_parent() -> None:
    """This process, a fork, is killed once its parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run_worker(settings: Settings, *, burst: bool = False) -> None:
    """Work until told to stop, or with `burst` until the queues are empty. Any number may run, on any machine."""
    set_up_logs(settings.log_level, secrets_of(settings))
    return_large_blocks()
    JOB_SETTINGS.set(settings)
    with suppress(StopRequested):
        while not _work(settings, burst):
            log.warning("the worker lost Redis and starts again")
            time.sleep(1 + random.random())  # noqa: S311  # many workers should not return in one moment


def _work(settings: Settings, burst: bool) -> bool:
    """Whether that was all there was to do, or the worker was told to stop; else it lost Redis."""
    worker = None
    try:
        with Jobs(settings) as jobs:
            if not burst or any(jobs.queue(name).count for name in (TRAIN_QUEUE, WORK_QUEUE)):
                for module in (*PRELOADED, *imports(settings)):
                    importlib.import_module(module)
            worker = TiebreakWorker(jobs)
            log.info("worker started", worker=worker.name)
            worker.work(burst=burst, with_scheduler=True, dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
            return burst or worker.told_to_stop
    except (redis.RedisError, QueueUnavailable) as error:
        if burst:
            raise QueueUnavailable(f"Redis cannot be used: {str(error).rstrip('.')}.") from error
        if worker is not None and worker.pubsub_thread:
            worker.pubsub_thread.stop()  # RQ leaves it behind, and the next worker listens with one of its own
        return worker is not None and worker.told_to_stop
