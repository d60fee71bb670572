"""Machines' clocks may be hours apart: what one has stamped must neither hide labels nor lose them on another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rq import Retry
from rq.serializers import JSONSerializer

from ml_backend.jobs import Scheduler, TiebreakWorker
from ml_backend.prelabel_state import PrelabelState
from ml_backend.project_state import Seen
from ml_backend.queues import TRAIN_QUEUE, TRAINING, WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile_project
from ml_backend.settings import Settings
from sdk_scripts.stale_predictions import out_of_date

KEY = "7.1795381865"
HOURS = 3 * 3600.0


@pytest.fixture
def jobs(queue_settings: Settings) -> Iterator[Jobs]:
    with Jobs(queue_settings) as opened:
        yield opened


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This machine's clock is hours ahead, until it is undone."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + HOURS)
    return monkeypatch


def test_a_training_planned_by_a_clock_that_was_ahead_is_brought_forward(jobs: Jobs, ahead: pytest.MonkeyPatch) -> None:
    jobs.labels_changed(KEY, 7, 1)
    ahead.undo()
    jobs.plan(TRAINING, KEY, 7, jobs.state(KEY).pending())
    scheduled = jobs.queue(TRAIN_QUEUE).scheduled_job_registry
    [due] = [at for _, at in jobs.redis.zrange(scheduled.key, 0, -1, withscores=True)]
    assert due <= time.time() + jobs.settings.train_after_seconds


def test_a_training_that_failed_by_a_clock_that_was_ahead_is_not_forgotten_for_hours(jobs: Jobs) -> None:
    jobs.state(KEY).record(Seen(5, time.time() + HOURS))
    project = {"id": 7, "description": "", "total_annotations_number": 5}
    assert reconcile_project(jobs, KEY, project, object()) == 5  # type: ignore[arg-type]  # counts are all it looks at


@pytest.mark.parametrize("how", ["fails", "asks for it"])
def test_a_job_tried_again_by_a_machine_that_is_ahead_waits_no_longer(
    jobs: Jobs, ahead: pytest.MonkeyPatch, how: str
) -> None:
    ahead.setattr("rq.job.now", lambda: datetime.fromtimestamp(time.time(), UTC))
    job = jobs.request_report(KEY, 7)
    queue, at = jobs.queue(WORK_QUEUE), datetime.now(UTC)
    with jobs.redis.pipeline() as pipe:
        if how == "fails":
            job.retry(queue, pipe)
        else:
            job._handle_retry_result(queue, pipe, Retry(max=3, interval=9), "an execution", at, at)
        pipe.execute()
    [(_, due)] = jobs.redis.zrange(queue.scheduled_job_registry.key, 0, -1, withscores=True)
    ahead.undo()
    assert 5 < due - time.time() < 20


def test_a_machine_whose_clock_is_behind_queues_what_is_due(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = jobs.queue(WORK_QUEUE)
    queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "ml_backend.jobs.reconcile_job", job_id="due")
    queue.enqueue_in(timedelta(hours=1), "ml_backend.jobs.reconcile_job", job_id="not-due")
    monkeypatch.setattr("rq.scheduler.current_timestamp", lambda: int(time.time() - HOURS))
    scheduler = Scheduler([queue], connection=jobs.redis, serializer=JSONSerializer)
    scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    assert queue.job_ids == ["due"]


def test_a_clock_that_is_set_back_does_not_stop_a_workers_rounds(jobs: Jobs, ahead: pytest.MonkeyPatch) -> None:
    """In which lost jobs and lost webhooks are found, and a dead worker's scheduler is replaced."""
    ahead.setattr("rq.worker.base.now", lambda: datetime.fromtimestamp(time.time(), UTC))
    worker = TiebreakWorker(jobs)
    assert worker.should_run_maintenance_tasks
    worker.clean_registries()
    assert not worker.should_run_maintenance_tasks
    ahead.undo()
    worker.maintenance_interval = 0
    assert worker.should_run_maintenance_tasks


def test_a_clock_that_is_set_back_does_not_leave_a_queue_without_a_scheduler(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = [jobs.queue(WORK_QUEUE), jobs.queue(TRAIN_QUEUE)]
    theirs = Scheduler(queues[:1], connection=jobs.redis, serializer=JSONSerializer)
    ours = Scheduler(queues, connection=jobs.redis, serializer=JSONSerializer)
    theirs.acquire_locks()
    assert ours.acquire_locks() == {TRAIN_QUEUE}
    ours.lock_acquisition_time = datetime.now() + timedelta(seconds=HOURS)  # by the clock as it was
    assert not ours.should_reacquire_locks
    monkeypatch.setattr("ml_backend.jobs.DEFAULT_SCHEDULER_FALLBACK_PERIOD", 0)
    assert ours.should_reacquire_locks


def test_a_clock_that_is_ahead_deletes_no_prediction_that_may_be_on_a_screen(
    jobs: Jobs, ahead: pytest.MonkeyPatch
) -> None:
    state, versions = PrelabelState(jobs.redis, KEY), ["few-shot-10-aaaaaaaa", "few-shot-20-bbbbbbbb"]
    ahead.undo()
    for version in versions:
        state.shown(version)
    ahead.setattr(time, "time", lambda now=time.time: now() + HOURS)
    assert out_of_date(versions, versions[1], state) == set()
