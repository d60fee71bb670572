"""Reports are planned once, whoever asks and however often: on a real Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr
from rq.job import Job, JobStatus

from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.queues import REPORTING, WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile_project
from ml_backend.report_history import ReportHistory
from ml_backend.report_schedule import NEVER, Schedule
from ml_backend.report_triggers import plan_report
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from tests.unit.monitoring.inspections import KEY
from tests.unit.reporting.projects import Project

DAILY = Schedule("0 6 * * *")
BATCHES = Schedule(on_completion=True)


@pytest.fixture
def jobs(valkey: Valkey, settings: Settings) -> Iterator[Jobs]:
    with Jobs(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as jobs:
        yield jobs


def planned(jobs: Jobs) -> list[tuple[str, str]]:
    """The jobs that wait: id, why."""
    return [(it.id, it.args[-1]) for it in jobs.queue(WORK_QUEUE).jobs if it.id.startswith("report-")]  # type: ignore[union-attr]


def begun(jobs: Jobs) -> None:
    """The report that waits is taken and made by a worker."""
    [job] = jobs.queue(WORK_QUEUE).jobs
    assert isinstance(job, Job)
    jobs.queue(WORK_QUEUE).remove(job)
    job.set_status(JobStatus.FINISHED)
    assert jobs.changes(REPORTING, KEY).take(job.args[2])


def reports(project: Project, jobs: Jobs, schedule: Schedule = BATCHES) -> str:
    """Why the reconciler plans a report; empty: it does not."""
    plan_report(jobs, KEY, project.fields(), schedule, project)  # type: ignore[arg-type]
    why = [why for _, why in planned(jobs)]
    if why:
        begun(jobs)
    assert len(why) < 2
    return "".join(why)


def test_a_batch_is_reported_once_when_its_last_task_is_labelled(jobs: Jobs) -> None:
    project = Project()
    steps = [("import", ""), ("import", ""), ("label one", ""), ("label all", "batch"), ("nothing", "")]
    steps += [("reopen", ""), ("label all", ""), ("import", ""), ("label all", "batch")]
    assert reports(project, jobs) == ""
    for step, expected in steps:
        project.do(step)
        assert reports(project, jobs) == expected, step


def test_a_project_that_was_complete_before_anybody_asked_is_not_reported(jobs: Jobs) -> None:
    project = Project(tasks=[1, 2, 3])
    assert reports(project, jobs) == reports(project, jobs) == ""
    project.do("import")
    project.do("label all")
    assert reports(project, jobs) == "batch"


def test_a_batch_that_replaces_another_of_its_size_is_a_new_one(jobs: Jobs) -> None:
    project = Project(tasks=[1, 2, 3])
    reports(project, jobs)
    project.tasks = [4, 5, 6]
    assert reports(project, jobs) == "batch"


def test_open_gold_questions_are_not_waited_for(jobs: Jobs) -> None:
    project = Project(tasks=[1, 2, 3, 4], open={2, 3, 4}, decided={1, 2})
    assert reports(project, jobs) == ""
    project.open = {2, 4}
    assert reports(project, jobs) == ""
    project.open = {1, 2}
    assert reports(project, jobs) == "batch"


def test_however_many_ask_one_report_waits(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {job.id for job in pool.map(lambda _: jobs.request_report(KEY, 7), range(40))}
    assert planned(jobs) == [(ids.pop(), "webhook")]
    assert not ids


def test_who_asks_while_a_report_is_made_gets_exactly_one_more(jobs: Jobs) -> None:
    first = jobs.request_report(KEY, 7).id
    begun(jobs)
    more = {jobs.request_report(KEY, 7).id for _ in range(5)}
    assert len(more) == 1
    assert first not in more


def test_many_workers_that_look_at_once_plan_one_report(jobs: Jobs) -> None:
    project = Project()
    reports(project, jobs)
    project.tasks = [1]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: plan_report(jobs, KEY, project.fields(), BATCHES, project), range(24)))  # type: ignore[arg-type]
    assert [why for _, why in planned(jobs)] == ["batch"]
    begun(jobs)
    assert jobs.changes(REPORTING, KEY).pending().labels == 0
    assert reports(project, jobs) == ""


def test_a_report_whose_job_was_lost_is_planned_again(jobs: Jobs) -> None:
    jobs.request_report(KEY, 7)
    jobs.queue(WORK_QUEUE).empty()
    assert reports(Project(), jobs, NEVER) == "webhook"
    assert reports(Project(), jobs, NEVER) == ""


def test_one_that_died_between_noting_a_report_and_planning_it_loses_none(jobs: Jobs) -> None:
    project = Project()
    reports(project, jobs)
    project.tasks = [1]
    plan_report(jobs, KEY, project.fields(), BATCHES, project)  # type: ignore[arg-type]
    jobs.queue(WORK_QUEUE).empty()
    assert reports(project, jobs) == "batch"
    assert reports(project, jobs) == ""


def test_a_schedule_that_is_taken_away_is_forgotten(jobs: Jobs) -> None:
    changes = jobs.changes(REPORTING, KEY)
    reports(Project(), jobs, DAILY)
    assert jobs.redis.hget(changes.key, "seen")
    reports(Project(), jobs, NEVER)
    assert jobs.redis.hget(changes.key, "seen") is None


def test_what_is_noted_and_cannot_be_read_counts_as_nothing_noted(jobs: Jobs) -> None:
    for torn in (b"{", b"[]", b'{"clock": ""}', b'{"clock": "", "since": "x", "labels": null, "batch": null}'):
        jobs.redis.hset(jobs.changes(REPORTING, KEY).key, "seen", torn)
        assert reports(Project(tasks=[1]), jobs) == ""
    assert reports(Project(tasks=[2]), jobs) == "batch"


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ('tiebreak quality: {"reports": {"on_completion": true}}', True),
        ('tiebreak quality: {"reports": {"on_completion": false}}', False),
        ('tiebreak quality: {"reports": {"on_completion": true}}\ntiebreak satellite: {"source": "3.1"}', False),
        ('tiebreak quality: {"reports": {"on_completion": true}}\ntiebreak: hard-cases-of-3', False),
        ('tiebreak quality: {"reports": {"on_completion": true}}\ntiebreak cases: reviews', False),
    ],
)
def test_the_reconciler_reports_on_projects_whose_rules_ask(jobs: Jobs, line: str, asks: bool) -> None:
    project = Project()
    for project.tasks in ([], [1]):
        reconcile_project(jobs, KEY, project.fields(line), project)  # type: ignore[arg-type]
    assert bool(planned(jobs)) == asks


def test_a_project_that_is_gone_takes_its_reports_along(jobs: Jobs) -> None:
    reports(Project(), jobs, DAILY)
    jobs.request_report(KEY, 7)
    jobs.state(KEY).forget()
    assert not [key for key in jobs.redis.keys("tiebreak:*") if KEY.encode() in key]  # type: ignore[union-attr]


def test_a_report_while_label_studio_is_away_is_left_to_the_queue_and_not_kept_by_half(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_backend.jobs import JOB_SETTINGS
    from ml_backend.studio import connection
    from sdk_scripts.report.jobs import report_job

    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    away = {"studio_url": "http://127.0.0.1:9", "studio_token": SecretStr("t")}
    settings = jobs.settings.model_copy(update=away)
    job = jobs.request_report(KEY, 7)
    assert job.retries_left == 3
    token = JOB_SETTINGS.set(settings)
    try:
        with pytest.raises(StudioUnreachable):
            report_job(*job.args)
    finally:
        JOB_SETTINGS.reset(token)
    assert ReportHistory(settings, KEY).kept() == []
    assert not jobs.changes(REPORTING, KEY).busy()
