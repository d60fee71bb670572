"""The queues on Redis (RQ, JSON arguments): coalesced trainings, and the reconciler behind the webhooks.

A changed label plans its project's next training: at once when `train_after_labels` have changed, else
`train_after_seconds` after the first of them. The id of the planned job is the project and a generation number, which
the training advances when it begins: so at most one training of a project waits, and labels that change while one runs
plan exactly one more. A lock lets at most one of a project run. Finding and resolving hard cases and routing tasks are
planned likewise, `cases_after_seconds` after the first change, and inspecting a project, `inspect_after_seconds` after
it. A report is made at once, when somebody or its schedule asks. Webhooks can be lost, so there is the `reconciler`.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from rq import Queue, Retry, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from ml_backend import failures
from ml_backend.changes import Changes, Pending
from ml_backend.known_jobs import KnownJob
from ml_backend.labeling.errors import NotEnoughLabels, QueueUnavailable, TiebreakError
from ml_backend.lost_jobs import put_back
from ml_backend.prelabel_state import PrelabelState, Shard
from ml_backend.project_state import (
    ADVANCE,
    ALERTS,
    INSPECT,
    MINE,
    REPORT,
    RESOLVE,
    ROUTE,
    ProjectState,
    case_changes,
)
from ml_backend.redis_connection import RedisConnection, reaching
from ml_backend.roles import Role

TRAIN_QUEUE = "tiebreak-train"
WORK_QUEUE = "tiebreak-work"
RECONCILE_JOB = "ml_backend.jobs.reconcile_job"
PRELABEL_JOB = "sdk_scripts.prelabel_jobs.prelabel_job"
SHARD_JOB = "sdk_scripts.prelabel_jobs.shard_job"
TIDY_JOB = "sdk_scripts.prelabel_jobs.tidy_job"
ALERT_JOB = "sdk_scripts.monitoring.jobs.alert_job"


@dataclass(frozen=True, slots=True)
class Coalesced:
    """Work on the changes of a project, of which at most one job waits."""

    name: str
    queue: str
    function: str
    """Called with the project's key, its id, the number of the job (`Changes.take`), and what `Jobs.plan` was told
    `more`."""


TRAINING = Coalesced("train", TRAIN_QUEUE, "ml_backend.jobs.train_job")
MINING = Coalesced(MINE, WORK_QUEUE, "sdk_scripts.case_jobs.mine_job")
RESOLVING = Coalesced(RESOLVE, WORK_QUEUE, "sdk_scripts.case_jobs.resolve_job")
ROUTING = Coalesced(ROUTE, WORK_QUEUE, "sdk_scripts.route_jobs.route_job")
INSPECTING = Coalesced(INSPECT, WORK_QUEUE, "sdk_scripts.monitoring.jobs.inspect_job")
ADVANCING = Coalesced(ADVANCE, WORK_QUEUE, "sdk_scripts.onboarding.jobs.advance_job")
REPORTING = Coalesced(REPORT, WORK_QUEUE, "sdk_scripts.report.jobs.report_job")

JOB_SECONDS = 2 * 3600
KEPT_SECONDS = 24 * 3600  # results, to be looked up
FAILED_SECONDS = 7 * 24 * 3600  # jobs whose tries are used up, to be looked at and tried again
RETRIES = (10, 60, 300)  # seconds until the next try
FAILED_WAIT_SECONDS = 3600.0  # what has failed for good is not planned more often by itself
JITTER = 0.25  # share of those seconds that chance adds: what failed together is not tried again together

_WAITING = (JobStatus.CREATED, JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DEFERRED)


class Jobs(RedisConnection):
    """The queues, as every part but the worker sees them. A context manager; every call may raise QueueUnavailable."""

    def queue(self, name: str) -> Queue:
        return Queue(
            name, connection=self.redis, job_class=KnownJob, serializer=JSONSerializer, default_timeout=JOB_SECONDS
        )

    def state(self, project_key: str) -> ProjectState:
        return ProjectState(self.redis, project_key)

    def remember(self, project_key: str) -> None:
        """The reconciler looks after this project from now on."""
        with reaching():
            self.state(project_key).remember()

    def changes(self, work: Coalesced, project_key: str) -> Changes:
        if work is TRAINING:
            return self.state(project_key)
        return case_changes(self.redis, work.name, project_key)

    def project_changed(self, role: Role, project_key: str, project_id: int, n: int = 1) -> None:
        """`n` labels of a project came, changed or went: plan what its role asks for."""
        if role.learns and n:
            self.labels_changed(project_key, project_id, n)
        if role.automatic and role.learns:
            self.cases_changed(MINING, project_key, project_id)
        if role.routed and role.learns:
            self.cases_changed(ROUTING, project_key, project_id)
        if role.monitored and role.learns:
            self.cases_changed(INSPECTING, project_key, project_id)
        if role.reviews_of is not None:
            self.cases_changed(RESOLVING, project_key, project_id)
        if role.course_of:
            self.cases_changed(ADVANCING, project_key, project_id)

    def labels_changed(self, project_key: str, project_id: int, n: int = 1) -> None:
        """`n` labels came, changed or went: plan the project's next training."""
        with reaching():
            pending = self.state(project_key).add(n)
            self.plan(TRAINING, project_key, project_id, pending)

    def cases_changed(self, work: Coalesced, project_key: str, project_id: int) -> None:
        """Something changed that hard cases are found by or resolved from, tasks are routed by, or an inspection looks
        at: plan that."""
        with reaching():
            self.state(project_key).remember()
            self.plan(work, project_key, project_id, self.changes(work, project_key).add(1))

    def request_training(self, project_key: str, project_id: int) -> Job:
        """Train as soon as a worker is free; where a training waits already, it is that one."""
        with reaching():
            state = self.state(project_key)
            state.remember()
            job = self.plan(TRAINING, project_key, project_id, state.pending(), at_once=True)
            state.ask(job.args[2])
            return job

    def request_report(self, project_key: str, project_id: int) -> Job:
        """Make a report as soon as a worker is free; where one waits already, it is that one."""
        with reaching():
            self.state(project_key).remember()
            pending = self.changes(REPORTING, project_key).add(1)
            return self.plan(REPORTING, project_key, project_id, pending, at_once=True, more=("webhook",))

    def wait(self, job: Job, *, worker_seconds: float = 30.0) -> dict[str, Any]:
        """Block until the training ends: `{version, labels, metrics, promoted, reason}`.

        Raises what the training raised; QueueUnavailable where no worker has run for `worker_seconds`.
        """
        last_worker = time.monotonic()
        while True:
            with reaching():
                status = job.get_status(refresh=True)
                if status == JobStatus.FINISHED:
                    return _outcome(job.return_value(refresh=True) or {})
                alone = Worker.count(connection=self.redis, queue=self.queue(TRAIN_QUEUE)) == 0
            if not self._lives(job):
                raise TiebreakError(
                    f"The training {job.id} failed: {_why(job)}.", mend="See the worker's log, then train again."
                )
            if not alone:
                last_worker = time.monotonic()
            elif time.monotonic() - last_worker > worker_seconds:
                raise QueueUnavailable("No worker is running.", mend="Start one with `tiebreak worker`.")
            time.sleep(0.2)

    def request_prelabeling(
        self, project_key: str, project_id: int, version: str, *, only_missing: bool = False
    ) -> str:
        """Push the version's predictions to the project's tasks, in the background; returns the id of the job."""
        job_id = _job_id("prelabel", project_key, f"{version}{'-missing' * only_missing}")
        self._enqueue_once(PRELABEL_JOB, job_id, project_id, version, only_missing)
        return job_id

    def prelabel_new_tasks(self, project_key: str, project_id: int, version: str, tasks: int) -> None:
        """Push the version's predictions, which the tasks of a project have, to those that came since, and delete what
        Label Studio doubled; `tasks` is how many it has now."""
        with reaching():
            covered = PrelabelState(self.redis, project_key).covered(version)
            if covered not in (None, tasks) and not self._failing(_job_id("prelabel", project_key, version)):
                self.request_prelabeling(project_key, project_id, version)

    def prelabels(self, project_key: str, version: str) -> bool:
        """Whether jobs wait or run that push the version's predictions to all tasks."""
        shards = PrelabelState(self.redis, project_key).board(version).shards()
        jobs = [shard_job_id(project_key, version, shard) for shard, done in shards.items() if done is None]
        for job in (_job_id("prelabel", project_key, version), *jobs):
            with suppress(TiebreakError):  # it has failed for good
                if self.alive(job):
                    return True
        return False

    def request_shard(
        self, project_key: str, project_id: int, version: str, shard: Shard, *, only_missing: bool = False
    ) -> str:
        """Pre-label the tasks from one id to another; returns the id of the job."""
        job_id = shard_job_id(project_key, version, shard, only_missing=only_missing)
        self._enqueue_once(SHARD_JOB, job_id, project_id, version, *shard, only_missing)
        return job_id

    def request_tidying(self, project_key: str, project_id: int, version: str) -> None:
        """Delete the predictions that the version has made out of date."""
        self._enqueue_once(TIDY_JOB, _job_id("tidy", project_key, version), project_id, version)

    def alive(self, job_id: str) -> bool:
        """Whether the job waits or runs. Raises TiebreakError with its reason where it has failed for good."""
        with reaching():
            job = self.fetch(job_id)
            status = job.get_status(refresh=False) if job else None
            if job and status in (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED):
                raise TiebreakError(f"The job {job.id} failed: {_why(job)}.", mend="See the worker's log.")
            return job is not None and self._lives(job)

    def fetch(self, job_id: str) -> Job | None:
        """Not RQ's `Queue.fetch_job`: that takes an id it finds no job of off the queue, and so for good a job that is
        enqueued at that moment."""
        try:
            return KnownJob.fetch(job_id, connection=self.redis, serializer=JSONSerializer)
        except NoSuchJobError:
            return None

    def failing(self, work: Coalesced, project_key: str, generation: int) -> bool:
        """Whether that job is tried again, or has failed for good within FAILED_WAIT_SECONDS."""
        with reaching():
            return self._failing(_job_id(work.name, project_key, str(generation)))

    def workers(self) -> int:
        """How many workers run that take this work."""
        with reaching():
            return Worker.count(connection=self.redis, queue=self.queue(WORK_QUEUE))

    def alerts_due(self, project_key: str, at: float | None) -> None:
        """Alerts of the project are to be sent then (Unix seconds); None: there are none."""
        with reaching():
            if at is None:
                self.redis.zrem(ALERTS, project_key)
            else:
                self.redis.zadd(ALERTS, {project_key: at})

    def request_alerts(self) -> None:
        """Send those that are due."""
        with reaching():
            for key in cast("list[bytes]", self.redis.zrangebyscore(ALERTS, 0, time.time())):
                job_id = _job_id("alert", key.decode(), "")
                if not self._failing(job_id):
                    self._enqueue_once(ALERT_JOB, job_id, key.decode())

    def request_reconciling(self) -> bool:
        """Look for lost webhooks, unless some worker did within `reconcile_seconds`."""
        with reaching():
            wait = int(self.settings.reconcile_seconds * 1000)
            if not self.redis.set("tiebreak:reconciled", 1, nx=True, px=max(wait, 1)):
                return False
            return self._enqueue_once(RECONCILE_JOB, "reconcile")

    def plan(
        self,
        work: Coalesced,
        project_key: str,
        project_id: int,
        pending: Pending,
        *,
        at_once: bool = False,
        more: tuple[str, ...] = (),
    ) -> Job:
        """The job that will take what is pending: made, or brought forward, unless it runs already."""
        queue, changes, generation = self.queue(work.queue), self.changes(work, project_key), pending.generation
        due = time.time() if at_once else self._due(work, pending, changes)
        while True:
            job_id = _job_id(work.name, project_key, str(generation))
            job: dict[str, Any] = {
                "args": (project_key, project_id, generation, *more),
                "job_id": job_id,
                "unique": True,
                "retry": Retry(max=len(RETRIES), interval=_pauses()),
                "result_ttl": KEPT_SECONDS,
                "failure_ttl": FAILED_SECONDS,
                "description": f"{work.name} project {project_key}",
            }
            try:
                if due <= time.time():
                    return queue.enqueue(work.function, **job)
                return queue.enqueue_at(datetime.fromtimestamp(due, UTC), work.function, **job)
            except DuplicateJobError:
                pass
            try:
                waiting = KnownJob.fetch(job_id, connection=self.redis, serializer=JSONSerializer)
            except NoSuchJobError:
                continue  # it was just removed
            status = waiting.get_status(refresh=False)
            if status == JobStatus.SCHEDULED:  # bring it forward; the scheduler looks every second
                self.redis.zadd(queue.scheduled_job_registry.key, {job_id: int(due)}, xx=True, lt=True)
            if self._lives(waiting):
                return waiting
            changes.skip(generation)
            generation = changes.pending().generation

    # ------------------------------------------------------------------------------------------------------------------

    def _lives(self, job: Job) -> bool:
        """Whether it waits or runs, by the status it was fetched with."""
        status = job.get_status(refresh=False)
        if status == JobStatus.QUEUED:
            put_back(self.queue(job.origin), job)
        return status in (*_WAITING, JobStatus.STARTED)

    def _failing(self, job_id: str) -> bool:
        if (job := self.fetch(job_id)) is None:
            return False
        status = job.get_status(refresh=False)
        if status == JobStatus.FAILED and job.ended_at:
            return abs((datetime.now(UTC) - job.ended_at).total_seconds()) < FAILED_WAIT_SECONDS
        return failures.tries(job) > 0 and status in (*_WAITING, JobStatus.STARTED)

    def _due(self, work: Coalesced, pending: Pending, changes: Changes) -> float:
        if work is INSPECTING:
            return max(pending.since + self.settings.inspect_after_seconds, time.time() + changes.resting())
        if work is not TRAINING:
            return pending.since + self.settings.cases_after_seconds
        full = pending.labels >= self.settings.train_after_labels
        return time.time() if full else pending.since + self.settings.train_after_seconds

    def _enqueue_once(self, function: str, job_id: str, *args: int | str | bool) -> bool:
        """False where that job waits or runs. One that died before its time is replaced."""
        queue = self.queue(WORK_QUEUE)
        options: dict[str, Any] = {"job_id": job_id, "unique": True, "result_ttl": 0, "failure_ttl": FAILED_SECONDS}
        if args:
            # The first at once: a killed worker's scheduler may have died too, and is replaced after two minutes.
            options["retry"] = Retry(max=len(RETRIES) + 1, interval=[0, *_pauses()])
        with reaching():
            for _ in range(2):
                try:
                    queue.enqueue(function, args=args, **options)
                    return True
                except DuplicateJobError:
                    other = self.fetch(job_id)
                    if other is not None:
                        if self._lives(other):
                            return False
                        other.delete()
        return False


def shard_job_id(project_key: str, version: str, shard: Shard, *, only_missing: bool = False) -> str:
    return _job_id("shard", project_key, f"{version}-{shard[0]}-{shard[1]}{'-missing' * only_missing}")


def _job_id(what: str, project_key: str, which: str) -> str:
    """RQ allows letters, digits, _ and -."""
    return f"{what}-{project_key}-{which}".replace(".", "_")


def _outcome(result: dict[str, Any]) -> dict[str, Any]:
    if "error" not in result:
        return result
    kind = NotEnoughLabels if result.get("status") == NotEnoughLabels.status else TiebreakError
    raise kind(result["error"], mend=result.get("mend", ""))


def _pauses() -> list[int]:
    return [round(seconds * (1 + random.uniform(0, JITTER))) for seconds in RETRIES]  # noqa: S311  # no secret


def _why(job: Job) -> str:
    return failures.why_failed(job).rstrip(".")
