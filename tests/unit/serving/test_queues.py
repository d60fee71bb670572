"""Coalescing, on a real Valkey: what is planned when labels change."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr
from rq.job import Job, JobStatus

from ml_backend.labeling.errors import InputError, QueueUnavailable
from ml_backend.project_state import Seen, known_projects
from ml_backend.queues import MINING, RESOLVING, ROUTING, TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.roles import role_of
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey

KEY = "7.1795381865"


@pytest.fixture
def jobs(valkey: Valkey, settings: Settings) -> Iterator[Jobs]:
    limits = {"redis_url": SecretStr(valkey.url), "train_after_labels": 5, "train_after_seconds": 3600.0}
    with Jobs(settings.model_copy(update=limits)) as jobs:
        yield jobs


def queued(jobs: Jobs) -> list[Job]:
    return jobs.queue(TRAIN_QUEUE).jobs


def scheduled(jobs: Jobs) -> list[str]:
    return list(jobs.queue(TRAIN_QUEUE).scheduled_job_registry.get_job_ids())


def due(jobs: Jobs) -> float:
    [(_, at)] = jobs.redis.zrange(jobs.queue(TRAIN_QUEUE).scheduled_job_registry.key, 0, -1, withscores=True)
    return float(at)


def test_the_first_labels_plan_a_training_for_later(jobs: Jobs) -> None:
    before = int(time.time())
    jobs.labels_changed(KEY, 7, 2)
    jobs.labels_changed(KEY, 7, 2)
    assert queued(jobs) == []
    assert len(scheduled(jobs)) == 1
    assert before + 3600 <= due(jobs) <= time.time() + 3600


def test_enough_labels_bring_the_planned_training_forward(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7, 4)
    jobs.labels_changed(KEY, 7, 1)
    assert len(scheduled(jobs)) == 1
    assert due(jobs) <= time.time()


def test_enough_labels_at_once_are_queued_at_once(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7, 5)
    [job] = queued(jobs)
    assert job.args == [KEY, 7, 0]
    assert job.func_name == "ml_backend.jobs.train_job"


def test_a_storm_of_webhooks_plans_one_training(jobs: Jobs) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: jobs.labels_changed(KEY, 7), range(500)))
    assert len(queued(jobs)) + len(scheduled(jobs)) == 1
    assert jobs.state(KEY).pending().labels == 500


def test_labels_that_come_while_a_training_runs_plan_exactly_one_more(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7, 5)
    [running] = queued(jobs)
    jobs.queue(TRAIN_QUEUE).remove(running)
    running.set_status(JobStatus.STARTED)
    assert jobs.state(KEY).take(0)
    for _ in range(20):
        jobs.labels_changed(KEY, 7)
    assert [job.id for job in queued(jobs)] + scheduled(jobs) == ["train-7_1795381865-1"]


def test_a_training_tried_anew_takes_nothing_of_the_next_one(jobs: Jobs) -> None:
    state = jobs.state(KEY)
    jobs.labels_changed(KEY, 7, 3)
    assert state.take(0)
    jobs.labels_changed(KEY, 7, 2)
    assert not state.take(0)
    assert state.pending().labels == 2


def test_a_job_that_died_before_it_began_does_not_block_the_next(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7, 5)
    [dead] = queued(jobs)
    jobs.queue(TRAIN_QUEUE).remove(dead)
    dead.set_status(JobStatus.FAILED)
    jobs.labels_changed(KEY, 7, 1)
    assert [job.id for job in queued(jobs)] == ["train-7_1795381865-1"]
    assert jobs.state(KEY).pending().labels == 6


def test_projects_are_planned_apart(jobs: Jobs) -> None:
    for id in range(10):
        jobs.labels_changed(f"{id}.1795381865", id, 5)
    assert sorted(job.args[1] for job in queued(jobs)) == list(range(10))
    assert len(known_projects(jobs.redis)) == 10


def test_a_request_uses_the_training_that_waits(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7, 1)
    [waiting] = scheduled(jobs)
    assert jobs.request_training(KEY, 7).id == waiting
    assert due(jobs) <= time.time()


def test_a_request_for_a_project_without_new_labels_is_queued(jobs: Jobs) -> None:
    job = jobs.request_training(KEY, 7)
    assert [job.id] == [job.id for job in queued(jobs)]


def test_jobs_are_json(jobs: Jobs) -> None:
    job = jobs.request_training(KEY, 7)
    assert json.loads(zlib.decompress(jobs.redis.hget(job.key, "data")))[2] == [KEY, 7, 0]


def test_a_version_is_prelabeled_once(jobs: Jobs) -> None:
    for _ in range(3):
        jobs.request_prelabeling(KEY, 7, "few-shot-20261122-210000-0123abcd")
    [job] = jobs.queue(WORK_QUEUE).jobs
    assert job.func_name == "sdk_scripts.prelabel_jobs.prelabel_job"
    assert job.args == [7, "few-shot-20261122-210000-0123abcd", False]


def test_looking_for_a_job_takes_nothing_off_the_queue(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = Job.fetch

    def enqueued_meanwhile(*args: object, **options: object) -> Job:
        try:
            return fetch(*args, **options)
        finally:
            monkeypatch.setattr(Job, "fetch", fetch)
            jobs.request_prelabeling(KEY, 7, "few-shot-1")

    monkeypatch.setattr(Job, "fetch", enqueued_meanwhile)
    job = "prelabel-7_1795381865-few-shot-1"
    assert not jobs.alive(job)
    assert jobs.alive(job)
    assert jobs.queue(WORK_QUEUE).job_ids == [job]


@pytest.mark.parametrize("which", ["shard", "training"])
def test_a_job_that_a_killed_worker_took_off_the_queue_is_queued_again(
    jobs: Jobs, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ notes only later that it runs."""

    def ask() -> None:
        if which == "shard":
            jobs.request_shard(KEY, 7, "v1", (1, 10))
        else:
            jobs.request_training(KEY, 7)

    ask()
    queue = jobs.queue(WORK_QUEUE if which == "shard" else TRAIN_QUEUE)
    [id] = queue.job_ids
    ask()
    assert queue.job_ids == [id]
    jobs.redis.lpop(queue.key)
    ask()
    assert queue.job_ids == []  # a worker may be about to run it
    monkeypatch.setattr("ml_backend.lost_jobs.LOST_SECONDS", 0.05)
    time.sleep(0.1)
    ask()
    ask()
    assert queue.job_ids == [id]
    assert jobs.alive(id)


def test_many_workers_reconcile_once(jobs: Jobs) -> None:
    assert [jobs.request_reconciling() for _ in range(5)] == [True, False, False, False, False]
    assert jobs.queue(WORK_QUEUE).job_ids == ["reconcile"]


def test_waiting_without_a_worker_says_so(jobs: Jobs) -> None:
    with pytest.raises(QueueUnavailable, match="tiebreak worker"):
        jobs.wait(jobs.request_training(KEY, 7), worker_seconds=0)


@pytest.mark.parametrize("key", ["", "x", "../7", "7.", "7.1.2", "7 .1", "-7.1", "٧.1", "7" * 30, "7.1\n"])
def test_what_is_no_project_key_is_refused(jobs: Jobs, key: str) -> None:
    with pytest.raises(InputError, match="project key"):
        jobs.labels_changed(key, 7)


def test_a_redis_that_is_down_is_named_with_its_setting(settings: Settings) -> None:
    down = settings.model_copy(update={"redis_url": SecretStr("redis://:pw@127.0.0.1:1/0")})
    with Jobs(down, timeout=0.2) as jobs, pytest.raises(QueueUnavailable, match="TIEBREAK_REDIS_URL") as caught:
        jobs.labels_changed(KEY, 7)
    assert "pw" not in str(caught.value)


def test_what_a_training_saw_survives_a_round_trip(jobs: Jobs) -> None:
    seen = Seen(12, 1.5, "2026-11-22T21:00:00Z", True)
    jobs.state(KEY).record(seen)
    assert jobs.state(KEY).last() == seen
    jobs.redis.hset(jobs.state(KEY).key, "last", "{torn")
    assert jobs.state(KEY).last() is None


def test_one_training_of_a_project_runs_at_a_time(jobs: Jobs) -> None:
    with jobs.state(KEY).working() as first, jobs.state(KEY).working() as second:
        assert (bool(first), bool(second)) == (True, False)
        assert first.still_ours()
        with jobs.state("8.1").working() as other:
            assert other
    with jobs.state(KEY).working() as again:
        assert again
    assert not jobs.state(KEY).is_training()


def test_who_was_cut_off_for_too_long_knows_that_the_lease_is_lost(jobs: Jobs) -> None:
    with jobs.state(KEY).working() as cut_off:
        assert cut_off.still_ours()
        jobs.redis.delete(f"tiebreak:training:{KEY}")  # as when it runs out
        with jobs.state(KEY).working() as other:
            assert other.still_ours()
            assert not cut_off.still_ours()


AUTOMATIC = {"description": 'Reviews.\n\ntiebreak hard cases: {"automatic": true}\ntiebreak: reviews'}
ROUTED = {"description": 'Reviews.\n\ntiebreak policy: {"automatic": true}'}
REVIEWS = {"description": "Second looks.\r\n\r\ntiebreak: hard-cases-of-7"}
LIBRARY = {"description": "Settled.\n\ntiebreak cases: reviews\ntiebreak: reviews-cases"}


@pytest.mark.parametrize(
    ("project", "planned"),
    [
        ({}, {"train"}),
        ({"description": 'tiebreak hard cases: {"automatic": false}'}, {"train"}),
        ({"description": "tiebreak hard cases: {torn"}, {"train"}),
        (AUTOMATIC, {"train", "mine"}),
        (ROUTED, {"train", "route"}),
        ({"description": 'tiebreak policy: {"blind": 0.1}'}, {"train"}),
        ({"description": "tiebreak policy: {torn"}, {"train"}),
        (REVIEWS, {"resolve"}),
        (LIBRARY, set()),
    ],
)
def test_what_a_change_plans_depends_on_what_the_project_is(jobs: Jobs, project: dict, planned: set[str]) -> None:
    jobs.project_changed(role_of(project), KEY, 7, 1)
    registries = [jobs.queue(name).scheduled_job_registry for name in (TRAIN_QUEUE, WORK_QUEUE)]
    assert {id.split("-")[0] for registry in registries for id in registry.get_job_ids()} == planned


def test_a_skip_is_looked_at_but_teaches_nothing(jobs: Jobs) -> None:
    jobs.project_changed(role_of(AUTOMATIC), KEY, 7, 0)
    assert scheduled(jobs) == []
    assert jobs.queue(WORK_QUEUE).scheduled_job_registry.get_job_ids() == ["mine-7_1795381865-0"]


def test_changes_that_come_while_cases_are_looked_for_plan_exactly_one_more(jobs: Jobs) -> None:
    for _ in range(20):
        jobs.cases_changed(MINING, KEY, 7)
    changes = jobs.changes(MINING, KEY)
    assert changes.pending().labels == 20
    assert changes.take(0)
    changes.done_until("2026-11-26T08:00:00Z")
    for _ in range(20):
        jobs.cases_changed(MINING, KEY, 7)
    waiting = jobs.queue(WORK_QUEUE).scheduled_job_registry.get_job_ids()
    assert sorted(waiting) == ["mine-7_1795381865-0", "mine-7_1795381865-1"]
    assert changes.until() == "2026-11-26T08:00:00Z"
    assert jobs.changes(RESOLVING, KEY).pending().labels == 0


def test_a_project_that_is_gone_leaves_nothing_behind(jobs: Jobs) -> None:
    jobs.labels_changed(KEY, 7)
    jobs.cases_changed(MINING, KEY, 7)
    jobs.cases_changed(RESOLVING, KEY, 7)
    jobs.cases_changed(ROUTING, KEY, 7)
    jobs.state(KEY).forget()
    assert not [key for key in jobs.redis.keys("tiebreak:*") if KEY.encode() in key]
