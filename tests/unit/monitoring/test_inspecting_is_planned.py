"""When a project is inspected: after changes, on the schedule, and never all the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from ml_backend.jobs import TiebreakWorker
from ml_backend.queues import INSPECTING, RETRIES, WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile_project
from ml_backend.roles import EVERY_HOURS, role_of
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from tests.unit.monitoring.inspections import KEY


@pytest.fixture
def jobs(valkey: Valkey, settings: Settings) -> Iterator[Jobs]:
    with Jobs(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as jobs:
        yield jobs


def role(line: str):
    return role_of({"description": f"Reviews.\n{line}"})


def inspections(jobs: Jobs) -> list[tuple[str, float]]:
    """Planned: (job, in how many seconds); -1: at once."""
    queue = jobs.queue(WORK_QUEUE)
    later = jobs.redis.zrange(queue.scheduled_job_registry.key, 0, -1, withscores=True)
    found = [(it.id, -1.0) for it in queue.jobs] + [(id.decode(), at - time.time()) for id, at in later]  # type: ignore[union-attr]
    return [(id, wait) for id, wait in found if id.startswith("inspect-")]


class Nothing:
    """A Label Studio in which nothing changed."""

    def task_count(self, *_: Any, **__: Any) -> int:
        return 0


def reconcile(jobs: Jobs, line: str) -> None:
    project = {"id": 7, "created_at": "2026-11-22T00:00:00Z", "description": line, "total_annotations_number": 0}
    reconcile_project(jobs, KEY, project, Nothing())  # type: ignore[arg-type]


def test_a_storm_of_changes_plans_one_inspection(jobs: Jobs) -> None:
    for _ in range(5):
        jobs.project_changed(role('tiebreak quality: {"automatic": true}'), KEY, 7)
    [(_, wait)] = inspections(jobs)
    assert 500 < wait <= 600


@pytest.mark.parametrize(
    "line",
    [
        "",
        'tiebreak quality: {"every_hours": 1}',
        'tiebreak quality: {"automatic": true}\ntiebreak satellite: {"source": "3.1"}',
        'tiebreak quality: {"automatic": true}\ntiebreak: hard-cases-of-3',
    ],
)
def test_projects_that_did_not_ask_for_it_are_left_alone(jobs: Jobs, line: str) -> None:
    jobs.project_changed(role(line), KEY, 7)
    reconcile(jobs, line)
    assert inspections(jobs) == []


def test_after_a_long_inspection_the_next_one_waits(jobs: Jobs) -> None:
    jobs.changes(INSPECTING, KEY).note_end(3000.0)
    jobs.project_changed(role('tiebreak quality: {"automatic": true}'), KEY, 7)
    [(_, wait)] = inspections(jobs)
    assert 2900 < wait <= 3000


def test_the_schedule_inspects_where_no_webhook_came(jobs: Jobs) -> None:
    line = 'tiebreak quality: {"automatic": true, "every_hours": 2}'
    reconcile(jobs, line)
    reconcile(jobs, line)
    [(first, wait)] = inspections(jobs)
    assert wait == -1.0
    changes = jobs.changes(INSPECTING, KEY)
    jobs.queue(WORK_QUEUE).empty()
    changes.take(0)
    changes.note_end(0.0)
    reconcile(jobs, line)
    assert inspections(jobs) == []
    jobs.redis.hset(changes.key, "ended", time.time() - 2 * 3600)
    reconcile(jobs, line)
    [(second, _)] = inspections(jobs)
    assert second != first


def test_a_running_inspection_is_not_planned_again_by_the_schedule(jobs: Jobs) -> None:
    with jobs.changes(INSPECTING, KEY).working():
        reconcile(jobs, 'tiebreak quality: {"automatic": true}')
    assert inspections(jobs) == []


def test_an_inspection_that_dies_every_time_is_tried_a_few_times_an_hour_not_for_ever(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = 'tiebreak quality: {"automatic": true}'
    queue, worker = jobs.queue(WORK_QUEUE), TiebreakWorker(jobs)
    made: set[str] = set()
    for _ in range(3 * (len(RETRIES) + 1)):
        reconcile(jobs, line)
        made |= {id for id, _ in inspections(jobs)}
        for id in queue.job_ids + queue.scheduled_job_registry.get_job_ids():
            job = jobs.fetch(id)
            assert job
            queue.remove(job)
            queue.scheduled_job_registry.remove(job)
            jobs.changes(INSPECTING, KEY).take(job.args[2])
            job.ended_at = datetime.now(UTC)
            worker.handle_job_failure(job, queue, exc_string="killed")
    assert made == {"inspect-7_1795381865-0"}
    assert queue.failed_job_registry.get_job_ids() == ["inspect-7_1795381865-0"]
    monkeypatch.setattr("ml_backend.queues.FAILED_WAIT_SECONDS", 0.0)  # as if the hour were over
    reconcile(jobs, line)
    assert [id for id, _ in inspections(jobs)] == ["inspect-7_1795381865-1"]


@pytest.mark.parametrize(
    ("said", "hours"), [("3", 3), ("0.5", 0.5), ("0", EVERY_HOURS), ('"2"', EVERY_HOURS), ("null", EVERY_HOURS)]
)
def test_the_schedule_is_read_off_the_description(said: str, hours: float) -> None:
    assert role(f'tiebreak quality: {{"automatic": true, "every_hours": {said}}}').every_hours == hours


def test_a_project_that_is_gone_has_no_alerts_waiting(jobs: Jobs) -> None:
    jobs.alerts_due(KEY, 1.0)
    jobs.state(KEY).forget()
    jobs.request_alerts()
    assert jobs.queue(WORK_QUEUE).jobs == []
