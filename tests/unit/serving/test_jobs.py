"""Workers on real labels in a real Label Studio: coalescing, crashes, lost webhooks, and serving all the while."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from pydantic import SecretStr
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import Job, JobStatus
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from ml_backend.jobs import TiebreakWorker, run_worker
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.prelabel_state import PrelabelState
from ml_backend.project_list import read_list
from ml_backend.queues import RETRIES, TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile, reconcile_project
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.prelabel_jobs import prelabel
from tests.unit.serving.running import SENTIMENT, Serve, WorkerProcess, eventually

StartWorker = Callable[[Settings], WorkerProcess]

GOOD = ("I love this {}", "what a wonderful {}", "the {} works perfectly", "very happy with the {}", "great {}, thanks")
BAD = ("I hate this {}", "what an awful {}", "the {} broke at once", "very angry about the {}", "terrible {}, refund")
THINGS = ("phone", "kettle", "book", "chair", "lamp", "router", "jacket", "camera", "knife", "clock", "pen", "bag")


def labelled(count: int, *, salt: str = "") -> list[dict[str, Any]]:
    """Tasks with one annotation each, half of them positive."""
    tasks = []
    for number in range(count):
        positive = number % 2 == 0
        phrases = GOOD if positive else BAD
        thing = THINGS[number // 10 % len(THINGS)]
        answer = {"choices": ["positive" if positive else "negative"]}
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": answer}
        text = f"{phrases[number // 2 % 5].format(thing)} {salt}{number}"
        tasks.append({"data": {"text": text}, "annotations": [{"result": [region], "ground_truth": False}]})
    return tasks


@pytest.fixture
def everything(studio_settings: Settings, queue_settings: Settings) -> Settings:
    fast = {"train_after_labels": 1, "train_after_seconds": 0.0, "reconcile_seconds": 3600.0}
    return studio_settings.model_copy(update={"redis_url": queue_settings.redis_url, **fast})


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    made = studio.create_project({"title": "Jobs", "label_config": SENTIMENT})
    yield made
    studio.delete_project(made["id"])


@pytest.fixture
def jobs(everything: Settings, valkey: Valkey) -> Iterator[Jobs]:
    with Jobs(everything) as opened:
        yield opened


def fetch(jobs: Jobs, job_id: str) -> Job:
    return Job.fetch(job_id, connection=jobs.redis, serializer=JSONSerializer)


def horse(worker: WorkerProcess) -> int | None:
    """The process of the running job: the worker's child that is not its scheduler."""
    for child in psutil.Process(worker.process.pid).children():
        if os.getpgid(child.pid) == child.pid:
            return child.pid
    return None


def in_the_middle(jobs: Jobs, key: str) -> None:
    """Until a training has taken its labels: it reads tasks or encodes."""
    eventually(lambda: jobs.state(key).is_training() and jobs.state(key).last() is not None, what="a training")


def test_labels_become_a_live_version_and_its_predictions(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs
) -> None:
    key = project_key(project)
    studio.import_tasks(project["id"], [*labelled(60), {"data": {"text": "I love this toaster"}}])
    jobs.labels_changed(key, project["id"], 60)
    run_in_process(everything)
    version = ModelRegistry(everything.models).live(key)
    assert version is not None
    assert version.startswith("few-shot-")
    assert jobs.state(key).last().settled
    assert jobs.state(key).pending().labels == 0
    predicted = [p for task in studio.tasks(project["id"]) for p in task["predictions"]]
    assert {p["model_version"] for p in predicted} == {version}


def test_tasks_imported_later_get_predictions_by_themselves(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs
) -> None:
    key, id = project_key(project), project["id"]
    jobs.remember(key)
    studio.import_tasks(id, [{"data": {"text": "I love this toaster"}}])
    assert reconcile(jobs, studio) == {key: 0}
    assert jobs.queue(WORK_QUEUE).job_ids == []  # nobody had this project pre-labeled
    prelabel(everything, id, studio=studio)
    studio.import_tasks(id, [{"data": {"text": "I hate it"}}, {"data": {"text": ""}}])
    for _ in range(2):
        reconcile(jobs, studio)
        assert len(jobs.queue(WORK_QUEUE).job_ids) == 1
    run_in_process(everything)
    assert [len(task["predictions"]) for task in studio.tasks(id)] == [1, 1, 0]
    reconcile(jobs, studio)
    assert jobs.queue(WORK_QUEUE).job_ids == []  # the task without a text is not tried again


def test_tasks_imported_later_wait_where_another_version_is_live(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs
) -> None:
    key, id = project_key(project), project["id"]
    studio.import_tasks(id, [{"data": {"text": "I love this toaster"}}])
    PrelabelState(jobs.redis, key).cover("few-shot-gone", 0)
    shown = studio.project(id) | {"model_version": "few-shot-gone"}
    reconcile_project(jobs, key, shown, studio)
    run_in_process(everything)
    reconcile_project(jobs, key, shown, studio)
    assert jobs.queue(WORK_QUEUE).job_ids == []
    assert [len(task["predictions"]) for task in studio.tasks(id)] == [0]


def test_too_few_labels_are_told_with_numbers_and_not_tried_again(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs
) -> None:
    studio.import_tasks(project["id"], labelled(1))
    job = jobs.request_training(project_key(project), project["id"])
    run_in_process(everything)
    with pytest.raises(NotEnoughLabels, match=r"\d"):
        jobs.wait(job)
    assert jobs.queue(TRAIN_QUEUE).job_ids == []
    assert reconcile_project(jobs, project_key(project), studio.project(project["id"]), studio) == 0


def test_a_project_that_is_gone_is_forgotten(
    studio: Studio, everything: Settings, jobs: Jobs, project: dict[str, Any]
) -> None:
    other = studio.create_project({"title": "Gone soon", "label_config": SENTIMENT})
    key = project_key(other)
    jobs.request_training(key, other["id"])
    studio.delete_project(other["id"])
    run_in_process(everything)
    assert jobs.state(key).last() is None
    jobs.remember(key)
    jobs.remember(project_key(project))
    assert set(reconcile(jobs, studio)) == {project_key(project)}
    assert [(it.key, it.title) for it in read_list(jobs.redis).projects] == [(project_key(project), "Jobs")]


def test_imported_annotations_are_found_by_the_reconciler(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs, start_worker: StartWorker
) -> None:
    key = project_key(project)
    jobs.remember(key)
    studio.import_tasks(project["id"], labelled(40))
    worker = start_worker(everything.model_copy(update={"reconcile_seconds": 2.0}))
    registry = ModelRegistry(everything.models)
    eventually(lambda: registry.live(key), seconds=240, what="the version of the imported labels")
    assert worker.stop() == 0


def test_labels_of_a_project_that_redis_forgot_are_found(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs
) -> None:
    key = project_key(project)
    jobs.remember(key)
    assert reconcile(jobs, studio) == {key: 0}
    jobs.redis.flushall()
    studio.import_tasks(project["id"], labelled(4))
    assert reconcile(jobs, studio) == {key: 4}


def test_changed_answers_are_found_though_no_count_changed(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs, studio_server: Any
) -> None:
    key, id = project_key(project), project["id"]
    studio.import_tasks(id, labelled(30))
    jobs.labels_changed(key, id, 30)
    run_in_process(everything)
    [first, *_] = studio.tasks(id)
    [annotation] = first["annotations"]
    changed = [{**annotation["result"][0], "value": {"choices": ["negative"]}}]
    url = f"{studio_server.url}/api/annotations/{annotation['id']}/"
    headers = {"Authorization": f"Token {studio_server.token}"}
    httpx.patch(url, json={"result": changed}, headers=headers, timeout=60, trust_env=False).raise_for_status()
    often = everything.model_copy(update={"reconcile_seconds": 0.001})
    with Jobs(often) as looking:
        assert reconcile_project(looking, key, studio.project(id), studio) == 1
    assert jobs.state(key).pending().labels == 1


def test_a_job_killed_in_the_middle_leaves_the_old_version_and_is_tried_again(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs, start_worker: StartWorker
) -> None:
    key, id = project_key(project), project["id"]
    registry = ModelRegistry(everything.models)
    studio.import_tasks(id, labelled(40))
    jobs.labels_changed(key, id, 40)
    run_in_process(everything)
    old = registry.live(key)
    assert old

    studio.import_tasks(id, labelled(200, salt="new "))
    before = jobs.state(key).last()
    job = jobs.request_training(key, id)
    worker = start_worker(everything)
    eventually(lambda: (last := jobs.state(key).last()) is not None and last != before, what="the training")
    pid = horse(worker)
    assert pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: fetch(jobs, job.id).get_status() == JobStatus.SCHEDULED, what="the next try")
    assert registry.live(key) == old
    assert fetch(jobs, job.id).retries_left == len(RETRIES) - 1
    jobs.redis.zadd(jobs.queue(TRAIN_QUEUE).scheduled_job_registry.key, {job.id: 0})  # as if the pause were over
    eventually(lambda: registry.live(key) != old, seconds=240, what="the new version")
    assert worker.stop() == 0


def test_the_training_of_a_killed_worker_is_taken_over_by_another(
    studio: Studio, project: dict[str, Any], everything: Settings, jobs: Jobs, start_worker: StartWorker
) -> None:
    key, id = project_key(project), project["id"]
    studio.import_tasks(id, labelled(200))
    job = jobs.request_training(key, id)
    first = start_worker(everything)
    in_the_middle(jobs, key)
    forks = psutil.Process(first.process.pid).children(recursive=True)
    first.kill()
    assert not psutil.wait_procs(forks, timeout=60)[1]  # neither its job nor its scheduler
    started = jobs.queue(TRAIN_QUEUE).started_job_registry
    for entry in jobs.redis.zrange(started.key, 0, -1):
        jobs.redis.zadd(started.key, {entry: 1})  # as if its last heartbeat were long ago
    queues = TRAIN_QUEUE, WORK_QUEUE
    jobs.redis.delete(f"tiebreak:training:{key}", *map(RQScheduler.get_locking_key, queues))  # as if they had run out
    second = start_worker(everything)
    eventually(lambda: fetch(jobs, job.id).get_status() == JobStatus.SCHEDULED, what="the take-over")
    jobs.redis.zadd(jobs.queue(TRAIN_QUEUE).scheduled_job_registry.key, {job.id: 0})
    assert jobs.wait(fetch(jobs, job.id))["promoted"]
    assert second.stop() == 0


def test_no_prediction_fails_while_a_version_is_trained_and_promoted(
    studio: Studio,
    project: dict[str, Any],
    everything: Settings,
    jobs: Jobs,
    start_worker: StartWorker,
    serve: Serve,
) -> None:
    key, id = project_key(project), project["id"]
    studio.import_tasks(id, labelled(120))
    start_worker(everything)
    body = {"tasks": labelled(3), "project": key, "label_config": SENTIMENT, "params": None}
    answers: list[tuple[int, str]] = []
    done = threading.Event()
    with serve(everything) as client:

        def keep_asking() -> None:
            while not done.is_set():
                answer = client.post("/predict", json=body)
                whole = answer.status_code == 200 and all(item["result"] for item in answer.json()["results"])
                answers.append((answer.status_code, answer.json()["model_version"] if whole else answer.text))

        asking = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in asking:
            thread.start()
        try:
            hint = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "project": project}
            eventually(lambda: client.post("/webhook", json=hint).json()["accepted"])
            live = ModelRegistry(everything.models)
            eventually(lambda: live.live(key), seconds=240, what="the new version")
            eventually(lambda: answers[-1][1] == live.live(key), what="its answers")
        finally:
            done.set()
            for thread in asking:
                thread.join(60)
    assert {status for status, _ in answers} == {200}
    assert [version.split("-")[0] for version in dict.fromkeys(version for _, version in answers)] == ["zero", "few"]


def run_in_process(settings: Settings) -> None:
    """A burst of a worker, in a process of its own because a worker takes the signal handlers."""
    process = multiprocessing.get_context("spawn").Process(target=run_worker, args=(settings,), kwargs={"burst": True})
    process.start()
    process.join(300)
    assert process.exitcode == 0


def test_a_worker_starts_a_killed_valkey_again_and_works_on(settings: Settings, start_worker: StartWorker) -> None:
    with Jobs(settings) as jobs:
        worker = start_worker(settings)
        eventually(lambda: Worker.count(connection=jobs.redis), what="the worker")
        os.kill(int(jobs.redis.info("server")["process_id"]), signal.SIGKILL)

        def answers() -> bool:
            try:
                return bool(jobs.redis.ping())
            except redis.ConnectionError:
                return False

        eventually(answers, what="Valkey")  # nobody but the worker starts it
        job = jobs.request_training("999999.1", 999999)
        eventually(lambda: fetch(jobs, job.id).get_status() != JobStatus.QUEUED, what="the job's first try")
        assert worker.stop() == 0


def test_a_worker_that_is_told_to_stop_in_a_job_stops_though_redis_is_gone(settings: Settings, tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with Valkey(tmp_path / "gone") as server:
        gone = settings.model_copy(update={"redis_url": SecretStr(server.url)})
        with Jobs(gone) as jobs:
            worker = TiebreakWorker(jobs)
            worker.set_state(WorkerStatus.BUSY)
            server.stop()
            try:
                with pytest.raises(StopRequested):
                    worker.request_stop(signal.SIGTERM, None)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
