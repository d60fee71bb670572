"""Pre-labeling by real workers into a real Label Studio: killed, restarted, two at once; exact counts at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rq import Worker

from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.labeling.results import project_key
from ml_backend.prelabel_state import PrelabelState, Push
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.prelabel_jobs import prelabel
from tests.unit.serving.running import SENTIMENT, environment, eventually

SMALL = "import sdk_scripts.prelabel as it; it.PREDICTIONS_A_PUSH, it.TASKS_A_PREDICTION = 20, 5"
"""Shards of twenty tasks."""
WORKER = f"{SMALL}; from sdk_scripts.cli import main; main()"
TASKS = 60

StartWorker = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def everything(studio_settings: Settings, valkey: Valkey) -> Settings:
    return studio_settings.model_copy(update={"redis_url": SecretStr(valkey.url)})


@pytest.fixture
def start_worker(everything: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / f"worker-{len(started)}.log").open("ab") as output:
            command = [sys.executable, "-c", WORKER, "worker"]
            started.append(subprocess.Popen(command, env=environment(everything), stdout=output, stderr=output))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait(30)


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    made = studio.create_project({"title": "Prelabel, workers", "label_config": SENTIMENT})
    studio.import_tasks(made["id"], [{"data": {"text": f"I like number {number}"}} for number in range(TASKS)])
    yield made
    studio.delete_project(made["id"])


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdk_scripts.prelabel.PREDICTIONS_A_PUSH", 20)
    monkeypatch.setattr("sdk_scripts.prelabel.TASKS_A_PREDICTION", 5)


def predictions_a_task(studio: Studio, project: int) -> Counter[int]:
    return Counter(len(task["predictions"]) for task in studio.tasks(project))


def test_a_workers_death_and_two_commands_at_once_leave_one_prediction_a_task(
    studio: Studio, project: dict[str, Any], everything: Settings, start_worker: StartWorker
) -> None:
    doomed = start_worker()
    start_worker()
    with Jobs(everything) as jobs, ThreadPoolExecutor(2) as pool:
        eventually(lambda: jobs.workers() == 2, seconds=300, what="two workers")
        [name] = [it.name for it in Worker.all(connection=jobs.redis) if it.pid == doomed.pid]
        commands = [pool.submit(prelabel, everything, project["id"]) for _ in range(2)]
        eventually(lambda: studio.model_versions(project["id"]), seconds=300, what="the first push")
        doomed.send_signal(signal.SIGKILL)
        started = jobs.queue(WORK_QUEUE).started_job_registry

        def ended() -> bool:
            for entry in jobs.redis.zrange(started.key, 0, -1):
                job = jobs.queue(WORK_QUEUE).fetch_job(entry.decode().partition(":")[0])
                if job is not None and job.worker_name == name:
                    jobs.redis.zadd(started.key, {entry: 1})  # as if its last heartbeat were long ago
            return all(command.done() for command in commands)

        eventually(ended, seconds=400, what="the end of both commands")
        outcomes = [command.result() for command in commands]
    assert {outcome["tasks"] for outcome in outcomes} == {TASKS}
    assert all(outcome["shown"] for outcome in outcomes)
    assert predictions_a_task(studio, project["id"]) == {1: TASKS}
    assert prelabel(everything, project["id"])["pushed"] == 0


def test_a_restarted_valkey_costs_nothing(
    studio: Studio, project: dict[str, Any], studio_settings: Settings, tmp_path: Path
) -> None:
    with Jobs(studio_settings) as jobs, ThreadPoolExecutor(1) as pool:
        command = pool.submit(prelabel, studio_settings, project["id"])
        eventually(lambda: studio.model_versions(project["id"]) or command.done(), seconds=300, what="the first push")
        os.kill(int(jobs.redis.info("server")["process_id"]), signal.SIGKILL)
        outcome = command.result(300)
    assert outcome["shown"]
    assert predictions_a_task(studio, project["id"]) == {1: TASKS}


def test_a_push_that_nobody_knows_the_end_of_is_waited_for(
    studio: Studio, project: dict[str, Any], everything: Settings
) -> None:
    asked: list[int] = []

    def arrived(before: Push) -> int:
        asked.append(before.predictions)
        return 0 if len(asked) < 2 else before.predictions

    with Jobs(everything) as jobs:
        state = PrelabelState(jobs.redis, project_key(project))
        with pytest.raises(StudioUnreachable), state.pushing(Push("few-shot-1", 1, 9, 7), arrived):
            raise StudioUnreachable("no answer")
        with state.pushing(Push("few-shot-1", 1, 9, 9), arrived):
            assert asked == [7, 7]
        with state.pushing(Push("few-shot-1", 10, 19, 9), arrived):
            assert asked == [7, 7]


def test_without_a_worker_it_is_queued_and_said(project: dict[str, Any], everything: Settings, valkey: Valkey) -> None:
    said: list[str] = []
    outcome = prelabel(everything, project["id"], wait=False, report=said.append)
    assert outcome["workers"] == 0
    assert "tiebreak worker" in said[0]
    with Jobs(everything) as jobs:
        assert jobs.queue(WORK_QUEUE).job_ids == [outcome["job"]]


def test_what_redis_forgot_is_planned_anew(
    studio: Studio, project: dict[str, Any], everything: Settings, start_worker: StartWorker
) -> None:
    start_worker()
    with Jobs(everything) as jobs, ThreadPoolExecutor(1) as pool:
        eventually(jobs.workers, seconds=300, what="the worker")
        command = pool.submit(prelabel, everything, project["id"])
        eventually(lambda: studio.model_versions(project["id"]), seconds=300, what="the first push")
        for key in jobs.redis.scan_iter("tiebreak:*"):
            jobs.redis.delete(key)
        outcome = command.result(300)
    assert outcome["shown"]
    assert predictions_a_task(studio, project["id"]) == {1: TASKS}
